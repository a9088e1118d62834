"""Where processes of one machine meet: a short folder for Unix sockets, free TCP ports."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from devtools.local_stack.errors import StackError

LOOPBACK = "127.0.0.1"

# A Unix socket's whole path must fit into 104 bytes on macOS and 108 on Linux.
_LONGEST_FOLDER = 80


def make_socket_folder() -> Path:
    """A new folder, private to this user, whose path is short enough for sockets however deep the project lies."""
    folder = Path(tempfile.mkdtemp(prefix="blogger-"))
    if len(str(folder).encode()) > _LONGEST_FOLDER:
        folder.rmdir()
        raise StackError(
            f"The folder for temporary files, {folder.parent}, has too long a path for Unix sockets. "
            "Set TMPDIR to a shorter one."
        )
    return folder


def choose_port(wanted: int, purpose: str) -> int:
    """The wanted port, or a free one for 0. Raises StackError when the wanted one is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last user has just gone counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError as error:
            raise StackError(
                f"Port {wanted}, asked for as the {purpose}'s, cannot be had ({error.strerror}). "
                "Choose another, or 0 for any free one."
            ) from error
        port: int = probe.getsockname()[1]
        return port

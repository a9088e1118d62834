"""Supabase's pooler, as the trial of the default profile meets it: PgBouncer in transaction mode, with passwords."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.pgbouncer import PROGRAM

ADDRESS = "127.0.3.1"
PORT = 6543

_USER = 998
"""PgBouncer does not run as root."""

_CONFIGURATION = """
[databases]
* = host=demo-database

[pgbouncer]
pool_mode = transaction
listen_addr = {address}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/logins.txt
default_pool_size = 20
max_client_conn = 500
"""


def start_pooler(passwords: Mapping[str, str]) -> None:
    """Start a pooler in front of the service `demo-database` for these logins. It ends with the namespace."""
    # Not below pytest's folders, which only root may enter.
    folder = Path(tempfile.mkdtemp(prefix="bt-pooler-"))
    (folder / "pgbouncer.ini").write_text(_CONFIGURATION.format(address=ADDRESS, port=PORT, folder=folder))
    (folder / "logins.txt").write_text("".join(f'"{login}" "{word}"\n' for login, word in passwords.items()))
    for path in (folder, *folder.iterdir()):
        os.chown(path, _USER, _USER)
    with (folder / "output").open("wb") as output:
        subprocess.Popen(
            [str(PROGRAM), "-q", str(folder / "pgbouncer.ini")],
            user=_USER,
            group=_USER,
            extra_groups=[],
            stdout=output,
            stderr=output,
        )

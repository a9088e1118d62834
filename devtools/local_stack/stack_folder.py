"""Folder of one stack: its lock, the address of the running stack, and its generated secrets."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from devtools.local_stack.config import StackError

_FERNET_BYTES = 32
# As long as the digest of the algorithm that Airflow signs its tokens with.
_KEY_BYTES = 64
_PASSWORD_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Addresses of a stack's parts. None: the user's environment names the address, and the stack runs no such part."""

    api_url: str
    sandbox_url: str | None
    metadata_url: str | None
    pipeline_dsn: str | None
    admin_dsn: str | None


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that is up: the process that owns the stack, and the addresses of its parts."""

    pid: int
    sockets: str
    endpoints: Endpoints
    pipeline_dsn: str
    admin_dsn: str | None

    @property
    def api_url(self) -> str:
        """The address of Airflow's API server."""
        return self.endpoints.api_url


class FolderLock:
    """Exclusive use of a folder, from before a stack's first process starts until after its last process has ended.

    The lock is a lock on a file: the operating system releases it when its process ends, however that happens.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: TextIO | None = None

    @property
    def is_held(self) -> bool:
        """True if this object holds the lock."""
        return self._lock is not None

    def acquire(self) -> None:
        """Acquire the lock. Raises StackError if another process holds it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = (self._folder / "stack.lock").open("a", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StackError(
                f"A stack is already running in {self._folder}{_whereabouts(self._folder)}; it was not touched. "
                "Stop it with `make down`, or choose another --folder."
            ) from None
        self._lock = lock

    def publish(self, stack: RunningStack) -> None:
        """Write the addresses of the stack for other commands, such as `make verify`."""
        write_private(_state_file(self._folder), asdict(stack))

    def abandoned_stack(self) -> RunningStack | None:
        """Return the stack that the previous owner published, if that owner ended without a release."""
        try:
            return _read_state(self._folder)
        except StackError:
            return None

    def release(self) -> None:
        """Release the lock and remove the published addresses."""
        if self._lock is not None:
            _state_file(self._folder).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None


def find_running_stack(folder: Path) -> RunningStack | None:
    """Return the stack that runs in this folder, or None.

    Raises StackError while the stack is starting or stopping, when its addresses are not known.
    """
    probe = FolderLock(folder)
    try:
        probe.acquire()
    except StackError:
        return _read_state(folder)
    probe.release()
    return None


def _fernet_key() -> str:
    return urlsafe_b64encode(os.urandom(_FERNET_BYTES)).decode()


def _key() -> str:
    return secrets.token_urlsafe(_KEY_BYTES)


def _password() -> str:
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def _deployment() -> str:
    return f"local-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSecrets:
    """Generated secrets of a stack, none of which shows in a repr, and `deployment`, its name in the ledger.

    A rebuilt stack has a new `deployment`, because its DAG run ids may repeat those of the deleted stack.
    """

    deployment: str = field(default_factory=_deployment)
    fernet_key: str = field(default_factory=_fernet_key, repr=False)
    api_secret_key: str = field(default_factory=_key, repr=False)
    jwt_secret: str = field(default_factory=_key, repr=False)
    admin_password: str = field(default_factory=_password, repr=False)
    sandbox_key: str = field(default_factory=_key, repr=False)
    supabase_secret: str = field(default_factory=_key, repr=False)


def load_secrets(folder: Path) -> StackSecrets:
    """Return the secrets of the stack in this folder, generated on first use.

    Raises StackError for an unreadable file, which is kept.
    """
    file = folder / "secrets.json"
    if not file.exists():
        write_private(file, asdict(StackSecrets()))
    try:
        return StackSecrets(**json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise StackError(
            f"{file} cannot be read as the stack wrote it; it was kept. Restore it, or remove {folder} to start with "
            "empty databases."
        ) from error


def kept_sandbox_port(folder: Path) -> int:
    """Return the port that the sandbox of this folder's stack had before; 0 for none."""
    try:
        return int(_sandbox_port_file(folder).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def keep_sandbox_port(folder: Path, port: int) -> None:
    """Keep the sandbox's port for the next start: the URLs of waiting thumbnails have the port."""
    _sandbox_port_file(folder).write_text(str(port), encoding="utf-8")


def write_private(file: Path, content: object) -> None:
    """Write a JSON file that only its owner can read, in one step, so that no partial file is ever seen."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    draft.touch(0o600, exist_ok=False)
    draft.write_text(json.dumps(content, indent=2), encoding="utf-8")
    draft.replace(file)


def _read_state(folder: Path) -> RunningStack:
    try:
        state = json.loads(_state_file(folder).read_text(encoding="utf-8"))
        return RunningStack(**{**state, "endpoints": Endpoints(**state["endpoints"])})
    except (OSError, ValueError, KeyError) as error:
        raise StackError(
            f"The stack in {folder} is starting or stopping, so its addresses are unknown. Try again in a moment."
        ) from error


def _sandbox_port_file(folder: Path) -> Path:
    return folder / "sandbox-port"


def _state_file(folder: Path) -> Path:
    return folder / "stack.json"


def _whereabouts(folder: Path) -> str:
    try:
        running = _read_state(folder)
    except StackError:
        return ""
    return f" (process {running.pid}, {running.api_url})"

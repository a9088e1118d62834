"""One stack per folder at a time, and what others may know of the one that runs."""

from __future__ import annotations

import fcntl
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from devtools.local_stack.errors import StackError
from devtools.local_stack.generated_secrets import write_private


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that is up: the process that owns it and where its parts are."""

    pid: int
    sockets: str
    api_url: str
    pipeline_dsn: str
    admin_dsn: str | None


class Ownership:
    """Held from before a stack's first process starts until after its last one has ended.

    It is a lock on a file, which the system gives up with its process, however that ends.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: TextIO | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process has it."""
        return self._lock is not None

    def take(self) -> None:
        """Raises StackError when another process has it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = (self._folder / "stack.lock").open("a", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StackError(
                f"A stack is already running in {self._folder}{_whereabouts(self._folder)}. `make down` stops it."
            ) from None
        self._lock = lock

    def announce(self, stack: RunningStack) -> None:
        """Tell others where the stack is."""
        write_private(_state_file(self._folder), asdict(stack))

    def abandoned(self) -> RunningStack | None:
        """What the last owner told others, if it ended without giving up."""
        try:
            return _read_state(self._folder)
        except StackError:
            return None

    def give_up(self) -> None:
        """Let somebody else have it."""
        if self._lock is not None:
            _state_file(self._folder).unlink(missing_ok=True)
            self._lock.close()
            self._lock = None


def running_stack(folder: Path) -> RunningStack | None:
    """The stack that runs in this folder, if there is one. Raises StackError while it cannot be known."""
    probe = Ownership(folder)
    try:
        probe.take()
    except StackError:
        return _read_state(folder)
    probe.give_up()
    return None


def _read_state(folder: Path) -> RunningStack:
    try:
        return RunningStack(**json.loads(_state_file(folder).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise StackError(f"The stack in {folder} is just starting or stopping. Try again in a moment.") from error


def _state_file(folder: Path) -> Path:
    return folder / "stack.json"


def _whereabouts(folder: Path) -> str:
    try:
        running = _read_state(folder)
    except StackError:
        return ""
    return f" (process {running.pid}, {running.api_url})"

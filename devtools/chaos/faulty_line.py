"""Line to Postgres that fails at a chosen moment: before a COMMIT, after a COMMIT, or by falling silent."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from devtools.bench.wire_proxy import WireProxy

_CHUNK_BYTES = 65_536
_COMMIT = re.compile(rb"commit\x00", re.IGNORECASE)


class LineFailure(StrEnum):
    """Moment at which a line fails."""

    BEFORE_COMMIT = "before COMMIT"
    AFTER_COMMIT = "after COMMIT"
    SILENT = "silent"


@dataclass(slots=True)
class LineFault:
    """A failure of the next `times` lines that commit a transaction whose statements contain `statement`."""

    failure: LineFailure
    statement: bytes
    times: int


class _Line:
    """One client's line: the statements of its transaction, and how far the line has failed."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.statements = b""
        self.silent = False
        self.drops_answer = False

    def cut(self) -> None:
        """Close both ends."""
        for each in (self.client, self.server):
            # A shutdown, because another thread waits for data of the socket.
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class FaultyLine(WireProxy):
    """Proxy in front of a Postgres socket whose lines fail on demand. The proxy's socket is in `folder`."""

    def __init__(self, folder: Path, server_socket: Path) -> None:
        super().__init__(folder, server_socket)
        self.folder = folder
        self._lines: set[_Line] = set()
        self._fault: LineFault | None = None
        self._lock = threading.Lock()
        self.failed = 0

    def inject(self, fault: LineFault) -> None:
        """Let the next matching lines fail."""
        with self._lock:
            self._fault = fault
            self.failed = 0

    def heal(self) -> None:
        """Remove the fault; lines that are silent are cut."""
        with self._lock:
            self._fault = None
        for line in self._current():
            if line.silent:
                line.cut()

    def cut_all(self) -> int:
        """Cut every line and return the number of lines."""
        lines = list(self._current())
        for line in lines:
            line.cut()
        return len(lines)

    def _current(self) -> Iterator[_Line]:
        with self._lock:
            return iter(list(self._lines))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._server_socket))
            except OSError:
                # Postgres is down: the client is told so.
                client.close()
                server.close()
                continue
            line = _Line(client, server)
            with self._lock:
                self._lines.add(line)
            for forward in (self._forward_to_server, self._forward_to_client):
                threading.Thread(target=forward, args=(line,), daemon=True).start()

    def _forward_to_server(self, line: _Line) -> None:
        with suppress(OSError):
            while data := line.client.recv(_CHUNK_BYTES):
                if not line.silent and not self._sent(line, data):
                    break
        self._end(line)

    def _sent(self, line: _Line, data: bytes) -> bool:
        """Forward data of the client as far as the line works; return False for a line that was cut."""
        line.statements += data
        commit = _COMMIT.search(data)
        if commit is None:
            line.server.sendall(data)
            return True
        failure = self._take(line.statements)
        line.statements = b""
        if failure is LineFailure.BEFORE_COMMIT:
            line.server.sendall(data[: commit.start()])
            return False
        if failure is LineFailure.SILENT:
            line.silent = True
            return True
        line.drops_answer = failure is LineFailure.AFTER_COMMIT
        line.server.sendall(data)
        return True

    def _forward_to_client(self, line: _Line) -> None:
        with suppress(OSError):
            while data := line.server.recv(_CHUNK_BYTES):
                if line.drops_answer:
                    if _COMMIT.search(data):
                        break
                elif not line.silent:
                    line.client.sendall(data)
        # The end of a silent line is lost, too.
        if not line.silent:
            self._end(line)

    def _take(self, statements: bytes) -> LineFailure | None:
        with self._lock:
            fault = self._fault
            if fault is None or fault.times <= self.failed or fault.statement not in statements:
                return None
            self.failed += 1
            return fault.failure

    def _end(self, line: _Line) -> None:
        with self._lock:
            self._lines.discard(line)
        line.cut()

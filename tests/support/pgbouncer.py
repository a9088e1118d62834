"""PgBouncer in front of the tests' Postgres server."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Literal, Self

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from tests.support.database_server import DatabaseServer
from tests.support.waiting import wait_until

PoolMode = Literal["transaction", "session"]

# Debian installs daemons where the PATH of an ordinary user does not look.
PROGRAM = shutil.which("pgbouncer", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin")))

MISSING = "PgBouncer is not installed; on Debian: apt install pgbouncer"
"""Reason for skipping tests, if PROGRAM is None."""

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason=MISSING)

LOGINS = ("postgres", "pipeline_login")

_START_SECONDS = 20
_PORT = 6432

_CONFIGURATION = """
[databases]
* = host={server}

[pgbouncer]
pool_mode = {mode}
unix_socket_dir = {folder}
listen_port = {port}
auth_type = trust
auth_file = {folder}/logins.txt
logfile = {folder}/pgbouncer.log
# Successive transactions of one client get different server processes, as they do in a busy pooler.
server_round_robin = 1
default_pool_size = 10
max_client_conn = 500
server_idle_timeout = 5
"""


class PgBouncer:
    """PgBouncer on a Unix socket, with a pool for every database and each of the tests' logins, and for `logins`.

    `behind` is the folder of a proxy's socket, through which the server is reached.
    """

    def __init__(self, server: DatabaseServer, mode: PoolMode, *logins: str, behind: Path | None = None) -> None:
        if PROGRAM is None:
            raise FileNotFoundError(MISSING)
        # A short path, because the path of a Unix socket is limited to 107 bytes.
        self._folder = tempfile.TemporaryDirectory(prefix="bt-pool-")
        folder = Path(self._folder.name)
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            _CONFIGURATION.format(server=behind or server.socket.parent, mode=mode, folder=folder, port=_PORT)
        )
        (folder / "logins.txt").write_text("".join(f'"{login}" ""\n' for login in (*LOGINS, *logins)))
        user = _system_user(server)
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        self._process = subprocess.Popen(
            [PROGRAM, "-q", str(configuration)],
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            stderr=subprocess.DEVNULL,
        )

    @property
    def socket(self) -> Path:
        """The Unix socket on which the pooler listens."""
        return Path(self._folder.name) / f".s.PGSQL.{_PORT}"

    def conninfo(self, database: str, user: str = "postgres") -> str:
        """Return the connection string of a database through the pooler."""
        return make_conninfo(host=self._folder.name, port=_PORT, user=user, dbname=database)

    def __enter__(self) -> Self:
        wait_until(self._is_ready, _START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"PgBouncer ended: {(Path(self._folder.name) / 'pgbouncer.log').read_text()}")
        try:
            psycopg.connect(self.conninfo("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True


def _system_user(server: DatabaseServer) -> pwd.struct_passwd | None:
    """Return the user that Postgres runs as, if the tests run as root: neither program runs as root."""
    return pwd.getpwuid(server.socket.stat().st_uid) if os.getuid() == 0 else None

"""Supabase's pooler, as the trial of the default profile meets it: PgBouncer in transaction mode, with passwords."""

from __future__ import annotations

import os
import signal
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


class TransactionPooler:
    """A pooler in front of the service `demo-database` for these logins. It ends with the namespace."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        # Not below pytest's folders, which only root may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="bt-pooler-"))
        configuration = self._folder / "pgbouncer.ini"
        configuration.write_text(_CONFIGURATION.format(address=ADDRESS, port=PORT, folder=self._folder))
        self._write_logins(passwords)
        for path in (self._folder, *self._folder.iterdir()):
            os.chown(path, _USER, _USER)
        with (self._folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [str(PROGRAM), "-q", str(configuration)],
                user=_USER,
                group=_USER,
                extra_groups=[],
                stdout=output,
                stderr=output,
            )

    def change_passwords(self, passwords: Mapping[str, str]) -> None:
        """Let new connections log in with these passwords. Connections that are open stay open."""
        self._write_logins(passwords)
        self._process.send_signal(signal.SIGHUP)

    def _write_logins(self, passwords: Mapping[str, str]) -> None:
        text = "".join(f'"{login}" "{word}"\n' for login, word in passwords.items())
        (self._folder / "logins.txt").write_text(text)

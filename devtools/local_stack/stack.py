"""The whole system on one machine: Postgres, the invented platforms and a real Airflow, as supervised processes."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from devtools.local_stack.airflow_client import AirflowClient
from devtools.local_stack.airflow_environment import ADMIN_LOGIN, airflow_environment, require_airflow_version
from devtools.local_stack.airflow_processes import MigratedMark, migrate_metadata, unready_components
from devtools.local_stack.application_database import migrate_application, require_usable
from devtools.local_stack.config import StackConfig
from devtools.local_stack.errors import StackError
from devtools.local_stack.generated_secrets import StackSecrets, load_secrets, write_private
from devtools.local_stack.leftovers import end_leftovers
from devtools.local_stack.ownership import Ownership, RunningStack
from devtools.local_stack.parts import StackParts, choose_parts, process_groups
from devtools.local_stack.sockets import make_socket_folder
from devtools.local_stack.supervisor import ProcessState, Supervisor

_READY_SECONDS = 180.0
_POLL_SECONDS = 0.5
_TIMEOUT_SECONDS = 5.0

Progress = Callable[[str], None]


def _say_nothing(message: str) -> None:
    del message


@dataclass(frozen=True, slots=True)
class _Up:
    """What a stack knows once it was decided how it runs."""

    secrets: StackSecrets
    parts: StackParts
    supervisor: Supervisor


class Stack:
    """A stack between `start()` and `stop()`; as a context manager it is up inside.

    `progress` is told each step in a line. What a stack wrote is there again the next time it starts in its folder.
    Everything but `start` and `stop` raises StackError while it is down.
    """

    def __init__(self, config: StackConfig | None = None, progress: Progress = _say_nothing) -> None:
        self.config = config or StackConfig()
        self._progress = progress
        self._ownership = Ownership(self.config.folder)
        self._sockets: Path | None = None
        self._up: _Up | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and return once all of it is healthy.

        Raises StackError, ConfigurationError or DatabaseStateError; nothing is left running then.
        """
        require_airflow_version()
        self._ownership.take()
        try:
            self._launch()
            self._start_databases()
            if not self.config.only_databases:
                self._start_airflow()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process, Airflow first and the databases last, and free the folder for another stack."""
        if not self._ownership.is_held:
            return
        if self._up is not None:
            self._progress("Stopping")
            self._up.supervisor.shutdown()
        end_leftovers(self.config.folder, self.config.postgres_data)
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._up = self._sockets = None
        self._ownership.give_up()

    @property
    def api_url(self) -> str:
        """Where Airflow's API server is, without a slash at the end."""
        return self._now.parts.endpoints.api_url

    @property
    def login(self) -> str:
        """The login of Airflow's administrator."""
        return ADMIN_LOGIN

    @property
    def password(self) -> str:
        """The password of Airflow's administrator."""
        return self._now.secrets.admin_password

    @property
    def sandbox_url(self) -> str | None:
        """Where the invented platforms are; None when the environment names real ones for all of them."""
        return self._now.parts.endpoints.sandbox_url

    @property
    def is_self_contained(self) -> bool:
        """Whether the application's database and all platforms are the stack's own."""
        return self._now.parts.is_self_contained

    @property
    def pipeline_dsn(self) -> str:
        """How libpq reaches the application's database as the pipeline does."""
        return self._now.parts.pipeline_dsn

    @property
    def admin_dsn(self) -> str:
        """The same as the owner of the schema. Raises StackError when the environment names none."""
        dsn = self._now.parts.admin_dsn
        if dsn is None:
            raise StackError("The schema's owner is unknown: set the Connection blogger_db_admin.")
        return dsn

    def environment(self) -> dict[str, str]:
        """The environment of every process of this stack, for code that is to work beside them."""
        return airflow_environment(self.config, self._now.secrets, self._now.parts.endpoints)

    def client(self) -> AirflowClient:
        """A client of the stack's Airflow."""
        return AirflowClient(self.api_url, self.login, self.password)

    def states(self) -> dict[str, ProcessState]:
        """All processes by name."""
        return self._now.supervisor.states()

    def require_alive(self) -> None:
        """Raise StackError for a process that cannot be kept alive."""
        self._now.supervisor.require_alive()

    def pid(self, process: str) -> int:
        """The process id of one process, its name as in `states()`."""
        return self._now.supervisor.pid(process)

    def kill(self, process: str) -> None:
        """End one process as a crash would. It is started again at once."""
        self._now.supervisor.kill(process)

    def restart(self, process: str) -> None:
        """End one process in its own way and start it again."""
        self._now.supervisor.restart(process)

    @property
    def _now(self) -> _Up:
        if self._up is None:
            raise StackError("The stack is not up.")
        return self._up

    def _launch(self) -> None:
        config = self.config
        end_leftovers(config.folder, config.postgres_data)
        if (abandoned := self._ownership.abandoned()) is not None:
            shutil.rmtree(abandoned.sockets, ignore_errors=True)
        config.airflow_home.mkdir(parents=True, exist_ok=True)
        secrets = load_secrets(config.folder)
        write_private(config.passwords_file, {ADMIN_LOGIN: secrets.admin_password})
        sockets = self._sockets = make_socket_folder()
        parts = choose_parts(config, sockets)
        self._up = _Up(secrets, parts, Supervisor(config.folder, sockets))
        self._ownership.announce(
            RunningStack(os.getpid(), str(sockets), self.api_url, self.pipeline_dsn, parts.admin_dsn)
        )
        if parts.postgres is not None:
            parts.postgres.prepare()
        self._up.supervisor.launch(process_groups(config, parts), self.environment())

    def _start_databases(self) -> None:
        parts, supervisor = self._now.parts, self._now.supervisor
        if parts.postgres is not None:
            self._progress("Starting Postgres")
            supervisor.start("postgres")
            parts.postgres.wait_until_ready()
            parts.postgres.create_databases()
        if parts.admin_dsn is not None:
            applied = migrate_application(parts.admin_dsn, embedded=parts.endpoints.admin_dsn is not None)
            self._progress(f"Migrations applied: {len(applied)}")
        require_usable(parts.pipeline_dsn)

    def _start_airflow(self) -> None:
        supervisor = self._now.supervisor
        if self.sandbox_url is not None:
            supervisor.start("sandbox")
        self._migrate_metadata()
        started = datetime.now(UTC)
        airflow = process_groups(self.config, self._now.parts)[-1]
        self._progress("Starting Airflow: " + ", ".join(program.name for program in airflow.programs))
        supervisor.start(*(program.name for program in airflow.programs))
        if self.sandbox_url is not None:
            self._wait("the sandbox", self._sandbox_is_unready)
        self._wait("Airflow", lambda: unready_components(self.api_url, started))

    def _migrate_metadata(self) -> None:
        mark = MigratedMark(self.config.postgres_data)
        embedded = self._now.parts.endpoints.metadata_url is not None
        if embedded and mark.is_current():
            return
        self._progress("Migrating Airflow's database")
        migrate_metadata(self.environment(), self.config.log_folder / "db-migrate.log")
        if embedded:
            mark.set()

    def _sandbox_is_unready(self) -> list[str]:
        try:
            requests.get(f"{self.sandbox_url}/_sandbox/health", timeout=_TIMEOUT_SECONDS).raise_for_status()
        except requests.RequestException as error:
            return [str(error)]
        return []

    def _wait(self, what: str, unready: Callable[[], list[str]]) -> None:
        begin = time.monotonic()
        while missing := unready():
            self.require_alive()
            if time.monotonic() - begin > _READY_SECONDS:
                raise StackError(
                    f"{what} is not ready after {_READY_SECONDS:.0f} s (still missing: {', '.join(missing)}). "
                    f"The output of each process is in {self.config.log_folder}."
                )
            time.sleep(_POLL_SECONDS)
        self._progress(f"{what} is ready after {time.monotonic() - begin:.0f} s")

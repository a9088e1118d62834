"""A stack: Postgres, the platform sandbox and a real Airflow, started, watched and stopped as one."""

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

from blogger_tracking.database.connections import connect
from blogger_tracking.settings import describe_invalid_settings, invalid_settings
from devtools.local_stack.airflow_client import AirflowClient
from devtools.local_stack.airflow_environment import ADMIN_LOGIN, airflow_environment, require_airflow_version
from devtools.local_stack.airflow_processes import MigratedMark, migrate_metadata, unready_components
from devtools.local_stack.config import StackConfig, StackError
from devtools.local_stack.databases import migrate_application, require_usable
from devtools.local_stack.leftovers import end_leftovers
from devtools.local_stack.moved_sandbox import move_waiting_thumbnails
from devtools.local_stack.parts import StackParts, choose_parts, make_socket_folder, process_groups
from devtools.local_stack.process_supervisor import ProcessState, ProcessWatch, Supervisor
from devtools.local_stack.stack_folder import FolderLock, RunningStack, StackSecrets, load_secrets, write_private

_READY_SECONDS = 180.0
_POLL_SECONDS = 0.5
_TIMEOUT_SECONDS = 5.0

Progress = Callable[[str], None]
"""Prints one line about the step that begins or has ended."""


def _print_nothing(message: str) -> None:
    del message


@dataclass(frozen=True, slots=True)
class _StartedStack:
    """State of a stack between its start and its stop."""

    secrets: StackSecrets
    parts: StackParts
    supervisor: Supervisor


class Stack:
    """The local stack, up between `start()` and `stop()`; as a context manager, up inside the context.

    `progress` prints each step. The data of a stack is kept in its folder for its next start. Every method but `start`
    and `stop` raises StackError while the stack is down.
    """

    def __init__(self, config: StackConfig | None = None, progress: Progress = _print_nothing) -> None:
        self.config = config or StackConfig()
        self._progress = progress
        self._lock = FolderLock(self.config.folder)
        self._sockets: Path | None = None
        self._started: _StartedStack | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start all parts and return once all of them are healthy.

        Raises StackError, ConfigurationError or DatabaseStateError after every started process was ended.
        """
        require_airflow_version()
        if invalid := invalid_settings():
            raise StackError(describe_invalid_settings(invalid))
        self._lock.acquire()
        try:
            self._launch()
            self._start_databases()
            if not self.config.only_databases:
                self._start_airflow()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every process, Airflow first and the databases last, and release the folder."""
        if not self._lock.is_held:
            return
        if self._started is not None:
            self._progress("Stopping all processes; the data is kept")
            self._started.supervisor.shutdown()
        end_leftovers(self.config.folder, self.config.postgres_data)
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._started = self._sockets = None
        self._lock.release()

    @property
    def api_url(self) -> str:
        """The address of Airflow's API server, without a slash at the end."""
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
        """The address of the sandbox; None if the user's environment names a Connection for every platform."""
        return self._now.parts.endpoints.sandbox_url

    @property
    def is_self_contained(self) -> bool:
        """True if the application's database and all platforms are the stack's own."""
        return self._now.parts.is_self_contained

    @property
    def pipeline_dsn(self) -> str:
        """The connection string of the application's database with the pipeline's login."""
        return self._now.parts.pipeline_dsn

    @property
    def admin_dsn(self) -> str:
        """The connection string of the schema's owner. Raises StackError if the environment names none."""
        dsn = self._now.parts.admin_dsn
        if dsn is None:
            raise StackError("The login of the schema's owner is unknown. Set the Connection blogger_db_admin.")
        return dsn

    def environment(self) -> dict[str, str]:
        """Return the environment of the stack's processes, for code that runs outside the stack."""
        return airflow_environment(self.config, self._now.secrets, self._now.parts.endpoints)

    def client(self) -> AirflowClient:
        """Return a client of the stack's Airflow, signed in as its administrator."""
        return AirflowClient(self.api_url, self.login, self.password)

    def states(self) -> dict[str, ProcessState]:
        """Return the state of every process by name."""
        return self._now.supervisor.states()

    def require_alive(self) -> None:
        """Raise StackError if a process keeps dying."""
        self._now.supervisor.require_alive()

    def watch(self) -> ProcessWatch:
        """Return a watch that reports the processes that die."""
        return ProcessWatch(self._now.supervisor, self._progress)

    def pid(self, process: str) -> int:
        """Return the process id of one process, named as in `states()`."""
        return self._now.supervisor.pid(process)

    def kill(self, process: str) -> None:
        """Kill one process as a crash would; the supervisor starts the process again at once."""
        self._now.supervisor.kill(process)

    def restart(self, process: str) -> None:
        """Stop one process with its stop signal and start it again."""
        self._now.supervisor.restart(process)

    @property
    def _now(self) -> _StartedStack:
        if self._started is None:
            raise StackError("The stack is not up. Start it first.")
        return self._started

    def _launch(self) -> None:
        config = self.config
        end_leftovers(config.folder, config.postgres_data)
        if (abandoned := self._lock.abandoned_stack()) is not None:
            shutil.rmtree(abandoned.sockets, ignore_errors=True)
        config.airflow_home.mkdir(parents=True, exist_ok=True)
        secrets = load_secrets(config.folder)
        write_private(config.passwords_file, {ADMIN_LOGIN: secrets.admin_password})
        sockets = self._sockets = make_socket_folder()
        parts = choose_parts(config, sockets)
        self._started = _StartedStack(secrets, parts, Supervisor(config.folder, sockets))
        self._lock.publish(RunningStack(os.getpid(), str(sockets), parts.endpoints, self.pipeline_dsn, parts.admin_dsn))
        if parts.postgres is not None:
            parts.postgres.prepare()
        self._started.supervisor.launch(process_groups(config, parts), self.environment())

    def _start_databases(self) -> None:
        parts, supervisor = self._now.parts, self._now.supervisor
        if parts.postgres is not None:
            self._progress("Starting Postgres")
            supervisor.start("postgres")
            parts.postgres.wait_until_ready()
            parts.postgres.create_databases()
        if parts.admin_dsn is not None:
            applied = migrate_application(parts.admin_dsn, embedded=parts.endpoints.admin_dsn is not None)
            self._progress(f"Migrated the application's database: {len(applied)} migrations applied")
        require_usable(parts.pipeline_dsn)
        if self.sandbox_url is not None and parts.endpoints.admin_dsn is not None:
            with connect(parts.endpoints.admin_dsn) as connection:
                moved = move_waiting_thumbnails(connection, self.sandbox_url)
            if moved:
                self._progress(f"The sandbox has another port than before: {moved} waiting thumbnails follow it")

    def _start_airflow(self) -> None:
        supervisor = self._now.supervisor
        if self.sandbox_url is not None:
            supervisor.start("sandbox")
        self._migrate_metadata()
        started = datetime.now(UTC)
        airflow = process_groups(self.config, self._now.parts)[-1]
        self._progress("Starting Airflow's processes: " + ", ".join(program.name for program in airflow.programs))
        supervisor.start(*(program.name for program in airflow.programs))
        if self.sandbox_url is not None:
            self._wait("The platform sandbox", self._sandbox_errors)
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

    def _sandbox_errors(self) -> list[str]:
        try:
            requests.get(f"{self.sandbox_url}/_sandbox/health", timeout=_TIMEOUT_SECONDS).raise_for_status()
        except requests.RequestException as error:
            return [str(error)]
        return []

    def _wait(self, part: str, unready: Callable[[], list[str]]) -> None:
        begin = time.monotonic()
        while missing := unready():
            self.require_alive()
            if time.monotonic() - begin > _READY_SECONDS:
                raise StackError(
                    f"{part} is not ready after {_READY_SECONDS:.0f} s (missing: {', '.join(missing)}). "
                    "All processes are stopped, and the data is kept. "
                    f"The output of each process is in {self.config.log_folder}."
                )
            time.sleep(_POLL_SECONDS)
        self._progress(f"{part} is ready after {time.monotonic() - begin:.0f} s")

"""Airflow as the stack runs it: its processes, its database migration, its health."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import requests

from devtools.local_stack.airflow_environment import AIRFLOW_VERSION
from devtools.local_stack.config import StackConfig
from devtools.local_stack.errors import StackError
from devtools.local_stack.programs import Program
from devtools.local_stack.sockets import LOOPBACK

_HEALTH_TIMEOUT_SECONDS = 10.0
DAG_PROCESSOR_NICENESS = 10
"""Each instance that ends in the triggerer leaves the DAG processor a request that comes to nothing: those can wait."""

_COMPONENTS = ("scheduler", "triggerer", "dag_processor")


def airflow_programs(config: StackConfig, api_port: int) -> list[Program]:
    """All processes of Airflow.

    The log servers are left out: everything reads the same log folder, and the process that a triggerer forks for
    one keeps a connection to the metadata database that outlives a killed triggerer.
    """
    programs = [
        Program("api-server", _airflow("api-server", "--host", LOOPBACK, "--port", str(api_port))),
        Program("scheduler", _airflow("scheduler", "--skip-serve-logs")),
        Program("dag-processor", ["nice", "-n", str(DAG_PROCESSOR_NICENESS), *_airflow("dag-processor")]),
        Program("triggerer", _airflow("triggerer", "--skip-serve-logs")),
    ]
    more_triggerers = [f"triggerer-{number}" for number in range(2, config.triggerers + 1)]
    return programs + [Program(name, _airflow("triggerer", "--skip-serve-logs")) for name in more_triggerers]


def migrate_metadata(environment: Mapping[str, str], log_file: Path) -> None:
    """Bring Airflow's own database up to the installed version. Raises StackError with where its output is."""
    with log_file.open("ab") as output:
        done = subprocess.run(
            _airflow("db", "migrate"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode != 0:
        raise StackError(f"`airflow db migrate` failed with {done.returncode}; its output is in {log_file}.")


class MigratedMark:
    """Remembers which Airflow the embedded metadata database was migrated to: asking Airflow takes seconds."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "metadata-version"

    def is_current(self) -> bool:
        """Whether the database is this Airflow's."""
        return self._file.exists() and self._file.read_text(encoding="utf-8") == AIRFLOW_VERSION

    def set(self) -> None:
        """The database is this Airflow's now."""
        self._file.write_text(AIRFLOW_VERSION, encoding="utf-8")


def unready_components(api_url: str, since: datetime) -> list[str]:
    """Which parts of Airflow have given no sign of life since that moment (UTC)."""
    try:
        answer = requests.get(f"{api_url}/api/v2/monitor/health", timeout=_HEALTH_TIMEOUT_SECONDS)
        answer.raise_for_status()
    except requests.RequestException:
        return ["api_server", *_COMPONENTS]
    health = answer.json()
    return [name for name in _COMPONENTS if not _is_alive(health.get(name) or {}, name, since)]


def _is_alive(component: Mapping[str, str | None], name: str, since: datetime) -> bool:
    # A status alone may speak of a process of half a minute ago that is gone.
    heartbeat = component.get(f"latest_{name}_heartbeat")
    return component.get("status") == "healthy" and heartbeat is not None and datetime.fromisoformat(heartbeat) > since


def _airflow(*arguments: str) -> list[str]:
    return [str(Path(sysconfig.get_path("scripts")) / "airflow"), *arguments]

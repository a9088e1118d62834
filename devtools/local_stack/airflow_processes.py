"""Airflow's processes in the stack, the migration of its database, and its health."""

from __future__ import annotations

import subprocess
import sysconfig
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import requests

from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from devtools.local_stack.config import LOOPBACK, StackConfig, StackError
from devtools.local_stack.process_supervisor import Program

_HEALTH_TIMEOUT_SECONDS = 10.0
DAG_PROCESSOR_NICENESS = 10
"""Low priority of the DAG processor, because parsing DAG files can wait."""

_COMPONENTS = ("scheduler", "triggerer", "dag_processor")


def airflow_programs(config: StackConfig, api_port: int) -> list[Program]:
    """Return all processes of Airflow.

    The processes serve no logs: all processes share one log folder, and the log server that a triggerer forks would
    keep a connection to the metadata database after the triggerer is killed.
    """
    programs = [
        Program("api-server", airflow_command("api-server", "--host", LOOPBACK, "--port", str(api_port))),
        Program("scheduler", airflow_command("scheduler", "--skip-serve-logs")),
        Program("dag-processor", ["nice", "-n", str(DAG_PROCESSOR_NICENESS), *airflow_command("dag-processor")]),
        Program("triggerer", airflow_command("triggerer", "--skip-serve-logs")),
    ]
    more_triggerers = [f"triggerer-{number}" for number in range(2, config.triggerers + 1)]
    return programs + [Program(name, airflow_command("triggerer", "--skip-serve-logs")) for name in more_triggerers]


def migrate_metadata(environment: Mapping[str, str], log_file: Path) -> None:
    """Migrate Airflow's own database to the installed version. Raises StackError with the place of its output."""
    with log_file.open("ab") as output:
        done = subprocess.run(
            airflow_command("db", "migrate"),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode != 0:
        raise StackError(
            f"`airflow db migrate` failed with exit code {done.returncode}, so Airflow was not started; the databases "
            f"were kept. Its output is in {log_file}."
        )


class MigratedMark:
    """Record of the Airflow version to which the embedded metadata database was migrated.

    `airflow db migrate` takes seconds even if there is nothing to migrate.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "metadata-version"

    def is_current(self) -> bool:
        """Return True if the database was migrated to this Airflow version."""
        return self._file.exists() and self._file.read_text(encoding="utf-8") == AIRFLOW_VERSION

    def set(self) -> None:
        """Record that the database was migrated to this Airflow version."""
        self._file.write_text(AIRFLOW_VERSION, encoding="utf-8")


def unready_components(api_url: str, since: datetime) -> list[str]:
    """Return the components of Airflow without a heartbeat since that moment (UTC)."""
    try:
        answer = requests.get(f"{api_url}/api/v2/monitor/health", timeout=_HEALTH_TIMEOUT_SECONDS)
        answer.raise_for_status()
    except requests.RequestException:
        return ["api_server", *_COMPONENTS]
    health = answer.json()
    return [name for name in _COMPONENTS if not _is_alive(health.get(name) or {}, name, since)]


def _is_alive(component: Mapping[str, str | None], name: str, since: datetime) -> bool:
    # The status stays "healthy" for half a minute after a process has ended: the heartbeat is newer information.
    heartbeat = component.get(f"latest_{name}_heartbeat")
    return component.get("status") == "healthy" and heartbeat is not None and datetime.fromisoformat(heartbeat) > since


def airflow_command(*arguments: str) -> list[str]:
    """Return a command line of Airflow's program in this environment."""
    return [str(Path(sysconfig.get_path("scripts")) / "airflow"), *arguments]

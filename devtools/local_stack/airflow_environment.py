"""Environment variables of a stack's processes: Airflow's settings, Connections, secrets, places.

With these variables any Airflow process, and any code of this project, is part of the stack.
"""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from devtools.local_stack.airflow_connections import (
    ADMIN_CONNECTION,
    PIPELINE_CONNECTION,
    PLATFORM_PATHS,
    connection_id_of,
    http_connection,
    postgres_connection,
    variable_of,
)
from devtools.local_stack.config import PROJECT_ROOT, StackConfig, StackError
from devtools.local_stack.stack_folder import Endpoints, StackSecrets

ADMIN_LOGIN = "admin"
DEPLOYMENT_VARIABLE = "BLOGGER_TRACKING_DEPLOYMENT"
LOCAL_ISSUER = "http://localhost/auth/v1"
METADATA_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


class AirflowSetting(NamedTuple):
    """One option of Airflow's configuration."""

    section: str
    option: str
    value: str
    reason: str

    @property
    def variable(self) -> str:
        """The environment variable from which Airflow reads the option."""
        return f"AIRFLOW__{self.section.upper()}__{self.option.upper()}"


TUNED_SETTINGS = (
    AirflowSetting("core", "load_examples", "False", "Only the project's DAGs are shown."),
    AirflowSetting(
        "database",
        "sql_alchemy_max_overflow",
        "40",
        "The API server's 40 threads and its event loop each find a connection; with fewer it stands still for 30 s "
        "when that many requests arrive at once.",
    ),
    AirflowSetting(
        "operators", "default_deferrable", "True", "Fetches start in the triggerer, without a worker process each."
    ),
    AirflowSetting(
        "dag_processor", "refresh_interval", "20", "A new DAG file is found within 20 seconds instead of five minutes."
    ),
    AirflowSetting(
        "dag_processor",
        "min_file_process_interval",
        "300",
        "An unchanged DAG file is parsed every five minutes, because parsing all files takes seconds.",
    ),
    AirflowSetting(
        "dag_processor",
        "max_callbacks_per_loop",
        "200",
        "Each round of callback requests parses the DAG file once.",
    ),
    AirflowSetting(
        "scheduler",
        "orphaned_tasks_check_interval",
        "30",
        "The successor of a killed scheduler takes over its tasks after half a minute instead of five.",
    ),
    AirflowSetting(
        "scheduler",
        "task_instance_heartbeat_timeout",
        "30",
        "The task of a killed worker is retried after half a minute instead of five.",
    ),
    AirflowSetting(
        "scheduler",
        "task_queued_timeout",
        "120",
        "A task whose worker was killed before the task began is queued again after two minutes instead of ten.",
    ),
    AirflowSetting(
        "scheduler",
        "task_queued_timeout_check_interval",
        "30",
        "Such a task is looked for every half minute instead of every two minutes.",
    ),
    AirflowSetting(
        "scheduler",
        "num_stuck_in_queued_retries",
        "30",
        "A task that finds no slot of a worker is queued again for an hour; by default it fails after seven minutes.",
    ),
    AirflowSetting(
        "logging",
        "namespace_levels",
        "airflow.models.trigger=WARNING airflow.jobs.triggerer_job_runner=WARNING "
        "airflow.dag_processing.bundles.manager=WARNING",
        "These loggers write several lines per fetch without information, which take CPU time.",
    ),
)
"""Airflow settings of the stack that differ from Airflow's defaults. A variable in the user's environment overrides."""


def require_airflow_version() -> None:
    """Raise StackError unless the installed Airflow is the version that this code was written for."""
    try:
        installed = version("apache-airflow-core")
    except PackageNotFoundError:
        installed = "none"
    if installed != AIRFLOW_VERSION:
        raise StackError(
            f"Airflow {AIRFLOW_VERSION} is needed, {installed} is installed; nothing was started. "
            "Remove the folder .venv: the next make command installs the versions of requirements.lock."
        )


def airflow_environment(config: StackConfig, secrets: StackSecrets, endpoints: Endpoints) -> dict[str, str]:
    """Return all environment variables of a process of this stack.

    Later variables override earlier variables: tuned settings and Connections to the stack's own parts, the user's
    environment, the variables that connect the stack's processes, and the variables of `config.environment`.
    """
    tuned = {setting.variable: setting.value for setting in TUNED_SETTINGS}
    tuned["AIRFLOW__CORE__PARALLELISM"] = str(config.parallelism)
    tuned[DEPLOYMENT_VARIABLE] = secrets.deployment
    if endpoints.sandbox_url is not None:
        tuned["BLOGGER_TRACKING_THUMBNAIL_ALLOW_PRIVATE"] = "true"
    return {
        **tuned,
        **_connections(secrets, endpoints),
        **os.environ,
        **_internal_settings(config, secrets, endpoints),
        **config.environment,
    }


def _connections(secrets: StackSecrets, endpoints: Endpoints) -> dict[str, str]:
    connections = {
        "airflow_api": http_connection(endpoints.api_url, secrets.admin_password, ADMIN_LOGIN),
        "supabase_auth": http_connection(LOCAL_ISSUER, secrets.supabase_secret),
    }
    if endpoints.pipeline_dsn is not None:
        connections[PIPELINE_CONNECTION] = postgres_connection(endpoints.pipeline_dsn)
    if endpoints.admin_dsn is not None:
        connections[ADMIN_CONNECTION] = postgres_connection(endpoints.admin_dsn)
    if endpoints.sandbox_url is not None:
        for platform in Platform:
            url = endpoints.sandbox_url + PLATFORM_PATHS[platform]
            connections[connection_id_of(platform)] = http_connection(url, secrets.sandbox_key)
    return {variable_of(connection_id): value for connection_id, value in connections.items()}


def _internal_settings(config: StackConfig, secrets: StackSecrets, endpoints: Endpoints) -> dict[str, str]:
    folder = config.airflow_home
    settings = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT_ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT_ROOT / "plugins"),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{endpoints.api_url}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN_LOGIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(config.passwords_file),
        "AIRFLOW__API__BASE_URL": endpoints.api_url,
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "PYTHONPATH": _prepended(str(PROJECT_ROOT / "include"), "PYTHONPATH", os.pathsep),
        "NO_PROXY": _prepended("127.0.0.1,localhost", "NO_PROXY", ","),
    }
    if endpoints.metadata_url is not None:
        settings[METADATA_VARIABLE] = endpoints.metadata_url
    return settings


def _prepended(value: str, variable: str, separator: str) -> str:
    existing = os.environ.get(variable)
    return f"{value}{separator}{existing}" if existing and existing != value else value

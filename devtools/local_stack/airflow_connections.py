"""Airflow Connections in environment variables: written for the stack's parts, read by a child process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from psycopg.conninfo import conninfo_to_dict

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from devtools.local_stack.config import PROJECT_ROOT, StackConfig

_CONNECT_TIMEOUT_SECONDS = "10"

PIPELINE_CONNECTION = "blogger_db"
ADMIN_CONNECTION = "blogger_db_admin"
PLATFORM_PATHS: Mapping[Platform, str] = {
    Platform.TIKTOK: "/tiktok",
    Platform.INSTAGRAM: "/instagram",
    Platform.YOUTUBE: "/youtube/v3/",
}


def variable_of(connection_id: str) -> str:
    """Return the name of the environment variable that holds a Connection."""
    return f"AIRFLOW_CONN_{connection_id.upper()}"


def connection_id_of(platform: Platform) -> str:
    """Return the id of a platform's Connection."""
    return f"{platform.slug}_api"


def http_connection(url: str, password: str, login: str | None = None) -> str:
    """Return a Connection to an HTTP service, whose host is the whole base URL."""
    return json.dumps({"conn_type": "http", "host": url, "login": login, "password": password})


def postgres_connection(dsn: str) -> str:
    """Return a Connection to an embedded database, which needs no password."""
    parts = conninfo_to_dict(dsn)
    return json.dumps({
        "conn_type": "postgres",
        "host": parts["host"],
        "port": parts["port"],
        "login": parts["user"],
        "schema": parts["dbname"],
    })


def airflow_child_environment(config: StackConfig) -> dict[str, str]:
    """Return the environment of a child process that imports Airflow to read the user's Connections.

    Importing Airflow writes files into AIRFLOW_HOME, so AIRFLOW_HOME is the stack's own folder and not one in the
    user's home.
    """
    return {
        **os.environ,
        **config.environment,
        "AIRFLOW_HOME": str(config.airflow_home),
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }


def read_dsn(config: StackConfig, connection_id: str) -> str:
    """Return libpq's connection string of the user's own database, with the parameters of Airflow's Postgres hook.

    Raises ConfigurationError, without the secret, if the hook cannot connect.
    """
    done = subprocess.run(
        [sys.executable, "-m", "devtools.local_stack.print_dsn", connection_id],
        cwd=PROJECT_ROOT,
        env=airflow_child_environment(config) | {"PGCONNECT_TIMEOUT": _CONNECT_TIMEOUT_SECONDS},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
        raise ConfigurationError(
            f"The Connection {connection_id} cannot be used: {reason}. Nothing was started. "
            f"{variable_of(connection_id)} must be postgresql://LOGIN:PASSWORD@HOST:PORT/DATABASE or Airflow's JSON "
            "of the same."
        )
    # Airflow may log to the standard output while it is imported.
    return done.stdout.splitlines()[-1]

"""Which parts a stack runs itself, and where all of them are."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from blogger_tracking.domain.models import Platform
from devtools.local_stack.airflow_connections import (
    ADMIN_CONNECTION,
    PIPELINE_CONNECTION,
    connection_id_of,
    postgres_dsn,
    variable_of,
)
from devtools.local_stack.airflow_environment import METADATA_VARIABLE, Endpoints
from devtools.local_stack.airflow_processes import airflow_programs
from devtools.local_stack.config import PROJECT_ROOT, StackConfig
from devtools.local_stack.embedded_postgres import (
    APPLICATION_DATABASE,
    METADATA_DATABASE,
    PIPELINE_LOGIN,
    EmbeddedPostgres,
)
from devtools.local_stack.programs import Program, ProgramGroup
from devtools.local_stack.sockets import LOOPBACK, choose_port


@dataclass(frozen=True, slots=True, kw_only=True)
class StackParts:
    """What was decided once for a start: None stands for a part that the user's environment provides."""

    postgres: EmbeddedPostgres | None
    api_port: int
    sandbox_port: int | None
    endpoints: Endpoints
    pipeline_dsn: str
    admin_dsn: str | None
    is_self_contained: bool


def choose_parts(config: StackConfig, sockets: Path) -> StackParts:
    """Leave out what the user's environment provides. Raises StackError for a taken port, ConfigurationError."""
    given = {**os.environ, **config.environment}
    owns_metadata = METADATA_VARIABLE not in given and not config.only_databases
    owns_application = variable_of(PIPELINE_CONNECTION) not in given
    postgres = EmbeddedPostgres(config.postgres_data, sockets) if owns_metadata or owns_application else None
    api_port = choose_port(config.api_port, "API server")
    provided = [variable_of(connection_id_of(platform)) in given for platform in Platform]
    needs_sandbox = not all(provided) and not config.only_databases
    sandbox_port = choose_port(config.sandbox_port, "sandbox") if needs_sandbox else None
    if postgres is not None and owns_application:
        pipeline_dsn = postgres.dsn(APPLICATION_DATABASE, PIPELINE_LOGIN)
        admin_dsn: str | None = postgres.dsn(APPLICATION_DATABASE)
    else:
        pipeline_dsn = postgres_dsn(PIPELINE_CONNECTION, given)
        has_admin = variable_of(ADMIN_CONNECTION) in given
        admin_dsn = postgres_dsn(ADMIN_CONNECTION, given) if has_admin else None
    return StackParts(
        postgres=postgres,
        api_port=api_port,
        sandbox_port=sandbox_port,
        pipeline_dsn=pipeline_dsn,
        admin_dsn=admin_dsn,
        is_self_contained=owns_application and not any(provided),
        endpoints=Endpoints(
            api_url=f"http://{LOOPBACK}:{api_port}",
            sandbox_url=None if sandbox_port is None else f"http://{LOOPBACK}:{sandbox_port}",
            metadata_url=postgres.sqlalchemy_url(METADATA_DATABASE) if postgres and owns_metadata else None,
            pipeline_dsn=pipeline_dsn if owns_application else None,
            admin_dsn=admin_dsn if owns_application else None,
        ),
    )


def process_groups(config: StackConfig, parts: StackParts) -> list[ProgramGroup]:
    """The processes of these parts. Databases and platforms come before Airflow, and outlive it when all is stopped."""
    groups = []
    if parts.postgres is not None:
        groups.append(ProgramGroup("databases", [parts.postgres.program()]))
    if parts.sandbox_port is not None:
        groups.append(ProgramGroup("platforms", [_sandbox_program(config, parts.sandbox_port)]))
    if not config.only_databases:
        groups.append(ProgramGroup("airflow", airflow_programs(config, parts.api_port)))
    return groups


def _sandbox_program(config: StackConfig, port: int) -> Program:
    options = config.sandbox
    command = [sys.executable, "-m", "devtools.platform_sandbox", "--host", LOOPBACK, "--port", str(port)]
    command += ["--seed", str(options.seed), "--latency-ms", str(options.latency_ms)]
    if options.creators is not None:
        command += ["--creators-per-platform", str(options.creators)]
    return Program("sandbox", [*command, *options.arguments], folder=PROJECT_ROOT)

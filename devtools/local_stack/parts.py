"""Parts of a stack: the choice of the ones that the stack runs itself, their addresses and their processes."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blogger_tracking.domain.models import Platform
from devtools.local_stack.airflow_connections import (
    ADMIN_CONNECTION,
    PIPELINE_CONNECTION,
    connection_id_of,
    read_dsn,
    variable_of,
)
from devtools.local_stack.airflow_environment import METADATA_VARIABLE
from devtools.local_stack.airflow_processes import airflow_programs
from devtools.local_stack.config import LOOPBACK, PROJECT_ROOT, StackConfig, StackError
from devtools.local_stack.databases import APPLICATION_DATABASE, METADATA_DATABASE, PIPELINE_LOGIN, EmbeddedPostgres
from devtools.local_stack.process_supervisor import Program, ProgramGroup
from devtools.local_stack.stack_folder import Endpoints, keep_sandbox_port, kept_sandbox_port

# The whole path of a Unix socket must fit into 104 bytes on macOS and 108 bytes on Linux.
_LONGEST_SOCKET_FOLDER = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class StackParts:
    """Parts of one started stack. None stands for a part that the user's environment provides."""

    postgres: EmbeddedPostgres | None
    api_port: int
    sandbox_port: int | None
    endpoints: Endpoints
    pipeline_dsn: str
    admin_dsn: str | None
    is_self_contained: bool


def choose_parts(config: StackConfig, sockets: Path) -> StackParts:
    """Return the parts of the stack, without those that the user's environment provides.

    Raises StackError for a taken port, or if the sandbox would be fetched into a database of the user's own;
    ConfigurationError for an unusable Connection.
    """
    given = {**os.environ, **config.environment}
    owns_metadata = METADATA_VARIABLE not in given and not config.only_databases
    owns_application = variable_of(PIPELINE_CONNECTION) not in given
    postgres = EmbeddedPostgres(config.postgres_data, sockets) if owns_metadata or owns_application else None
    api_port = choose_port(config.api_port, "API server")
    imitated = [platform for platform in Platform if variable_of(connection_id_of(platform)) not in given]
    needs_sandbox = bool(imitated) and not config.only_databases
    if needs_sandbox and not owns_application:
        raise _sandbox_refused(imitated)
    sandbox_port = choose_sandbox_port(config) if needs_sandbox else None
    if postgres is not None and owns_application:
        pipeline_dsn = postgres.dsn(APPLICATION_DATABASE, PIPELINE_LOGIN)
        admin_dsn: str | None = postgres.dsn(APPLICATION_DATABASE)
    else:
        pipeline_dsn = read_dsn(config, PIPELINE_CONNECTION)
        has_admin = variable_of(ADMIN_CONNECTION) in given
        admin_dsn = read_dsn(config, ADMIN_CONNECTION) if has_admin else None
    return StackParts(
        postgres=postgres,
        api_port=api_port,
        sandbox_port=sandbox_port,
        pipeline_dsn=pipeline_dsn,
        admin_dsn=admin_dsn,
        is_self_contained=owns_application and len(imitated) == len(Platform),
        endpoints=Endpoints(
            api_url=f"http://{LOOPBACK}:{api_port}",
            sandbox_url=None if sandbox_port is None else f"http://{LOOPBACK}:{sandbox_port}",
            metadata_url=postgres.sqlalchemy_url(METADATA_DATABASE) if postgres and owns_metadata else None,
            pipeline_dsn=pipeline_dsn if owns_application else None,
            admin_dsn=admin_dsn if owns_application else None,
        ),
    )


def _sandbox_refused(imitated: Sequence[Platform]) -> StackError:
    variables = ", ".join(variable_of(connection_id_of(platform)) for platform in imitated)
    return StackError(
        f"{variable_of(PIPELINE_CONNECTION)} names a database of your own, but {', '.join(imitated)} would be the "
        "sandbox, which knows none of your bloggers: a run would save each of them as not found. Nothing was started. "
        f"Set {variables}, or unset {variable_of(PIPELINE_CONNECTION)} to try the system with invented data."
    )


def process_groups(config: StackConfig, parts: StackParts) -> list[ProgramGroup]:
    """Return the processes of the parts: databases, platforms, Airflow. The last group is stopped first."""
    groups = []
    if parts.postgres is not None:
        groups.append(ProgramGroup("databases", [parts.postgres.program()]))
    if parts.sandbox_port is not None:
        groups.append(ProgramGroup("platforms", [_sandbox_program(config, parts.sandbox_port)]))
    if not config.only_databases:
        groups.append(ProgramGroup("airflow", airflow_programs(config, parts.api_port)))
    return groups


def make_socket_folder() -> Path:
    """Create a private folder for Unix sockets, whose path is short however deep the project lies.

    Raises StackError if the folder for temporary files has too long a path.
    """
    folder = Path(tempfile.mkdtemp(prefix="blogger-"))
    if len(str(folder).encode()) > _LONGEST_SOCKET_FOLDER:
        folder.rmdir()
        raise StackError(
            f"The path of the folder for temporary files, {folder.parent}, is too long for Unix sockets; nothing was "
            "started. Set TMPDIR to a shorter path."
        )
    return folder


def choose_port(wanted: int, purpose: str) -> int:
    """Return the wanted port, or a free one for 0. Raises StackError if the wanted port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set the same option: a port whose last user has just ended counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, wanted))
        except OSError as error:
            raise StackError(
                f"Port {wanted} cannot be used for the {purpose} ({error.strerror}); nothing was started. "
                "Choose another port, or 0 for any free one."
            ) from error
        port: int = probe.getsockname()[1]
        return port


def choose_sandbox_port(config: StackConfig) -> int:
    """Return the wanted port of the sandbox, or else the port of its last start if that is free, or else a free one.

    Raises StackError if the wanted port is taken.
    """
    try:
        port = choose_port(config.sandbox_port or kept_sandbox_port(config.folder), "sandbox")
    except StackError:
        if config.sandbox_port:
            raise
        port = choose_port(0, "sandbox")
    keep_sandbox_port(config.folder, port)
    return port


def _sandbox_program(config: StackConfig, port: int) -> Program:
    options = config.sandbox
    command = [sys.executable, "-m", "devtools.platform_sandbox", "--host", LOOPBACK, "--port", str(port)]
    command += ["--seed", str(options.seed), "--latency-ms", str(options.latency_ms)]
    if options.creators is not None:
        command += ["--creators-per-platform", str(options.creators)]
    return Program("sandbox", [*command, *options.arguments], folder=PROJECT_ROOT)

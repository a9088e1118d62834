"""Commands of the local stack, as the Makefile calls them. Each returns an exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import psutil
from psycopg import Connection
from rich.console import Console

from blogger_tracking import cli
from blogger_tracking.database.connections import connect
from blogger_tracking.database.readiness import check_database
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import get_settings
from devtools.local_stack.adding_over_http import SignedInMember, TimedAddition, access_token
from devtools.local_stack.airflow_connections import (
    ADMIN_CONNECTION,
    PIPELINE_CONNECTION,
    airflow_child_environment,
    variable_of,
)
from devtools.local_stack.airflow_environment import DEPLOYMENT_VARIABLE, TUNED_SETTINGS, airflow_environment
from devtools.local_stack.batch_run import run_batch, wait_for_queues
from devtools.local_stack.config import BLOGGERS_PAGE, StackConfig, StackError
from devtools.local_stack.demo_data import load_demo, next_creator, organization_with_room
from devtools.local_stack.leftovers import end_leftovers
from devtools.local_stack.report import gather_report, print_report, run_result, write_report
from devtools.local_stack.stack import Stack
from devtools.local_stack.stack_folder import find_running_stack, load_secrets

_DOWN_SECONDS = 180.0
_WATCH_SECONDS = 2.0


def run(config: StackConfig, console: Console) -> int:
    """Start the stack, run the batch once, print its report, stop the stack.

    Returns 0 if the run succeeded and every invariant holds.
    """
    progress = timed_progress(console)
    with Stack(config, progress) as stack:
        _load_demo(stack, progress)
        with connect(stack.pipeline_dsn) as connection:
            added = _add_a_blogger(stack, connection, progress)
            begin = time.monotonic()
            deployment = stack.environment()[DEPLOYMENT_VARIABLE]
            run_id, state = run_batch(stack.client(), connection, deployment, progress)
            seconds = time.monotonic() - begin
            queues = wait_for_queues(connection, progress)
            report = gather_report(connection, run_id, state, seconds, added)
        file = config.folder / "report.json"
        write_report(report, file)
        print_report(report, queues, console)
        progress(f"{run_result(report)} The run took {report.seconds:.0f} s; the same figures are in {file}")
    return 0 if report.is_sound else 1


def up(config: StackConfig, console: Console) -> int:
    """Start the stack and keep it running until a signal ends this process.

    Raises StackError for a process that keeps dying while the stack starts; afterwards such a process is reported.
    """
    progress = timed_progress(console)
    with Stack(config, progress) as stack:
        _load_demo(stack, progress)
        addresses = f"\nBloggers  {stack.api_url}{BLOGGERS_PAGE}\nAirflow   {stack.api_url}"
        console.print(f"{addresses}\nlogin     {stack.login}\npassword  {stack.password}", soft_wrap=True)
        if stack.is_self_contained:
            organization, owner = organization_with_room()
            console.print(
                f"\nTo try /blogger:\nexport AIRFLOW={stack.api_url} ORGANIZATION={organization}", highlight=False
            )
            console.print(f"export TOKEN={access_token(stack, owner)}", highlight=False, soft_wrap=True)
        console.print("\nCtrl-C or `make down` stops the stack.\n", highlight=False)
        watch = stack.watch()
        while True:
            time.sleep(_WATCH_SECONDS)
            watch.look()


def down(config: StackConfig, console: Console) -> int:
    """Ask the process that owns the running stack to end, and wait until it has ended."""
    running = find_running_stack(config.folder)
    if running is None:
        end_leftovers(config.folder, config.postgres_data)
        console.print("No stack is running.")
        return 0
    try:
        owner = psutil.Process(running.pid)
        owner.terminate()
        owner.wait(_DOWN_SECONDS)
    except psutil.NoSuchProcess:
        pass
    except psutil.TimeoutExpired as error:
        raise StackError(
            f"Process {running.pid} has not stopped its stack within {_DOWN_SECONDS:.0f} s. "
            f"End it with `kill -9 {running.pid}`, then run `make down` again; the data is kept."
        ) from error
    console.print("The stack is down.")
    return 0


def verify(config: StackConfig, console: Console) -> int:
    """Print the invariants and return 1 unless all of them hold."""
    if _has_own_connection(PIPELINE_CONNECTION):
        return _run_pipeline_command(config, "verify")
    with _stack_database(config) as connection:
        return cli.verify(connection, console)


def doctor(config: StackConfig, console: Console) -> int:
    """Print every readiness check and return 1 if there is a fault.

    Without a running stack and a Connection of the user's own, only the database of the stack is checked.
    """
    tuned = {setting.variable: setting.value for setting in TUNED_SETTINGS}
    if (running := find_running_stack(config.folder)) is not None:
        return _run_doctor(airflow_environment(config, load_secrets(config.folder), running.endpoints))
    if _has_own_connection(PIPELINE_CONNECTION):
        return _run_doctor({**tuned, **airflow_child_environment(config)})
    _require_one_database()
    with Stack(replace(config, only_databases=True)) as stack:
        code = cli.print_checks(check_database(stack.pipeline_dsn, get_settings().database_connections), console)
    console.print("Airflow is not running: only the stack's database was checked. Start the stack with `make up`.")
    return code


def queues(config: StackConfig, console: Console) -> int:
    """Print the counts of the queues and their parked messages."""
    if _has_own_connection(PIPELINE_CONNECTION):
        return _run_pipeline_command(config, "queues")
    with _stack_database(config) as connection:
        return cli.show_queues(connection, console)


def requeue(config: StackConfig, console: Console) -> int:
    """Return all parked messages to their queues."""
    if _has_own_connection(PIPELINE_CONNECTION):
        return _run_pipeline_command(config, "requeue")
    with _stack_database(config) as connection:
        return cli.requeue(connection, console)


def migrate(config: StackConfig, console: Console) -> int:
    """Apply the missing migrations to the application's database."""
    if _has_own_connection(ADMIN_CONNECTION):
        return _run_pipeline_command(config, "migrate")
    if _has_own_connection(PIPELINE_CONNECTION):
        raise StackError(
            f"Only the schema's owner can apply migrations; nothing was changed. Set {variable_of(ADMIN_CONNECTION)}."
        )
    with Stack(replace(config, only_databases=True), timed_progress(console)):
        return 0


def migrate_sql(config: StackConfig, console: Console) -> int:
    """Print the SQL of the missing migrations; without a database of the user's own, of all migrations."""
    if _has_own_connection(ADMIN_CONNECTION):
        return _run_pipeline_command(config, "migrate-sql")
    return cli.print_sql(None, console)


def uninstall(config: StackConfig, console: Console) -> int:
    """Remove the schema from the database of the user's own, after a question."""
    del console
    return _run_owner_command(config, "uninstall")


def legacy_views(config: StackConfig, console: Console) -> int:
    """Print the template of the views that an import reads."""
    del config, console
    return cli.print_legacy_views()


def import_check(config: StackConfig, console: Console) -> int:
    """Print what an import into the database of the user's own would do."""
    del console
    return _run_owner_command(config, "import-check")


def import_legacy(config: StackConfig, console: Console) -> int:
    """Import the data of an earlier system into the database of the user's own."""
    del console
    return _run_owner_command(config, "import")


def compare(config: StackConfig, options: Sequence[str]) -> int:
    """Compare the earlier system with this one in the database of the user's own."""
    if not _has_own_connection(PIPELINE_CONNECTION):
        raise StackError(
            f"No database is named; nothing was compared. Set {variable_of(PIPELINE_CONNECTION)} to the pipeline's "
            "login in the database that holds the earlier system's views."
        )
    return _run_pipeline_command(config, "compare", *options)


def timed_progress(console: Console) -> Callable[[str], None]:
    """Return a function that prints a line with the seconds since now."""
    begin = time.monotonic()

    def progress(message: str) -> None:
        console.print(f"{time.monotonic() - begin:5.0f} s  {message}", highlight=False, markup=False, soft_wrap=True)

    return progress


def _run_doctor(environment: Mapping[str, str]) -> int:
    return subprocess.run(
        [sys.executable, "-m", "blogger_tracking.cli", "doctor"], env=environment, check=False
    ).returncode


def _require_one_database() -> None:
    """Raise StackError if the environment names only the owner of a database of the user's own.

    The local stack's database would be used instead, and its result mistaken for that of the named database.
    """
    if _has_own_connection(ADMIN_CONNECTION):
        raise StackError(
            f"{variable_of(ADMIN_CONNECTION)} is set, {variable_of(PIPELINE_CONNECTION)} is not, and this command uses "
            f"the pipeline's login. Nothing was checked or changed. Set {variable_of(PIPELINE_CONNECTION)}, or unset "
            f"{variable_of(ADMIN_CONNECTION)} for the local stack's own database."
        )


def _has_own_connection(connection_id: str) -> bool:
    return variable_of(connection_id) in os.environ


def _run_owner_command(config: StackConfig, command: str) -> int:
    """Run a command that is only for a database of the user's own. Raises StackError if none is named."""
    if not _has_own_connection(ADMIN_CONNECTION):
        raise StackError(
            f"No database is named; nothing was changed. Set {variable_of(ADMIN_CONNECTION)} to the schema's owner. "
            "This command is not for the local stack's own database: to empty that one, run `make down` and delete "
            f"the folder {config.folder}."
        )
    return _run_pipeline_command(config, command)


def _run_pipeline_command(config: StackConfig, command: str, *options: str) -> int:
    # As a child process: the user's Connection is read by Airflow, whose import writes into AIRFLOW_HOME.
    return subprocess.run(
        [sys.executable, "-m", "blogger_tracking.cli", command, *options],
        env=airflow_child_environment(config),
        check=False,
    ).returncode


@contextmanager
def _stack_database(config: StackConfig) -> Generator[Connection]:
    """Connect to the database of the running stack, or to that of a stack of databases started for this command.

    Raises StackError as `_require_one_database` does.
    """
    _require_one_database()
    if (running := find_running_stack(config.folder)) is not None:
        with connect(running.pipeline_dsn) as connection:
            yield connection
    else:
        with Stack(replace(config, only_databases=True)) as stack, connect(stack.pipeline_dsn) as connection:
            yield connection


def _load_demo(stack: Stack, progress: Callable[[str], None]) -> None:
    if not stack.is_self_contained:
        progress("No demo data was loaded: the database or a platform is not the stack's own")
        return
    options = stack.config.sandbox
    with connect(stack.admin_dsn) as connection:
        bloggers = load_demo(connection, options.seed, options.creators)
    progress(f"Loaded demo data: {bloggers} tracked bloggers")


def _add_a_blogger(stack: Stack, connection: Connection, progress: Callable[[str], None]) -> TimedAddition | None:
    if not stack.is_self_contained:
        return None
    organization, owner = organization_with_room()
    creator = next_creator(connection, stack.config.sandbox.seed, Platform.TIKTOK)
    progress(f"Adding @{creator.username} over HTTP, and waiting for the first videos")
    return SignedInMember(stack, owner, organization).add(connection, Platform.TIKTOK, creator.username)

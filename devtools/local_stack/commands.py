"""What the commands of `make` do. Each returns an exit code."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace

import psutil
from psycopg import Connection
from rich.console import Console

from blogger_tracking import cli
from blogger_tracking.database.connections import connect
from blogger_tracking.domain.models import Platform
from devtools.local_stack.adding import Person, TimedAddition, access_token
from devtools.local_stack.airflow_connections import ADMIN_CONNECTION, PIPELINE_CONNECTION, postgres_dsn, variable_of
from devtools.local_stack.airflow_environment import DEPLOYMENT_VARIABLE
from devtools.local_stack.batch_run import run_batch
from devtools.local_stack.config import StackConfig
from devtools.local_stack.demo import adding_organization, load_demo, next_creator
from devtools.local_stack.errors import StackError
from devtools.local_stack.leftovers import end_leftovers
from devtools.local_stack.ownership import running_stack
from devtools.local_stack.queue_watch import wait_for_queues
from devtools.local_stack.report import (
    gather_report,
    print_report,
    write_report,
)
from devtools.local_stack.stack import Stack

_DOWN_SECONDS = 180.0
_WATCH_SECONDS = 2.0


def run(config: StackConfig, console: Console) -> int:
    """The stack up, the batch run once, its report, the stack down; 0 when the run is green and the ledger sound."""
    say = _timed(console)
    with Stack(config, say) as stack:
        _load_demo(stack, say)
        with connect(stack.pipeline_dsn) as connection:
            added = _add_one_more(stack, connection, say)
            begin = time.monotonic()
            deployment = stack.environment()[DEPLOYMENT_VARIABLE]
            run_id, state = run_batch(stack.client(), connection, deployment, say)
            seconds = time.monotonic() - begin
            queues = wait_for_queues(connection, say)
            report = gather_report(connection, run_id, state, seconds, added)
        file = config.folder / "report.json"
        write_report(report, file)
        print_report(report, queues, console)
        say(f"The run ended as {state} after {report.seconds:.0f} s; the same figures are in {file}")
    return 0 if report.is_sound else 1


def up(config: StackConfig, console: Console) -> int:
    """The stack up until somebody interrupts this. Raises StackError for a process that cannot be kept alive."""
    say = _timed(console)
    with Stack(config, say) as stack:
        _load_demo(stack, say)
        console.print(f"\nAirflow   {stack.api_url}\nlogin     {stack.login}\npassword  {stack.password}")
        if stack.is_self_contained:
            organization, owner = adding_organization()
            console.print(
                f"\nTo try /blogger:\nexport AIRFLOW={stack.api_url} ORGANIZATION={organization}", highlight=False
            )
            console.print(f"export TOKEN={access_token(stack, owner)}", highlight=False, soft_wrap=True)
        console.print("\nCtrl-C or `make down` stops it.\n", highlight=False)
        pids = {name: state.pid for name, state in stack.states().items()}
        while True:
            time.sleep(_WATCH_SECONDS)
            stack.require_alive()
            for name, state in stack.states().items():
                if state.pid not in {0, pids[name]}:
                    say(f"{name} died and was started again")
                    pids[name] = state.pid


def down(config: StackConfig, console: Console) -> int:
    """Ask the process that owns the running stack to end, and wait until it has."""
    running = running_stack(config.folder)
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
        raise StackError(f"Process {running.pid} has not stopped its stack within {_DOWN_SECONDS:.0f} s.") from error
    console.print("The stack is down.")
    return 0


def verify(config: StackConfig, console: Console) -> int:
    """Print the invariants and return 1 unless all of them are 0."""
    with _database(config, PIPELINE_CONNECTION) as connection:
        return cli.verify(connection, console)


def queues(config: StackConfig, console: Console) -> int:
    """Print the counts of the queues and their parked messages."""
    with _database(config, PIPELINE_CONNECTION) as connection:
        return cli.show_queues(connection, console)


def requeue(config: StackConfig, console: Console) -> int:
    """Return all parked messages to their queues."""
    with _database(config, PIPELINE_CONNECTION) as connection:
        return cli.requeue(connection, console)


def migrate(config: StackConfig, console: Console) -> int:
    """Apply the missing migrations to the application's database."""
    if variable_of(ADMIN_CONNECTION) in os.environ:
        with connect(postgres_dsn(ADMIN_CONNECTION, os.environ)) as connection:
            return cli.migrate(connection, console)
    if variable_of(PIPELINE_CONNECTION) in os.environ:
        raise StackError(f"Migrations need the schema's owner: set {variable_of(ADMIN_CONNECTION)}.")
    with Stack(replace(config, only_databases=True), _timed(console)):
        return 0


@contextmanager
def _database(config: StackConfig, connection_id: str) -> Generator[Connection]:
    """The application's database: the user's own, that of the running stack, or one started for this alone."""
    if variable_of(connection_id) in os.environ:
        with connect(postgres_dsn(connection_id, os.environ)) as connection:
            yield connection
    elif (running := running_stack(config.folder)) is not None:
        with connect(running.pipeline_dsn) as connection:
            yield connection
    else:
        with Stack(replace(config, only_databases=True)) as stack, connect(stack.pipeline_dsn) as connection:
            yield connection


def _load_demo(stack: Stack, say: Callable[[str], None]) -> None:
    if not stack.is_self_contained:
        say("No demo data is loaded: the database or a platform is not the stack's own")
        return
    options = stack.config.sandbox
    with connect(stack.admin_dsn) as connection:
        bloggers = load_demo(connection, options.seed, options.creators)
    say(f"Demo data: {bloggers} bloggers tracked")


def _add_one_more(stack: Stack, connection: Connection, say: Callable[[str], None]) -> TimedAddition | None:
    if not stack.is_self_contained:
        return None
    organization, owner = adding_organization()
    creator = next_creator(connection, stack.config.sandbox.seed, Platform.TIKTOK)
    say(f"Adding @{creator.username} over HTTP")
    return Person(stack, owner, organization).add(connection, Platform.TIKTOK, creator.username)


def _timed(console: Console) -> Callable[[str], None]:
    begin = time.monotonic()

    def say(message: str) -> None:
        console.print(f"{time.monotonic() - begin:5.0f} s  {message}", highlight=False, markup=False, soft_wrap=True)

    return say

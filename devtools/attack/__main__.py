"""Command line of the attack: `python -m devtools.attack`. Attacks a stack of its own, and prints a table by area."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from psycopg import Connection
from psycopg_pool import ConnectionPool
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blogger_tracking.database.connections import connect, open_pool
from blogger_tracking.terminal_tables import terminal, titled_table
from devtools.attack.areas import AREAS
from devtools.attack.target import Target
from devtools.attack.tries import AreaResult, as_json, attack
from devtools.local_stack.airflow_connections import ADMIN_CONNECTION, PIPELINE_CONNECTION, variable_of
from devtools.local_stack.cli import add_stack_options, run_interruptible, stack_config
from devtools.local_stack.commands import timed_progress
from devtools.local_stack.config import StackConfig, StackError
from devtools.local_stack.stack import Stack
from devtools.local_stack.stack_folder import find_running_stack, load_secrets
from devtools.platform_sandbox.sandbox_admin import SandboxAdmin

_PERSON_LIMIT = 60
_LOOK_UP_LIMIT = 20
# More than the areas before the flood send as strangers, from one address, in a minute.
_STRANGER_LIMIT = 1_500
_SETTINGS: Mapping[str, str] = {
    # No scheduled run may plan the accounts that are attacked.
    "BLOGGER_TRACKING_SCHEDULE": "0 0 29 2 *",
    "BLOGGER_TRACKING_STRANGER_REQUESTS_PER_MINUTE": str(_STRANGER_LIMIT),
    "BLOGGER_TRACKING_STRANGER_REQUESTS_PER_MINUTE_OF_ADDRESS": str(_STRANGER_LIMIT),
    "BLOGGER_TRACKING_PERSON_REQUESTS_PER_MINUTE": str(_PERSON_LIMIT),
    "BLOGGER_TRACKING_PERSON_LOOK_UPS_PER_HOUR": str(_LOOK_UP_LIMIT),
    # A run that is refused ends soon.
    "BLOGGER_TRACKING_INITIAL_FETCH_RETRY_DELAY_SECONDS": "1",
    "BLOGGER_TRACKING_FETCH_RETRY_DELAY_SECONDS": "1",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack a stack of its own; return 1 if any try was not repelled."""
    parser = argparse.ArgumentParser(prog="python -m devtools.attack", description=__doc__)
    add_stack_options(parser)
    given = parser.parse_args(arguments)
    return run_interruptible(lambda: _attack(stack_config(given), terminal()))


def _attack(config: StackConfig, console: Console) -> int:
    progress = timed_progress(console)
    own = [each for each in (PIPELINE_CONNECTION, ADMIN_CONNECTION) if variable_of(each) in os.environ]
    if own:
        raise StackError(f"Only a database of its own is attacked; nothing was started. Unset {variable_of(own[0])}.")
    folder = config.folder / "attack"
    if find_running_stack(folder) is not None:
        raise StackError(f"Another attack is running in {folder}. It was not stopped; wait until it has ended.")
    shutil.rmtree(folder, ignore_errors=True)
    attacked = replace(config, folder=folder, environment={**config.environment, **_SETTINGS})
    with (
        Stack(attacked, progress) as stack,
        connect(stack.admin_dsn) as connection,
        open_pool(stack.pipeline_dsn) as pool,
    ):
        results = attack(_target(stack, connection, pool), AREAS, progress)
    file = config.folder / "attack.json"
    file.write_text(json.dumps(as_json(results), indent=2), encoding="utf-8")
    console.print(*attack_tables(results))
    progress(f"The results are in {file}")
    return 1 if any(result.failed for result in results.values()) else 0


def _target(stack: Stack, connection: Connection, pool: ConnectionPool) -> Target:
    auth = json.loads(stack.environment()[variable_of("supabase_auth")])
    folder = stack.config.folder
    return Target(
        url=stack.api_url,
        connection=connection,
        pool=pool,
        sandbox=SandboxAdmin(str(stack.sandbox_url)),
        issuer=auth["host"],
        secret=auth["password"],
        secrets=tuple(value for name, value in asdict(load_secrets(folder)).items() if name != "deployment"),
        log_folders=(stack.config.log_folder, stack.config.airflow_home / "logs"),
        person_limit=_PERSON_LIMIT,
        stranger_limit=_STRANGER_LIMIT,
        look_up_limit=_LOOK_UP_LIMIT,
        airflow=stack.client(),
    )


def attack_tables(results: Mapping[str, AreaResult]) -> list[Table]:
    """Return a table of the areas, and one of the tries that were not repelled if there are any."""
    areas = titled_table("Attack", "area")
    for column in ("tries", "held", "failed"):
        areas.add_column(column, justify="right")
    failed = titled_table("Tries that were not repelled", "area")
    failed.add_column("try", overflow="fold")
    failed.add_column("found", overflow="fold")
    for name, result in results.items():
        style = "bold red" if result.failed else None
        areas.add_row(name, f"{result.tries:,}", f"{result.held:,}", f"{len(result.failed):,}", style=style)
        for each in result.failed:
            # Text, because rich would take a bracket in an attack for markup.
            failed.add_row(name, Text(each.name), Text(each.found))
    return [areas, failed] if failed.row_count else [areas]


if __name__ == "__main__":
    sys.exit(main())

"""Command line for operators: `python -m blogger_tracking.cli COMMAND`.

The Airflow Connection `blogger_db` is the pipeline's login, `blogger_db_admin` that of the schema's owner.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from psycopg import Connection
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blogger_tracking.comparison_report import comparison_tables, write_json, write_page
from blogger_tracking.database.connections import LONG_ANSWER_SECONDS, OpenConnection, connect, require_ready
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.legacy_views import TEMPLATE
from blogger_tracking.database.migrate import apply_migrations, print_migrations
from blogger_tracking.database.runs import read_open_runs
from blogger_tracking.database.uninstall import read_contents, uninstall
from blogger_tracking.domain.checks import Check, Status
from blogger_tracking.domain.comparison import Window
from blogger_tracking.domain.errors import BloggerTrackingError, ConfigurationError
from blogger_tracking.removal_commands import REMOVAL_COMMANDS
from blogger_tracking.settings import describe_invalid_settings, get_settings, invalid_settings
from blogger_tracking.terminal_tables import import_tables, invariant_table, number_of_rows, queue_tables, terminal
from blogger_tracking.usecases.compare_with_legacy import compare_with_legacy
from blogger_tracking.usecases.end_runs import end_runs_of_deployment
from blogger_tracking.usecases.import_legacy import ImportReport, check_legacy, import_legacy, write_report
from blogger_tracking.usecases.manage_queues import read_queues
from blogger_tracking.usecases.manage_queues import requeue as requeue_parked

_INTERRUPTED = 130
_DEFAULT_WINDOW = timedelta(days=7)

IMPORT_REPORT = Path("var/import-report.json")
"""File of the report of `import-check` and `import`, below the current folder."""
_CHECK_COLUMNS = (11, 36)
_STATUS_STYLES: Mapping[Status, str] = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.FAULT: "bold red",
    Status.NOT_CHECKED: "dim",
}


@dataclass(frozen=True, slots=True)
class _Command:
    """A command and its line in `--help`.

    `as_owner` commands connect as the owner of the schema. `confirm` asks before the command, unless `--yes` is given.
    `add_options` adds the options that `run` takes by their names. `answer_seconds` is the longest wait for the answer
    to a statement, as `connect` takes it.
    """

    run: Callable[..., int]
    help: str
    as_owner: bool = False
    confirm: Callable[..., bool] | None = None
    add_options: Callable[[argparse.ArgumentParser], None] | None = None
    answer_seconds: float | None = LONG_ANSWER_SECONDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 1 if the command failed, 130 after Ctrl-C."""
    given = _parser().parse_args(arguments)
    if given.command == _LEGACY_VIEWS:
        return print_legacy_views()
    if given.command == "doctor":
        return doctor(terminal())
    chosen = _COMMANDS[given.command]
    try:
        return _run(chosen, given)
    except BloggerTrackingError as error:
        _print_error(str(error))
    except psycopg.Error as error:
        _print_error(_database_error(given.command, chosen, error))
    except KeyboardInterrupt:
        _print_error("Interrupted. The transaction in progress changed nothing; transactions before it are kept.")
        return _INTERRUPTED
    return 1


def _run(command: _Command, given: argparse.Namespace) -> int:
    if invalid := invalid_settings():
        raise ConfigurationError(describe_invalid_settings(invalid))
    with connect(_database_opener(command), answer_seconds=command.answer_seconds) as connection:
        options = {name: value for name, value in vars(given).items() if name not in {"command", "yes"}}
        if command.confirm and not given.yes and not command.confirm(connection, **options):
            return 1
        return command.run(connection, terminal(), **options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m blogger_tracking.cli", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in _COMMANDS.items():
        added = commands.add_parser(name, help=command.help)
        if command.confirm:
            added.add_argument("--yes", action="store_true", help="do not ask")
        if command.add_options:
            command.add_options(added)
    commands.add_parser(_LEGACY_VIEWS, help="print the template of the views that an import reads")
    commands.add_parser("doctor", help="check everything that the system depends on; exit code 1 for a fault")
    return parser


def _print_error(text: str) -> None:
    Console(stderr=True).print(text, soft_wrap=True, style="bold red", highlight=False, markup=False)


def _database_error(name: str, command: _Command, error: psycopg.Error) -> str:
    """Return the text of an error that ended a command: what happened, what was kept, what to do."""
    reported = str(error).splitlines()[0].rstrip(".")
    happened = (
        f"`{name}` stopped, because Postgres reports: {reported}. The transaction of this error changed nothing; "
        "transactions before it are kept."
    )
    if not isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"{happened} Remove the cause and run the command again."
    if command.as_owner:
        return (
            f"{happened} Let the Connection blogger_db_admin name the owner of the schema blogger_tracking, or for the "
            "first migration a login that may create schemas and roles."
        )
    return f"{happened} `doctor` prints the grants that the login of the Connection blogger_db lacks."


def _database_opener(command: _Command) -> OpenConnection:
    # Importing Airflow writes a configuration file into AIRFLOW_HOME; importing this module for its other functions
    # must not do so.
    from blogger_tracking.orchestration import connected_services  # noqa: PLC0415 - importing Airflow writes a file

    connection_id = connected_services.BLOGGER_DB_ADMIN if command.as_owner else connected_services.BLOGGER_DB
    return connected_services.database_opener(connection_id)


def doctor(console: Console) -> int:
    """Print every readiness check and return 1 if there is a fault. Nothing is changed."""
    from blogger_tracking.orchestration.doctor import check_everything  # noqa: PLC0415 - importing Airflow writes a file

    return print_checks(check_everything(), console)


def print_checks(checks: Iterable[Check], console: Console) -> int:
    """Print each check with its remedies, and a summary; return 1 if there is a fault.

    A remedy has a line of its own, however long it is, so that it can be copied.
    """
    counts = Counter[Status]()
    for check in checks:
        counts[check.status] += 1
        line = Table.grid(padding=(0, 2))
        for width in _CHECK_COLUMNS:
            line.add_column(width=width)
        line.add_column()
        line.add_row(Text(check.status, _STATUS_STYLES[check.status]), Text(check.name), Text(check.finding))
        console.print(line)
        for remedy in check.remedies:
            console.print(Text(f"{'':13}{remedy.kind + ':':7}{remedy.text}"), soft_wrap=True)
    console.print(f"\n{', '.join(f'{count} {status}' for status, count in counts.items())}", highlight=False)
    return 1 if counts[Status.FAULT] else 0


def migrate(connection: Connection, console: Console) -> int:
    """Apply the missing migrations and print their names. The connection must own the schema."""
    console.print("\n".join(apply_migrations(connection)) or "Nothing to apply.")
    return 0


def print_sql(connection: Connection | None, console: Console) -> int:
    """Print the SQL of the missing migrations with their record, for a review, psql or the Supabase CLI.

    Without a connection, print the SQL of all migrations.
    """
    sql = print_migrations(connection)
    if sql:
        # Not through the console, which would wrap lines and read markup.
        sys.stdout.write(sql)
    else:
        Console(stderr=True).print("Nothing to apply.")
    del console
    return 0


def confirm_uninstall(connection: Connection) -> bool:
    """Print what an uninstallation deletes, ask, and return True for the answer "remove"."""
    contents = read_contents(connection)
    if contents is None:
        return True
    terminal().print(
        f"This deletes the schema blogger_tracking with {contents.organizations:,} organizations, "
        f"{contents.tracked_accounts:,} tracked accounts, {contents.videos:,} videos and {contents.statistics:,} rows "
        "of statistics, and what the installation created besides: the role blogger_pipeline and, if the database is "
        "not Supabase's, the stand-in for the schema auth. Everything else stays, the pipeline's login included.",
        highlight=False,
    )
    if sys.stdin.isatty() and input('Type "remove" to go on: ').strip() == "remove":
        return True
    Console(stderr=True).print('Nothing was removed. To remove the schema, answer "remove" or pass --yes.')
    return False


def remove(connection: Connection, console: Console) -> int:
    """Drop the schema with all data, the pipeline's role and the stand-ins."""
    if read_contents(connection) is None:
        console.print("This database has no schema blogger_tracking. Nothing to remove.")
        return 0
    kept = uninstall(connection)
    console.print("The schema blogger_tracking was removed. The rest of the database is as before the installation.")
    if kept:
        console.print(
            f"Roles that another database uses, or that this login may not drop, were kept: {', '.join(kept)}."
        )
    return 0


def print_legacy_views() -> int:
    """Print the SQL of the views `legacy_…`, to be fitted to the tables of an earlier system."""
    sys.stdout.write(TEMPLATE.read_text(encoding="utf-8"))
    return 0


def check_import(connection: Connection, console: Console) -> int:
    """Print what an import would do with the rows of the views `legacy_…`, and write the report; change nothing."""
    require_ready(connection)
    _require_writable(IMPORT_REPORT)
    report = check_legacy(connection)
    console.print(import_tables(report.views, report.rows, "would be imported"))
    console.print("\nNothing was changed. The command `import` does what the report says.", highlight=False)
    return _save_import_report(report, console)


def run_import(connection: Connection, console: Console) -> int:
    """Import the rows of the views `legacy_…`, print what was done, and write the report."""

    def progress(line: str) -> None:
        console.print(line, highlight=False, markup=False)

    require_ready(connection)
    _require_writable(IMPORT_REPORT)
    report = import_legacy(connection, progress)
    console.print(import_tables(report.views, report.rows, "imported"))
    console.print("\nThe import is complete. A later import takes what is new or changed until then.", highlight=False)
    return _save_import_report(report, console)


def _save_import_report(report: ImportReport, console: Console) -> int:
    try:
        write_report(report, IMPORT_REPORT)
    except OSError as error:
        _print_write_error(error)
        return 1
    console.print(
        f"{IMPORT_REPORT} has a line for each of the {number_of_rows(len(report.rows))} that are not taken unchanged.",
        highlight=False,
    )
    return 0


def _print_write_error(error: OSError) -> None:
    _print_error(
        f"{error.filename} was not written: {error.strerror}. What is printed above is complete. Run the command again "
        "where files can be written."
    )


def _require_writable(*files: Path) -> None:
    """Raise ConfigurationError unless the files can be written, before the work that they are to report."""
    for file in files:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a", encoding="utf-8"):
                pass
        except OSError as error:
            raise ConfigurationError(
                f"The file {file} cannot be written: {error}. Nothing was done. Run the command in another folder, or "
                "make this one writable."
            ) from None


def verify(connection: Connection, console: Console) -> int:
    """Print the invariants with their violations and return 1 if there is any violation."""
    require_ready(connection)
    invariants = check_invariants(connection)
    console.print(invariant_table(invariants))
    return 1 if any(invariants.values()) else 0


def show_queues(connection: Connection, console: Console) -> int:
    """Print the number of messages in each queue, and the parked messages."""
    require_ready(connection)
    console.print(queue_tables(read_queues(connection)))
    return 0


def requeue(connection: Connection, console: Console) -> int:
    """Return all parked messages to their queues."""
    require_ready(connection)
    for state in read_queues(connection):
        messages = requeue_parked(connection, state.queue)
        console.print(f"{state.queue}: {len(messages)} parked messages returned to the queue.", highlight=False)
    return 0


def confirm_end_of_runs(connection: Connection, *, deployment: str) -> bool:
    """Print the open runs of a deployment, ask, and return True for the answer "end", or without an open run."""
    require_ready(connection)
    runs = read_open_runs(connection, deployment)
    if not runs:
        return True
    terminal().print(
        f"Open runs of the deployment {deployment}: {', '.join(run.dag_run_id for run in runs)}. Attempts at work for "
        "them save nothing after the end.",
        highlight=False,
        markup=False,
    )
    if (
        sys.stdin.isatty()
        and input('If the Airflow of this deployment is gone, type "end" to go on: ').strip() == "end"
    ):
        return True
    Console(stderr=True).print('No run was ended. To end the runs, answer "end" or pass --yes.')
    return False


def end_runs(connection: Connection, console: Console, *, deployment: str) -> int:
    """End the open runs of a deployment whose Airflow is gone, and print the fetches that were released."""
    require_ready(connection)
    ended = end_runs_of_deployment(connection, deployment)
    for run, released in ended.items():
        console.print(
            f"{run.dag_run_id} of {run.dag_id} was ended: {released} unfinished fetches released.",
            highlight=False,
            markup=False,
        )
    if not ended:
        console.print(f"The deployment {deployment} has no open run. Nothing to end.", highlight=False, markup=False)
    return 0


def _add_end_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deployment", required=True, help="setting BLOGGER_TRACKING_DEPLOYMENT of the lost Airflow")


def compare(
    connection: Connection,
    console: Console,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    tolerance: float | None = None,
    output: Path = Path("var"),
) -> int:
    """Compare the earlier system with this one; print tables, write compare.json and compare.html into a folder.

    By default the window is the last seven days, and the tolerance is the setting `count_tolerance`.
    """
    require_ready(connection)
    page, numbers = output / "compare.html", output / "compare.json"
    _require_writable(numbers, page)
    until = until or datetime.now(UTC)
    comparison = compare_with_legacy(
        connection,
        Window(since or until - _DEFAULT_WINDOW, until),
        get_settings().count_tolerance if tolerance is None else tolerance,
    )
    console.print(comparison_tables(comparison))
    try:
        write_json(comparison, numbers)
        write_page(comparison, page)
    except OSError as error:
        _print_write_error(error)
        return 1
    console.print(f"\nEvery blogger and difference is in {numbers}, a page to sign off in {page}.", highlight=False)
    return 0


def _add_comparison_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--since", type=_moment, help="begin of the window, ISO 8601, UTC by default; 7 days earlier")
    parser.add_argument("--until", type=_moment, help="end of the window, exclusive; by default now")
    parser.add_argument("--tolerance", type=_share, help="instead of the setting count_tolerance, for example 0.1")
    parser.add_argument("--output", type=Path, default=Path("var"), help="folder of compare.json and compare.html")


def _moment(text: str) -> datetime:
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time in ISO 8601, such as 2026-11-18T12:00") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


def _share(text: str) -> float:
    try:
        given = float(text)
    except ValueError:
        given = -1.0
    if not 0 <= given <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1, such as 0.1")
    return given


_LEGACY_VIEWS = "legacy-views"

_COMMANDS: Mapping[str, _Command] = {
    "migrate": _Command(migrate, "apply the missing migrations", as_owner=True),
    "migrate-sql": _Command(print_sql, "print the SQL of the missing migrations", as_owner=True),
    "uninstall": _Command(
        remove, "remove the schema with all data, after a question", as_owner=True, confirm=confirm_uninstall
    ),
    **{
        name: _Command(
            removal.run, removal.help, as_owner=True, confirm=removal.confirm, add_options=removal.add_options
        )
        for name, removal in REMOVAL_COMMANDS.items()
    },
    "import-check": _Command(check_import, "print what an import from the views legacy_… would do", as_owner=True),
    "import": _Command(run_import, "import from the views legacy_… what is new or changed", as_owner=True),
    "verify": _Command(verify, "print the invariants; exit code 1 if one is violated"),
    "queues": _Command(show_queues, "print the queues and their parked messages", answer_seconds=None),
    "compare": _Command(
        compare, "compare the earlier system with this one over a window of time", add_options=_add_comparison_options
    ),
    "requeue": _Command(requeue, "return all parked messages to their queues", answer_seconds=None),
    "end-runs": _Command(
        end_runs,
        "end the open runs of a deployment whose Airflow is gone, after a question",
        confirm=confirm_end_of_runs,
        add_options=_add_end_options,
    ),
}


if __name__ == "__main__":
    sys.exit(main())

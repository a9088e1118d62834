"""Report of one batch run: gathered from the ledger, printed as tables, written as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from psycopg import Connection
from rich.console import Console
from rich.table import Table

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.message_queues import QueueCounts
from blogger_tracking.database.run_summaries import (
    OrganizationSummary,
    PlatformSummary,
    read_organization_summaries,
    read_platform_summaries,
)
from blogger_tracking.database.youtube_units import read_run_units
from blogger_tracking.terminal_tables import invariant_table, queue_tables, titled_table
from blogger_tracking.usecases.manage_queues import QueueState, read_queues
from devtools.local_stack.adding_over_http import TimedAddition
from devtools.local_stack.batch_run import count_states


@dataclass(frozen=True, slots=True)
class Report:
    """Figures of one run. `seconds` is the time from trigger to end, `green` True for the Airflow state `success`.

    `requests_per_blogger` is the number of requests per fetched blogger, by platform.
    `added` is the blogger that was added over HTTP before the run. `queues` counts all messages so far;
    `youtube_units` are the units of the daily quota that the run used, by use.
    """

    dag_run_state: str
    organizations: list[OrganizationSummary]
    platforms: list[PlatformSummary]
    fetches_by_state: dict[str, int]
    videos_saved: int
    seconds: float
    added: TimedAddition | None
    queues: dict[str, QueueCounts]
    youtube_units: dict[str, int]
    requests_per_blogger: dict[str, float]
    invariants: dict[str, int]
    green: bool

    @property
    def is_sound(self) -> bool:
        """True if the run succeeded and every invariant holds."""
        return self.green and not any(self.invariants.values())


def gather_report(
    connection: Connection, run_id: int, dag_run_state: str, seconds: float, added: TimedAddition | None
) -> Report:
    """Return the report of an ended run, given its id in the ledger."""
    platforms = read_platform_summaries(connection, run_id)
    return Report(
        dag_run_state=dag_run_state,
        organizations=read_organization_summaries(connection, run_id),
        platforms=platforms,
        fetches_by_state=count_states(connection, run_id),
        videos_saved=sum(platform.videos for platform in platforms),
        seconds=round(seconds, 1),
        added=added,
        queues={state.queue.value: state.counts for state in read_queues(connection)},
        youtube_units={use.value: units for use, units in read_run_units(connection, run_id).items()},
        requests_per_blogger={summary.platform: round(summary.requests_per_blogger, 2) for summary in platforms},
        invariants=check_invariants(connection),
        green=dag_run_state == "success",
    )


def run_result(report: Report) -> str:
    """Return the sentences that say if the report is sound, and if not, where the remedies are."""
    if report.is_sound:
        return "The run succeeded, and every invariant holds."
    violated = [name for name, violations in report.invariants.items() if violations]
    problems = [] if report.green else [f"ended as {report.dag_run_state}"]
    problems += [f"violates the invariants {', '.join(violated)}"] if violated else []
    return f"The run {' and '.join(problems)}: docs/operations.md has the remedies."


def write_report(report: Report, file: Path) -> None:
    """Write the report as JSON."""
    file.write_text(json.dumps(asdict(report), indent=2, default=str), encoding="utf-8")


def print_report(report: Report, queues: Sequence[QueueState], console: Console) -> None:
    """Print the tables of a report, and the parked messages of the queues."""
    console.print(_organization_table(report), _platform_table(report), queue_tables(queues))
    if report.added:
        console.print(
            f"Added @{report.added.username} ({report.added.platform}) over HTTP: "
            f"{report.added.videos} videos were saved {report.added.seconds:.1f} s after the request",
            highlight=False,
        )
    console.print(f"YouTube quota units used by this run: {_counts(report.youtube_units)}", highlight=False)
    console.print(invariant_table(report.invariants))


def _organization_table(report: Report) -> Table:
    table = titled_table("Organizations", "organization")
    for column in ("limit", "used before", "reserved", "fetched", "charged"):
        table.add_column(column, justify="right")
    table.add_column("skipped")
    for organization in report.organizations:
        figures = (organization.video_limit, organization.used_before, organization.granted)
        table.add_row(
            organization.name,
            *(_figure(figure) for figure in (*figures, organization.fetched, organization.charged)),
            _counts(organization.skipped),
        )
    return table


def _platform_table(report: Report) -> Table:
    table = titled_table("Platforms", "platform")
    table.add_column("fetched", justify="right")
    table.add_column("states")
    for column in ("videos", "of them new", "seconds", "requests", "per blogger"):
        table.add_column(column, justify="right")
    table.add_column("spent on")
    for platform in report.platforms:
        table.add_row(
            platform.platform,
            _figure(sum(platform.states.values())),
            _counts(platform.states),
            _figure(platform.videos),
            _figure(platform.videos_new),
            f"{platform.seconds:.1f}",
            _figure(sum(platform.requests.values())),
            f"{platform.requests_per_blogger:.1f}",
            _counts(platform.requests),
        )
    return table


def _figure(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "-"

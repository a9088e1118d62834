"""Tables of the command line and of the development tools, for the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from blogger_tracking.database.invariants import INVARIANTS
from blogger_tracking.database.legacy_import import ReportedRow, ViewCounts
from blogger_tracking.usecases.manage_queues import QueueState

_COLUMNS = 120

# Values in a reason, which would make a line of each row.
_VALUES = re.compile(r"'[^']*'|(?<=\w )-?\d+(?= is )")


def terminal() -> Console:
    """Return a console for the standard output."""
    # Without a terminal, rich assumes 80 columns, too few for the tables.
    return Console() if sys.stdout.isatty() else Console(width=_COLUMNS)


def titled_table(title: str, first_column: str) -> Table:
    """Return an empty table with its first column."""
    return Table(first_column, title=f"\n{title}", title_justify="left", title_style="bold", box=SIMPLE_HEAD)


def count_table(title: str, counts: Mapping[str, int]) -> Table:
    """Return a table of numbers of rows by table."""
    table = titled_table(escape(title), "table")
    table.add_column("rows", justify="right")
    for name, count in counts.items():
        table.add_row(name, f"{count:,}")
    return table


def invariant_table(violations: Mapping[str, int]) -> Table:
    """Return a table of the invariants with their violations (by name) and their sentences."""
    table = titled_table("Invariants", "invariant")
    table.add_column("violations", justify="right")
    table.add_column("rule")
    for invariant in INVARIANTS:
        count = violations.get(invariant.name)
        if count is not None:
            table.add_row(invariant.name, f"{count:,}", invariant.sentence, style="bold red" if count else None)
    return table


def queue_tables(states: Sequence[QueueState]) -> Group:
    """Return a table of the counts, and one of the parked messages if there are any."""
    counts = titled_table("Queues", "queue")
    for column in ("waiting", "done", "parked"):
        counts.add_column(column, justify="right")
    parked = titled_table("Parked messages", "queue")
    for column in ("message", "attempts", "reason"):
        parked.add_column(column)
    for state in states:
        numbers = (state.counts.waiting, state.counts.done, state.counts.parked)
        counts.add_row(state.queue, *(f"{count:,}" for count in numbers))
        for message in state.parked:
            parked.add_row(state.queue, str(message.id), str(message.attempts), escape(message.last_error))
    return Group(counts, parked) if parked.row_count else Group(counts)


def import_tables(views: Sequence[ViewCounts], rows: Iterable[ReportedRow], imported: str) -> Group:
    """Return a table of the views' rows by outcome, and a list of the reasons, each with an example.

    The keys of the examples stay on one line, so that they can be copied.
    """
    counts = titled_table("Rows", "view")
    for column in ("read", imported, "unchanged", "merged", "left out", "with a change"):
        counts.add_column(column, justify="right")
    for view in views:
        numbers = (view.read, view.imported, view.unchanged, view.merged, view.left_out, view.adjusted)
        counts.add_row(f"legacy_{view.view}", *(f"{number:,}" for number in numbers))
    alike: dict[tuple[str, str, str], list[ReportedRow]] = {}
    for row in rows:
        alike.setdefault((f"legacy_{row.view}", row.outcome, _VALUES.sub("…", row.reason)), []).append(row)
    reasons = [
        Padding(Text(line), (0, 0, 0, indent))
        for (view, outcome, reason), reported in alike.items()
        for indent, line in (
            (2, f"{view}, {number_of_rows(len(reported))} {outcome}: {reason}"),
            (6, f"for example {_example(reported[0], reason)}"),
        )
    ]
    title = Text("\nRows that are not taken as they are\n", "bold")
    return Group(counts, title, *reasons) if reasons else Group(counts)


def number_of_rows(number: int) -> str:
    """Return a number with its noun: "1 row", "1,250 rows"."""
    return f"{number:,} row" if number == 1 else f"{number:,} rows"


def _example(row: ReportedRow, reason: str) -> str:
    """Return the key of a row, with the row's own reason if that has values which `reason` lacks."""
    return row.key if row.reason == reason else f"{row.key}: {row.reason}"

"""Tables on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from uuid import uuid4

from rich.console import Console

from blogger_tracking.database.legacy_import import ReportedRow
from blogger_tracking.terminal_tables import import_tables


def _printed(rows: Sequence[ReportedRow]) -> str:
    output = StringIO()
    Console(file=output, width=120).print(import_tables([], rows, "imported"))
    return output.getvalue()


def test_names_in_brackets_are_printed_as_they_are() -> None:
    names = ("[/red]", "[bold]")
    rows = [ReportedRow("tags", f"organization/{name}", "left out", f"{name} is empty", None) for name in names]

    printed = _printed(rows)

    assert [name for name in names if f"organization/{name}" not in printed] == []


def test_a_reported_reason_has_its_number_of_rows_and_one_example_on_a_line_that_can_be_copied() -> None:
    keys = [f"{uuid4()}/{uuid4()}" for _ in range(3)]
    rows = [
        ReportedRow("members", keys[0], "adjusted", "the role 'guest' is unknown: taken as viewer", None),
        ReportedRow("members", keys[1], "adjusted", "the role 'boss' is unknown: taken as viewer", None),
        ReportedRow("members", keys[2], "left out", "auth.users has no such user", None),
    ]

    printed = [line.strip() for line in _printed(rows).splitlines()]
    assert "legacy_members, 2 rows adjusted: the role … is unknown: taken as viewer" in printed
    assert f"for example {keys[0]}: the role 'guest' is unknown: taken as viewer" in " ".join(printed)
    assert any(line.startswith(f"for example {keys[0]}") for line in printed)
    assert printed[printed.index("legacy_members, 1 row left out: auth.users has no such user") + 1] == (
        f"for example {keys[2]}"
    )

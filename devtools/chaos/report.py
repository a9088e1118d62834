"""Result of chaos: a table for the terminal, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from blogger_tracking.terminal_tables import titled_table
from devtools.chaos.conditions import FAST_SETTINGS
from devtools.chaos.harness import TryResult


def chaos_report(
    seed: str, undisturbed_seconds: float, kinds: Sequence[Mapping[str, Any]], results: Sequence[TryResult]
) -> dict[str, Any]:
    """Return the report as plain data. `violations` is the number of violations of all tries."""
    return {
        "seed": seed,
        "undisturbed_seconds": undisturbed_seconds,
        "kinds": list(kinds),
        "runs": [asdict(result) for result in results],
        "violations": sum(len(result.violations) for result in results),
        "settings": dict(FAST_SETTINGS),
    }


def write_report(report: Mapping[str, Any], file: Path) -> None:
    """Write the report as JSON."""
    file.write_text(json.dumps(report, indent=2), encoding="utf-8")


def print_report(report: Mapping[str, Any], console: Console) -> None:
    """Print the table of the kinds and the total."""
    console.print(_kinds_table(report))
    combined = sum(len(run["kinds"]) > 1 for run in report["runs"])
    console.print(
        f"{len(report['kinds'])} kinds, {len(report['runs'])} tries, {combined} of them of several kinds at once, "
        f"{report['violations']} violations. Repeat with SEED={report['seed']}.",
        highlight=False,
    )


def _kinds_table(report: Mapping[str, Any]) -> Table:
    table = titled_table(f"Disturbances; undisturbed {report['undisturbed_seconds']:.0f} s to green", "kind")
    for column in ("tries", "in others", "violations", "s to green"):
        table.add_column(column, justify="right")
    table.add_column("what is done")
    for kind in report["kinds"]:
        table.add_row(
            kind["name"],
            str(kind["tries"]),
            str(kind["combined"]),
            str(kind["violations"]),
            f"{kind['seconds']:.0f}",
            kind["sentence"],
            style="bold red" if kind["violations"] else None,
        )
    return table

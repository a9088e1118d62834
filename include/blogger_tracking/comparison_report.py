"""Rendering of a comparison with the earlier system: tables for the terminal, JSON, and a page to sign off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from blogger_tracking.domain.comparison import REASON_SENTENCES, DifferenceKind, MissingReason
from blogger_tracking.usecases.compare_with_legacy import BloggerFigures, Comparison, Difference, Figures

COLUMNS: Mapping[str, str] = {
    "videos_of_both": "both",
    "videos_only_old": "only earlier",
    "videos_only_new": "only new",
    "addresses_differ": "address",
    "dates_differ": "date",
    "counts_differ": "count",
    "unexplained": "unexplained",
}
"""Figures of a table, by name, with the headings of their columns."""

KINDS: Mapping[DifferenceKind, str] = {
    DifferenceKind.ONLY_OLD: "Videos that only the earlier system has",
    DifferenceKind.ONLY_NEW: "Videos that only the new system has",
    DifferenceKind.ADDRESS: "Addresses that differ",
    DifferenceKind.DATE: "Publication dates that differ",
    DifferenceKind.COUNT: "Counts that growth does not explain",
}
"""Headings of the lists of differences, in their order on the page."""

MAX_BLOGGERS_SHOWN = 200
"""Maximum number of bloggers in a table; the JSON file has all."""

MAX_DIFFERENCES_SHOWN = 200
"""Maximum number of differences of each kind on the page; the JSON file lists more."""

_BLOGGERS_ON_TERMINAL = 20
_LEFT_OUT = {
    "bloggers_of_unknown_platforms": "bloggers of unknown platforms",
    "videos_of_unknown_platforms": "videos of unknown platforms",
    "videos_without_id": "videos without an id",
    "unreadable_dates": "dates that are not ISO 8601 (compared as unknown)",
}


def write_json(comparison: Comparison, file: Path) -> None:
    """Write the comparison as JSON, with every blogger of either system."""
    file.write_text(json.dumps(as_json(comparison), indent=1, default=str), encoding="utf-8")


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as an object for JSON."""
    return {
        "since": comparison.window.since.isoformat(),
        "until": comparison.window.until.isoformat(),
        "made_at": comparison.made_at.isoformat(),
        "count_tolerance": comparison.tolerance,
        "total": _figures(comparison.total),
        "platforms": {name: _figures(figures) for name, figures in comparison.platforms.items()},
        "bloggers": [
            {
                "blogger_id": blogger.blogger_id,
                "platform": blogger.platform,
                "username": blogger.username,
                **_figures(blogger.figures),
            }
            for blogger in comparison.bloggers
        ],
        "differences_listed": len(comparison.differences),
        "differences": [
            {name: value for name, value in asdict(difference).items() if value is not None}
            for difference in comparison.differences
        ],
        "left_out": asdict(comparison.left_out),
    }


def write_page(comparison: Comparison, file: Path) -> None:
    """Write the comparison as one HTML page without external resources."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    differing = _differing_bloggers(comparison)
    page = environment.get_template("comparison_page.html.jinja").render(
        comparison=comparison,
        columns=COLUMNS,
        reasons=REASON_SENTENCES,
        bloggers=differing[:MAX_BLOGGERS_SHOWN],
        bloggers_differing=len(differing),
        differences=[
            (title, found[:MAX_DIFFERENCES_SHOWN], len(found))
            for kind, title in KINDS.items()
            if (found := _differences_of(comparison, kind))
        ],
        left_out={text: getattr(comparison.left_out, name) for name, text in _LEFT_OUT.items()},
    )
    file.write_text(page, encoding="utf-8")


def comparison_tables(comparison: Comparison) -> Group:
    """Return tables of the platforms, the reasons and the bloggers with the most differences."""
    differing = _differing_bloggers(comparison)
    tables: list[RenderableType] = [_platform_table(comparison), _captured_by_both(comparison.total)]
    if comparison.total.reasons_only_old or comparison.total.reasons_only_new:
        tables.append(_reason_table(comparison.total))
    if differing:
        tables.append(_blogger_table(differing))
    return Group(*tables)


def _figures(figures: Figures) -> dict[str, Any]:
    # Not by `asdict`, which makes another Counter of the pairs of a Counter.
    return {each.name: getattr(figures, each.name) for each in fields(figures)} | {"unexplained": figures.unexplained}


def _differing_bloggers(comparison: Comparison) -> list[BloggerFigures]:
    """Return the bloggers with differences, those with the most unexplained ones first."""
    differing = [blogger for blogger in comparison.bloggers if blogger.figures.differences]
    return sorted(
        differing, key=lambda blogger: (blogger.figures.unexplained, blogger.figures.differences), reverse=True
    )


def _differences_of(comparison: Comparison, kind: DifferenceKind) -> list[Difference]:
    """Return the listed differences of one kind, the unexplained ones first."""
    found = [each for each in comparison.differences if each.kind == kind]
    return sorted(found, key=lambda each: each.reason not in {None, MissingReason.MISSED})


def _platform_table(comparison: Comparison) -> Table:
    table = _table("Videos of the window", "platform", *COLUMNS.values())
    for platform, figures in comparison.platforms.items():
        table.add_row(platform, *_numbers(figures))
    table.add_section()
    table.add_row("total", *_numbers(comparison.total), style="bold")
    return table


def _captured_by_both(total: Figures) -> str:
    """Return the sentence that tells a comparison without differences from one that compared nothing."""
    return (
        f"Of the {total.videos_of_both:,} videos that both systems have, {total.videos_with_counts:,} have counts of "
        "both in the window."
    )


def _reason_table(total: Figures) -> Table:
    table = Table(title="\nReasons for missing videos", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("missing in")
    table.add_column("videos", justify="right")
    table.add_column("reason")
    for system, reasons in (("new system", total.reasons_only_old), ("earlier system", total.reasons_only_new)):
        for reason, count in reasons.most_common():
            table.add_row(system, f"{count:,}", f"{reason}: {REASON_SENTENCES.get(reason, '')}")
    return table


def _blogger_table(bloggers: list[BloggerFigures]) -> Table:
    shown = bloggers[:_BLOGGERS_ON_TERMINAL]
    table = _table(f"Bloggers with differences ({len(shown):,} of {len(bloggers):,})", "blogger", *COLUMNS.values())
    for blogger in shown:
        table.add_row(escape(f"{blogger.platform} @{blogger.username}"), *_numbers(blogger.figures))
    return table


def _table(title: str, first_column: str, *columns: str) -> Table:
    table = Table(first_column, title=f"\n{title}", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _numbers(figures: Figures) -> list[str]:
    return [f"{getattr(figures, name):,}" for name in COLUMNS]

"""The page about costs: its monthly figures follow from its measured ones."""

from __future__ import annotations

import re

import pytest

from devtools.bench.figures import REQUEST_KINDS
from devtools.bench.measure_requests import RUNS_PER_DAY
from devtools.local_stack.config import PROJECT_ROOT

DAYS = 30
TARGETS = (10, 30, 50)
FLEETS = (100, 1_000, 10_000)


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the body of the first table below a heading."""
    page = (PROJECT_ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\|(.+)\|$", section, re.MULTILINE)[2:]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_the_costs_of_a_month_are_the_measured_requests_times_the_fetches() -> None:
    measured = {
        (kind, target): float(figure)
        for kind, *figures in rows("Requests per fetch")
        for target, figure in zip(TARGETS, figures, strict=True)
    }
    month = {
        (kind, int(target)): [int(figure.replace(",", "")) for figure in figures]
        for kind, target, *figures in rows("A month")
    }
    assert {kind for kind, _ in measured} == set(REQUEST_KINDS.values())
    assert month == {
        key: pytest.approx([figure * RUNS_PER_DAY * DAYS * bloggers for bloggers in FLEETS])
        for key, figure in measured.items()
    }

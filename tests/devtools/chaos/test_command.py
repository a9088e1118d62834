"""The choices, the report and the page of `make chaos`."""

from __future__ import annotations

import re
from itertools import islice

from devtools.chaos.__main__ import disturbances
from devtools.chaos.harness import TryResult
from devtools.chaos.kinds.table import KINDS
from devtools.chaos.report import chaos_report
from devtools.local_stack.config import PROJECT_ROOT

_CHOICES = len(KINDS) + 50


def _choices(seed: str) -> list[list[str]]:
    return [[kind.name for kind in kinds] for kinds in islice(disturbances(seed, None, 1), _CHOICES)]


def test_a_seed_repeats_the_choices_and_another_one_chooses_other_pairs() -> None:
    assert _choices("4711") == _choices("4711")
    assert _choices("4711") != _choices("4712")


def test_every_kind_is_tried_before_pairs_are() -> None:
    assert _choices("4711")[: len(KINDS)] == [[name] for name in KINDS]


def test_the_report_has_the_seed_the_kinds_the_runs_and_the_violations() -> None:
    sound = TryResult(kinds=("a",), points=("planned",), state="success", seconds=9.0, violations=[])
    unsound = TryResult(kinds=("a", "b"), points=("claimed",), state="failed", seconds=7.0, violations=["x", "y"])
    kinds = [{"name": "a", "tries": 1}]

    report = chaos_report("4711", 12.0, kinds, [sound, unsound, unsound])

    assert {"seed": "4711", "undisturbed_seconds": 12.0, "kinds": kinds, "violations": 4}.items() <= report.items()
    assert [run["kinds"] for run in report["runs"]] == [("a",), ("a", "b"), ("a", "b")]
    assert [run["state"] for run in report["runs"]] == ["success", "failed", "failed"]


def test_the_page_names_the_slower_kinds() -> None:
    page = (PROJECT_ROOT / "docs" / "chaos.md").read_text(encoding="utf-8")
    section = page.split("## Slower kinds\n", 1)[1].split("\n## ", 1)[0]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }

    assert named == {kind.name for kind in KINDS.values() if kind.slow_reason}

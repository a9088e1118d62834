"""The pages on monitoring and operations: every metric and every alert, as the code has them."""

from __future__ import annotations

import re

import psycopg
import pytest

from blogger_tracking.domain.health import AlertName
from blogger_tracking.domain.metrics import METRICS, MetricKind
from devtools.local_stack.config import PROJECT_ROOT
from tests.domain.test_health import CONDITIONS
from tests.project.test_operations import statements

MONITORING = (PROJECT_ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
OPERATIONS = (PROJECT_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_the_page_has_each_metric_with_its_kind_unit_tags_and_place() -> None:
    described = re.findall(r"^\| `(blogger_tracking\.\w+)` \| (.+) \|$", MONITORING, re.MULTILINE)
    places = {True: "`health_watch`, every ten minutes", False: "each fetch instance, at its end"}
    assert described == [
        (
            metric.name,
            " | ".join([
                metric.kind,
                metric.unit,
                ", ".join(f"`{tag}`" for tag in metric.tags),
                places[metric.kind is MetricKind.GAUGE],
            ]),
        )
        for metric in METRICS
    ]


@pytest.mark.parametrize("name", AlertName)
def test_both_pages_have_each_alert(name: AlertName) -> None:
    assert f"| `{name}` |" in MONITORING
    assert f"| `{name}` |" in OPERATIONS


@pytest.mark.parametrize(("name", "message"), [(name, message) for name, _, _, message in CONDITIONS])
def test_the_very_message_of_an_alert_is_on_the_page(name: AlertName, message: str) -> None:
    rows = re.findall(rf"^\| `{name}` \| (.+?) \|", OPERATIONS, re.MULTILINE)
    patterns = [re.escape(row).replace("…", ".+") for row in rows]
    assert any(re.fullmatch(pattern, message) for pattern in patterns), rows


def test_every_statement_runs(admin: psycopg.Connection) -> None:
    # Roles belong to the whole server, which other tests use: nothing is committed.
    with admin.transaction(force_rollback=True):
        for statement in statements(MONITORING):
            admin.execute(statement.encode())

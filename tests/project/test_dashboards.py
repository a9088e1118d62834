"""The dashboards for Grafana: each panel's SQL returns rows after a batch, and each metric exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import yaml
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.health import WatchedRuns
from blogger_tracking.database.message_queues import FailedMessage, fail_messages, take_messages
from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.ledger import FetchState, RequestUse
from blogger_tracking.domain.metrics import METRICS, Metric, MetricKind
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.domain.queues import Queue
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.watch_health import watch_health
from devtools.local_stack.config import PROJECT_ROOT
from tests.project.test_operations import statements
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, settle, videos

FOLDER = PROJECT_ROOT / "docs" / "grafana"
MONITORING = (PROJECT_ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
ROLE = "bloggers_dashboard"


def panels(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((FOLDER / name).read_text(encoding="utf-8"))["panels"]
    return found


QUERIES = {panel["title"]: target["rawSql"] for panel in panels("database.json") for target in panel["targets"]}
EXPRESSIONS = [target["expr"] for panel in panels("metrics.json") for target in panel["targets"]]


@pytest.fixture
def batch(build: DatabaseBuilder, pool: ConnectionPool) -> None:
    """A batch run of three platforms, of which one fails and is suspended, and a look of the watch at it."""
    organization = build.organization()
    for platform in Platform:
        build.track(organization, platform=platform)
    key = new_key()
    for fetch_id in fetch_ids(pool, plan(pool, key)):
        claimed = claim(pool, fetch_id)
        platform = claimed.account.platform
        requests = {RequestUse.LISTING: 2}
        if platform is Platform.INSTAGRAM:
            error = PlatformError(ErrorKind.INVALID_CREDENTIALS, platform, "HTTP 403")
            outcome = FetchOutcome(FetchState.FAILED, error=error, reason=str(error), requests=requests)
        else:
            outcome = FetchOutcome(FetchState.SUCCEEDED, videos(5, platform), requests=requests)
        settle(pool, claimed, outcome)
    finish_run(pool, key, failed_share_limit=0.2)
    now = datetime.now(UTC)
    with pool.connection() as connection:
        record_units(connection, now, {RequestUse.LISTING: 2})
        suspend_platform(connection, Platform.INSTAGRAM, now + timedelta(hours=1), "invalid_credentials")
        delivery = take_messages(connection, Queue.THUMBNAILS, now, limit=1, visibility=timedelta(minutes=1))
        failures = [FailedMessage(message.id, "HTTP 404", final=True) for message in delivery.messages]
        fail_messages(connection, Queue.THUMBNAILS, delivery.receipt, failures, now)
    watch_health(pool, WatchedRuns("test", "blogger_batch_fetch", None), Settings(), now, [])


@pytest.fixture
def reader(admin: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A connection with the role that the page creates. Nothing is committed: roles belong to the whole server."""
    (create_role,) = [statement for statement in statements(MONITORING) if "create role" in statement]
    with admin.transaction(force_rollback=True):
        admin.execute(create_role.encode())
        admin.execute(f"set local role {ROLE}".encode())
        yield admin


@pytest.mark.usefixtures("batch")
@pytest.mark.parametrize("title", QUERIES)
def test_the_sql_of_each_panel_returns_rows_to_the_read_only_login(reader: psycopg.Connection, title: str) -> None:
    # Grafana replaces the macro by the dashboard's time range.
    query = re.sub(r"\$__timeFilter\(([\w.]+)\)", r"\1 between now() - interval '7 days' and now()", QUERIES[title])
    assert "$__" not in query
    found = reader.execute(query.encode())
    assert found.fetchall(), title
    assert found.description
    columns = [column.name for column in found.description]
    if "time_series" in json.dumps([panel for panel in panels("database.json") if panel["title"] == title]):
        assert columns == ["time", "metric", "value"]


@pytest.mark.usefixtures("batch")
def test_the_read_only_login_changes_nothing(reader: psycopg.Connection) -> None:
    for statement in ("delete from {}", "update {} set platform = platform"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), reader.transaction():
            reader.execute(statement.format("blogger_tracking.fetches").encode())


def names_in_prometheus() -> set[str]:
    """Return the names that the exporter gives: a timer is a histogram."""
    names = set()
    for metric in METRICS:
        name = f"airflow_{metric.name}".replace(".", "_")
        names |= (
            {name} if metric.kind is not MetricKind.TIMER else {f"{name}_{end}" for end in ("bucket", "sum", "count")}
        )
    return names


def test_the_dashboard_of_metrics_shows_every_metric_and_no_other() -> None:
    used = set(re.findall(r"airflow_\w+", " ".join(EXPRESSIONS)))
    assert used <= names_in_prometheus()
    shown = {name.removesuffix("_bucket") for name in used}
    assert shown == {f"airflow_{metric.name}".replace(".", "_") for metric in METRICS}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_dashboard_of_metrics_uses_only_labels_of_the_metric(expression: str) -> None:
    (name,) = {found.removesuffix("_bucket") for found in re.findall(r"airflow_(blogger_tracking_\w+)", expression)}
    (metric,) = [metric for metric in METRICS if metric.name.replace(".", "_") == name]
    labels = {label for group in re.findall(r"by \(([\w, ]+)\)", expression) for label in group.split(", ")}
    assert labels - {"le"} <= set(metric.tags)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_mapping_makes_labels_of_the_parts_of_a_name(metric: Metric) -> None:
    mappings = yaml.safe_load((FOLDER / "statsd-mapping.yml").read_text(encoding="utf-8"))["mappings"]
    (mapping,) = [
        each for each in mappings if each["match"] == ".".join(["airflow", metric.name, *("*" for _ in metric.tags)])
    ]
    assert mapping["name"] == f"airflow_{metric.name}".replace(".", "_")
    assert mapping.get("labels", {}) == {tag: f"${place}" for place, tag in enumerate(metric.tags, 1)}


def test_the_files_are_dashboards_with_a_data_source_to_choose() -> None:
    for file in FOLDER.glob("*.json"):
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource"]
        assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])

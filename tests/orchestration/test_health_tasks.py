"""The task of the DAG health_watch, and the notifiers that it calls, without any Airflow process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from airflow.sdk import BaseNotifier, Context

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.orchestration import health_tasks, webhook_notifier
from blogger_tracking.orchestration.health_tasks import newest_slot, watch
from blogger_tracking.orchestration.webhook_notifier import WebhookNotifier
from blogger_tracking.settings import get_settings
from tests.orchestration.conftest import Emitted, InstanceStandIn
from tests.support.database_builder import DatabaseBuilder
from tests.support.posted_bodies import PostedBodies
from tests.support.scripted_server import Scripted, ScriptedServer
from tests.support.silent_server import SilentServer

pytestmark = pytest.mark.usefixtures("connections")

SUSPEND = """
insert into platform_suspensions (platform, suspended_until, reason, suspended_at)
values ('TikTok', now() + interval '1 hour', 'invalid_credentials', now())
"""
WEBHOOK = {"classpath": "blogger_tracking.orchestration.webhook_notifier.WebhookNotifier"}


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostedBodies]:
    """The webhook of a team's channel."""
    with PostedBodies() as channel:
        url = f"http://127.0.0.1:{channel.port}/services/very-secret"
        fields = {"conn_type": "http", "host": url, "password": "token"}
        monkeypatch.setenv("AIRFLOW_CONN_ALERT_WEBHOOK", json.dumps(fields))
        yield channel


def texts(channel: PostedBodies) -> list[str]:
    return [json.loads(body)["text"] for body in channel.bodies]


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Run the task with these notifiers."""

    def look(*notifiers: dict[str, Any]) -> None:
        monkeypatch.setenv("BLOGGER_TRACKING_ALERT_NOTIFIERS", json.dumps(notifiers))
        get_settings.cache_clear()
        monkeypatch.setattr(health_tasks, "get_current_context", lambda: {"ti": InstanceStandIn("watch")})
        watch.function()

    return look


class KeepingNotifier(BaseNotifier):
    """A team's own notifier, which renders a template as Airflow's do."""

    template_fields = ("text",)
    kept: ClassVar[list[str]] = []

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Context) -> None:
        del context
        self.kept.append(self.text)


def test_the_built_in_notifier_posts_the_beginning_and_the_end(
    channel: PostedBodies, build: DatabaseBuilder, look: Callable[..., None]
) -> None:
    build.run(SUSPEND)
    look(WEBHOOK)
    build.run("delete from platform_suspensions")
    look(WEBHOOK)
    began, ended = texts(channel)
    assert began.startswith("TikTok is suspended until ")
    assert ended == f"Over after 0 minutes: {began}"
    assert channel.tokens == ["Bearer token"] * 2


def test_the_task_emits_the_gauges(build: DatabaseBuilder, look: Callable[..., None], emitted: Emitted) -> None:
    build.run(SUSPEND)
    look()
    assert emitted.values["blogger_tracking.platform_suspended", "TikTok"] == 1
    assert emitted.values["blogger_tracking.alerts_open",] == 1


def test_a_notifier_of_a_team_gets_its_arguments_and_the_alert(
    build: DatabaseBuilder, look: Callable[..., None]
) -> None:
    KeepingNotifier.kept.clear()
    build.run(SUSPEND)
    text = "{{ alert.name }} {{ alert.state }} of {{ alert.subject }} in {{ alert.deployment }} by {{ ti.task_id }}"
    look({"classpath": f"{__name__}.KeepingNotifier", "kwargs": {"text": text}})
    assert KeepingNotifier.kept == ["platform_suspended began of TikTok in default by watch"]


def test_notifiers_that_cannot_be_loaded_or_reached_do_not_keep_the_others_from_sending(
    channel: PostedBodies, build: DatabaseBuilder, look: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    build.run(SUSPEND)
    channel.status = 404
    look({"classpath": "no.such.Notifier"}, {**WEBHOOK, "kwargs": {"unknown": 1}}, WEBHOOK)
    assert build.value("select begin_sent_at from alerts") is None
    channel.status = 200
    look({"classpath": "no.such.Notifier"}, WEBHOOK)
    assert len(channel.bodies) == 2
    assert build.value("select begin_sent_at from alerts") is not None
    assert caplog.text.count("A notifier did not send the alert platform_suspended: ") == 4


def test_the_error_of_a_webhook_names_the_connection_and_not_its_address(
    channel: PostedBodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel.status = 403
    notifier = WebhookNotifier(text="any")
    with pytest.raises(ConfigurationError, match="alert_webhook did not accept the alert: HTTP 403") as refused:
        notifier.notify({})
    secret = str(uuid4())
    fields = {"conn_type": "http", "host": f"http://127.0.0.1:1/{secret}"}
    monkeypatch.setenv("AIRFLOW_CONN_ALERT_WEBHOOK", json.dumps(fields))
    with pytest.raises(ConfigurationError, match="ConnectionError") as unreachable:
        notifier.notify({})
    assert "very-secret" not in str(refused.value)
    assert secret not in str(unreachable.value)
    assert unreachable.value.__suppress_context__, "Sentry would send the text of the suppressed exception"


def test_a_webhook_whose_headers_drip_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_notifier, "TIMEOUT_SECONDS", 0.3)
    with ScriptedServer() as server:
        server.play(Scripted(drip_headers=True))
        fields = {"conn_type": "http", "host": f"{server.url}/hook"}
        monkeypatch.setenv("AIRFLOW_CONN_ALERT_WEBHOOK", json.dumps(fields))
        with pytest.raises(ConfigurationError, match="ReadTimeout"):
            WebhookNotifier(text="any").notify({})
        assert len(server.asked) == 1


def test_a_webhook_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_notifier, "TIMEOUT_SECONDS", 1)
    with SilentServer() as server:
        fields = {"conn_type": "http", "host": f"{server.url}/hook"}
        monkeypatch.setenv("AIRFLOW_CONN_ALERT_WEBHOOK", json.dumps(fields))
        with pytest.raises(ConfigurationError, match="ReadTimeout"):
            WebhookNotifier(text="any").notify({})
        assert server.connections == 1


@pytest.mark.parametrize(
    ("schedule", "until", "newest"),
    [
        ("0 0,12 * * *", datetime(2026, 5, 5, 11, 59, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC)),
        ("0 0,12 * * *", datetime(2026, 5, 5, 12, tzinfo=UTC), datetime(2026, 5, 5, 12, tzinfo=UTC)),
        ("0 6 * * 1", datetime(2026, 5, 5, 12, tzinfo=UTC), datetime(2026, 5, 4, 6, tzinfo=UTC)),
        ("0 6 1 1 *", datetime(2026, 5, 5, 12, tzinfo=UTC), None),
    ],
)
def test_the_newest_slot_is_the_last_one_before_the_given_time(
    schedule: str, until: datetime, newest: datetime | None
) -> None:
    assert newest_slot(schedule, until) == newest


def test_a_run_that_was_due_and_never_planned_is_late(
    channel: PostedBodies, build: DatabaseBuilder, look: Callable[..., None]
) -> None:
    build.run(
        """
        insert into runs (deployment, dag_id, dag_run_id, planned_at, expires_at, ended_at, active_accounts)
        select 'default', 'blogger_batch_fetch', 'scheduled__0', moment, moment, moment, 0
        from (select now() - %(age)s::interval) as earlier (moment)
        """,
        age=str(timedelta(days=2)),
    )
    look(WEBHOOK)
    (text,) = texts(channel)
    assert text.endswith("was not planned within 3 hours.")

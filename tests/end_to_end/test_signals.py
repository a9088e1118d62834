"""Signals of a run in a real Airflow: events in Sentry, metrics, and alerts to a channel."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import requests

from blogger_tracking.domain.models import Platform
from devtools.local_stack.adding_over_http import access_token
from devtools.local_stack.batch_run import wait_for_dag
from devtools.local_stack.config import SandboxConfig, StackConfig
from devtools.local_stack.stack import Stack
from tests.support.fleet import Fleet
from tests.support.posted_bodies import PostedBodies
from tests.support.running_stack import thrown_away
from tests.support.sentry_receiver import SentryReceiver
from tests.support.waiting import wait_until

DAG_ID = "blogger_batch_fetch"
WATCH = "health_watch"
TIMEOUT_SECONDS = 150
WEBHOOK = "blogger_tracking.orchestration.webhook_notifier.WebhookNotifier"


@dataclass(frozen=True)
class Signals:
    """A stack, and the endpoints that its processes report to."""

    stack: Stack
    sentry: SentryReceiver
    metrics: PostedBodies
    channel: PostedBodies

    def alerts(self) -> list[str]:
        return [json.loads(body)["text"] for body in self.channel.bodies]


@pytest.fixture(scope="module")
def signals() -> Iterator[Signals]:
    with (
        SentryReceiver() as sentry,
        tempfile.TemporaryDirectory(prefix="bt-stack-") as folder,
        PostedBodies() as metrics,
        PostedBodies() as channel,
    ):
        config = StackConfig(
            folder=Path(folder),
            sandbox=SandboxConfig(latency_ms=20),
            environment={
                "BLOGGER_TRACKING_SCHEDULE": "0 0 29 2 *",
                "BLOGGER_TRACKING_FETCH_RETRIES": "0",
                "BLOGGER_TRACKING_ALERT_NOTIFIERS": json.dumps([{"classpath": WEBHOOK}]),
                "AIRFLOW_CONN_SENTRY": json.dumps({"conn_type": "generic", "password": sentry.dsn}),
                "AIRFLOW_CONN_ALERT_WEBHOOK": json.dumps({
                    "conn_type": "http",
                    "host": f"http://127.0.0.1:{channel.port}",
                }),
                "AIRFLOW__METRICS__OTEL_ON": "True",
                "AIRFLOW__METRICS__OTEL_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__OTEL_PORT": str(metrics.port),
                "AIRFLOW__METRICS__OTEL_INTERVAL_MILLISECONDS": "2000",
            },
        )
        with thrown_away(Stack(config, print)) as running:
            for dag_id in (DAG_ID, WATCH):
                wait_for_dag(running.client(), dag_id)
            yield Signals(running, sentry, metrics, channel)


def run(signals: Signals, dag_id: str, conf: dict[str, list[str]]) -> str:
    """Trigger a run; return its final state."""
    client = signals.stack.client()
    dag_run_id = client.trigger(dag_id, conf).dag_run_id
    return client.wait_for_run(dag_id, dag_run_id, TIMEOUT_SECONDS).state


def test_a_rejected_key_is_one_event_two_alerts_and_metrics_of_the_triggerer_and_the_watch(signals: Signals) -> None:
    fault = {"kind": "invalid_credentials", "platform": "TikTok"}
    requests.post(f"{signals.stack.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()
    with psycopg.connect(signals.stack.admin_dsn, autocommit=True) as connection:
        fleet = Fleet(connection)
        fleet.track(Platform.TIKTOK, 5)
        assert run(signals, DAG_ID, fleet.scope()) == "failed"
        # The event of the triggerer; the worker that ran the gate sends none.
        wait_until(lambda: bool(signals.sentry.events()), observed=signals.sentry.messages)
        for _ in range(2):
            assert run(signals, WATCH, {}) == "success"
        (event,) = signals.sentry.events()
        assert event["fingerprint"] == ["suspended", "TikTok", "invalid_credentials"]
        assert sorted(text.split(" ")[0] for text in signals.alerts()) == ["The", "TikTok"]
        connection.execute("delete from blogger_tracking.platform_suspensions")
        requests.delete(f"{signals.stack.sandbox_url}/_sandbox/faults", timeout=10).raise_for_status()
        assert run(signals, DAG_ID, fleet.scope()) == "success"
        assert run(signals, WATCH, {}) == "success"
        assert sum(text.startswith("Over after ") for text in signals.alerts()) == 2
    assert len(signals.alerts()) == 4

    def received(*texts: str) -> bool:
        return all(any(text.encode() in body for body in signals.metrics.bodies) for text in texts)

    # From the triggerer, and from the worker that ran the watch.
    wait_until(lambda: received("blogger_tracking.fetches", "blogger_tracking.attempt_duration", "succeeded"))
    wait_until(lambda: received("blogger_tracking.queue_messages", "blogger_tracking.quota_left"))


def test_the_api_server_reports_an_error_to_sentry(signals: Signals) -> None:
    headers = {"Authorization": f"Bearer {access_token(signals.stack, uuid4())}"}
    address = f"{signals.stack.api_url}/blogger/{uuid4()}"
    before = len(signals.sentry.events())
    with psycopg.connect(signals.stack.admin_dsn, autocommit=True) as connection:
        connection.execute("alter table blogger_tracking.pipeline_canary rename to no_canary")
        try:
            response = requests.get(address, headers=headers, timeout=30)
        finally:
            connection.execute("alter table blogger_tracking.no_canary rename to pipeline_canary")
    assert response.status_code == 503
    wait_until(lambda: len(signals.sentry.events()) == before + 1, observed=signals.sentry.messages)
    assert "got a 503" in signals.sentry.messages()[-1]

"""Metrics through the installed Airflow's client, in a fresh process that Airflow itself has not prepared.

The triggerer's runner is such a process: if Airflow initialised the client elsewhere, nothing would arrive.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from devtools.local_stack.config import PROJECT_ROOT
from tests.support.posted_bodies import PostedBodies
from tests.support.statsd_listener import StatsdListener

SCRIPT = """
from blogger_tracking.domain.metrics import *
from blogger_tracking.orchestration.airflow_3_3.metrics import emit
emit([
    Measurement(FETCHES, 3, {"platform": "TikTok", "state": "succeeded"}),
    Measurement(QUEUE_MESSAGES, 7, {"queue": "thumbnail_queue"}),
    Measurement(ATTEMPT_DURATION, 1.25, {"platform": "TikTok"}),
    Measurement(QUOTA_LEFT, 5, {"organization": "a.b c"}),
])
"""

needs_statsd = pytest.mark.skipif(find_spec("statsd") is None, reason="the package statsd is not installed")


def run(tmp_path: Path, script: str = SCRIPT, **configuration: object) -> str:
    """Run the script with options of Airflow's section `metrics`; return what the script logged."""
    environment = {f"AIRFLOW__METRICS__{name.upper()}": str(value) for name, value in configuration.items()}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            **os.environ,
            **environment,
            "AIRFLOW_HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join([str(PROJECT_ROOT / "include"), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout + done.stderr


def statsd_lines(tmp_path: Path, *, tags: bool) -> list[str]:
    listener = StatsdListener()
    log = run(
        tmp_path,
        statsd_on=True,
        statsd_host="127.0.0.1",
        statsd_port=listener.port,
        statsd_influxdb_enabled=tags,
    )
    assert "were not emitted" not in log
    # Airflow's own metric of a process that loads the serializers is left out.
    return [line for line in listener.stop() if "blogger_tracking" in line]


@needs_statsd
def test_plain_statsd_gets_the_tags_as_parts_of_the_name(tmp_path: Path) -> None:
    assert statsd_lines(tmp_path, tags=False) == [
        "airflow.blogger_tracking.fetches.TikTok.succeeded:3|c",
        "airflow.blogger_tracking.queue_messages.thumbnail_queue:7|g",
        "airflow.blogger_tracking.attempt_duration.TikTok:1250.000000|ms",
        "airflow.blogger_tracking.quota_left.a_b_c:5|g",
    ]


@needs_statsd
def test_statsd_with_tags_gets_tags(tmp_path: Path) -> None:
    assert statsd_lines(tmp_path, tags=True)[:2] == [
        "airflow.blogger_tracking.fetches,platform=TikTok,state=succeeded:3|c",
        "airflow.blogger_tracking.queue_messages,queue=thumbnail_queue:7|g",
    ]


def test_opentelemetry_gets_tags_before_the_process_ends(tmp_path: Path) -> None:
    with PostedBodies() as collector:
        run(tmp_path, otel_on=True, otel_host="127.0.0.1", otel_port=collector.port)
    # Protobuf, which keeps texts as they are.
    received = b"".join(collector.bodies)
    for text in ("fetches", "queue_messages", "attempt_duration", "quota_left"):
        assert f"airflow.blogger_tracking.{text}".encode() in received
    for text in ("TikTok", "succeeded", "thumbnail_queue", "a.b c"):
        assert text.encode() in received


def test_opentelemetry_gets_a_duration_in_milliseconds_as_an_exponential_histogram(tmp_path: Path) -> None:
    with PostedBodies() as collector:
        run(tmp_path, otel_on=True, otel_host="127.0.0.1", otel_port=collector.port)
    (duration,) = [metric for metric in exported(collector.bodies) if metric.name.endswith("attempt_duration")]
    (point,) = duration.exponential_histogram.data_points
    # 1.25 seconds were emitted.
    assert (duration.unit, point.sum) == ("ms", 1250)


def exported(bodies: list[bytes]) -> list[Metric]:
    """Return the metrics of requests to a collector."""
    requests = [ExportMetricsServiceRequest.FromString(body) for body in bodies]
    resources = [resource for request in requests for resource in request.resource_metrics]
    return [metric for resource in resources for scope in resource.scope_metrics for metric in scope.metrics]


def test_metrics_that_cannot_be_emitted_are_a_warning(tmp_path: Path) -> None:
    log = run(tmp_path, script=SCRIPT.replace("emit([", "emit([None,"))
    assert "Metrics were not emitted: AttributeError" in log


def test_without_configured_metrics_nothing_happens(tmp_path: Path) -> None:
    assert "were not emitted" not in run(tmp_path)

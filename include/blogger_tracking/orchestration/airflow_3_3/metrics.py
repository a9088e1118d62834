"""Emission of metrics through Airflow's own client: StatsD, Datadog or OpenTelemetry, as `[metrics]` configures.

Relies on: `airflow.sdk.observability.stats` is the client of the task SDK, which `airflow.sdk` does not export.
Importing the SDK initialises the client (`airflow.sdk.serde`), also in the runner process of the triggerer, where
Airflow initialises only the client of its core.
Verified against: Airflow 3.3.2, airflow/sdk/observability, airflow/sdk/serde, airflow/jobs/triggerer_job_runner.py.
Turned off by: `[metrics] metrics_block_list = blogger_tracking`, or with all of Airflow's metrics.
Test: tests/orchestration/airflow_3_3/test_metrics.py.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from datetime import timedelta
from functools import cache

from airflow.configuration import conf
from airflow.sdk.observability import stats

from blogger_tracking.domain.metrics import Measurement, MetricKind

logger = logging.getLogger(__name__)

_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def emit(measurements: Iterable[Measurement]) -> None:
    """Emit measurements. Never raises: a metric is not worth a fetch."""
    try:
        for measurement in measurements:
            _emit(measurement)
    except Exception as error:  # noqa: BLE001 - a metric is not worth a fetch
        logger.warning("Metrics were not emitted: %s: %s", type(error).__name__, error)


def _emit(measurement: Measurement) -> None:
    name, tags = measurement.metric.name, dict(measurement.tags)
    if not _carries_tags():
        # The values follow the name in the order of the metric's tags, as in the older names of Airflow's own metrics.
        name = ".".join([name, *(_NO_NAME.sub("_", tags[tag]) for tag in measurement.metric.tags)])
        tags = {}
    match measurement.metric.kind:
        case MetricKind.COUNTER:
            stats.incr(name, int(measurement.value), tags=tags)
        case MetricKind.GAUGE:
            stats.gauge(name, measurement.value, tags=tags)
        case MetricKind.TIMER:
            stats.timing(name, timedelta(seconds=measurement.value), tags=tags)


@cache
def _carries_tags() -> bool:
    """Return False for plain StatsD, whose protocol has no tags: one gauge per tag value would overwrite the others."""
    if not conf.getboolean("metrics", "statsd_on") or conf.getboolean("metrics", "statsd_datadog_enabled"):
        return True
    return conf.getboolean("metrics", "statsd_influxdb_enabled", fallback=False)

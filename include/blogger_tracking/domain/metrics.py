"""Metrics of the system: their names, kinds and tags, and the measurements of a fetch.

docs/monitoring.md lists the metrics; a test compares the page with METRICS.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from blogger_tracking.domain.ledger import RequestUse


class MetricKind(StrEnum):
    """Kind of a metric: a sum that grows, a value that is replaced, or a distribution of durations."""

    COUNTER = "counter"
    GAUGE = "gauge"
    TIMER = "timer"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric. `name` is without the prefix of the deployment, `airflow` by default."""

    name: str
    kind: MetricKind
    unit: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value of a metric: an increment of a counter, a gauge's value, or a timer's duration in seconds."""

    metric: Metric
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)


def _counter(name: str, unit: str, *tags: str) -> Metric:
    return Metric(f"blogger_tracking.{name}", MetricKind.COUNTER, unit, tags)


def _gauge(name: str, unit: str, *tags: str) -> Metric:
    return Metric(f"blogger_tracking.{name}", MetricKind.GAUGE, unit, tags)


FETCHES = _counter("fetches", "attempts", "platform", "state")
REQUESTS = _counter("requests", "requests", "platform", "use")
VIDEOS = _counter("videos", "videos", "platform")
VIDEOS_NEW = _counter("videos_new", "videos", "platform")
ATTEMPT_DURATION = Metric("blogger_tracking.attempt_duration", MetricKind.TIMER, "seconds", ("platform",))
QUEUE_MESSAGES = _gauge("queue_messages", "messages", "queue")
QUEUE_PARKED = _gauge("queue_parked", "messages", "queue")
QUEUE_OLDEST_AGE = _gauge("queue_oldest_age", "seconds", "queue")
ACCOUNT_OLDEST_AGE = _gauge("account_oldest_age", "seconds", "platform")
PLATFORM_SUSPENDED = _gauge("platform_suspended", "0 or 1", "platform")
YOUTUBE_UNITS_SPENT = _gauge("youtube_units_spent", "units")
YOUTUBE_UNITS_LEFT = _gauge("youtube_units_left", "units")
QUOTA_LEFT = _gauge("quota_left", "videos", "organization")
ALERTS_OPEN = _gauge("alerts_open", "alerts")

METRICS = (
    FETCHES,
    REQUESTS,
    VIDEOS,
    VIDEOS_NEW,
    ATTEMPT_DURATION,
    QUEUE_MESSAGES,
    QUEUE_PARKED,
    QUEUE_OLDEST_AGE,
    ACCOUNT_OLDEST_AGE,
    PLATFORM_SUSPENDED,
    YOUTUBE_UNITS_SPENT,
    YOUTUBE_UNITS_LEFT,
    QUOTA_LEFT,
    ALERTS_OPEN,
)
"""Every metric, in the order of docs/monitoring.md."""


@dataclass(frozen=True, slots=True)
class MeasuredAttempt:
    """The figures of one attempt of a fetch. `seconds` is None for an attempt whose claim was refused."""

    platform: str
    state: str
    videos: int
    videos_new: int
    requests: Mapping[RequestUse, int]
    seconds: float | None


def attempt_measurements(attempts: Iterable[MeasuredAttempt]) -> list[Measurement]:
    """Return the measurements of ended attempts: the counts together, and each duration."""
    counts: Counter[tuple[Metric, tuple[tuple[str, str], ...]]] = Counter()
    durations = []
    for attempt in attempts:
        platform = ("platform", attempt.platform)
        counts[FETCHES, (platform, ("state", attempt.state))] += 1
        counts[VIDEOS, (platform,)] += attempt.videos
        counts[VIDEOS_NEW, (platform,)] += attempt.videos_new
        for use, requests in attempt.requests.items():
            counts[REQUESTS, (platform, ("use", use.value))] += requests
        if attempt.seconds is not None:
            durations.append(Measurement(ATTEMPT_DURATION, attempt.seconds, dict((platform,))))
    return [Measurement(metric, count, dict(tags)) for (metric, tags), count in counts.items() if count] + durations

"""Conditions that a person has to know of: each begins beyond its threshold, and not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from blogger_tracking.domain.health import (
    AccountsHealth,
    AlertName,
    FinishedRun,
    Health,
    QueueHealth,
    RunProgress,
    ScheduledRun,
    SuspendedPlatform,
    Thresholds,
    find_alerts,
)
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue

NOW = datetime(2026, 5, 5, 16, tzinfo=UTC)
LIMITS = Thresholds(
    run=timedelta(minutes=180),
    queue=timedelta(minutes=60),
    without_fetch=timedelta(hours=24),
    lease=timedelta(minutes=15),
    daily_units=10_000,
    units_share=0.9,
)
HEALTHY = Health(
    moment=NOW,
    scheduled_run=None,
    finished_run=None,
    live_runs=[],
    suspended=[],
    queues=[],
    accounts=[],
    units_spent=0,
    quotas=[],
)
DUE = datetime(2026, 5, 5, 12, tzinfo=UTC)


def ago(**duration: float) -> datetime:
    return NOW - timedelta(**duration)


def run_due(
    due_at: datetime = DUE, planned_at: datetime | None = None, ended_at: datetime | None = None
) -> ScheduledRun:
    return ScheduledRun(due_at, planned_at, ended_at, is_first=False)


def first_run(planned_at: datetime | None) -> ScheduledRun:
    return replace(run_due(planned_at=planned_at), is_first=True)


def finished(*problems: str) -> FinishedRun:
    return FinishedRun("run_1", problems, ended_without_gate=False)


def queue(oldest: datetime | None) -> QueueHealth:
    return QueueHealth(Queue.THUMBNAILS, 7, 0, oldest)


def accounts(last: datetime | None, since: datetime, count: int = 5) -> AccountsHealth:
    return AccountsHealth(Platform.TIKTOK, count, last, since)


CONDITIONS: list[tuple[AlertName, Health, Health, str]] = [
    (
        AlertName.RUN_LATE,
        replace(HEALTHY, scheduled_run=run_due()),
        replace(HEALTHY, scheduled_run=run_due(planned_at=DUE, ended_at=ago(minutes=1))),
        "The batch run of 2026-05-05 12:00 UTC was not planned within 3 hours.",
    ),
    (
        AlertName.RUN_LATE,
        replace(HEALTHY, scheduled_run=run_due(planned_at=DUE)),
        replace(HEALTHY, scheduled_run=run_due(ago(minutes=179), planned_at=ago(minutes=179))),
        "The batch run of 2026-05-05 12:00 UTC has not ended within 3 hours.",
    ),
    (
        AlertName.RUN_LATE,
        replace(HEALTHY, scheduled_run=run_due()),
        replace(HEALTHY, scheduled_run=first_run(planned_at=None)),
        "The batch run of 2026-05-05 12:00 UTC was not planned within 3 hours.",
    ),
    (
        AlertName.RUN_LATE,
        replace(HEALTHY, scheduled_run=first_run(planned_at=ago(hours=3))),
        replace(HEALTHY, scheduled_run=first_run(planned_at=ago(minutes=179))),
        "The batch run of 2026-05-05 12:00 UTC has not ended within 3 hours.",
    ),
    (
        AlertName.RUN_FAILED,
        replace(HEALTHY, finished_run=finished("every fetch of TikTok failed (2)", "another problem")),
        replace(HEALTHY, finished_run=finished()),
        "The batch run run_1 failed: every fetch of TikTok failed (2); another problem.",
    ),
    (
        AlertName.INSTANCES_STUCK,
        replace(HEALTHY, live_runs=[RunProgress("run_1", 2, 0, NOW)]),
        replace(HEALTHY, live_runs=[RunProgress("run_1", 0, 3, NOW)]),
        "Instances of run_1 do not go on: the lease of 2 attempts at work has expired.",
    ),
    (
        AlertName.INSTANCES_STUCK,
        replace(HEALTHY, live_runs=[RunProgress("run_1", 0, 3, ago(minutes=16))]),
        replace(HEALTHY, live_runs=[RunProgress("run_1", 0, 0, ago(minutes=16))]),
        "Instances of run_1 do not go on: 3 fetches wait, and none has begun since 2026-05-05 15:44 UTC.",
    ),
    (
        AlertName.PLATFORM_SUSPENDED,
        replace(HEALTHY, suspended=[SuspendedPlatform(Platform.TIKTOK, NOW, "TikTok: invalid_credentials.")]),
        HEALTHY,
        "TikTok is suspended until 2026-05-05 16:00 UTC: TikTok: invalid_credentials.",
    ),
    (
        AlertName.QUEUE_WAITING,
        replace(HEALTHY, queues=[queue(ago(minutes=61))]),
        replace(HEALTHY, queues=[queue(ago(minutes=60)), queue(None)]),
        "7 messages wait in thumbnail_queue, the oldest since 2026-05-05 14:59 UTC.",
    ),
    (
        AlertName.NOTHING_FETCHED,
        replace(HEALTHY, accounts=[accounts(ago(hours=25), ago(hours=30)), accounts(None, ago(hours=24))]),
        replace(HEALTHY, accounts=[accounts(ago(hours=25), ago(hours=30)), accounts(ago(hours=1), ago(hours=30))]),
        "None of 10 active accounts was fetched within 24 hours.",
    ),
    (
        AlertName.NOTHING_FETCHED,
        replace(HEALTHY, accounts=[accounts(None, ago(hours=24))]),
        replace(HEALTHY, accounts=[accounts(None, ago(hours=23))]),
        "None of 5 active accounts was fetched within 24 hours.",
    ),
    (
        AlertName.YOUTUBE_UNITS_LOW,
        replace(HEALTHY, units_spent=9000),
        replace(HEALTHY, units_spent=8999),
        "9000 of the day's 10000 units of YouTube are spent.",
    ),
]


@pytest.mark.parametrize(("name", "sick", "healthy", "message"), CONDITIONS)
def test_a_condition_holds_beyond_its_threshold_and_not_before(
    name: AlertName, sick: Health, healthy: Health, message: str
) -> None:
    (alert,) = find_alerts(sick, LIMITS)
    assert (alert.name, alert.message) == (name, message)
    assert find_alerts(healthy, LIMITS) == []


def test_a_time_of_a_session_in_another_zone_is_told_in_utc() -> None:
    since = datetime(2026, 5, 5, 8, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    (alert,) = find_alerts(replace(HEALTHY, queues=[queue(since)]), LIMITS)
    assert alert.message == "7 messages wait in thumbnail_queue, the oldest since 2026-05-05 03:00 UTC."


def test_every_condition_is_in_these_examples() -> None:
    assert {name for name, *_ in CONDITIONS} == set(AlertName)


def test_a_key_without_daily_units_is_never_nearly_spent() -> None:
    assert find_alerts(HEALTHY, replace(LIMITS, daily_units=0)) == []


def test_conditions_of_two_platforms_are_two_alerts() -> None:
    both = [SuspendedPlatform(platform, NOW, "key") for platform in (Platform.TIKTOK, Platform.YOUTUBE)]
    assert [alert.subject for alert in find_alerts(replace(HEALTHY, suspended=both), LIMITS)] == ["TikTok", "YouTube"]

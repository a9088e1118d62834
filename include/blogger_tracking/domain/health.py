"""Conditions of the whole system that a person has to know of. Pure: `database/health.py` reads the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue


class AlertName(StrEnum):
    """Name of a condition. docs/operations.md has a section for each."""

    RUN_LATE = "run_late"
    RUN_FAILED = "run_failed"
    INSTANCES_STUCK = "instances_stuck"
    PLATFORM_SUSPENDED = "platform_suspended"
    QUEUE_WAITING = "queue_waiting"
    NOTHING_FETCHED = "nothing_fetched"
    YOUTUBE_UNITS_LOW = "youtube_units_low"


@dataclass(frozen=True, slots=True)
class Alert:
    """A condition that holds. `subject` is a platform, a queue or a DAG run; empty for the whole system."""

    name: AlertName
    message: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Values beyond which a condition holds. `units_share` is a share of `daily_units`, from 0 to 1."""

    run: timedelta
    queue: timedelta
    without_fetch: timedelta
    lease: timedelta
    daily_units: int
    units_share: float


@dataclass(frozen=True, slots=True)
class ScheduledRun:
    """The scheduled run that was due at `due_at`. `planned_at` and `ended_at` are None if that has not happened.

    `is_first` is True if no earlier scheduled run exists: the first run of a new deployment is not late to be planned.
    """

    due_at: datetime
    planned_at: datetime | None
    ended_at: datetime | None
    is_first: bool


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """The newest run that has ended or expired, with the problems that make it red.

    `ended_without_gate` is True if the run's last task did not run, and thus reported nothing.
    """

    dag_run_id: str
    problems: Sequence[str]
    ended_without_gate: bool


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Progress of a live run. `overdue` attempts are at work although their lease has expired.

    `waiting` fetches have not begun; `last_claim_at` is the time at which the newest attempt began, or else the time of
    planning.
    """

    dag_run_id: str
    overdue: int
    waiting: int
    last_claim_at: datetime


@dataclass(frozen=True, slots=True)
class SuspendedPlatform:
    """A platform that is not requested before `until`."""

    platform: Platform
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """Messages of a queue: waiting ones, parked ones, and the time since which the oldest waiting one waits.

    A message waits from its creation, or from the end of the delay after a failed attempt, until the message is
    finished, fails or is parked; also while a consumer has the message or has released the message to a later time.
    """

    queue: Queue
    waiting: int
    parked: int
    waiting_since: datetime | None


@dataclass(frozen=True, slots=True)
class AccountsHealth:
    """Active accounts of one platform: the time of the newest fetch, and the oldest time without a fetch.

    `unfetched_since` is the time since which the account that has waited longest has had no conclusive fetch.
    """

    platform: Platform
    accounts: int
    last_fetched_at: datetime | None
    unfetched_since: datetime


@dataclass(frozen=True, slots=True)
class QuotaLeft:
    """Videos that an organization may still fetch in its current period, those of live fetches not counted."""

    organization_id: str
    videos: int


@dataclass(frozen=True, slots=True)
class Health:
    """Figures of the system at one moment."""

    moment: datetime
    scheduled_run: ScheduledRun | None
    finished_run: FinishedRun | None
    live_runs: Sequence[RunProgress]
    suspended: Sequence[SuspendedPlatform]
    queues: Sequence[QueueHealth]
    accounts: Sequence[AccountsHealth]
    units_spent: int
    quotas: Sequence[QuotaLeft]


def is_reported_at_its_cause(name: AlertName, health: Health) -> bool:
    """Return True if the code that meets the cause sends an event to Sentry: the watch must not send a second one."""
    if name is AlertName.RUN_FAILED:
        return health.finished_run is None or not health.finished_run.ended_without_gate
    return name is AlertName.PLATFORM_SUSPENDED


def find_alerts(health: Health, limits: Thresholds) -> list[Alert]:
    """Return the conditions that hold."""
    return [
        *_late_run(health, limits),
        *_failed_run(health),
        *_stuck_instances(health, limits),
        *_suspended_platforms(health),
        *_waiting_queues(health, limits),
        *_nothing_fetched(health, limits),
        *_low_units(health, limits),
    ]


def _late_run(health: Health, limits: Thresholds) -> Iterator[Alert]:
    run = health.scheduled_run
    if run is None or run.ended_at:
        return
    # A deployment may begin long after the slot of its first run.
    since = run.planned_at if run.is_first else run.due_at
    if since is None or health.moment - since < limits.run:
        return
    happened = "has not ended" if run.planned_at else "was not planned"
    yield Alert(AlertName.RUN_LATE, f"The batch run of {_time(run.due_at)} {happened} within {_duration(limits.run)}.")


def _failed_run(health: Health) -> Iterator[Alert]:
    run = health.finished_run
    if run and run.problems:
        message = f"The batch run {run.dag_run_id} failed: {'; '.join(run.problems)}."
        # Each red run is news: its causes may be others.
        yield Alert(AlertName.RUN_FAILED, message, run.dag_run_id)


def _stuck_instances(health: Health, limits: Thresholds) -> Iterator[Alert]:
    for run in health.live_runs:
        problems = []
        if run.overdue:
            problems.append(f"the lease of {run.overdue} attempts at work has expired")
        if run.waiting and health.moment - run.last_claim_at > limits.lease:
            problems.append(f"{run.waiting} fetches wait, and none has begun since {_time(run.last_claim_at)}")
        if problems:
            yield Alert(
                AlertName.INSTANCES_STUCK,
                f"Instances of {run.dag_run_id} do not go on: {'; '.join(problems)}.",
                run.dag_run_id,
            )


def _suspended_platforms(health: Health) -> Iterator[Alert]:
    for each in health.suspended:
        yield Alert(
            AlertName.PLATFORM_SUSPENDED,
            f"{each.platform} is suspended until {_time(each.until)}: {each.reason.rstrip('.')}.",
            each.platform,
        )


def _waiting_queues(health: Health, limits: Thresholds) -> Iterator[Alert]:
    for each in health.queues:
        if each.waiting_since and health.moment - each.waiting_since > limits.queue:
            yield Alert(
                AlertName.QUEUE_WAITING,
                f"{each.waiting} messages wait in {each.queue}, the oldest since {_time(each.waiting_since)}.",
                each.queue,
            )


def _nothing_fetched(health: Health, limits: Thresholds) -> Iterator[Alert]:
    """Yield an alert if no account of any platform was fetched lately, although one has waited for longer."""
    since = health.moment - limits.without_fetch
    accounts = sum(each.accounts for each in health.accounts)
    if not accounts or any(each.last_fetched_at and each.last_fetched_at > since for each in health.accounts):
        return
    if min(each.unfetched_since for each in health.accounts) <= since:
        yield Alert(
            AlertName.NOTHING_FETCHED,
            f"None of {accounts} active accounts was fetched within {_duration(limits.without_fetch)}.",
        )


def _low_units(health: Health, limits: Thresholds) -> Iterator[Alert]:
    if limits.daily_units and health.units_spent >= limits.units_share * limits.daily_units:
        yield Alert(
            AlertName.YOUTUBE_UNITS_LOW,
            f"{health.units_spent} of the day's {limits.daily_units} units of YouTube are spent.",
        )


def _time(moment: datetime) -> str:
    # A time that Postgres returns is in the zone of its session.
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _duration(duration: timedelta) -> str:
    minutes = round(duration.total_seconds() / 60)
    return f"{minutes} minutes" if minutes % 60 else f"{minutes // 60} hours"

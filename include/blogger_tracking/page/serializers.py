"""Conversion of rows and of the overview to response bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from blogger_tracking.database.blogger_lists import ListedBlogger
from blogger_tracking.database.invariant_checks import InvariantCheck
from blogger_tracking.database.invariants import INVARIANTS
from blogger_tracking.database.statistics_totals import DayTotals
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.usernames import profile_url
from blogger_tracking.domain.youtube_quota import next_quota_reset
from blogger_tracking.page import schemas
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.read_overview import Overview, RunOverview

VIEWS_DAYS = 30
"""Number of days of `Blogger.views` and of the followers of a list, today included."""


def overview(read: Overview, moment: datetime) -> schemas.Overview:
    """Return the overview at `moment`."""
    return schemas.Overview(
        runs=[_run(run) for run in read.runs],
        live=[schemas.LiveRun.model_validate(run) for run in read.live],
        platforms=[schemas.PlatformHealth.model_validate(platform) for platform in read.platforms],
        youtube_units=schemas.Units(
            spent=read.units_spent, budget=get_settings().youtube_daily_units, resets_at=next_quota_reset(moment)
        ),
        requests_of_last_run=dict(read.requests_of_last_run),
        requests_today=dict(read.requests_today),
        queues=[
            schemas.QueueDepth(
                queue=health.queue, waiting=health.waiting, parked=health.parked, oldest_at=health.waiting_since
            )
            for health in read.queues
        ],
        invariants=_invariants(read.invariants) if read.invariants else None,
    )


def _invariants(check: InvariantCheck) -> schemas.Invariants:
    """Return the last check, without invariants of another version, whose sentences are unknown."""
    checked = [invariant for invariant in INVARIANTS if invariant.name in check.violations]
    return schemas.Invariants(
        checked_at=check.checked_at,
        checked=len(checked),
        violations=[
            schemas.Violation(name=invariant.name, sentence=invariant.sentence, count=count)
            for invariant in checked
            if (count := check.violations[invariant.name])
        ],
    )


def _run(read: RunOverview) -> schemas.Run:
    return schemas.Run(
        run_id=read.run.run_id,
        dag_run_id=read.run.dag_run_id,
        planned_at=read.run.planned_at,
        ended_at=read.run.ended_at,
        problems=read.problems,
        platforms={
            platform: {str(state): count for state, count in tally.states.items()}
            for platform, tally in read.tallies.items()
        },
    )


def first_day(today: date) -> date:
    """Return the first day of `Blogger.views` and of the followers of a list."""
    return today - timedelta(days=VIEWS_DAYS - 1)


def blogger(
    listed: ListedBlogger,
    totals: Mapping[UUID, Sequence[DayTotals]],
    followers: Mapping[UUID, list[tuple[date, int]]],
    today: date,
) -> schemas.Blogger:
    """Return a blogger of the list with views and followers by day."""
    body = schemas.Blogger.model_validate(listed)
    body.views = _views(totals.get(listed.id, ()), today)
    body.follower_counts = followers[listed.id]
    return body


def blogger_details(
    listed: ListedBlogger,
    totals: Mapping[UUID, Sequence[DayTotals]],
    followers: Mapping[UUID, list[tuple[date, int]]],
    today: date,
) -> schemas.BloggerDetails:
    """Return one blogger, without the history and the tracked accounts."""
    return schemas.BloggerDetails(
        **blogger(listed, totals, followers, today).model_dump(),
        external_id=listed.external_id,
        url=profile_url(Platform(listed.platform), listed.username, listed.external_id),
    )


def _views(totals: Sequence[DayTotals], today: date) -> list[tuple[date, int | None]]:
    by_day = {total.day: total.views for total in totals}
    days = [first_day(today) + timedelta(days=number) for number in range(VIEWS_DAYS)]
    return [(day, by_day.get(day)) for day in days]

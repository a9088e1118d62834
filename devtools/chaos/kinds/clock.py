"""Kinds of time that passes: a period's end, and midnight Pacific."""

from __future__ import annotations

from devtools.chaos.chaos_fleet import VIDEO_LIMIT
from devtools.chaos.kinds.kind import ANYWHERE, Kind, Outcome
from devtools.chaos.trial import Point, Trial


def _end_period(trial: Trial) -> None:
    """Let the period of every organization end now, and the next one begin."""
    trial.expected.less_granted = True
    trial.execute(
        """
        with ended as (
            update blogger_tracking.subscriptions
            set period_end = now()
            where organization_id = any(%(organizations)s)
            returning organization_id, period_end
        )
        insert into blogger_tracking.subscriptions (
            organization_id, period_start, period_end, plan, video_limit, blogger_limit
        )
        select organization_id, period_end, period_end + interval '20 days', 'chaos', %(limit)s, 1000
        from ended
        """,
        organizations=trial.fleet.organizations,
        limit=VIDEO_LIMIT,
    )


def _midnight_pacific(trial: Trial) -> None:
    """Let all of YouTube's units be spent when the run is planned, and the next Pacific day begin afterwards."""
    trial.execute(
        "insert into blogger_tracking.youtube_units (pacific_day, spent_at, call, units) "
        "values ((now() at time zone 'America/Los_Angeles')::date, now(), 'listing', 10000000)"
    )
    trial.repair_later(lambda: _next_day(trial))
    trial.wait_for(Point.CLAIMED)
    _next_day(trial)


def _next_day(trial: Trial) -> None:
    trial.execute(
        "update blogger_tracking.youtube_units set pacific_day = pacific_day - 1 "
        "where pacific_day = (now() at time zone 'America/Los_Angeles')::date and units = 10000000"
    )


KINDS = (
    Kind(
        name="period-end",
        sentence="the period of every organization ends, and the next one begins",
        points=ANYWHERE,
        inject=_end_period,
        outcome=Outcome.ANY,
        follow_up=True,
    ),
    Kind(
        name="midnight-pacific",
        sentence="YouTube's units are spent when the run is planned, and new ones there before the run ends",
        points=(Point.TRIGGERED,),
        inject=_midnight_pacific,
        outcome=Outcome.ANY,
        follow_up=True,
    ),
)

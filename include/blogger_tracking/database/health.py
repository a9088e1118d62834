"""Figures of the whole system at one moment, for metrics and alerts: a few cheap queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from blogger_tracking.database.message_queues import read_queue_health
from blogger_tracking.database.rows import fetch_all, fetch_optional, fetch_value
from blogger_tracking.database.run_summaries import read_tallies
from blogger_tracking.domain.health import (
    AccountsHealth,
    FinishedRun,
    Health,
    QuotaLeft,
    RunProgress,
    ScheduledRun,
    SuspendedPlatform,
)
from blogger_tracking.domain.queues import Queue
from blogger_tracking.domain.run_outcome import run_problems
from blogger_tracking.domain.youtube_quota import quota_day


@dataclass(frozen=True, slots=True)
class WatchedRuns:
    """The batch runs to look at: those of a DAG in a deployment. `due_at` is the time of the newest scheduled run.

    Only a run that was due long ago matters. `due_at` is None if there was no such run.
    """

    deployment: str
    dag_id: str
    due_at: datetime | None


# Airflow's run id of a scheduled run begins with `scheduled__`.
_SCHEDULED_RUN = r"""
select
    %(due_at)s::timestamptz as due_at,
    min(planned_at) filter (where planned_at >= %(due_at)s) as planned_at,
    min(ended_at) filter (where planned_at >= %(due_at)s) as ended_at,
    count(*) filter (where planned_at < %(due_at)s) = 0 as is_first
from blogger_tracking.runs
where deployment = %(deployment)s and dag_id = %(dag_id)s and dag_run_id like 'scheduled\_\_%%'
"""

_FINISHED_RUN = """
select id, dag_run_id, is_dead or ended_at is null as ended_without_gate
from blogger_tracking.runs
where deployment = %(deployment)s and dag_id = %(dag_id)s and least(ended_at, expires_at) <= %(moment)s
order by least(ended_at, expires_at) desc
limit 1
"""

_LIVE_RUNS = """
select
    runs.dag_run_id,
    count(*) filter (where fetches.state = 'running' and fetches.lease_expires_at < %(moment)s) as overdue,
    count(*) filter (where fetches.state = 'planned') as waiting,
    greatest(runs.planned_at, max(fetches.claimed_at)) as last_claim_at
from blogger_tracking.runs
join blogger_tracking.fetches on fetches.run_id = runs.id
where runs.deployment = %(deployment)s and runs.ended_at is null and runs.expires_at > %(moment)s
group by runs.id
order by runs.id
"""

_SUSPENDED = """
select platform, suspended_until as until, reason
from blogger_tracking.platform_suspensions
where suspended_until > %(moment)s
order by platform
"""

_ACCOUNTS = """
select
    blogger_information.platform,
    count(*) as accounts,
    max(tracked_accounts.last_scraped_at) as last_fetched_at,
    min(coalesce(tracked_accounts.last_scraped_at, tracked_accounts.created_at)) as unfetched_since
from blogger_tracking.tracked_accounts
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
where tracked_accounts.is_active
group by blogger_information.platform
order by blogger_information.platform
"""

_UNITS_SPENT = "select coalesce(sum(units), 0) from blogger_tracking.youtube_units where pacific_day = %(day)s"

_QUOTAS = """
select
    subscriptions.organization_id::text as organization_id,
    (
        subscriptions.video_limit - coalesce(usage.opening + usage.videos_fetched + usage.reserved, 0)
    )::bigint as videos
from blogger_tracking.subscriptions
left join blogger_tracking.subscription_usage as usage using (organization_id, period_start)
where subscriptions.period_start <= %(moment)s and subscriptions.period_end > %(moment)s
order by subscriptions.organization_id
"""


def read_health(connection: Connection, moment: datetime, watched: WatchedRuns, failed_share_limit: float) -> Health:
    """Return the figures of the system. `failed_share_limit` is that of the gate (`domain/run_outcome.py`)."""
    runs = {"deployment": watched.deployment, "dag_id": watched.dag_id, "due_at": watched.due_at, "moment": moment}
    return Health(
        moment=moment,
        scheduled_run=fetch_optional(connection, ScheduledRun, _SCHEDULED_RUN, runs) if watched.due_at else None,
        finished_run=_read_finished_run(connection, runs, failed_share_limit),
        live_runs=fetch_all(connection, RunProgress, _LIVE_RUNS, runs),
        suspended=fetch_all(connection, SuspendedPlatform, _SUSPENDED, runs),
        queues=[read_queue_health(connection, queue, moment) for queue in Queue],
        accounts=fetch_all(connection, AccountsHealth, _ACCOUNTS),
        units_spent=int(fetch_value(connection, _UNITS_SPENT, {"day": quota_day(moment)})),
        quotas=fetch_all(connection, QuotaLeft, _QUOTAS, runs),
    )


def _read_finished_run(
    connection: Connection, runs: Mapping[str, object], failed_share_limit: float
) -> FinishedRun | None:
    row = connection.execute(_FINISHED_RUN, runs).fetchone()
    if row is None:
        return None
    run_id, dag_run_id, ended_without_gate = row
    problems = run_problems(read_tallies(connection, run_id), failed_share_limit)
    if ended_without_gate:
        problems.append("the run ended without its task gate")
    return FinishedRun(dag_run_id, problems, ended_without_gate)

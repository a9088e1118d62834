"""Overview of the whole system for the Bloggers page: runs, platforms, and requests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all, fetch_value
from blogger_tracking.domain.youtube_quota import quota_day

NEWEST_RUNS = 8
"""Number of runs in the overview."""


@dataclass(frozen=True, slots=True)
class NewestRun:
    """A run of the batch. `ended_at` is None while the run is active."""

    run_id: int
    dag_run_id: str
    planned_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Fetches of a platform in a run: all of them, and those that are neither planned nor running."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class LiveRun:
    """An active run with its progress by platform."""

    dag_id: str
    dag_run_id: str
    planned_at: datetime
    platforms: dict[str, Progress]


@dataclass(frozen=True, slots=True)
class PlatformOverview:
    """A platform with its active tracked accounts, the last conclusive fetch, and its suspension, if any."""

    platform: str
    accounts: int
    last_fetched_at: datetime | None
    suspended_until: datetime | None
    reason: str | None


_NEWEST_RUNS = """
select id as run_id, dag_run_id, planned_at, ended_at
from blogger_tracking.runs
where deployment = %(deployment)s and dag_id = %(dag_id)s
order by planned_at desc, id desc
limit %(limit)s
"""

# A run whose end nobody noticed is live until it expires.
_LIVE_RUNS = """
select
    runs.dag_id,
    runs.dag_run_id,
    runs.planned_at,
    fetches.platform,
    count(*) filter (where fetches.state not in ('planned', 'running')) as done,
    count(*) as total
from blogger_tracking.runs
join blogger_tracking.fetches on fetches.run_id = runs.id
where runs.deployment = %(deployment)s and runs.ended_at is null and runs.expires_at > %(moment)s
group by runs.id, fetches.platform
order by runs.planned_at desc, runs.id desc, fetches.platform
"""

_PLATFORMS = """
select
    platforms.platform,
    coalesce(accounts.accounts, 0) as accounts,
    accounts.last_fetched_at,
    suspended.suspended_until,
    suspended.reason
from unnest(%(platforms)s::text[]) with ordinality as platforms (platform, place)
left join (
    select
        blogger_information.platform,
        count(*) as accounts,
        max(tracked_accounts.last_scraped_at) as last_fetched_at
    from blogger_tracking.tracked_accounts
    join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
    where tracked_accounts.is_active
    group by blogger_information.platform
) as accounts using (platform)
left join blogger_tracking.platform_suspensions as suspended
    on suspended.platform = platforms.platform and suspended.suspended_until > %(moment)s
order by platforms.place
"""

# YouTube's requests are its units, with those for statistics of the queue.
_REQUESTS = """
select fetches.platform, sum(request.requests::integer)::integer as requests
from blogger_tracking.fetches
join blogger_tracking.fetch_attempts on fetch_attempts.fetch_id = fetches.id
cross join jsonb_each_text(fetch_attempts.requests) as request (use, requests)
where fetches.run_id = %(run_id)s and fetches.platform <> 'YouTube'
group by fetches.platform
union all
select 'YouTube', sum(units)::integer
from blogger_tracking.youtube_units
where run_id = %(run_id)s
having count(*) > 0
"""

# An attempt counts as a whole at its start. The index fetch_attempts_by_start finds the attempts.
_REQUESTS_SINCE = """
select fetches.platform, sum(request.requests::integer)::integer as requests
from blogger_tracking.fetch_attempts
join blogger_tracking.fetches on fetches.id = fetch_attempts.fetch_id
cross join jsonb_each_text(fetch_attempts.requests) as request (use, requests)
where fetch_attempts.started_at >= %(since)s and fetches.platform <> 'YouTube'
group by fetches.platform
union all
select 'YouTube', sum(units)::integer
from blogger_tracking.youtube_units
where pacific_day >= %(pacific_day)s and spent_at >= %(since)s and run_id is not null
having count(*) > 0
"""

_UNITS_SPENT = "select coalesce(sum(units), 0) from blogger_tracking.youtube_units where pacific_day = %(day)s"


def read_newest_runs(connection: Connection, deployment: str, dag_id: str) -> list[NewestRun]:
    """Return the newest runs of a DAG in a deployment, the newest first."""
    parameters = {"deployment": deployment, "dag_id": dag_id, "limit": NEWEST_RUNS}
    return fetch_all(connection, NewestRun, _NEWEST_RUNS, parameters)


def read_live_runs(connection: Connection, deployment: str, moment: datetime) -> list[LiveRun]:
    """Return the active runs of a deployment with their progress, the newest first."""
    runs: dict[tuple[str, str], LiveRun] = {}
    rows = connection.execute(_LIVE_RUNS, {"deployment": deployment, "moment": moment})
    for dag_id, dag_run_id, planned_at, platform, done, total in rows:
        run = runs.setdefault((dag_id, dag_run_id), LiveRun(dag_id, dag_run_id, planned_at, {}))
        run.platforms[platform] = Progress(done, total)
    return list(runs.values())


def read_platform_overviews(connection: Connection, moment: datetime, platforms: list[str]) -> list[PlatformOverview]:
    """Return an overview of each of these platforms."""
    return fetch_all(connection, PlatformOverview, _PLATFORMS, {"moment": moment, "platforms": platforms})


def read_requests_of_run(connection: Connection, run_id: int) -> dict[str, int]:
    """Return the number of requests that a run has made so far, by platform."""
    return dict(connection.execute(_REQUESTS, {"run_id": run_id}).fetchall())


def read_requests_since(connection: Connection, since: datetime) -> dict[str, int]:
    """Return the number of requests of all runs by platform, of attempts that began at `since` or later."""
    parameters = {"since": since, "pacific_day": quota_day(since)}
    return dict(connection.execute(_REQUESTS_SINCE, parameters).fetchall())


def read_units_spent(connection: Connection, moment: datetime) -> int:
    """Return the units of YouTube's quota that were spent on the Pacific day of `moment`."""
    return int(fetch_value(connection, _UNITS_SPENT, {"day": quota_day(moment)}))

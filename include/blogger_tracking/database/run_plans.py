"""Statements of planning: read accounts and constraints, write the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.platform_suspensions import suspended_platforms
from blogger_tracking.database.rows import fetch_all, fetch_value, fetch_values
from blogger_tracking.database.youtube_units import units_left
from blogger_tracking.domain.fan_out import Placement
from blogger_tracking.domain.planning import Plan, PlanningConstraints, Quota, TrackedAccount
from blogger_tracking.settings import get_settings


@dataclass(frozen=True, slots=True)
class RunScope:
    """Restriction of a run to some tracked accounts; None restricts nothing."""

    organizations: tuple[UUID, ...] | None = None
    platforms: tuple[str, ...] | None = None
    bloggers: tuple[UUID, ...] | None = None

    def parameters(self) -> dict[str, list[UUID] | list[str] | None]:
        """Return the scope as parameters of a statement."""
        return {
            "organizations": None if self.organizations is None else list(self.organizations),
            "platforms": None if self.platforms is None else list(self.platforms),
            "bloggers": None if self.bloggers is None else list(self.bloggers),
        }


# The table lock is taken before the snapshot: the next planner sees all of this plan, and no claim or settlement
# changes a usage row while this planner computes with it. The lock does not block readers.
_SERIALIZE = """
set transaction isolation level repeatable read;
lock table blogger_tracking.subscription_usage in exclusive mode;
"""

_NOW = "select clock_timestamp()"

_INSERT_MISSING_USAGE = """
insert into blogger_tracking.subscription_usage (organization_id, period_start)
select organization_id, period_start
from blogger_tracking.subscriptions
where period_start <= %(moment)s and period_end > %(moment)s
on conflict do nothing
"""

_QUOTAS = """
select
    subscriptions.organization_id,
    subscriptions.period_start,
    subscriptions.period_end,
    (
        subscriptions.video_limit - coalesce(usage.opening + usage.videos_fetched + usage.reserved, 0)
    )::bigint as remaining
from blogger_tracking.subscriptions
left join blogger_tracking.subscription_usage as usage using (organization_id, period_start)
where subscriptions.period_start <= %(moment)s and subscriptions.period_end > %(moment)s
"""

_ACCOUNTS = """
select
    view.tracking_id,
    view.organization_id,
    view.blogger_id,
    view.platform,
    view.external_id,
    view.username,
    view.daily_videos_count as videos_count,
    view.is_active,
    view.pending_initial_fetch,
    newest.last_attempt_at
from blogger_tracking.tracked_bloggers_view as view
left join lateral (
    select last_attempt_at
    from blogger_tracking.fetch_allocations
    where tracked_account_id = view.tracking_id and last_attempt_at is not null
    order by last_attempt_at desc
    limit 1
) as newest on true
where view.is_active
  and (%(organizations)s::uuid[] is null or view.organization_id = any(%(organizations)s))
  and (%(platforms)s::text[] is null or view.platform = any(%(platforms)s))
  and (%(bloggers)s::uuid[] is null or view.blogger_id = any(%(bloggers)s))
"""

_COUNT_ACTIVE_ACCOUNTS = """
select count(*)
from blogger_tracking.tracked_bloggers_view
where is_active
  and (%(organizations)s::uuid[] is null or organization_id = any(%(organizations)s))
  and (%(platforms)s::text[] is null or platform = any(%(platforms)s))
  and (%(bloggers)s::uuid[] is null or blogger_id = any(%(bloggers)s))
"""

_LIVE_BLOGGERS = "select blogger_id from blogger_tracking.fetches where state in ('planned', 'running')"

_INSERT_RUN_ACCOUNTS = """
insert into blogger_tracking.run_accounts (run_id, tracked_account_id, decision, reason)
select %(run_id)s, planned.tracked_account_id, planned.decision, planned.reason
from unnest(%(accounts)s::uuid[], %(decisions)s::text[], %(reasons)s::text[])
    as planned (tracked_account_id, decision, reason)
"""

_INSERT_FETCHES = """
insert into blogger_tracking.fetches (run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index)
select
    %(run_id)s,
    planned.blogger_id,
    planned.platform,
    (%(moment)s at time zone 'UTC')::date,
    planned.target_count,
    planned.task_id,
    planned.map_index
from unnest(
    %(bloggers)s::uuid[], %(platforms)s::text[], %(targets)s::integer[], %(tasks)s::text[], %(indexes)s::integer[]
) as planned (blogger_id, platform, target_count, task_id, map_index)
"""

_INSERT_ALLOCATIONS = """
insert into blogger_tracking.fetch_allocations (
    fetch_id,
    organization_id,
    platform,
    fetched_on,
    tracked_account_id,
    period_start,
    period_end,
    asked,
    granted,
    reserved,
    decision
)
select
    fetches.id,
    planned.organization_id,
    fetches.platform,
    fetches.fetched_on,
    planned.tracked_account_id,
    planned.period_start,
    planned.period_end,
    planned.asked,
    planned.granted,
    planned.granted,
    planned.decision
from unnest(
    %(bloggers)s::uuid[],
    %(organizations)s::uuid[],
    %(accounts)s::uuid[],
    %(period_starts)s::timestamptz[],
    %(period_ends)s::timestamptz[],
    %(asked)s::integer[],
    %(granted)s::integer[],
    %(decisions)s::text[]
) as planned (
    blogger_id, organization_id, tracked_account_id, period_start, period_end, asked, granted, decision
)
join blogger_tracking.fetches on fetches.run_id = %(run_id)s and fetches.blogger_id = planned.blogger_id
"""

_RESERVE = """
update blogger_tracking.subscription_usage as usage
set reserved = usage.reserved + planned.granted
from (
    select organization_id, period_start, sum(granted) as granted
    from blogger_tracking.fetch_allocations
    join blogger_tracking.fetches on fetches.id = fetch_allocations.fetch_id
    where fetches.run_id = %(run_id)s
    group by organization_id, period_start
) as planned
where usage.organization_id = planned.organization_id and usage.period_start = planned.period_start
"""


def serialize_planning(connection: Connection) -> datetime:
    """Block all other planners, claims and settlements until this transaction ends; return the time of planning.

    Must be the first statement of a transaction.
    """
    connection.execute(_SERIALIZE)
    moment: datetime = fetch_value(connection, _NOW)
    return moment


def read_accounts(connection: Connection, scope: RunScope) -> list[TrackedAccount]:
    """Return the active tracked accounts in the scope."""
    return fetch_all(connection, TrackedAccount, _ACCOUNTS, scope.parameters())


def count_active_accounts(connection: Connection, scope: RunScope) -> int:
    """Return the number of active tracked accounts in the scope.

    The query is independent of `read_accounts`, so that the invariant `lost` finds accounts that planning overlooked.
    """
    return int(fetch_value(connection, _COUNT_ACTIVE_ACCOUNTS, scope.parameters()))


def read_planning_constraints(connection: Connection, moment: datetime) -> PlanningConstraints:
    """Return the constraints of planning at `moment`.

    These are the quotas of the current periods, the bloggers of live runs, the suspended platforms, and the YouTube
    units left. A period without a usage row is unused.
    """
    quotas = fetch_all(connection, Quota, _QUOTAS, {"moment": moment})
    return PlanningConstraints(
        quotas={quota.organization_id: quota for quota in quotas},
        live_bloggers=frozenset(fetch_values(connection, _LIVE_BLOGGERS)),
        suspended_platforms=suspended_platforms(connection, moment),
        youtube_units_left=units_left(connection, moment, get_settings().youtube_daily_units),
    )


def insert_missing_usages(connection: Connection, moment: datetime) -> None:
    """Insert the usage row of each current period that has none; the allocations of a plan refer to it."""
    connection.execute(_INSERT_MISSING_USAGE, {"moment": moment})


def write_plan(
    connection: Connection, run_id: int, moment: datetime, plan: Plan, placements: Sequence[Placement]
) -> None:
    """Write the decisions, the fetches with their task instances, the allocations, and the reservations."""
    _write_decisions(connection, run_id, plan)
    _write_fetches(connection, run_id, moment, placements)
    _write_allocations(connection, run_id, plan)
    connection.execute(_RESERVE, {"run_id": run_id})


def _write_decisions(connection: Connection, run_id: int, plan: Plan) -> None:
    planned = [allocation.account.tracking_id for fetch in plan.fetches for allocation in fetch.allocations]
    skipped = [skip.account.tracking_id for skip in plan.skips]
    connection.execute(
        _INSERT_RUN_ACCOUNTS,
        {
            "run_id": run_id,
            "accounts": planned + skipped,
            "decisions": ["planned"] * len(planned) + ["skipped"] * len(skipped),
            "reasons": [None] * len(planned) + [str(skip) for skip in plan.skips],
        },
    )


def _write_fetches(connection: Connection, run_id: int, moment: datetime, placements: Sequence[Placement]) -> None:
    connection.execute(
        _INSERT_FETCHES,
        {
            "run_id": run_id,
            "moment": moment,
            "bloggers": [placement.fetch.blogger_id for placement in placements],
            "platforms": [placement.fetch.platform for placement in placements],
            "targets": [placement.fetch.target_count for placement in placements],
            "tasks": [placement.task_id for placement in placements],
            "indexes": [placement.map_index for placement in placements],
        },
    )


def _write_allocations(connection: Connection, run_id: int, plan: Plan) -> None:
    allocations = [(fetch, allocation) for fetch in plan.fetches for allocation in fetch.allocations]
    connection.execute(
        _INSERT_ALLOCATIONS,
        {
            "run_id": run_id,
            "bloggers": [fetch.blogger_id for fetch, _ in allocations],
            "organizations": [allocation.account.organization_id for _, allocation in allocations],
            "accounts": [allocation.account.tracking_id for _, allocation in allocations],
            "period_starts": [allocation.quota.period_start for _, allocation in allocations],
            "period_ends": [allocation.quota.period_end for _, allocation in allocations],
            "asked": [allocation.account.videos_count for _, allocation in allocations],
            "granted": [allocation.grant.videos for _, allocation in allocations],
            "decisions": [allocation.grant.decision for _, allocation in allocations],
        },
    )

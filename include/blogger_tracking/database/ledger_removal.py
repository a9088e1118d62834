"""Removal of old runs from the ledger, with their fetches, allocations, attempts and decisions about accounts.

A fetch is removed once its run expired before the cutoff, no attempt of the fetch ended since, and no message refers to
the fetch. The charges of its allocations are added to `subscription_usage.removed_charges` in the same statement, so
that the usage of a period stays the sum of its charges. Runs of the deployment `imported` stay: imported statistics are
told from others by them.

Every function is one transaction of at most `limit` rows of its main table, and passes over rows that another
transaction has locked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.rows import fetch_values

# Without a lock: a fetch that is claimed meanwhile is found by _LOCK_FETCHES.
_OLD_FETCHES = """
select fetches.id
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
where fetches.id > %(after)s
  and runs.expires_at < %(cutoff)s
  and runs.deployment <> 'imported'
  and fetches.state not in ('planned', 'running')
  and not exists (
      select
      from blogger_tracking.fetch_attempts
      where fetch_attempts.fetch_id = fetches.id
        and (fetch_attempts.finished_at is null or fetch_attempts.finished_at >= %(cutoff)s)
  )
  and not exists (
      select
      from blogger_tracking.fetch_allocations
      where fetch_allocations.fetch_id = fetches.id and fetch_allocations.reserved > 0
  )
  and not exists (
      select from blogger_tracking.high_priority_queue where high_priority_queue.fetch_id = fetches.id
  )
  and not exists (select from blogger_tracking.thumbnail_queue where thumbnail_queue.fetch_id = fetches.id)
order by fetches.id
limit %(limit)s
"""

_FETCHES_OF_BLOGGER = """
select id from blogger_tracking.fetches where blogger_id = %(blogger_id)s order by id limit %(limit)s
"""

# Usages are locked first and in order, as every transaction that writes to the ledger does.
_LOCK_USAGES = """
select
from blogger_tracking.subscription_usage
where (organization_id, period_start) in (
    select organization_id, period_start from blogger_tracking.fetch_allocations where fetch_id = any(%(fetches)s)
)
order by organization_id, period_start
for update
"""

_LOCK_FETCHES = """
select id
from blogger_tracking.fetches
where id = any(%(fetches)s) and state not in ('planned', 'running')
order by id
for update skip locked
"""

_REMOVE_FETCHES = """
with charges as (
    select organization_id, period_start, sum(charged) as charged, max(charged_at) as charged_at
    from blogger_tracking.fetch_allocations
    where fetch_id = any(%(fetches)s)
    group by organization_id, period_start
),
kept_charges as (
    update blogger_tracking.subscription_usage as usage
    set
        removed_charges = usage.removed_charges + charges.charged,
        removed_charged_at = greatest(usage.removed_charged_at, charges.charged_at)
    from charges
    where usage.organization_id = charges.organization_id and usage.period_start = charges.period_start
),
removed_allocations as (
    delete from blogger_tracking.fetch_allocations where fetch_id = any(%(fetches)s)
),
removed_attempts as (
    delete from blogger_tracking.fetch_attempts where fetch_id = any(%(fetches)s)
)
delete from blogger_tracking.fetches where id = any(%(fetches)s)
"""

_REMOVE_RUN_ACCOUNTS = """
delete from blogger_tracking.run_accounts
where ctid = any(array(
    select run_accounts.ctid
    from blogger_tracking.runs
    join blogger_tracking.run_accounts on run_accounts.run_id = runs.id
    where runs.expires_at < %(cutoff)s and runs.deployment <> 'imported'
    order by run_accounts.run_id
    limit %(limit)s
    for update of run_accounts skip locked
))
"""

# A run that owns a pending initial fetch may resume it at any time.
_REMOVE_RUNS = """
delete from blogger_tracking.runs
where id in (
    select runs.id
    from blogger_tracking.runs
    where runs.expires_at < %(cutoff)s
      and runs.deployment <> 'imported'
      and not exists (select from blogger_tracking.fetches where fetches.run_id = runs.id)
      and not exists (select from blogger_tracking.run_accounts where run_accounts.run_id = runs.id)
      and not exists (select from blogger_tracking.youtube_units where youtube_units.run_id = runs.id)
      and not exists (
          select
          from blogger_tracking.tracked_accounts
          where tracked_accounts.initial_fetch_run_id = runs.id and tracked_accounts.pending_initial_fetch
      )
    order by runs.id
    limit %(limit)s
    for update skip locked
)
"""


@dataclass(frozen=True, slots=True)
class RemovedFetches:
    """Number of removed fetches of one step, and the last fetch that the step looked at; None: no fetch was left."""

    count: int
    last_id: int | None


def remove_fetches(connection: Connection, cutoff: datetime, after: int, limit: int) -> RemovedFetches:
    """Remove old fetches with ids above `after`, with their allocations and attempts."""
    with bounded_transaction(connection):
        found = fetch_values(connection, _OLD_FETCHES, {"cutoff": cutoff, "after": after, "limit": limit})
        if not found:
            return RemovedFetches(0, None)
        removed = _remove_unlocked_fetches(connection, found)
    return RemovedFetches(removed, found[-1])


def remove_fetches_of_blogger(connection: Connection, blogger_id: UUID, limit: int) -> RemovedFetches:
    """Remove up to `limit` fetches of a blogger who is being removed, with their allocations and attempts.

    The blogger has no live fetch, and no message refers to a fetch.
    """
    with bounded_transaction(connection):
        found = fetch_values(connection, _FETCHES_OF_BLOGGER, {"blogger_id": blogger_id, "limit": limit})
        if not found:
            return RemovedFetches(0, None)
        return RemovedFetches(_remove_unlocked_fetches(connection, found), found[-1])


def remove_run_accounts(connection: Connection, cutoff: datetime, limit: int) -> int:
    """Remove decisions about accounts of old runs; return their number."""
    return _remove(connection, _REMOVE_RUN_ACCOUNTS, cutoff, limit)


def remove_runs(connection: Connection, cutoff: datetime, limit: int) -> int:
    """Remove old runs to which nothing refers any more; return their number."""
    return _remove(connection, _REMOVE_RUNS, cutoff, limit)


def _remove_unlocked_fetches(connection: Connection, fetches: list[int]) -> int:
    connection.execute(_LOCK_USAGES, {"fetches": fetches})
    locked = fetch_values(connection, _LOCK_FETCHES, {"fetches": fetches})
    return connection.execute(_REMOVE_FETCHES, {"fetches": locked}).rowcount


def _remove(connection: Connection, statement: str, cutoff: datetime, limit: int) -> int:
    with bounded_transaction(connection):
        return connection.execute(statement.encode(), {"cutoff": cutoff, "limit": limit}).rowcount

"""Invariants of the ledger: each is one query that counts violations, 0 in a sound database."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import Connection

from blogger_tracking.database.rows import fetch_value

# Rows before a retention mark may have been removed, so that nothing is expected of what refers to them.

# Planning counted active_accounts in its snapshot, by a query that is independent of the planner's own query.
_LOST = """
select coalesce(sum(abs(runs.active_accounts - decided.accounts)), 0)
from blogger_tracking.runs
cross join lateral (
    select count(*) as accounts from blogger_tracking.run_accounts where run_accounts.run_id = runs.id
) as decided
where runs.ended_at is not null
  and runs.planned_at >= coalesce(
      (select removed_before from blogger_tracking.retention_marks where subject = 'ledger'), '-infinity'
  )
"""

# A fetch that was cleared after its run had ended may run for as long as its lease lasts.
_UNFINISHED = """
select count(*)
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
where fetches.state in ('planned', 'running')
  and (
      (runs.ended_at is not null and (fetches.state = 'planned' or fetches.claimed_at < runs.ended_at))
      or exists (
          select
          from blogger_tracking.runs as later
          where later.planned_at > runs.expires_at
            and (fetches.state = 'planned' or fetches.claimed_at < runs.expires_at)
      )
      or exists (select from blogger_tracking.runs as later where later.planned_at > fetches.lease_expires_at)
  )
"""

# Links without a fetch were imported, and paid for before adoption. A fetch that retention has removed proves nothing.
_DUPLICATE_CHARGES = """
select
    (
        select count(*)
        from (
            select from blogger_tracking.video_statistics group by video_id, fetch_id having count(*) > 1
        ) as repeated
    )
    + (select count(*) from blogger_tracking.fetch_allocations where charged > granted)
    + (
        select count(*)
        from (
            select
            from blogger_tracking.organization_videos
            join blogger_tracking.fetches on fetches.id = organization_videos.fetch_id
            left join blogger_tracking.fetch_allocations using (fetch_id, organization_id)
            group by fetch_id, organization_id
            having count(*) > coalesce(max(fetch_allocations.charged), 0)
        ) as beyond_charge
    )
"""

# The sum of a period grows only where planning or a claim is granted videos. Whatever is charged or reserved now was
# held at the last of these moments: the highest limit in force since then counts, however late a charge was settled.
_OVER_LIMIT = """
select count(*)
from blogger_tracking.subscription_usage as usage
cross join lateral (
    select
        greatest(
            max(fetch_allocations.charged_at),
            max(coalesce(fetch_allocations.last_attempt_at, runs.planned_at))
            filter (where fetch_allocations.reserved > 0),
            usage.removed_charged_at
        ) as at
    from blogger_tracking.fetch_allocations
    join blogger_tracking.fetches on fetches.id = fetch_allocations.fetch_id
    join blogger_tracking.runs on runs.id = fetches.run_id
    where fetch_allocations.organization_id = usage.organization_id
      and fetch_allocations.period_start = usage.period_start
) as last_grant
cross join lateral (
    select max(changes.video_limit) as video_limit
    from (
        select video_limit, lead(changed_at) over (order by changed_at, id) as replaced_at
        from blogger_tracking.subscription_changes
        where organization_id = usage.organization_id and period_start = usage.period_start
    ) as changes
    where changes.replaced_at is null or changes.replaced_at >= last_grant.at
) as highest
where usage.videos_fetched + usage.reserved > 0
  and usage.opening + usage.videos_fetched + usage.reserved > highest.video_limit
"""

_LEDGER_IS_USAGE = """
select count(*)
from blogger_tracking.subscription_usage as usage
left join (
    select organization_id, period_start, sum(charged) as charged, sum(reserved) as reserved
    from blogger_tracking.fetch_allocations
    group by organization_id, period_start
) as ledger using (organization_id, period_start)
where usage.videos_fetched <> coalesce(ledger.charged, 0) + usage.removed_charges
   or usage.reserved <> coalesce(ledger.reserved, 0)
"""

# Excludes imported values, which are older than the row.
_UNPROVEN_LAST_SCRAPED_AT = """
select count(*)
from blogger_tracking.tracked_accounts
where tracked_accounts.last_scraped_at > tracked_accounts.created_at
  and tracked_accounts.last_scraped_at >= coalesce(
      (select removed_before from blogger_tracking.retention_marks where subject = 'ledger'), '-infinity'
  )
  and not exists (
      select
      from blogger_tracking.fetch_allocations
      join blogger_tracking.fetch_attempts on fetch_attempts.fetch_id = fetch_allocations.fetch_id
      where fetch_allocations.tracked_account_id = tracked_accounts.id
        and fetch_attempts.finished_at = tracked_accounts.last_scraped_at
        and fetch_attempts.outcome in ('succeeded', 'partial', 'empty', 'private', 'not_found')
  )
"""

_VIDEOS_WITHOUT_FOLLOW_UP = """
select
    (
        select count(*)
        from blogger_tracking.videos
        where platform = 'YouTube'
          and first_seen_at >= coalesce(
              (
                  select max(removed_before)
                  from blogger_tracking.retention_marks
                  where subject in ('YouTube statistics', 'high_priority_queue')
              ),
              '-infinity'
          )
          and not exists (select from blogger_tracking.video_statistics where video_statistics.video_id = videos.id)
          and not exists (
              select
              from (
                  select unnest(high_priority_queue.videos) as external_video_id
                  from blogger_tracking.high_priority_queue
              ) as queued
              where queued.external_video_id = videos.external_video_id
          )
    )
    + (
        select count(*)
        from blogger_tracking.videos
        where thumbnail_url is not null
          and thumbnail_path is null
          and first_seen_at >= coalesce(
              (select removed_before from blogger_tracking.retention_marks where subject = 'thumbnail_queue'),
              '-infinity'
          )
          and not exists (select from blogger_tracking.thumbnail_queue where thumbnail_queue.video_id = videos.id)
    )
"""

_STUCK_INITIAL_FETCHES = """
select count(*)
from blogger_tracking.tracked_accounts
where created_at < now() - interval '1 day'
  and not initial_videos_fetched
  and not pending_initial_fetch
  and initial_fetch_reason is null
"""


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule that the ledger keeps at all times. `query` returns the number of violations."""

    name: str
    sentence: str
    query: str


INVARIANTS = (
    Invariant("lost", "Planning decided on every active tracked account in the scope of its run.", _LOST),
    Invariant("unfinished", "No ended or expired run left a fetch planned or running.", _UNFINISHED),
    Invariant(
        "duplicate_charges",
        "Each fetch counts a video once and stays within its grant and charge.",
        _DUPLICATE_CHARGES,
    ),
    Invariant("over_limit", "No organization used more videos than its subscription allows.", _OVER_LIMIT),
    Invariant("ledger_is_usage", "The usage of a period is the sum of its allocations.", _LEDGER_IS_USAGE),
    Invariant(
        "unproven_last_scraped_at",
        "Every last_scraped_at is the end of a conclusive attempt.",
        _UNPROVEN_LAST_SCRAPED_AT,
    ),
    Invariant(
        "videos_without_follow_up",
        "Every video has its statistics and its thumbnail, or a message for them.",
        _VIDEOS_WITHOUT_FOLLOW_UP,
    ),
    Invariant(
        "stuck_initial_fetches",
        "After a day an initial fetch has ended, is pending, or has a reason.",
        _STUCK_INITIAL_FETCHES,
    ),
)


def check_invariants(connection: Connection) -> dict[str, int]:
    """Return the number of violations of each invariant by its name, in the order of `INVARIANTS`."""
    return {invariant.name: int(fetch_value(connection, invariant.query.encode())) for invariant in INVARIANTS}

"""Summaries of a run, per platform and per organization."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all
from blogger_tracking.domain.ledger import FetchState, SkipReason
from blogger_tracking.domain.run_outcome import LeftOut, PlatformTally
from blogger_tracking.settings import get_settings


@dataclass(frozen=True, slots=True)
class PlatformSummary:
    """One platform's part of a run.

    `states` counts fetches by state. `videos`, `videos_new` and `seconds` (from the first start to the last end) are
    those of each fetch's conclusive attempt, or of its newest attempt if it has no conclusive one. `requests` counts
    the requests of all attempts by purpose, and YouTube's requests for statistics so far.
    """

    platform: str
    states: dict[str, int]
    videos: int
    videos_new: int
    seconds: float
    requests: dict[str, int]

    @property
    def requests_per_blogger(self) -> float:
        """Number of requests per fetch that the platform answered; 0 without such a fetch."""
        answered = sum(count for state, count in self.states.items() if FetchState(state).conclusive)
        return sum(self.requests.values()) / answered if answered else 0


@dataclass(frozen=True, slots=True)
class FailureSummary:
    """Fetches of one platform in a run that failed for the same cause.

    `cause` is the kind of the platform's error, `configuration` for a wrong Connection, or `unfinished` for fetches
    that no attempt ended. `example` is the reason of one of the fetches. `suspended_platform` is True if one of them
    suspended the platform during the run.
    """

    platform: str
    cause: str
    fetches: int
    example: str
    suspended_platform: bool


@dataclass(frozen=True, slots=True)
class OrganizationSummary:
    """One organization's part of a run, in videos.

    `fetched` counts the videos that the organization received from the attempts that `PlatformSummary` counts.
    `fetched` is never above `charged`, and `charged` never above `granted`. `used_before` is the use of the current
    period without the charges of this run. `video_limit` and `used_before` are None without a current subscription.
    `skipped` counts tracked accounts by reason.
    """

    organization_id: UUID
    name: str
    video_limit: int | None
    used_before: int | None
    granted: int
    fetched: int
    charged: int
    skipped: dict[str, int]


# A fetch with a conclusive attempt counts with that attempt's state, whatever later attempts do.
_STATES = """
select
    platform,
    coalesce(conclusive_state, state) as state,
    count(*),
    count(*) filter (where conclusive_state is null and state = 'skipped' and reason = %(suspended)s)
from blogger_tracking.fetches
where run_id = %(run_id)s
group by platform, coalesce(conclusive_state, state)
"""

# An account is abandoned if it was left out for another run, and since the planning of this run no attempt has been
# conclusive for its blogger, and no other run has a fetch of the blogger at work or may still retry one.
# An account is held if the other run belongs to another deployment and seems to be dead: only that deployment, which
# may be gone, would end the run before it expires.
_LEFT_OUT = """
with silent_runs as (
    select runs.id, runs.deployment
    from blogger_tracking.runs
    join blogger_tracking.runs as own on own.id = %(run_id)s and own.deployment <> runs.deployment
    where runs.ended_at is null
      and greatest(
          runs.planned_at,
          (select max(fetches.claimed_at) from blogger_tracking.fetches where fetches.run_id = runs.id)
      ) < now() - %(lease)s
),
left_out as (
    select tracked_accounts.blogger_id, run_accounts.reason
    from blogger_tracking.run_accounts
    join blogger_tracking.tracked_accounts on tracked_accounts.id = run_accounts.tracked_account_id
    where run_accounts.run_id = %(run_id)s and run_accounts.decision = 'skipped'
    union all
    select fetches.blogger_id, fetch_allocations.reason
    from blogger_tracking.fetches
    join blogger_tracking.fetch_allocations on fetch_allocations.fetch_id = fetches.id
    where fetches.run_id = %(run_id)s
      and fetches.state = 'skipped'
      and fetch_allocations.reason = %(already_running)s
),
accounts as (
    select
        blogger_information.platform,
        case when split_part(left_out.reason, ':', 1) = any(%(withheld)s) then left_out.reason end as withheld_reason,
        case
            when left_out.reason = %(already_running)s then (
                select silent_runs.deployment
                from blogger_tracking.fetches
                join silent_runs on silent_runs.id = fetches.run_id
                where fetches.blogger_id = left_out.blogger_id and fetches.state in ('planned', 'running')
            )
        end as held_by,
        left_out.reason = %(already_running)s
        and not exists (
            select
            from blogger_tracking.fetches
            join blogger_tracking.fetch_attempts on fetch_attempts.id = fetches.conclusive_attempt_id
            join blogger_tracking.runs on runs.id = %(run_id)s
            where fetches.blogger_id = left_out.blogger_id and fetch_attempts.finished_at >= runs.planned_at
        )
        and not exists (
            select
            from blogger_tracking.fetches
            join blogger_tracking.runs on runs.id = fetches.run_id
            where fetches.blogger_id = left_out.blogger_id
              and (
                  fetches.state in ('planned', 'running')
                  or (fetches.state in ('failed', 'skipped') and runs.ended_at is null and runs.expires_at > now())
              )
        ) as is_abandoned
    from left_out
    join blogger_tracking.blogger_information on blogger_information.id = left_out.blogger_id
)
select
    platform,
    count(withheld_reason) as withheld,
    min(withheld_reason) as reason,
    count(*) filter (where is_abandoned and held_by is null) as abandoned,
    count(held_by) as held,
    min(held_by) as held_by
from accounts
group by platform
"""

_PLATFORMS = """
with attempts as (
    select
        fetches.platform,
        sum(fetch_attempts.videos_returned) as videos,
        sum(fetch_attempts.videos_new) as videos_new,
        extract(epoch from max(fetch_attempts.finished_at) - min(fetch_attempts.started_at))::float8 as seconds
    from blogger_tracking.fetches
    join blogger_tracking.fetch_attempts
        on fetch_attempts.id = coalesce(fetches.conclusive_attempt_id, fetches.current_attempt_id)
    where fetches.run_id = %(run_id)s
    group by fetches.platform
),
states as (
    select platform, jsonb_object_agg(state, fetches order by state) as states
    from (
        select platform, coalesce(conclusive_state, state) as state, count(*) as fetches
        from blogger_tracking.fetches
        where run_id = %(run_id)s
        group by platform, coalesce(conclusive_state, state)
    ) as counted
    group by platform
),
requests as (
    select platform, jsonb_object_agg(use, requests order by use) as requests
    from (
        select fetches.platform, counted.use, sum(counted.requests::integer) as requests
        from blogger_tracking.fetches
        join blogger_tracking.fetch_attempts on fetch_attempts.fetch_id = fetches.id
        cross join jsonb_each_text(fetch_attempts.requests) as counted (use, requests)
        where fetches.run_id = %(run_id)s and fetches.platform <> 'YouTube'
        group by fetches.platform, counted.use
        union all
        select 'YouTube', call, sum(units)
        from blogger_tracking.youtube_units
        where run_id = %(run_id)s
        group by call
    ) as by_use
    group by platform
)
select
    states.platform,
    states.states,
    coalesce(attempts.videos, 0)::integer as videos,
    coalesce(attempts.videos_new, 0)::integer as videos_new,
    coalesce(attempts.seconds, 0) as seconds,
    coalesce(requests.requests, '{}') as requests
from states
left join attempts on attempts.platform = states.platform
left join requests on requests.platform = states.platform
order by states.platform
"""

_FAILURES = """
select
    fetches.platform,
    case
        when fetches.state <> 'failed' then 'unfinished'
        else coalesce(fetch_attempts.error_kind, 'configuration')
    end as cause,
    count(*) as fetches,
    coalesce(min(coalesce(fetch_attempts.reason, fetches.reason)), 'no attempt was made') as example,
    coalesce(bool_or(fetch_attempts.reason = platform_suspensions.reason), false) as suspended_platform
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
left join blogger_tracking.fetch_attempts on fetch_attempts.id = fetches.current_attempt_id
left join
    blogger_tracking.platform_suspensions
    on platform_suspensions.platform = fetches.platform and platform_suspensions.suspended_at >= runs.planned_at
where fetches.run_id = %(run_id)s
  and fetches.conclusive_state is null
  and fetches.state in ('failed', 'released', 'planned', 'running')
group by 1, 2
order by 1, 2
"""

_ORGANIZATIONS = """
with allocations as (
    select
        fetch_allocations.organization_id,
        sum(fetch_allocations.granted) as granted,
        sum(fetch_allocations.charged) as charged,
        sum(least(fetch_allocations.charged, fetch_attempts.videos_returned)) as fetched
    from blogger_tracking.fetch_allocations
    join blogger_tracking.fetches on fetches.id = fetch_allocations.fetch_id
    left join blogger_tracking.fetch_attempts
        on fetch_attempts.id = coalesce(fetches.conclusive_attempt_id, fetches.current_attempt_id)
    where fetches.run_id = %(run_id)s
    group by fetch_allocations.organization_id
),
charged_by_period as (
    select fetch_allocations.organization_id, fetch_allocations.period_start, sum(fetch_allocations.charged) as charged
    from blogger_tracking.fetch_allocations
    join blogger_tracking.fetches on fetches.id = fetch_allocations.fetch_id
    where fetches.run_id = %(run_id)s
    group by fetch_allocations.organization_id, fetch_allocations.period_start
),
skipped as (
    select organization_id, jsonb_object_agg(reason, accounts order by reason) as reasons
    from (
        select
            tracked_accounts.organization_id,
            split_part(run_accounts.reason, ':', 1) as reason,
            count(*) as accounts
        from blogger_tracking.run_accounts
        join blogger_tracking.tracked_accounts on tracked_accounts.id = run_accounts.tracked_account_id
        where run_accounts.run_id = %(run_id)s and run_accounts.decision = 'skipped'
        group by 1, 2
    ) as counted
    group by organization_id
)
select
    organizations.id as organization_id,
    organizations.name,
    subscriptions.video_limit,
    usage.opening + usage.videos_fetched - coalesce(charged_by_period.charged, 0) as used_before,
    coalesce(allocations.granted, 0)::integer as granted,
    coalesce(allocations.fetched, 0)::integer as fetched,
    coalesce(allocations.charged, 0)::integer as charged,
    coalesce(skipped.reasons, '{}') as skipped
from blogger_tracking.organizations
left join allocations on allocations.organization_id = organizations.id
left join skipped on skipped.organization_id = organizations.id
left join blogger_tracking.subscriptions
    on subscriptions.organization_id = organizations.id
    and subscriptions.period_start <= now()
    and subscriptions.period_end > now()
left join blogger_tracking.subscription_usage as usage
    on usage.organization_id = subscriptions.organization_id and usage.period_start = subscriptions.period_start
left join charged_by_period
    on charged_by_period.organization_id = usage.organization_id
    and charged_by_period.period_start = usage.period_start
where allocations.organization_id is not null or skipped.organization_id is not null
order by organizations.name, organizations.id
"""


def read_tallies(connection: Connection, run_id: int) -> dict[str, PlatformTally]:
    """Return, for each platform, the number of fetches by state and the accounts that were left out."""
    states: dict[str, dict[FetchState, int]] = defaultdict(dict)
    suspended: dict[str, int] = defaultdict(int)
    parameters = {
        "run_id": run_id,
        "suspended": SkipReason.PLATFORM_SUSPENDED,
        "already_running": SkipReason.ALREADY_RUNNING,
        "withheld": [SkipReason.PLATFORM_SUSPENDED, SkipReason.DAILY_UNITS],
        "lease": timedelta(minutes=get_settings().lease_minutes),
    }
    for platform, state, fetches, suspended_fetches in connection.execute(_STATES, parameters):
        states[platform][FetchState(state)] = fetches
        suspended[platform] += suspended_fetches
    left_out = {platform: LeftOut(*counts) for platform, *counts in connection.execute(_LEFT_OUT, parameters)}
    return {
        platform: PlatformTally(states[platform], suspended[platform], left_out.get(platform, LeftOut()))
        for platform in sorted(states.keys() | left_out.keys())
    }


def read_platform_summaries(connection: Connection, run_id: int) -> list[PlatformSummary]:
    """Return the summary of each platform that the run fetched from."""
    return fetch_all(connection, PlatformSummary, _PLATFORMS, {"run_id": run_id})


def read_failures(connection: Connection, run_id: int) -> list[FailureSummary]:
    """Return the failed and unfinished fetches of the run by platform and cause."""
    return fetch_all(connection, FailureSummary, _FAILURES, {"run_id": run_id})


def read_organization_summaries(connection: Connection, run_id: int) -> list[OrganizationSummary]:
    """Return the summary of each organization with an allocation or a skipped account in the run."""
    return fetch_all(connection, OrganizationSummary, _ORGANIZATIONS, {"run_id": run_id})

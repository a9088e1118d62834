"""Contents of the ledger that a database and the model of the ledger (ledger_model.py) must agree on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tests.support.database_builder import DatabaseBuilder


@dataclass(frozen=True, slots=True)
class LedgerContents:
    """Everything that was planned, claimed and saved. A fetch is named by its run and its blogger.

    `usage` has (opening, charged, reserved) of each period that is used; `decisions` has "planned" or the reason for
    skipping; a fetch has (state, target count, outcome and number of requests of each attempt); an allocation has
    (period, granted, reserved, charged); `scraped_by` has the attempt that set an account's `last_scraped_at`; `links`
    has the fetch that linked a video to an organization; `suspended` has platforms.
    """

    usage: dict[tuple[UUID, datetime], list[int]]
    decisions: dict[tuple[int, UUID], str]
    fetches: dict[tuple[int, UUID], list[object]]
    allocations: dict[tuple[int, UUID, UUID], list[object]]
    scraped_by: dict[UUID, int]
    links: dict[tuple[UUID, str], list[object]]
    videos: set[str]
    suspended: set[str]


_USAGE = """
select organization_id, period_start, opening, videos_fetched, reserved
from subscription_usage
where opening + videos_fetched + reserved > 0
"""

_DECISIONS = "select run_id, tracked_account_id, coalesce(split_part(reason, ':', 1), decision) from run_accounts"

_FETCHES = """
select
    run_id,
    blogger_id,
    state,
    target_count,
    array(
        select
            coalesce(outcome, 'running')
            || ', '
            || (select coalesce(sum(number::integer), 0) from jsonb_each_text(requests) as sent (purpose, number))
            || ' requests'
        from fetch_attempts
        where fetch_id = fetches.id
        order by fetch_attempts.id
    )
from fetches
"""

_ALLOCATIONS = """
select run_id, blogger_id, organization_id, period_start, granted, reserved, charged
from fetch_allocations
join fetches on fetches.id = fetch_id
"""

_SCRAPED_BY = """
select tracked_accounts.id, fetch_attempts.id
from tracked_accounts
left join fetch_attempts on finished_at = last_scraped_at
where last_scraped_at is not null
"""

_LINKS = """
select organization_id, videos.platform || ' ' || external_video_id, run_id, fetches.blogger_id
from organization_videos
join videos on videos.id = video_id
join fetches on fetches.id = fetch_id
"""

_VIDEOS = "select platform || ' ' || external_video_id from videos"

_SUSPENDED = "select platform from platform_suspensions where suspended_until > clock_timestamp()"


def read_contents(build: DatabaseBuilder) -> LedgerContents:
    """Return the contents of a database."""
    return LedgerContents(
        usage={(organization, start): usage for organization, start, *usage in build.rows(_USAGE)},
        decisions={(run, account): decision for run, account, decision in build.rows(_DECISIONS)},
        fetches={(run, blogger): fetch for run, blogger, *fetch in build.rows(_FETCHES)},
        allocations={
            (run, blogger, organization): allocation
            for run, blogger, organization, *allocation in build.rows(_ALLOCATIONS)
        },
        scraped_by=dict(build.rows(_SCRAPED_BY)),
        links={(organization, video): fetch for organization, video, *fetch in build.rows(_LINKS)},
        videos={video for (video,) in build.rows(_VIDEOS)},
        suspended={platform for (platform,) in build.rows(_SUSPENDED)},
    )

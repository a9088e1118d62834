"""Plan, claim and settle as a run does, in one call each."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import ClaimRefused, NoAttempt, claim_fetch
from blogger_tracking.database.fetch_settlement import FetchOutcome, SettledFetch, settle_fetch
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import CommonVideo, Platform, VideoStatistics
from blogger_tracking.usecases.plan_run import PlannedRun, plan_run

_numbers = itertools.count(1)

HOUR = timedelta(hours=1)
LEASE = timedelta(minutes=10)

REMOVE_FETCHES = """
with removed_allocations as (delete from blogger_tracking.fetch_allocations),
removed_attempts as (delete from blogger_tracking.fetch_attempts)
delete from blogger_tracking.fetches
"""
"""Statement that removes all fetches, as retention removes old ones."""


def new_key() -> RunKey:
    """Return the key of a DAG run that was not planned yet."""
    return RunKey("test", "blogger_batch_fetch", f"run_{next(_numbers)}")


def plan(pool: ConnectionPool, key: RunKey | None = None, scope: RunScope | None = None) -> PlannedRun:
    """Plan a run of all active accounts in scope, with one blogger per instance."""
    return plan_run(pool, key or new_key(), scope or RunScope(), HOUR)


def fetch_ids(pool: ConnectionPool, run: PlannedRun) -> list[int]:
    """Return the fetches of a run in the order of planning."""
    with pool.connection() as connection:
        rows = connection.execute(
            "select id from blogger_tracking.fetches where run_id = %s order by id", (run.run_id,)
        )
        return [fetch_id for (fetch_id,) in rows]


def claim_in_try(pool: ConnectionPool, fetch_id: int, try_created_at: datetime) -> Claim | ClaimRefused | NoAttempt:
    """Begin an attempt of a fetch, in a try of its instance that was created at this time."""
    with pool.connection() as connection:
        return claim_fetch(connection, fetch_id, LEASE, "test", try_created_at)


def try_claim(pool: ConnectionPool, fetch_id: int) -> Claim | ClaimRefused:
    """Begin an attempt of a fetch, outside a task instance."""
    with pool.connection() as connection:
        claimed = claim_fetch(connection, fetch_id, LEASE, "test")
    assert not isinstance(claimed, NoAttempt), claimed
    return claimed


def claim(pool: ConnectionPool, fetch_id: int) -> Claim:
    """Begin an attempt of a fetch, which must be granted videos."""
    claimed = try_claim(pool, fetch_id)
    assert isinstance(claimed, Claim), claimed
    return claimed


def settle(pool: ConnectionPool, claimed: Claim, outcome: FetchOutcome) -> SettledFetch:
    """Save an outcome."""
    with pool.connection() as connection:
        return settle_fetch(connection, claimed, outcome)


def succeed(pool: ConnectionPool, claimed: Claim, returned: int, *, first: int = 1) -> SettledFetch:
    """Save `returned` videos."""
    return settle(
        pool, claimed, FetchOutcome(FetchState.SUCCEEDED, videos(returned, claimed.account.platform, first=first))
    )


def videos(count: int, platform: Platform = Platform.TIKTOK, *, first: int = 1) -> list[CommonVideo]:
    """Return videos numbered from `first` to `first + count - 1`, the newest (highest number) first.

    Videos of YouTube have no statistics.
    """
    return [video(number, platform) for number in reversed(range(first, first + count))]


def video(number: int, platform: Platform = Platform.TIKTOK, *, views: int | None = 100) -> CommonVideo:
    """Return a video whose date grows with its number."""
    statistics = VideoStatistics(external_video_id=f"video-{number}", views=views, likes=None, comments=0, reposts=1)
    return CommonVideo(
        external_video_id=f"video-{number}",
        platform=platform,
        video_url=f"https://example.org/{number}",
        title=f"Title {number}",
        thumbnail_url=f"https://example.org/{number}.jpg",
        published_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number),
        statistics=None if platform is Platform.YOUTUBE else statistics,
    )

"""Four simulated weeks of two runs a day on Instagram: the requests that fetches cost, and the videos that are missed.

The average costs hold for full pages; the comparison with full reading uses pages as irregular as the platform's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import pytest

from blogger_tracking.domain.models import Platform, PostsHistory
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.settings import InstagramPosts, Settings
from devtools.bench.measure_requests import BEGIN, SimulatedFleet, instagram_creators, run_time, simulate_runs
from devtools.platform_sandbox import SandboxOptions, SandboxServer

RUNS = 56
RUNS_IN_THREE_DAYS = 6


def serve(options: SandboxOptions) -> Iterator[SandboxServer]:
    with SandboxServer(options) as server:
        yield server
        session_for(server.instagram_url).close()
        session_for.cache_clear()


@pytest.fixture(scope="module")
def tidy_sandbox() -> Iterator[SandboxServer]:
    yield from serve(SandboxOptions(time=BEGIN, traps=False, body_bytes=500))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    yield from serve(SandboxOptions(time=BEGIN, body_bytes=500))


def instagram_fleet(sandbox: SandboxServer, accounts: int, *, mixed: bool, always: bool = False) -> SimulatedFleet:
    settings = Settings(instagram_posts=InstagramPosts.ALWAYS if always else InstagramPosts.AS_NEEDED)
    return SimulatedFleet(sandbox, Platform.INSTAGRAM, instagram_creators(sandbox, accounts, mixed=mixed), settings)


def longest_misses(
    sandbox: SandboxServer, fleet: SimulatedFleet, full: SimulatedFleet, target: int, since: datetime | None = None
) -> Counter[str]:
    """Return for each video the most runs in a row in which the full reading had the video and the fleet had not.

    Only videos published after `since` count.
    """
    series: Counter[str] = Counter()
    longest: Counter[str] = Counter()
    for number in range(RUNS):
        sandbox.clock.set(run_time(number))
        for batch, complete in zip(fleet.fetch_all(target), full.fetch_all(target), strict=True):
            found = {video.external_video_id for video in batch}
            for video in complete:
                key = video.external_video_id
                counts = since is None or (video.published_at is not None and video.published_at > since)
                series[key] = series[key] + 1 if counts and key not in found else 0
                longest[key] = max(longest[key], series[key])
    return longest


@pytest.mark.parametrize(("target", "accounts", "most"), [(10, 16, 1.2), (30, 6, 3.5)])
def test_an_account_of_reels_costs_little_more_than_its_clips(
    tidy_sandbox: SandboxServer, target: int, accounts: int, most: float
) -> None:
    fleet = instagram_fleet(tidy_sandbox, accounts, mixed=False)
    assert simulate_runs(fleet, tidy_sandbox, target, RUNS).total <= most
    assert fleet.fetches == accounts * RUNS


@pytest.mark.parametrize(("target", "accounts"), [(10, 4), (30, 1)])
@pytest.mark.parametrize("mixed", [False, True])
def test_no_video_of_the_full_reading_is_missed_by_two_runs_in_a_row(
    sandbox: SandboxServer, target: int, accounts: int, *, mixed: bool
) -> None:
    fleet, full = (instagram_fleet(sandbox, accounts, mixed=mixed, always=always) for always in (False, True))
    longest = longest_misses(sandbox, fleet, full, target)
    assert len(longest) > accounts * target
    assert max(longest.values()) <= 1
    assert fleet.requests.total() <= full.requests.total()


def test_an_accounts_very_first_video_that_only_the_posts_have_is_found_within_three_days(
    sandbox: SandboxServer,
) -> None:
    fleet, full = (instagram_fleet(sandbox, 3, mixed=True, always=always) for always in (False, True))
    without_a_find = {"posts_history": PostsHistory(read_at=BEGIN)}
    fleet.accounts = [account.model_copy(update=without_a_find) for account in fleet.accounts]
    longest = longest_misses(sandbox, fleet, full, 10, since=BEGIN)
    assert 2 <= max(longest.values()) < RUNS_IN_THREE_DAYS

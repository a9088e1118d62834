"""Complete listings of the sandbox's invented creators, on all platforms, undisturbed and with passing faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from blogger_tracking.domain.models import Account, Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformConfig, PlatformService, YouTubeService, create_service
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.platforms.listing import VideoBatch
from devtools.platform_sandbox import Creator, CreatorKind, Fault, FaultKind, SandboxOptions, SandboxServer
from tests.support.platform_accounts import KEY, StoppedClock
from tests.support.sandbox_client import NOON

TARGET = 45
MANY_PAGES = 200


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(time=NOON, body_bytes=3_000)) as server:
        yield server
        for url in (server.tiktok_url, server.instagram_url, server.youtube_url):
            session_for(url.rstrip("/")).close()
        session_for.cache_clear()


@pytest.fixture
def clean_sandbox(sandbox: SandboxServer) -> Iterator[SandboxServer]:
    yield sandbox
    sandbox.clear_faults()


@pytest.fixture(params=list(Platform))
def platform(request: pytest.FixtureRequest) -> Platform:
    return Platform(request.param)


@pytest.fixture
def service(platform: Platform, clean_sandbox: SandboxServer) -> PlatformService:
    addresses = {
        Platform.TIKTOK: clean_sandbox.tiktok_url,
        Platform.INSTAGRAM: clean_sandbox.instagram_url,
        Platform.YOUTUBE: clean_sandbox.youtube_url,
    }
    config = PlatformConfig(base_url=addresses[platform], api_key=KEY, requests_per_second=10_000)
    return create_service(platform, config, clock=StoppedClock().clock)


def creator_of(sandbox: SandboxServer, platform: Platform, kind: CreatorKind) -> Creator:
    return next(sandbox.world.creators(platform, kind))


def account_of(creator: Creator, username: str | None = None) -> Account:
    return Account(
        platform=Platform(creator.platform.value),
        external_id=creator.external_id,
        sec_id=creator.sec_id,
        username=username or creator.username,
    )


def fetch(service: PlatformService, sandbox: SandboxServer, kind: CreatorKind) -> VideoBatch:
    return service.get_user_videos_batch(account_of(creator_of(sandbox, service.platform, kind)), TARGET)


@pytest.mark.parametrize(
    "kind",
    [
        CreatorKind.NORMAL,
        CreatorKind.RENAMED,
        CreatorKind.LARGE,
        CreatorKind.HIDES_LIKES,
        CreatorKind.PINS,
        CreatorKind.UNTIDY,
        CreatorKind.BROADCASTS,
    ],
)
def test_a_listing_is_the_newest_videos_in_order(
    kind: CreatorKind, service: PlatformService, clean_sandbox: SandboxServer
) -> None:
    account = account_of(creator_of(clean_sandbox, service.platform, kind))
    newest = service.get_user_videos_batch(account, TARGET, max_pages=MANY_PAGES)
    everything = service.get_user_videos_batch(account, 600, max_pages=MANY_PAGES)
    assert newest.interrupted_by is None
    assert everything.interrupted_by is None
    assert len(newest) == min(TARGET, len(everything))
    dates = [video.published_at for video in newest]
    assert None not in dates
    assert dates == sorted(dates, key=str, reverse=True)
    assert [video.external_video_id for video in newest] == [
        video.external_video_id for video in everything[: len(newest)]
    ]


def test_an_empty_account_is_an_empty_batch(service: PlatformService, clean_sandbox: SandboxServer) -> None:
    batch = fetch(service, clean_sandbox, CreatorKind.EMPTY)
    assert (list(batch), batch.interrupted_by) == ([], None)


def test_a_deleted_account_is_not_found(service: PlatformService, clean_sandbox: SandboxServer) -> None:
    with pytest.raises(PlatformError) as raised:
        fetch(service, clean_sandbox, CreatorKind.GONE)
    assert raised.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("platform", [Platform.TIKTOK, Platform.INSTAGRAM], indirect=True)
def test_a_private_account_is_private(service: PlatformService, clean_sandbox: SandboxServer) -> None:
    with pytest.raises(PlatformError) as raised:
        fetch(service, clean_sandbox, CreatorKind.PRIVATE)
    assert raised.value.kind is ErrorKind.PRIVATE


def test_a_renamed_account_is_listed_by_its_stable_id(service: PlatformService, clean_sandbox: SandboxServer) -> None:
    renamed = creator_of(clean_sandbox, service.platform, CreatorKind.RENAMED)
    assert len(service.get_user_videos_batch(account_of(renamed, username=renamed.former_username), 10)) == 10


def test_a_profile_has_the_ids_that_a_listing_needs(service: PlatformService, clean_sandbox: SandboxServer) -> None:
    creator = creator_of(clean_sandbox, service.platform, CreatorKind.NORMAL)
    profile = service.get_user_info(f"@{creator.username}")
    assert (profile.external_id, profile.sec_id, profile.username) == (
        creator.external_id,
        creator.sec_id,
        creator.username,
    )


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.RATE_LIMIT,
        FaultKind.SERVER_ERROR,
        FaultKind.UNAVAILABLE,
        FaultKind.RESET,
        FaultKind.EMPTY_BODY,
        FaultKind.HTML_BODY,
        FaultKind.TRUNCATED_JSON,
    ],
)
def test_a_temporary_error_does_not_change_the_listing(
    kind: FaultKind, service: PlatformService, clean_sandbox: SandboxServer
) -> None:
    without_fault = fetch(service, clean_sandbox, CreatorKind.LARGE)
    clean_sandbox.add_fault(Fault(kind, platform=service.platform.slug, times=2))
    assert fetch(service, clean_sandbox, CreatorKind.LARGE) == without_fault


@pytest.mark.parametrize("kind", [FaultKind.REPEATED_CURSOR, FaultKind.LYING_HAS_MORE])
def test_a_listing_with_repeated_cursors_ends(
    kind: FaultKind, service: PlatformService, clean_sandbox: SandboxServer
) -> None:
    clean_sandbox.add_fault(Fault(kind, platform=service.platform.slug))
    batch = fetch(service, clean_sandbox, CreatorKind.LARGE)
    assert len({video.external_video_id for video in batch}) == len(batch) > 0


@pytest.mark.parametrize("platform", [Platform.YOUTUBE], indirect=True)
def test_every_listed_video_of_youtube_has_its_statistics_by_id(
    service: PlatformService, clean_sandbox: SandboxServer
) -> None:
    assert isinstance(service, YouTubeService)
    ids = [video.external_video_id for video in fetch(service, clean_sandbox, CreatorKind.NORMAL)]
    videos = service.get_videos(ids)
    assert set(videos) == set(ids)
    assert all(video.statistics and video.statistics.views is not None for video in videos.values())

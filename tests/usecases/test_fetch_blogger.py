"""Fetching one blogger, from the claim to the saved videos."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Account, Platform
from blogger_tracking.domain.platform_errors import HANDLING, ErrorKind
from blogger_tracking.platforms import PlatformConfig, create_service
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.platforms.listing import VideoBatch
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.fetch_blogger import FetchReport, FetchServices, fetch_blogger
from blogger_tracking.usecases.plan_run import PlannedRun
from devtools.platform_sandbox import Creator, CreatorKind, Fault, FaultKind, SandboxServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.error_bodies import ERROR_BODIES
from tests.support.ledger_steps import claim, fetch_ids, plan
from tests.support.platform_accounts import KEY
from tests.support.scripted_server import Scripted, ScriptedServer


@pytest.fixture(autouse=True)
def invariants_hold(admin: Connection) -> Iterator[None]:
    yield
    assert not any(check_invariants(admin).values())


def creator_of(sandbox: SandboxServer, platform: Platform, kind: CreatorKind = CreatorKind.NORMAL) -> Creator:
    return next(iter(sandbox.world.creators(platform, kind=kind)))


def track(build: DatabaseBuilder, creator: Creator, *, daily: int = 20, video_limit: int = 1000) -> UUID:
    """Track a creator of the sandbox and return the blogger id."""
    blogger = build.creator(creator)
    build.track(build.organization(daily=daily, video_limit=video_limit), blogger)
    return blogger


def fetch_first(services: FetchServices, run: PlannedRun | None = None) -> FetchReport:
    (fetch_id,) = fetch_ids(services.pool, run or plan(services.pool))
    return fetch_blogger(services, fetch_id)


@pytest.mark.parametrize("platform", Platform)
def test_the_newest_videos_are_saved_and_charged(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices, platform: Platform
) -> None:
    track(build, creator_of(sandbox, platform))
    report = fetch_first(services)
    assert (report.state, report.videos_returned, report.videos_new, report.charged) == (
        FetchState.SUCCEEDED,
        20,
        20,
        20,
    )
    assert build.value("select count(*) from organization_videos") == 20
    has_statistics = platform is not Platform.YOUTUBE
    assert build.value("select count(*) from video_statistics") == (20 if has_statistics else 0)


@pytest.mark.parametrize(
    ("kind", "state", "account_state"),
    [
        (CreatorKind.PRIVATE, FetchState.PRIVATE, "private"),
        (CreatorKind.GONE, FetchState.NOT_FOUND, "not_found"),
        (CreatorKind.EMPTY, FetchState.EMPTY, "empty"),
    ],
)
def test_private_not_found_and_empty_are_conclusive_and_the_accounts_state_after_the_second_fetch(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    services: FetchServices,
    kind: CreatorKind,
    state: FetchState,
    account_state: str,
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK, kind))
    report = fetch_first(services)
    assert (report.state, report.failed, report.charged) == (state, False, 0)
    assert build.value("select account_state from blogger_information") == "active"
    fetch_first(services)
    assert build.value("select account_state from blogger_information") == account_state
    assert build.value("select last_scraped_at from tracked_accounts") is not None


def test_a_renamed_blogger_is_found_by_the_external_id(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    creator = creator_of(sandbox, Platform.TIKTOK, CreatorKind.RENAMED)
    blogger = track(build, creator)
    build.run(
        "update blogger_information set username = %(name)s where id = %(id)s", name=creator.former_username, id=blogger
    )
    assert fetch_first(services).state is FetchState.SUCCEEDED


def test_a_missing_sec_id_is_looked_up_once_and_stored(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    creator = creator_of(sandbox, Platform.TIKTOK)
    track(build, creator)
    build.run("update blogger_information set sec_id = null")
    fetch_first(services)
    assert build.value("select sec_id from blogger_information") == creator.sec_id
    fetch_first(services)
    assert sandbox.request_count("TikTok", "info") == 1


def test_an_unavailable_platform_fails_the_fetch_and_releases_its_reservation(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    track(build, creator_of(sandbox, Platform.INSTAGRAM))
    sandbox.add_fault(Fault(FaultKind.UNAVAILABLE, platform="Instagram"))
    report = fetch_first(services)
    assert report.failed
    assert "unavailable" in (report.reason or "")
    assert build.rows("select reserved, videos_fetched from subscription_usage") == [(0, 0)]
    assert build.value("select last_scraped_at from tracked_accounts") is None


def test_an_error_after_the_first_page_saves_the_received_videos_as_partial(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK, CreatorKind.LARGE), daily=100)
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR, platform="TikTok", page=2))
    report = fetch_first(services)
    assert report.state is FetchState.PARTIAL
    assert 0 < report.videos_returned < 100
    assert report.charged == report.videos_returned
    assert report.reason


def test_a_retry_after_a_failure_reserves_again(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))
    run = plan(services.pool)
    sandbox.add_fault(Fault(FaultKind.UNAVAILABLE, platform="TikTok"))
    assert fetch_first(services, run).failed
    sandbox.clear_faults()
    assert fetch_first(services, run).state is FetchState.SUCCEEDED
    assert build.rows("select outcome from fetch_attempts order by id") == [("failed",), ("succeeded",)]


@pytest.mark.parametrize("fault", [FaultKind.CREDIT_GONE, FaultKind.NOT_SUBSCRIBED, FaultKind.INVALID_CREDENTIALS])
def test_a_rejected_key_suspends_the_platform_for_the_next_fetches(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices, fault: FaultKind
) -> None:
    for creator in list(sandbox.world.creators(Platform.TIKTOK, kind=CreatorKind.NORMAL))[:3]:
        track(build, creator)
    sandbox.add_fault(Fault(fault, platform="TikTok"))
    reports = [fetch_blogger(services, fetch_id) for fetch_id in fetch_ids(services.pool, plan(services.pool))]
    assert [report.state for report in reports] == [FetchState.FAILED, FetchState.SKIPPED, FetchState.SKIPPED]
    assert reports[1].reason == "platform_suspended"
    assert sandbox.request_count("TikTok") == 1
    assert plan(services.pool).instances == []


def test_youtube_without_units_is_suspended_until_midnight_pacific(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    track(build, creator_of(sandbox, Platform.YOUTUBE))
    sandbox.add_fault(Fault(FaultKind.QUOTA_EXCEEDED, platform="YouTube"))
    assert fetch_first(services).failed
    until = build.value(
        "select (suspended_until at time zone 'America/Los_Angeles')::time::text from platform_suspensions"
    )
    assert until == "00:00:00"


def test_a_long_retry_after_suspends_the_platform_until_then(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))
    sandbox.add_fault(Fault(FaultKind.RATE_LIMIT, platform="TikTok", seconds=3600))
    before = datetime.now(UTC)
    assert fetch_first(services).failed
    until = build.value("select suspended_until from platform_suspensions")
    assert until >= before + timedelta(seconds=3599)


def test_an_attempt_superseded_during_its_request_saves_nothing(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))
    run = plan(services.pool)
    (fetch_id,) = fetch_ids(services.pool, run)
    service = services.platforms[Platform.TIKTOK]
    original = service.get_user_videos_batch

    def superseded(account: Account, target_count: int) -> VideoBatch:
        batch = original(account, target_count)
        claim(services.pool, fetch_id)
        return batch

    monkeypatch.setattr(service, "get_user_videos_batch", superseded)
    report = fetch_blogger(services, fetch_id)
    assert report.state is None
    assert not report.failed
    assert build.value("select count(*) from videos") == 0
    assert build.value("select requests from fetch_attempts where outcome = 'superseded'") == {"listing": 1}


Answer = dict[str, object] | Scripted


@pytest.fixture
def scripted(services: FetchServices) -> Iterator[Callable[..., FetchServices]]:
    """Return services whose TikTok client asks a server that gives these answers in turn."""
    with ScriptedServer() as server:

        def create(*answers: Answer) -> FetchServices:
            server.play(*answers)
            config = PlatformConfig(base_url=server.url, api_key=KEY, requests_per_second=10_000)
            client = create_service(Platform.TIKTOK, config, settings=Settings(retry_base_seconds=0))
            return FetchServices(services.pool, {Platform.TIKTOK: client})

        yield create
        session_for(server.url).close()
        session_for.cache_clear()


def listing(*ids: str, then: str | None = None, **entry: object) -> dict[str, object]:
    return {"itemList": [{"id": each, **entry} for each in ids], "cursor": then or "0", "hasMore": then is not None}


def page_of_photos(number: int) -> dict[str, object]:
    return listing(f"{number}", then=f"{number}", imagePost={"images": []})


UNAVAILABLE = Scripted(status=503)
NO_PROFILE: dict[str, object] = {"statusCode": 10221}


@pytest.mark.parametrize(
    ("answers", "state", "videos"),
    [
        pytest.param([listing(), NO_PROFILE], FetchState.EMPTY, 0, id="the platform says that there is nothing"),
        pytest.param([listing("9")], FetchState.SUCCEEDED, 1, id="the platform says that there is no more"),
        pytest.param([listing(then="1"), *[listing(then="1")] * 2], FetchState.FAILED, 0, id="nothing but promises"),
        pytest.param(
            [listing("9", then="1"), *[listing(then=str(number)) for number in range(2, 9)]],
            FetchState.PARTIAL,
            1,
            id="promises after a video",
        ),
        pytest.param(
            [page_of_photos(number) for number in range(1, 9)], FetchState.PARTIAL, 0, id="photos as far as is read"
        ),
        pytest.param([page_of_photos(1), *[UNAVAILABLE] * 3], FetchState.FAILED, 0, id="an error before any video"),
        pytest.param([listing("9", then="1"), *[UNAVAILABLE] * 3], FetchState.PARTIAL, 1, id="an error after a video"),
    ],
)
def test_a_fetch_is_empty_only_with_proof_and_conclusive_only_with_something_to_show(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    scripted: Callable[..., FetchServices],
    answers: list[Answer],
    state: FetchState,
    videos: int,
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))
    report = fetch_first(scripted(*answers))
    assert (report.state, report.videos_returned) == (state, videos)
    assert (report.reason is None) is (state in {FetchState.EMPTY, FetchState.SUCCEEDED})


@pytest.mark.parametrize(
    ("names", "username"),
    [
        pytest.param(["new.name", "new.name"], "new.name", id="one name"),
        pytest.param(["new.name", "newer.name"], "Old.Name", id="two names"),
        pytest.param(["old.name", "old.name"], "Old.Name", id="the name in other capitals"),
    ],
)
def test_a_fetch_keeps_the_new_name_that_all_own_entries_have(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    scripted: Callable[..., FetchServices],
    names: list[str],
    username: str,
) -> None:
    creator = creator_of(sandbox, Platform.TIKTOK)
    blogger = track(build, creator)
    build.run("update blogger_information set username = 'Old.Name' where id = %(id)s", id=blogger)
    build.run("delete from account_state_changes")
    page = listing("1", "2", "3")
    authors = [*({"id": creator.external_id, "uniqueId": name} for name in names), {"id": "5", "uniqueId": "other"}]
    page["itemList"] = [{"id": str(number), "author": author} for number, author in enumerate(authors)]
    assert fetch_first(scripted(page)).state is FetchState.SUCCEEDED
    assert build.value("select username from blogger_information") == username
    renames = build.rows("select state, old_username, new_username from account_state_changes")
    assert renames == ([] if username == "Old.Name" else [("renamed", "Old.Name", username)])


@pytest.mark.parametrize(("length", "saved"), [(300, 2), (10_000, 1)])
def test_a_video_with_an_id_that_no_index_holds_loses_no_other_video(
    build: DatabaseBuilder, sandbox: SandboxServer, scripted: Callable[..., FetchServices], length: int, saved: int
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))
    incompressible = "".join(f"{number:04x}" for number in random.Random(1).choices(range(2**16), k=length // 4))  # noqa: S311 - no secret
    report = fetch_first(scripted(listing("9", incompressible)))
    assert (report.state, report.videos_returned) == (FetchState.SUCCEEDED, saved)


def test_any_error_of_a_platform_ends_in_a_settled_fetch(
    build: DatabaseBuilder, sandbox: SandboxServer, scripted: Callable[..., FetchServices]
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(body=ERROR_BODIES, status=st.integers(200, 599))
    @example(body={"exc_type": "a\x00"}, status=500)
    @example(body={"exc_type": "\ud800"}, status=500)
    @example(body="<p>Bad gateway</p>".encode("utf-16"), status=502)
    @example(body=b"\x00", status=403)
    def check(body: object, status: int) -> None:
        build.run("delete from platform_suspensions")
        report = fetch_first(scripted(Scripted(body, status=status)))
        assert report.state in {FetchState.FAILED, FetchState.PRIVATE, FetchState.NOT_FOUND, FetchState.EMPTY}
        assert build.value("select count(*) from fetches where state in ('planned', 'running')") == 0

    check()


def test_an_attempt_keeps_its_requests_by_purpose(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))
    build.run("update blogger_information set sec_id = null")
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR, path="posts", times=1))
    assert fetch_first(services).state is FetchState.SUCCEEDED
    assert build.value("select requests from fetch_attempts") == {"listing": 1, "profile": 1, "retry": 1}


def test_the_posts_of_an_account_of_reels_are_not_read_again_by_the_next_fetch(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    track(build, creator_of(sandbox, Platform.INSTAGRAM), daily=10)
    fetch_first(services)
    read_at = build.value("select posts_read_at from blogger_information")
    build.run("update blogger_information set newest_posts_only_at = null")
    first = sandbox.request_count("Instagram", "medias")
    fetch_first(services)
    assert sandbox.request_count("Instagram", "medias") == first > 0
    build.run("update blogger_information set newest_posts_only_at = now()")
    fetch_first(services)
    assert sandbox.request_count("Instagram", "medias") > first
    assert build.value("select posts_read_at from blogger_information") > read_at


def test_pausing_a_tracked_account_takes_effect_at_the_next_claim(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))
    run = plan(services.pool)
    build.run("update tracked_accounts set is_active = false")
    report = fetch_first(services, run)
    assert (report.state, report.reason) == (FetchState.SKIPPED, "inactive")
    assert sandbox.request_count() == 0


MOST_CHARACTERS = 120
MOST_LOG_BYTES = 450


def fetch_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of the lines that the use case logged."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == "blogger_tracking.usecases.fetch_blogger"
    ]


def test_the_log_of_a_success_is_four_short_lines(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices, caplog: pytest.LogCaptureFixture
) -> None:
    creator = creator_of(sandbox, Platform.YOUTUBE)
    track(build, creator)
    with caplog.at_level(logging.INFO):
        report = fetch_first(services)
    organization = build.value("select id from organizations")
    assert fetch_lines(caplog) == [
        ("INFO", f"@{creator.username} ({creator.external_id}): succeeded in {report.seconds:.1f} s."),
        ("INFO", "Asked YouTube for the 20 newest videos."),
        ("INFO", "Received 20 videos, 20 of them new (pages: 1, requests: 1 listing)."),
        ("INFO", f"Charged 20 of 20 granted videos to organization {organization}."),
    ]
    assert all(len(text) < MOST_CHARACTERS for _, text in fetch_lines(caplog))
    assert sum(len(text.encode()) for _, text in fetch_lines(caplog)) < MOST_LOG_BYTES


def test_the_log_of_a_failure_has_one_warning_with_the_reason_and_says_that_nothing_was_charged(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices, caplog: pytest.LogCaptureFixture
) -> None:
    track(build, creator_of(sandbox, Platform.TIKTOK))
    sandbox.add_fault(Fault(FaultKind.INVALID_CREDENTIALS, platform="TikTok"))
    with caplog.at_level(logging.INFO):
        report = fetch_first(services)
    lines = fetch_lines(caplog)
    # No ERROR record, which would be an event in Sentry for each blogger.
    assert [text for level, text in lines if level != "INFO"] == [lines[0][1]]
    assert lines[0][0] == "WARNING"
    assert lines[0][1].endswith(f"failed in {report.seconds:.1f} s; reason: {report.reason}.")
    assert lines[-1] == ("INFO", "Saved nothing, charged nothing, released the reservation.")
    assert not any("organization" in text for _, text in lines)


def test_the_log_of_a_failure_has_the_advice_for_its_kind_of_error(
    build: DatabaseBuilder,
    sandbox: SandboxServer,
    services: FetchServices,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    advice = "Put a valid key into the Connection."
    handling = replace(HANDLING[ErrorKind.INVALID_CREDENTIALS], advice=advice)
    monkeypatch.setitem(HANDLING, ErrorKind.INVALID_CREDENTIALS, handling)
    track(build, creator_of(sandbox, Platform.TIKTOK))
    sandbox.add_fault(Fault(FaultKind.INVALID_CREDENTIALS, platform="TikTok"))
    with caplog.at_level(logging.INFO):
        fetch_first(services)
    assert fetch_lines(caplog)[1] == ("INFO", advice)


def test_the_log_of_a_fetch_names_each_organization_that_pays(
    build: DatabaseBuilder, sandbox: SandboxServer, services: FetchServices, caplog: pytest.LogCaptureFixture
) -> None:
    blogger = track(build, creator_of(sandbox, Platform.TIKTOK))
    second = build.organization(daily=5)
    build.track(second, blogger)
    with caplog.at_level(logging.INFO):
        fetch_first(services)
    charged = [text for _, text in fetch_lines(caplog) if text.startswith("Charged")]
    assert len(charged) == 2
    assert f"Charged 5 of 5 granted videos to organization {second}." in charged

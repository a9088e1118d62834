"""The retry rule, the bounds of a request, and what never leaves it: keys and addresses."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformConfig, PlatformService, create_service
from blogger_tracking.platforms.pools import session_for
from blogger_tracking.platforms.redaction import LONGEST_DETAIL, redact
from blogger_tracking.platforms.retry_after import retry_moment
from blogger_tracking.rate_limit import limiter_for
from blogger_tracking.settings import Settings
from tests.support.platform_accounts import ACCOUNTS, KEY, StoppedClock
from tests.support.scripted_server import Scripted, ScriptedServer

Connect = Callable[..., PlatformService]

NOW = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)
PROFILE = {"user": {"pk": 4400001234, "username": "mira.invented"}, "status": "ok"}
TOO_FAST = {"detail": "Too Many Requests", "exc_type": "RateLimit"}


@pytest.fixture
def service(connect: Connect) -> PlatformService:
    return connect(Platform.INSTAGRAM)


def refused(service: PlatformService) -> PlatformError:
    with pytest.raises(PlatformError) as raised:
        service.get_user_info("mira.invented")
    return raised.value


@pytest.mark.parametrize("passing", [Scripted(status=500), Scripted(TOO_FAST, status=429), Scripted(b"<html>")])
def test_a_passing_error_is_asked_again_after_1_5_and_6_seconds(
    passing: Scripted, service: PlatformService, platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    platform_server.play(passing, passing, PROFILE)
    assert service.get_user_info("mira.invented").external_id == "4400001234"
    assert clock.slept == [1.5, 6.0]


def test_there_are_at_most_two_retries(service: PlatformService, platform_server: ScriptedServer) -> None:
    platform_server.play(Scripted(status=500), Scripted(status=500), Scripted(status=503), PROFILE)
    assert refused(service).status == 503
    assert len(platform_server.asked) == 3


@pytest.mark.parametrize("status", [401, 402, 403, 422])
def test_what_no_retry_can_change_is_asked_once(
    status: int, service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted({"detail": "no"}, status=status), PROFILE)
    refused(service)
    assert len(platform_server.asked) == 1


@pytest.mark.parametrize(
    ("header", "slept"),
    [
        ("30", 30),
        ("60", 60),
        ("1", 1.5),
        (format_datetime(NOW + timedelta(seconds=42), usegmt=True), 42),
        ("soon", 1.5),
    ],
)
def test_case_6_a_retry_after_of_up_to_a_minute_is_waited_out(
    header: str, slept: float, service: PlatformService, platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    platform_server.play(Scripted(TOO_FAST, status=429, headers={"Retry-After": header}), PROFILE)
    service.get_user_info("mira.invented")
    assert clock.slept == [slept]


@pytest.mark.parametrize("status", [429, 503])
def test_case_6_a_longer_retry_after_ends_at_once_and_says_until_when(
    status: int, service: PlatformService, platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    platform_server.play(Scripted(TOO_FAST, status=status, headers={"Retry-After": "61"}), PROFILE)
    error = refused(service)
    assert error.retry_at == NOW + timedelta(seconds=61)
    assert error.handling.retry_fetch
    assert (len(platform_server.asked), clock.slept) == (1, [])


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "0", format_datetime(NOW - timedelta(days=1), usegmt=True)])
def test_a_retry_after_without_a_moment_to_come_names_none(header: str | None) -> None:
    assert retry_moment(header, NOW) is None


@given(st.text() | st.integers(0).map(str))
def test_no_retry_after_header_can_fail_or_reach_beyond_a_year(header: str) -> None:
    moment = retry_moment(header, NOW)
    assert moment is None or NOW < moment <= NOW + timedelta(days=366)


@pytest.fixture
def unreachable(clock: StoppedClock) -> Iterator[PlatformService]:
    """A service whose platform does not listen."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        config = PlatformConfig(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}", api_key=KEY)
        yield create_service(Platform.INSTAGRAM, config, clock=clock.clock)


def test_a_refused_connection_is_a_passing_error(unreachable: PlatformService, clock: StoppedClock) -> None:
    assert refused(unreachable).kind is ErrorKind.UNAVAILABLE
    assert clock.slept == [1.5, 6.0]


def test_an_answer_that_does_not_come_is_not_awaited_for_ever(
    connect: Connect, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(hang=True))
    service = connect(Platform.INSTAGRAM, request_timeout_seconds=0.05, request_retries=0)
    assert refused(service).kind is ErrorKind.UNAVAILABLE


def test_the_timeout_holds_for_the_whole_answer_not_for_each_byte(
    connect: Connect, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(PROFILE, drip=True))
    service = connect(Platform.INSTAGRAM, request_timeout_seconds=0.2, request_retries=0)
    assert refused(service).kind is ErrorKind.UNAVAILABLE


@pytest.mark.parametrize("compressed", [False, True])
def test_an_answer_longer_than_the_bound_is_not_read_to_its_end(
    connect: Connect, platform_server: ScriptedServer, *, compressed: bool
) -> None:
    platform_server.play(Scripted({**PROFILE, "padding": "x" * 200_000}, compressed=compressed))
    connect(Platform.INSTAGRAM, response_bytes_limit=300_000).get_user_info("mira.invented")
    service = connect(Platform.INSTAGRAM, response_bytes_limit=100_000)
    assert refused(service).kind is ErrorKind.MALFORMED_RESPONSE


def test_case_5_a_body_that_ends_before_its_announced_length_is_asked_for_again(
    service: PlatformService, platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    platform_server.play(Scripted(b'{"user": ', announced=5_000), PROFILE)
    service.get_user_info("mira.invented")
    assert clock.slept == [1.5]


def test_case_5_a_body_that_cannot_be_unpacked_is_unreadable(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(b"no gzip", headers={"Content-Encoding": "gzip"}))
    assert refused(service).kind is ErrorKind.MALFORMED_RESPONSE


def test_a_redirect_is_not_followed(service: PlatformService, platform_server: ScriptedServer) -> None:
    with ScriptedServer() as foreign:
        foreign.play(PROFILE)
        platform_server.play(Scripted(status=302, headers={"Location": f"{foreign.url}/?token=secret"}))
        error = refused(service)
        assert foreign.asked == []
    assert "redirected to" in error.detail
    assert "secret" not in error.detail


@pytest.mark.parametrize(
    ("platform", "headers"),
    [
        (Platform.TIKTOK, {"x-rapidapi-key": KEY, "x-rapidapi-host": "gateway.invalid"}),
        (Platform.INSTAGRAM, {"x-access-key": KEY}),
        (Platform.YOUTUBE, {"X-Goog-Api-Key": KEY}),
    ],
)
def test_the_key_travels_in_a_header_and_nowhere_else(
    platform: Platform, headers: dict[str, str], platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(status=418))
    config = PlatformConfig(base_url=platform_server.url, api_key=KEY, gateway_host="gateway.invalid")
    refused(create_service(platform, config))
    asked = platform_server.asked[0]
    assert headers.items() <= asked.headers.items()
    assert KEY not in asked.path + str(asked.query)


def test_the_gateways_host_header_is_by_default_the_host_that_is_asked(
    connect: Connect, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(status=418))
    refused(connect(Platform.TIKTOK))
    assert platform_server.asked[0].headers["x-rapidapi-host"] == platform_server.url.removeprefix("http://")


@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_platform_that_repeats_the_key_does_not_make_us_repeat_it(
    platform: Platform,
    status: int,
    connect: Connect,
    platform_server: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    words = f"Wrong key {KEY} in https://gateway.invalid/path?key={KEY}&x=1"
    google = {"error": {"message": words, "errors": [{"reason": words}]}}
    platform_server.play(Scripted(google | {"detail": words, "statusCode": words}, status=status))
    service = connect(platform)
    with caplog.at_level(logging.DEBUG):
        error = refused(service)
    told = "".join(traceback.format_exception(error)) + caplog.text + repr(error) + repr(service) + repr(vars(service))
    assert KEY not in told
    assert "x=1" not in error.detail


def test_a_failed_connection_does_not_tell_the_address_it_was_asked_at(
    unreachable: PlatformService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="blogger_tracking"):
        told = "".join(traceback.format_exception(refused(unreachable))) + caplog.text
    assert "username=" not in told
    assert "127.0.0.1" not in told


def test_the_log_says_what_was_asked_and_what_came(
    service: PlatformService, platform_server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    platform_server.play(Scripted(status=500), PROFILE)
    with caplog.at_level(logging.DEBUG, logger="blogger_tracking"):
        service.get_user_info("mira.invented")
    first, retry, second = caplog.messages
    assert first.startswith("Instagram v2/user/by/username: HTTP 500, 0 bytes")
    assert retry == "Instagram: unavailable (v2/user/by/username: HTTP 500) Asking again in 1.5 s."
    assert second.startswith("Instagram v2/user/by/username: HTTP 200, ")


@given(st.text(max_size=600))
def test_a_repeated_message_is_short_and_on_one_line(text: str) -> None:
    kept = redact(f"{text}{KEY}", KEY)
    assert len(kept) <= LONGEST_DETAIL
    assert "\n" not in kept
    assert KEY not in kept


def test_a_key_is_found_also_when_it_was_quoted() -> None:
    assert "a%2Fb%2Bc" not in redact("bad key a%2Fb%2Bc", "a/b+c")


def test_no_cookie_travels_from_one_request_to_the_next(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(PROFILE, headers={"Set-Cookie": "session=1; Path=/"}))
    service.get_user_info("mira.invented")
    service.get_user_info("mira.invented")
    assert "Cookie" not in platform_server.asked[1].headers


def test_the_environments_proxies_and_passwords_are_read_once_for_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    session = session_for("https://proxied.invalid")
    assert session.proxies["https"] == "http://proxy.invalid:3128"
    assert not session.trust_env
    session_for.cache_clear()


def test_services_of_one_process_share_connections_and_pace() -> None:
    assert session_for("https://a.invalid") is session_for("https://a.invalid")
    assert session_for("https://a.invalid") is not session_for("https://b.invalid")
    assert limiter_for(Platform.TIKTOK, 5) is limiter_for(Platform.TIKTOK, 5)
    assert limiter_for(Platform.TIKTOK, 5) is not limiter_for(Platform.YOUTUBE, 5)
    session_for.cache_clear()


def test_a_forked_process_speaks_over_connections_and_limiters_of_its_own() -> None:
    script = """
import os
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms.pools import session_for
from blogger_tracking.rate_limit import limiter_for
session_for("https://a.invalid"), limiter_for(Platform.TIKTOK, 5)
child = os.fork()
if child == 0:
    os._exit(session_for.cache_info().currsize + limiter_for.cache_info().currsize)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0


@pytest.mark.parametrize(
    ("requests_per_second", "rate"), [(100, (100, 1000)), (11, (11, 1000)), (0.5, (1, 2000)), (2.5, (2, 800))]
)
def test_case_6_the_limiter_lets_no_more_through_than_the_pace(
    requests_per_second: float, rate: tuple[int, int]
) -> None:
    limits = limiter_for(Platform.INSTAGRAM, requests_per_second).buckets()[0].rates
    assert [(limit.limit, limit.interval) for limit in limits] == [rate]


def test_case_6_every_request_passes_the_limiter_also_a_retry(
    platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    rate_limiter = 9_973.0
    platform_server.play(Scripted(status=500), PROFILE)
    config = PlatformConfig(base_url=platform_server.url, api_key=KEY, requests_per_second=rate_limiter)
    create_service(Platform.INSTAGRAM, config, clock=clock.clock).get_user_info("mira.invented")
    assert limiter_for(Platform.INSTAGRAM, rate_limiter).buckets()[0].count() == 2


def test_one_service_serves_many_threads_at_once(connect: Connect, platform_server: ScriptedServer) -> None:
    """A fault of one thread's request is that thread's alone."""
    platform_server.play(Scripted(status=500), Scripted(b"{"), PROFILE)
    service = connect(Platform.INSTAGRAM, retry_base_seconds=0, fetch_threads=8)
    with ThreadPoolExecutor(8) as threads:
        profiles = list(threads.map(lambda _: service.get_user_info("mira.invented"), range(40)))
    assert {profile.username for profile in profiles} == {"mira.invented"}
    assert len(platform_server.asked) == 42


def test_a_pace_that_the_connection_does_not_name_is_the_settings(platform_server: ScriptedServer) -> None:
    platform_server.play({"data": {"itemList": [], "hasMore": False}})
    settings = Settings.model_validate({"tiktok_requests_per_second": 4_999})
    config = PlatformConfig(base_url=platform_server.url, api_key=KEY)
    create_service(Platform.TIKTOK, config, settings=settings).get_user_videos_batch(ACCOUNTS[Platform.TIKTOK], 1)
    assert limiter_for(Platform.TIKTOK, 4_999).buckets()[0].count() == 1

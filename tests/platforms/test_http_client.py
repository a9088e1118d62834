"""HTTP client: retries, limits of a request, redaction of keys and addresses, shared sessions, rate limit."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformConfig, PlatformService, create_service
from blogger_tracking.platforms.http_client import MAX_DETAIL_LENGTH, parse_retry_after, session_for
from blogger_tracking.rate_limit import process_limiter
from blogger_tracking.settings import Settings
from tests.support.loopback_tls import TlsServer
from tests.support.platform_accounts import ACCOUNTS, KEY, StoppedClock
from tests.support.scripted_server import Scripted, ScriptedServer

Connect = Callable[..., PlatformService]

NOW = datetime(2026, 3, 10, 20, 0, tzinfo=UTC)
PROFILE = {"user": {"pk": 4400001234, "username": "mira.invented"}, "status": "ok"}
RATE_LIMITED = {"detail": "Too Many Requests", "exc_type": "RateLimit"}


@pytest.fixture
def service(connect: Connect) -> PlatformService:
    return connect(Platform.INSTAGRAM)


def error_of(service: PlatformService) -> PlatformError:
    with pytest.raises(PlatformError) as raised:
        service.get_user_info("mira.invented")
    return raised.value


@pytest.mark.parametrize("passing", [Scripted(status=500), Scripted(RATE_LIMITED, status=429), Scripted(b"<html>")])
def test_a_temporary_error_is_retried_after_1_5_and_6_seconds(
    passing: Scripted, service: PlatformService, platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    platform_server.play(passing, passing, PROFILE)
    assert service.get_user_info("mira.invented").external_id == "4400001234"
    assert clock.slept == [1.5, 6.0]


def test_there_are_at_most_two_retries(service: PlatformService, platform_server: ScriptedServer) -> None:
    platform_server.play(Scripted(status=500), Scripted(status=500), Scripted(status=503), PROFILE)
    assert error_of(service).status == 503
    assert len(platform_server.asked) == 3


@pytest.mark.parametrize("status", [401, 402, 403, 422])
def test_a_permanent_error_is_not_retried(
    status: int, service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted({"detail": "no"}, status=status), PROFILE)
    error_of(service)
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
def test_a_retry_after_of_up_to_a_minute_replaces_a_shorter_backoff(
    header: str, slept: float, service: PlatformService, platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    platform_server.play(Scripted(RATE_LIMITED, status=429, headers={"Retry-After": header}), PROFILE)
    service.get_user_info("mira.invented")
    assert clock.slept == [slept]


@pytest.mark.parametrize("status", [429, 503])
def test_a_longer_retry_after_fails_at_once_with_the_time_to_retry_at(
    status: int, service: PlatformService, platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    platform_server.play(Scripted(RATE_LIMITED, status=status, headers={"Retry-After": "61"}), PROFILE)
    error = error_of(service)
    assert error.retry_at == NOW + timedelta(seconds=61)
    assert error.handling.retry_fetch
    assert (len(platform_server.asked), clock.slept) == (1, [])


@pytest.mark.parametrize("header", [None, "", "soon", "-5", "0", format_datetime(NOW - timedelta(days=1), usegmt=True)])
def test_a_retry_after_that_is_not_a_future_time_is_ignored(header: str | None) -> None:
    assert parse_retry_after(header, NOW) is None


@given(st.text() | st.integers(0).map(str))
def test_every_retry_after_header_is_parsed_and_at_most_a_year_ahead(header: str) -> None:
    moment = parse_retry_after(header, NOW)
    assert moment is None or NOW < moment <= NOW + timedelta(days=366)


@pytest.fixture
def unreachable(clock: StoppedClock) -> Iterator[PlatformService]:
    """A service whose platform refuses connections."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        config = PlatformConfig(base_url=f"http://127.0.0.1:{unused.getsockname()[1]}", api_key=KEY)
        yield create_service(Platform.INSTAGRAM, config, clock=clock.clock)


def test_a_refused_connection_is_retried(unreachable: PlatformService, clock: StoppedClock) -> None:
    assert error_of(unreachable).kind is ErrorKind.UNAVAILABLE
    assert clock.slept == [1.5, 6.0]


def test_a_missing_response_times_out(connect: Connect, platform_server: ScriptedServer) -> None:
    platform_server.play(Scripted(hang=True))
    service = connect(Platform.INSTAGRAM, request_timeout_seconds=0.05, request_retries=0)
    assert error_of(service).kind is ErrorKind.UNAVAILABLE


@pytest.mark.parametrize(
    "dripping",
    [Scripted(PROFILE, drip=True), Scripted(drip_headers=True), Scripted(endless_continues=True)],
    ids=["body", "header", "100 Continue"],
)
def test_the_timeout_bounds_the_whole_response_not_each_byte(
    connect: Connect, platform_server: ScriptedServer, dripping: Scripted
) -> None:
    platform_server.play(dripping)
    service = connect(Platform.INSTAGRAM, request_timeout_seconds=0.2, request_retries=0)
    assert error_of(service).kind is ErrorKind.UNAVAILABLE


def test_the_timeout_bounds_the_whole_response_of_a_proxy(
    platform_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", platform_server.url)
    platform_server.play(Scripted(drip_headers=True))
    config = PlatformConfig(base_url="http://gateway.invalid", api_key=KEY)
    settings = Settings(request_timeout_seconds=0.2, request_retries=0)
    assert error_of(create_service(Platform.INSTAGRAM, config, settings=settings)).kind is ErrorKind.UNAVAILABLE
    assert len(platform_server.asked) == 1


def test_a_response_is_read_over_tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with TlsServer("localhost", json.dumps(PROFILE).encode()) as server:
        bundle = tmp_path / "certificate.pem"
        bundle.write_bytes(server.certificate)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        config = PlatformConfig(base_url=f"https://localhost:{server.port}", api_key=KEY)
        service = create_service(Platform.INSTAGRAM, config, settings=Settings(request_retries=0))
        assert service.get_user_info("mira.invented").external_id == "4400001234"


@pytest.mark.parametrize("compressed", [False, True])
def test_a_response_larger_than_the_limit_is_malformed(
    connect: Connect, platform_server: ScriptedServer, *, compressed: bool
) -> None:
    platform_server.play(Scripted({**PROFILE, "padding": "x" * 200_000}, compressed=compressed))
    connect(Platform.INSTAGRAM, response_bytes_limit=300_000).get_user_info("mira.invented")
    service = connect(Platform.INSTAGRAM, response_bytes_limit=100_000)
    assert error_of(service).kind is ErrorKind.MALFORMED_RESPONSE


def test_a_body_shorter_than_its_content_length_is_retried(
    service: PlatformService, platform_server: ScriptedServer, clock: StoppedClock
) -> None:
    platform_server.play(Scripted(b'{"user": ', announced=5_000), PROFILE)
    service.get_user_info("mira.invented")
    assert clock.slept == [1.5]


def test_a_body_that_cannot_be_decompressed_is_malformed(
    service: PlatformService, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(b"no gzip", headers={"Content-Encoding": "gzip"}))
    assert error_of(service).kind is ErrorKind.MALFORMED_RESPONSE


def test_a_redirect_is_not_followed(service: PlatformService, platform_server: ScriptedServer) -> None:
    with ScriptedServer() as foreign:
        foreign.play(PROFILE)
        platform_server.play(Scripted(status=302, headers={"Location": f"{foreign.url}/?token=secret"}))
        error = error_of(service)
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
def test_the_key_is_sent_in_a_header_and_nowhere_else(
    platform: Platform, headers: dict[str, str], platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(status=418))
    config = PlatformConfig(base_url=platform_server.url, api_key=KEY, gateway_host="gateway.invalid")
    error_of(create_service(platform, config))
    asked = platform_server.asked[0]
    assert headers.items() <= asked.headers.items()
    assert KEY not in asked.path + str(asked.query)


def test_the_gateways_host_header_defaults_to_the_host_of_the_base_url(
    connect: Connect, platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(status=418))
    error_of(connect(Platform.TIKTOK))
    assert platform_server.asked[0].headers["x-rapidapi-host"] == platform_server.url.removeprefix("http://")


@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_key_repeated_by_the_platform_is_redacted_from_errors_and_logs(
    platform: Platform,
    status: int,
    connect: Connect,
    platform_server: ScriptedServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    encoded = b64encode(f"user:{KEY}".encode()).decode()
    words = f"Wrong key {KEY}, {KEY.upper()}, {KEY[:12]}… or {encoded} in https://gateway.invalid/path?key={KEY}&x=1"
    google = {"error": {"message": words, "errors": [{"reason": words}]}}
    platform_server.play(Scripted(google | {"detail": words, "statusCode": words}, status=status))
    service = connect(platform)
    with caplog.at_level(logging.DEBUG):
        error = error_of(service)
    shown = "".join(traceback.format_exception(error)) + caplog.text + repr(error) + repr(service) + repr(vars(service))
    assert KEY[:8].lower() not in shown.lower()
    assert encoded[10:20] not in shown
    assert "x=1" not in error.detail


def test_the_error_of_a_failed_connection_has_no_address(
    unreachable: PlatformService, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="blogger_tracking"):
        shown = "".join(traceback.format_exception(error_of(unreachable))) + caplog.text
    assert "username=" not in shown
    assert "127.0.0.1" not in shown


def test_each_request_and_each_retry_is_logged(
    service: PlatformService, platform_server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    platform_server.play(Scripted(status=500), PROFILE)
    with caplog.at_level(logging.DEBUG, logger="blogger_tracking"):
        service.get_user_info("mira.invented")
    first, retry, second = caplog.messages
    assert first.startswith("Instagram v2/user/by/username: HTTP 500, 0 bytes")
    assert retry == "Instagram: unavailable (v2/user/by/username: HTTP 500). Retrying in 1.5 s."
    assert second.startswith("Instagram v2/user/by/username: HTTP 200, ")


@pytest.mark.parametrize("text", ["x" * 600, "line\n" * 20, f"{'x' * 190} {KEY}", "\x00".join(KEY)])
def test_the_detail_of_an_error_is_short_and_on_one_line(
    connect: Connect, platform_server: ScriptedServer, text: str
) -> None:
    platform_server.play(Scripted({"detail": text}, status=418))
    detail = error_of(connect(Platform.INSTAGRAM)).detail
    assert len(detail) <= MAX_DETAIL_LENGTH
    assert "\n" not in detail
    assert KEY[:8] not in detail


def test_cookies_are_not_kept_between_requests(service: PlatformService, platform_server: ScriptedServer) -> None:
    platform_server.play(Scripted(PROFILE, headers={"Set-Cookie": "session=1; Path=/"}))
    service.get_user_info("mira.invented")
    service.get_user_info("mira.invented")
    assert "Cookie" not in platform_server.asked[1].headers


def test_the_environments_proxies_are_read_once_for_an_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    session = session_for("https://proxied.invalid")
    assert session.proxies["https"] == "http://proxy.invalid:3128"
    assert not session.trust_env
    session_for.cache_clear()


def test_services_of_one_process_share_connections_and_rate_limiter() -> None:
    assert session_for("https://a.invalid") is session_for("https://a.invalid")
    assert session_for("https://a.invalid") is not session_for("https://b.invalid")
    assert process_limiter(Platform.TIKTOK, 5) is process_limiter(Platform.TIKTOK, 5)
    assert process_limiter(Platform.TIKTOK, 5) is not process_limiter(Platform.YOUTUBE, 5)
    session_for.cache_clear()


def test_a_forked_process_has_its_own_connections_and_limiters() -> None:
    script = """
import os
from blogger_tracking.domain.models import Platform
from blogger_tracking.platforms.http_client import session_for
from blogger_tracking.rate_limit import process_limiter
session_for("https://a.invalid"), process_limiter(Platform.TIKTOK, 5)
child = os.fork()
if child == 0:
    os._exit(session_for.cache_info().currsize + process_limiter.cache_info().currsize)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode == 0


@pytest.mark.parametrize(
    ("requests_per_second", "rate"), [(100, (100, 1000)), (11, (11, 1000)), (0.5, (1, 2000)), (2.5, (2, 800))]
)
def test_the_process_limiter_allows_the_configured_rate(requests_per_second: float, rate: tuple[int, int]) -> None:
    rates = process_limiter(Platform.INSTAGRAM, requests_per_second).buckets()[0].rates
    assert [(allowed.limit, allowed.interval) for allowed in rates] == [rate]


def test_every_request_and_every_retry_acquires_a_slot(platform_server: ScriptedServer, clock: StoppedClock) -> None:
    requests_per_second = 9_973.0
    platform_server.play(Scripted(status=500), PROFILE)
    config = PlatformConfig(base_url=platform_server.url, api_key=KEY, requests_per_second=requests_per_second)
    create_service(Platform.INSTAGRAM, config, clock=clock.clock).get_user_info("mira.invented")
    assert process_limiter(Platform.INSTAGRAM, requests_per_second).buckets()[0].count() == 2


def test_one_service_serves_many_threads_at_once(connect: Connect, platform_server: ScriptedServer) -> None:
    """Errors are retried in the thread that got them."""
    platform_server.play(Scripted(status=500), Scripted(b"{"), PROFILE)
    service = connect(Platform.INSTAGRAM, retry_base_seconds=0, fetch_threads=8)
    with ThreadPoolExecutor(8) as threads:
        profiles = list(threads.map(lambda _: service.get_user_info("mira.invented"), range(40)))
    assert {profile.username for profile in profiles} == {"mira.invented"}
    assert len(platform_server.asked) == 42


def test_a_connection_without_a_rate_uses_the_setting(platform_server: ScriptedServer) -> None:
    platform_server.play({"data": {"itemList": [{"id": "7301234567890123009"}], "hasMore": False}})
    settings = Settings.model_validate({"tiktok_requests_per_second": 4_999})
    config = PlatformConfig(base_url=platform_server.url, api_key=KEY)
    create_service(Platform.TIKTOK, config, settings=settings).get_user_videos_batch(ACCOUNTS[Platform.TIKTOK], 1)
    assert process_limiter(Platform.TIKTOK, 4_999).buckets()[0].count() == 1

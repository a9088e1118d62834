"""Error rules: each documented error response of each platform, over a real socket (docs/platforms.md)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformService
from blogger_tracking.platforms.error_rules import ResponseSummary, classify
from blogger_tracking.platforms.json_values import Json
from tests.support.platform_accounts import ACCOUNTS, StoppedClock
from tests.support.scripted_server import Scripted, ScriptedServer

YOUTUBE, TIKTOK, INSTAGRAM = Platform.YOUTUBE, Platform.TIKTOK, Platform.INSTAGRAM
MIDNIGHT_PACIFIC = datetime(2026, 3, 11, 7, tzinfo=UTC)


def google(reason: str, message: str = "", status: str | None = None, detail: str | None = None) -> dict[str, Json]:
    error: dict[str, Json] = {
        "message": message,
        "errors": [{"domain": "global", "reason": reason, "message": message}],
    }
    if status:
        error["status"] = status
    if detail:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": detail}]
    return {"error": error}


def hiker(detail: str, exc_type: str = "HTTPError") -> dict[str, str]:
    return {"detail": detail, "exc_type": exc_type}


MONTHLY = "You have exceeded the MONTHLY quota for Requests on your current plan, BASIC."
PER_SECOND = "You have exceeded the rate limit per second for your plan, BASIC, by the API provider"


class Row(NamedTuple):
    """A response and its kind of error."""

    name: str
    platform: Platform
    status: int
    body: Json
    kind: ErrorKind


ROWS: list[tuple[str, Platform, int, Json, ErrorKind]] = [
    ("daily units used up", YOUTUBE, 403, google("quotaExceeded"), ErrorKind.QUOTA_EXCEEDED),
    ("daily limit", YOUTUBE, 403, google("dailyLimitExceeded"), ErrorKind.QUOTA_EXCEEDED),
    (
        "daily limit reported as a rate",
        YOUTUBE,
        429,
        google("rateLimitExceeded", "Quota exceeded for quota metric 'Queries' and limit 'Queries per day'"),
        ErrorKind.QUOTA_EXCEEDED,
    ),
    ("too fast", YOUTUBE, 403, google("rateLimitExceeded"), ErrorKind.RATE_LIMITED),
    ("too fast for the user", YOUTUBE, 403, google("userRateLimitExceeded"), ErrorKind.RATE_LIMITED),
    (
        "too fast, in details",
        YOUTUBE,
        429,
        google("", status="RESOURCE_EXHAUSTED", detail="RATE_LIMIT_EXCEEDED"),
        ErrorKind.RATE_LIMITED,
    ),
    ("key invalid", YOUTUBE, 400, google("keyInvalid", "Bad Request"), ErrorKind.INVALID_CREDENTIALS),
    (
        "key invalid in the message",
        YOUTUBE,
        400,
        google("badRequest", "API key not valid. Please pass a valid API key."),
        ErrorKind.INVALID_CREDENTIALS,
    ),
    (
        "key invalid in details",
        YOUTUBE,
        400,
        google("badRequest", detail="API_KEY_INVALID"),
        ErrorKind.INVALID_CREDENTIALS,
    ),
    ("API not enabled", YOUTUBE, 403, google("accessNotConfigured"), ErrorKind.INVALID_CREDENTIALS),
    ("address not allowed", YOUTUBE, 403, google("ipRefererBlocked"), ErrorKind.INVALID_CREDENTIALS),
    ("channel not found", YOUTUBE, 404, google("channelNotFound"), ErrorKind.NOT_FOUND),
    ("backend", YOUTUBE, 503, google("backendError"), ErrorKind.UNAVAILABLE),
    (
        "permission denied",
        YOUTUBE,
        403,
        google("SERVICE_UNAVAILABLE", status="PERMISSION_DENIED"),
        ErrorKind.INVALID_CREDENTIALS,
    ),
    (
        "project suspended",
        YOUTUBE,
        403,
        google("forbidden", "Consumer 'api_key:x' has been suspended.", "PERMISSION_DENIED", "CONSUMER_SUSPENDED"),
        ErrorKind.INVALID_CREDENTIALS,
    ),
    (
        "referer blocked, in words alone",
        YOUTUBE,
        403,
        {"error": {"code": 403, "message": "Requests from referer <empty> are blocked."}},
        ErrorKind.INVALID_CREDENTIALS,
    ),
    (
        "unregistered callers",
        YOUTUBE,
        403,
        google("forbidden", "Method doesn't allow unregistered callers (callers without established identity)."),
        ErrorKind.INVALID_CREDENTIALS,
    ),
    ("unregistered callers by reason", YOUTUBE, 403, google("dailyLimitExceededUnreg"), ErrorKind.INVALID_CREDENTIALS),
    (
        "a reason that is not the first",
        YOUTUBE,
        403,
        {"error": {"errors": [{"reason": "forbidden"}, {"reason": "quotaExceeded"}]}},
        ErrorKind.QUOTA_EXCEEDED,
    ),
    ("an unknown reason", YOUTUBE, 403, google("somethingNew"), ErrorKind.REFUSED),
    ("a channel that is closed", YOUTUBE, 403, google("channelClosed"), ErrorKind.NOT_FOUND),
    ("a list that is not accessible", YOUTUBE, 403, google("playlistItemsNotAccessible"), ErrorKind.BAD_REQUEST),
    ("a bad parameter", YOUTUBE, 400, google("invalidChannelId"), ErrorKind.BAD_REQUEST),
    (
        "automated queries",
        YOUTUBE,
        403,
        b"<html><title>Sorry...</title>Your computer may be sending automated queries.</html>",
        ErrorKind.BLOCKED,
    ),
    ("automated queries as a redirect", YOUTUBE, 303, b"<html>moved</html>", ErrorKind.BLOCKED),
    ("no such user or banned", TIKTOK, 200, {"statusCode": 10221}, ErrorKind.NOT_FOUND),
    ("not found", TIKTOK, 200, {"statusCode": 10202}, ErrorKind.NOT_FOUND),
    ("gone or blocked", TIKTOK, 200, {"statusCode": 10204}, ErrorKind.NOT_FOUND),
    ("private", TIKTOK, 200, {"statusCode": 10222}, ErrorKind.PRIVATE),
    ("private post", TIKTOK, 200, {"statusCode": 10216}, ErrorKind.PRIVATE),
    ("region", TIKTOK, 200, {"statusCode": 10231}, ErrorKind.BLOCKED),
    ("blocked", TIKTOK, 200, {"statusCode": -1, "userInfo": {}}, ErrorKind.BLOCKED),
    ("an unknown code", TIKTOK, 200, {"statusCode": 10101}, ErrorKind.BLOCKED),
    ("code as text, inside data", TIKTOK, 200, {"status_code": 0, "data": {"statusCode": "10222"}}, ErrorKind.PRIVATE),
    ("monthly credit used up", TIKTOK, 429, {"message": MONTHLY}, ErrorKind.QUOTA_EXCEEDED),
    ("too fast for the plan", TIKTOK, 429, {"message": PER_SECOND}, ErrorKind.RATE_LIMITED),
    ("not subscribed", TIKTOK, 403, {"message": "You are not subscribed to this API."}, ErrorKind.INVALID_CREDENTIALS),
    ("key refused", TIKTOK, 401, {"message": "Invalid API key."}, ErrorKind.INVALID_CREDENTIALS),
    ("unknown endpoint", TIKTOK, 404, {"message": "Endpoint '/x' does not exist"}, ErrorKind.REFUSED),
    (
        "restricted user",
        TIKTOK,
        403,
        {"message": "Restricted user (2). Please contact your API provider."},
        ErrorKind.INVALID_CREDENTIALS,
    ),
    ("monthly credit behind another status", TIKTOK, 403, {"message": MONTHLY}, ErrorKind.QUOTA_EXCEEDED),
    ("key refused", INSTAGRAM, 401, hiker("Access key is not valid"), ErrorKind.INVALID_CREDENTIALS),
    ("credit used up", INSTAGRAM, 402, hiker("Top up your account"), ErrorKind.QUOTA_EXCEEDED),
    ("private", INSTAGRAM, 403, hiker("This account is private", "PrivateAccount"), ErrorKind.PRIVATE),
    ("private by exc_type alone", INSTAGRAM, 403, hiker("Forbidden", "PrivateAccount"), ErrorKind.PRIVATE),
    ("login wall", INSTAGRAM, 403, hiker("Login required", "LoginRequired"), ErrorKind.BLOCKED),
    ("login wall as a redirect", INSTAGRAM, 302, b"", ErrorKind.BLOCKED),
    ("user not found", INSTAGRAM, 404, hiker("User not found", "UserNotFound"), ErrorKind.NOT_FOUND),
    ("unknown endpoint", INSTAGRAM, 404, hiker("Not Found"), ErrorKind.REFUSED),
    (
        "Instagram's own words for a rate",
        INSTAGRAM,
        401,
        {"message": "Please wait a few minutes before you try again.", "require_login": True, "status": "fail"},
        ErrorKind.RATE_LIMITED,
    ),
    (
        "Instagram's own words for a block",
        INSTAGRAM,
        400,
        {"message": "challenge_required", "status": "fail"},
        ErrorKind.BLOCKED,
    ),
    ("login required behind a 401", INSTAGRAM, 401, {"message": "login_required"}, ErrorKind.BLOCKED),
    ("bad params", INSTAGRAM, 422, {"detail": [{"loc": ["query"], "msg": "field required"}]}, ErrorKind.BAD_REQUEST),
    ("too fast", INSTAGRAM, 429, hiker("Too Many Requests"), ErrorKind.RATE_LIMITED),
    ("server error", INSTAGRAM, 500, hiker("Internal error"), ErrorKind.UNAVAILABLE),
    *[
        row
        for platform in Platform
        for row in (
            ("server error with an HTML page", platform, 502, b"<html>Bad gateway</html>", ErrorKind.UNAVAILABLE),
            ("request timeout", platform, 408, b"", ErrorKind.UNAVAILABLE),
            ("unknown client error", platform, 418, {"hint": "teapot"}, ErrorKind.REFUSED),
            ("redirect", platform, 301, b"", ErrorKind.REFUSED),
            ("a page behind a refusal", platform, 403, b"<!doctype html><p>Access denied</p>", ErrorKind.BLOCKED),
            ("a page behind a 401", platform, 401, b" <html>Sign in</html>", ErrorKind.BLOCKED),
            ("plain words for a rate", platform, 400, b"Too many requests, slow down", ErrorKind.RATE_LIMITED),
            ("empty body", platform, 200, b"", ErrorKind.MALFORMED_RESPONSE),
            ("blank body", platform, 200, b" \n", ErrorKind.MALFORMED_RESPONSE),
            ("HTML body", platform, 200, b"<!doctype html><title>Verify</title>", ErrorKind.MALFORMED_RESPONSE),
            ("truncated body", platform, 200, b'{"items": [{"id": "1"', ErrorKind.MALFORMED_RESPONSE),
            ("empty object", platform, 200, {}, ErrorKind.MALFORMED_RESPONSE),
            ("not an object", platform, 200, "ok", ErrorKind.MALFORMED_RESPONSE),
            ("nested too deeply to decode", platform, 200, b"[" * 100_000, ErrorKind.MALFORMED_RESPONSE),
        )
    ],
]

RETRIED = {ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE, ErrorKind.MALFORMED_RESPONSE}

Request = Callable[[PlatformService], object]


def request_profile(service: PlatformService) -> object:
    return service.get_user_info("mira")


def request_videos(service: PlatformService) -> object:
    return service.get_user_videos_batch(ACCOUNTS[service.platform], 10)


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("request_data", [request_profile, request_videos])
@pytest.mark.parametrize("row", [pytest.param(Row(*row), id=f"{row[1]}: {row[0]}") for row in ROWS])
def test_each_error_response_has_its_kind(
    row: Row,
    request_data: Request,
    connect: Callable[[Platform], PlatformService],
    platform_server: ScriptedServer,
    clock: StoppedClock,
) -> None:
    redirects = {
        301: {"Location": "https://elsewhere.invalid/"},
        302: {"Location": "https://www.invalid/accounts/login/"},
        303: {"Location": "https://www.invalid/sorry/index?continue=x"},
    }
    platform_server.play(Scripted(row.body, status=row.status, headers=redirects.get(row.status, {})))
    with pytest.raises(PlatformError) as raised:
        request_data(connect(row.platform))
    assert raised.value.kind is row.kind
    assert raised.value.platform is row.platform
    assert clock.slept == ([1.5, 6.0] if row.kind in RETRIED else [])


def test_youtubes_quota_resets_at_midnight_pacific(
    connect: Callable[[Platform], PlatformService], platform_server: ScriptedServer
) -> None:
    platform_server.play(Scripted(google("quotaExceeded"), status=403))
    with pytest.raises(PlatformError) as raised:
        request_videos(connect(YOUTUBE))
    assert raised.value.retry_at == MIDNIGHT_PACIFIC
    assert raised.value.handling.suspends


@pytest.mark.parametrize(
    ("platform", "status", "body"), [(TIKTOK, 429, {"message": MONTHLY}), (INSTAGRAM, 402, hiker("Top up"))]
)
def test_used_up_gateway_credit_has_no_known_reset(
    platform: Platform,
    status: int,
    body: Json,
    connect: Callable[[Platform], PlatformService],
    platform_server: ScriptedServer,
) -> None:
    platform_server.play(Scripted(body, status=status))
    with pytest.raises(PlatformError) as raised:
        request_videos(connect(platform))
    assert raised.value.retry_at is None
    assert raised.value.handling.suspends


@pytest.mark.parametrize(("status", "kind"), [(200, None), (204, None), (99, ErrorKind.MALFORMED_RESPONSE)])
def test_every_status_is_classified(status: int, kind: ErrorKind | None) -> None:
    assert classify(YOUTUBE, ResponseSummary(status)) is kind


def test_error_codes_of_one_platform_do_not_apply_to_another() -> None:
    assert classify(INSTAGRAM, ResponseSummary(200, ("10221",))) is None
    assert classify(TIKTOK, ResponseSummary(403, ("quotaExceeded",))) is ErrorKind.REFUSED

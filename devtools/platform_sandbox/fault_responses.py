"""The platforms' own error responses, and the response of each platform to each kind of fault."""

from __future__ import annotations

from devtools.platform_sandbox.faults import Fault, FaultKind
from devtools.platform_sandbox.http_messages import HttpResponse, json_response
from devtools.platform_sandbox.world import PlatformName

_HTML = HttpResponse(200, b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>", "text/html")
_EMPTY = HttpResponse(200, b"")
_AUTOMATED_QUERIES = HttpResponse(
    403,
    b"<html><head><title>Sorry...</title></head><body><p>We're sorry... but your computer or network may be sending "
    b"automated queries.</p></body></html>",
    "text/html",
)
_SORRY_REDIRECT = HttpResponse(
    302, b"", "text/html", (("location", "https://www.google.example/sorry/index?continue=https://invented.example"),)
)

_RAPIDAPI_QUOTA_EXCEEDED = (
    "You have exceeded the MONTHLY quota for Requests on your current plan, BASIC. "
    "Upgrade your plan at https://rapidapi.example/tiktok-api23"
)


def youtube_error(status: int, reason: str, message: str, domain: str = "youtube.parameter") -> HttpResponse:
    """Return an error of the YouTube Data API."""
    error = {"code": status, "message": message, "errors": [{"message": message, "domain": domain, "reason": reason}]}
    return json_response({"error": error}, status)


def tiktok_status(code: int, message: str = "") -> HttpResponse:
    """Return a TikTok response without content: status 200, and the error code in the body."""
    return json_response({
        "extra": {"logid": ""},
        "statusCode": code,
        "status_code": code,
        "status_msg": message,
        "userInfo": {},
    })


def instagram_error(status: int, exc_type: str, detail: str) -> HttpResponse:
    """Return an error of HikerAPI."""
    return json_response({"detail": detail, "exc_type": exc_type}, status)


def _youtube_invalid_credentials() -> HttpResponse:
    """Return the YouTube Data API's error for an unknown key: only details and message state the reason."""
    message = "API key not valid. Please pass a valid API key."
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
    errors = [{"message": message, "domain": "global", "reason": "badRequest"}]
    error = {"code": 400, "message": message, "errors": errors, "status": "INVALID_ARGUMENT", "details": [info]}
    return json_response({"error": error}, 400)


def _youtube_permission_denied(message: str, detail: dict[str, object], *, with_errors: bool = True) -> HttpResponse:
    """Return an error of Google's API gateway, in front of the YouTube Data API; older ones have no `errors`."""
    error: dict[str, object] = {"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": [detail]}
    if with_errors:
        error["errors"] = [{"message": message, "domain": "global", "reason": "forbidden"}]
    return json_response({"error": error}, 403)


_YOUTUBE_PROJECT_SUSPENDED = _youtube_permission_denied(
    "Permission denied: Consumer 'api_key:invented' has been suspended.",
    {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "CONSUMER_SUSPENDED",
        "domain": "googleapis.com",
    },
)
_YOUTUBE_REFERER_BLOCKED = _youtube_permission_denied(
    "Requests from referer <empty> are blocked.",
    {"@type": "type.googleapis.com/google.rpc.Help", "links": [{"description": "Google developer console API key"}]},
    with_errors=False,
)
YOUTUBE_UNREGISTERED_CALLER = youtube_error(
    403,
    "forbidden",
    "Method doesn't allow unregistered callers (callers without established identity).",
    "global",
)
YOUTUBE_PLAYLIST_NOT_FOUND = youtube_error(
    404,
    "playlistNotFound",
    "The playlist identified with the request's <code>playlistId</code> parameter cannot be found.",
    "youtube.playlistItem",
)
YOUTUBE_INVALID_CREDENTIALS = _youtube_invalid_credentials()
YOUTUBE_QUOTA_EXCEEDED = youtube_error(
    403,
    "quotaExceeded",
    "The request cannot be completed because you have exceeded your quota.",
    "youtube.quota",
)
TIKTOK_NOT_SUBSCRIBED = json_response({"message": "You are not subscribed to this API."}, 403)
INSTAGRAM_INVALID_CREDENTIALS = instagram_error(401, "Unauthorized", "Access key is not valid")
INSTAGRAM_ENTRIES_NOT_FOUND = instagram_error(404, "NotFoundError", "Entries not found")

_TIKTOK_QUOTA_EXCEEDED = json_response({"message": _RAPIDAPI_QUOTA_EXCEEDED}, 429)
_INSTAGRAM_INSUFFICIENT_FUNDS = instagram_error(402, "InsufficientFunds", "Top up your account")

_RESPONSES_OF_ANY_PLATFORM: dict[FaultKind, HttpResponse] = {
    FaultKind.HTML_BODY: _HTML,
    FaultKind.EMPTY_BODY: _EMPTY,
    FaultKind.AUTOMATED_QUERIES: _AUTOMATED_QUERIES,
    FaultKind.SORRY_REDIRECT: _SORRY_REDIRECT,
}

_RESPONSES: dict[PlatformName, dict[FaultKind, HttpResponse]] = {
    PlatformName.TIKTOK: {
        FaultKind.RATE_LIMIT: json_response({"message": "Too many requests"}, 429),
        FaultKind.SERVER_ERROR: json_response({"message": "Internal server error"}, 500),
        FaultKind.UNAVAILABLE: json_response({"message": "The API is unreachable"}, 503),
        FaultKind.QUOTA_EXCEEDED: _TIKTOK_QUOTA_EXCEEDED,
        FaultKind.CREDIT_GONE: _TIKTOK_QUOTA_EXCEEDED,
        FaultKind.NOT_SUBSCRIBED: TIKTOK_NOT_SUBSCRIBED,
        FaultKind.INVALID_CREDENTIALS: TIKTOK_NOT_SUBSCRIBED,
        FaultKind.BLOCKED: tiktok_status(-1),
        FaultKind.REGION: tiktok_status(10231, "region restricted"),
        FaultKind.NOT_FOUND: tiktok_status(10202, "user doesn't exist"),
        FaultKind.RESTRICTED_USER: json_response(
            {"message": "Restricted user (2). Please contact your API provider."}, 403
        ),
        FaultKind.UNKNOWN_REFUSAL: json_response({"message": "This app cannot be served at present."}, 403),
    },
    PlatformName.INSTAGRAM: {
        FaultKind.RATE_LIMIT: instagram_error(429, "RateLimitExceeded", "Rate limit 11/s exceeded"),
        FaultKind.SERVER_ERROR: instagram_error(500, "ClientError", "Internal error"),
        FaultKind.UNAVAILABLE: instagram_error(503, "ClientError", "Service unavailable"),
        FaultKind.QUOTA_EXCEEDED: _INSTAGRAM_INSUFFICIENT_FUNDS,
        FaultKind.CREDIT_GONE: _INSTAGRAM_INSUFFICIENT_FUNDS,
        FaultKind.NOT_SUBSCRIBED: instagram_error(403, "Forbidden", "Access key is not activated"),
        FaultKind.INVALID_CREDENTIALS: INSTAGRAM_INVALID_CREDENTIALS,
        FaultKind.BLOCKED: instagram_error(403, "LoginRequired", "Login required"),
        FaultKind.NOT_FOUND: instagram_error(404, "UserNotFound", "User not found"),
        FaultKind.ENTRIES_NOT_FOUND: INSTAGRAM_ENTRIES_NOT_FOUND,
        FaultKind.UNKNOWN_REFUSAL: instagram_error(409, "ClientError", "This app cannot be served at present"),
        # Instagram's own errors, passed on by the gateway.
        FaultKind.WAIT_A_FEW_MINUTES: json_response(
            {
                "message": "Please wait a few minutes before you try again.",
                "require_login": True,
                "status": "fail",
            },
            401,
        ),
        FaultKind.CHALLENGE_REQUIRED: json_response({"message": "challenge_required", "status": "fail"}, 400),
    },
    PlatformName.YOUTUBE: {
        FaultKind.RATE_LIMIT: youtube_error(
            429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries per minute'.", "usageLimits"
        ),
        FaultKind.SERVER_ERROR: youtube_error(500, "backendError", "Internal error", "global"),
        FaultKind.UNAVAILABLE: youtube_error(503, "backendError", "Service unavailable", "global"),
        FaultKind.INVALID_PAGE: youtube_error(400, "invalidPageToken", "The request specifies an invalid page token."),
        FaultKind.QUOTA_EXCEEDED: YOUTUBE_QUOTA_EXCEEDED,
        FaultKind.CREDIT_GONE: youtube_error(403, "dailyLimitExceeded", "Daily limit", "usageLimits"),
        FaultKind.NOT_SUBSCRIBED: youtube_error(
            403, "accessNotConfigured", "YouTube Data API v3 has not been used in project 0 before.", "usageLimits"
        ),
        FaultKind.INVALID_CREDENTIALS: YOUTUBE_INVALID_CREDENTIALS,
        FaultKind.KEY_INVALID: youtube_error(400, "keyInvalid", "Bad Request", "usageLimits"),
        FaultKind.NOT_FOUND: youtube_error(404, "channelNotFound", "Channel not found.", "youtube.channel"),
        FaultKind.PLAYLIST_NOT_FOUND: YOUTUBE_PLAYLIST_NOT_FOUND,
        FaultKind.PROJECT_SUSPENDED: _YOUTUBE_PROJECT_SUSPENDED,
        FaultKind.REFERER_BLOCKED: _YOUTUBE_REFERER_BLOCKED,
        FaultKind.UNREGISTERED_CALLER: YOUTUBE_UNREGISTERED_CALLER,
        FaultKind.UNKNOWN_REFUSAL: youtube_error(403, "forbidden", "This app cannot be served at present.", "global"),
    },
}


def fault_response(fault: Fault, platform: PlatformName) -> HttpResponse | None:
    """Return the platform's response to a fault, or None if the platform has none of its own.

    A rate limit with `seconds` has a `Retry-After` header.
    """
    response = (_RESPONSES_OF_ANY_PLATFORM | _RESPONSES[platform]).get(fault.kind)
    if response is None or fault.kind is not FaultKind.RATE_LIMIT or fault.seconds is None:
        return response
    retry_after = (("retry-after", str(round(fault.seconds))),)
    return HttpResponse(response.status, response.body, response.content_type, retry_after)

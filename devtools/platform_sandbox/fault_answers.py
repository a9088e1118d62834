"""What each platform says when a fault strikes that it reports itself."""

from __future__ import annotations

from devtools.platform_sandbox.faults import Fault, FaultKind
from devtools.platform_sandbox.messages import Response, json_response
from devtools.platform_sandbox.platforms import Platform

HTML = Response(200, b"<!DOCTYPE html><html><head><title>Just a moment...</title></head></html>", "text/html")
EMPTY = Response(200, b"")

_RAPIDAPI_MONTHLY = (
    "You have exceeded the MONTHLY quota for Requests on your current plan, BASIC. "
    "Upgrade your plan at https://rapidapi.example/tiktok-api23"
)


def youtube_error(status: int, reason: str, message: str, domain: str = "youtube.parameter") -> Response:
    """The error body of the YouTube Data API."""
    error = {"code": status, "message": message, "errors": [{"message": message, "domain": domain, "reason": reason}]}
    return json_response({"error": error}, status)


def tiktok_status(code: int, message: str = "") -> Response:
    """A TikTok answer without content: 200, and the code in the body."""
    return json_response({
        "extra": {"logid": ""},
        "statusCode": code,
        "status_code": code,
        "status_msg": message,
        "userInfo": {},
    })


def instagram_error(status: int, exc_type: str, detail: str) -> Response:
    """The error body of HikerAPI."""
    return json_response({"detail": detail, "exc_type": exc_type}, status)


def youtube_bad_key() -> Response:
    """What the API says today about a key it does not know: the reason is in the details and the message."""
    message = "API key not valid. Please pass a valid API key."
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
    }
    errors = [{"message": message, "domain": "global", "reason": "badRequest"}]
    error = {"code": 400, "message": message, "errors": errors, "status": "INVALID_ARGUMENT", "details": [info]}
    return json_response({"error": error}, 400)


def youtube_quota_gone() -> Response:
    """The day's units are used up."""
    message = "The request cannot be completed because you have exceeded your quota."
    return youtube_error(403, "quotaExceeded", message, "youtube.quota")


_ANSWERS: dict[tuple[FaultKind, Platform], Response] = {
    (FaultKind.RATE_LIMIT, Platform.YOUTUBE): youtube_error(
        429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries per minute'.", "usageLimits"
    ),
    (FaultKind.RATE_LIMIT, Platform.TIKTOK): json_response({"message": "Too many requests"}, 429),
    (FaultKind.RATE_LIMIT, Platform.INSTAGRAM): instagram_error(429, "RateLimitExceeded", "Rate limit 11/s exceeded"),
    (FaultKind.SERVER_ERROR, Platform.YOUTUBE): youtube_error(500, "backendError", "Internal error", "global"),
    (FaultKind.SERVER_ERROR, Platform.TIKTOK): json_response({"message": "Internal server error"}, 500),
    (FaultKind.SERVER_ERROR, Platform.INSTAGRAM): instagram_error(500, "ClientError", "Internal error"),
    (FaultKind.UNAVAILABLE, Platform.YOUTUBE): youtube_error(503, "backendError", "Service unavailable", "global"),
    (FaultKind.UNAVAILABLE, Platform.TIKTOK): json_response({"message": "The API is unreachable"}, 503),
    (FaultKind.UNAVAILABLE, Platform.INSTAGRAM): instagram_error(503, "ClientError", "Service unavailable"),
    (FaultKind.INVALID_PAGE, Platform.YOUTUBE): youtube_error(
        400, "invalidPageToken", "The request specifies an invalid page token."
    ),
    (FaultKind.QUOTA_EXCEEDED, Platform.YOUTUBE): youtube_quota_gone(),
    (FaultKind.QUOTA_EXCEEDED, Platform.TIKTOK): json_response({"message": _RAPIDAPI_MONTHLY}, 429),
    (FaultKind.QUOTA_EXCEEDED, Platform.INSTAGRAM): instagram_error(402, "InsufficientFunds", "Top up your account"),
    (FaultKind.CREDIT_GONE, Platform.YOUTUBE): youtube_error(403, "dailyLimitExceeded", "Daily limit", "usageLimits"),
    (FaultKind.CREDIT_GONE, Platform.TIKTOK): json_response({"message": _RAPIDAPI_MONTHLY}, 429),
    (FaultKind.CREDIT_GONE, Platform.INSTAGRAM): instagram_error(402, "InsufficientFunds", "Top up your account"),
    (FaultKind.NOT_SUBSCRIBED, Platform.YOUTUBE): youtube_error(
        403, "accessNotConfigured", "YouTube Data API v3 has not been used in project 0 before.", "usageLimits"
    ),
    (FaultKind.NOT_SUBSCRIBED, Platform.TIKTOK): json_response({"message": "You are not subscribed to this API."}, 403),
    (FaultKind.NOT_SUBSCRIBED, Platform.INSTAGRAM): instagram_error(403, "Forbidden", "Access key is not activated"),
    (FaultKind.INVALID_CREDENTIALS, Platform.YOUTUBE): youtube_bad_key(),
    (FaultKind.INVALID_CREDENTIALS, Platform.TIKTOK): json_response(
        {"message": "You are not subscribed to this API."}, 403
    ),
    (FaultKind.INVALID_CREDENTIALS, Platform.INSTAGRAM): instagram_error(
        401, "Unauthorized", "Access key is not valid"
    ),
    (FaultKind.KEY_INVALID, Platform.YOUTUBE): youtube_error(400, "keyInvalid", "Bad Request", "usageLimits"),
    (FaultKind.BLOCKED, Platform.TIKTOK): tiktok_status(-1),
    (FaultKind.BLOCKED, Platform.INSTAGRAM): instagram_error(403, "LoginRequired", "Login required"),
    (FaultKind.REGION, Platform.TIKTOK): tiktok_status(10231, "region restricted"),
    (FaultKind.NOT_FOUND, Platform.YOUTUBE): youtube_error(
        404, "channelNotFound", "Channel not found.", "youtube.channel"
    ),
    (FaultKind.NOT_FOUND, Platform.TIKTOK): tiktok_status(10202, "user doesn't exist"),
    (FaultKind.NOT_FOUND, Platform.INSTAGRAM): instagram_error(404, "UserNotFound", "User not found"),
}


def fault_answer(fault: Fault, platform: Platform) -> Response | None:
    """The platform's own answer to a fault; None where it has none. A rate limit may carry `Retry-After`."""
    if fault.kind is FaultKind.HTML_BODY:
        return HTML
    if fault.kind is FaultKind.EMPTY_BODY:
        return EMPTY
    answer = _ANSWERS.get((fault.kind, platform))
    if answer is None or fault.kind is not FaultKind.RATE_LIMIT or fault.seconds is None:
        return answer
    retry_after = (("retry-after", str(round(fault.seconds))),)
    return Response(answer.status, answer.body, answer.content_type, retry_after)

"""HTTP responses to errors. No response contains details of the implementation."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from math import ceil

import psycopg
import psycopg_pool
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from blogger_tracking.api.access_tokens import KeysUnavailableError
from blogger_tracking.api.schemas import ErrorBody, ErrorResponse
from blogger_tracking.domain import request_errors
from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError

logger = logging.getLogger(__name__)

_REQUEST_ERRORS: Mapping[type[request_errors.RequestError], HTTPStatus] = {
    request_errors.InvalidUsernameError: HTTPStatus.BAD_REQUEST,
    request_errors.NotAuthenticatedError: HTTPStatus.UNAUTHORIZED,
    request_errors.NotAMemberError: HTTPStatus.FORBIDDEN,
    request_errors.RoleNotAllowedError: HTTPStatus.FORBIDDEN,
    request_errors.NoActiveSubscriptionError: HTTPStatus.PAYMENT_REQUIRED,
    request_errors.BloggerLimitReachedError: HTTPStatus.PAYMENT_REQUIRED,
    request_errors.TrackedAccountNotFoundError: HTTPStatus.NOT_FOUND,
    request_errors.OrganizationNotFoundError: HTTPStatus.NOT_FOUND,
    request_errors.BloggerNotFoundError: HTTPStatus.NOT_FOUND,
    request_errors.AlreadyTrackedError: HTTPStatus.CONFLICT,
    request_errors.BloggerUnknownError: HTTPStatus.NOT_FOUND,
    request_errors.CampaignNotFoundError: HTTPStatus.NOT_FOUND,
    request_errors.InProgressError: HTTPStatus.CONFLICT,
    request_errors.BodyTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    request_errors.KeyReusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    request_errors.LookUpBudgetSpentError: HTTPStatus.TOO_MANY_REQUESTS,
    request_errors.PlatformQuotaSpentError: HTTPStatus.SERVICE_UNAVAILABLE,
    request_errors.PlatformSuspendedError: HTTPStatus.SERVICE_UNAVAILABLE,
    request_errors.BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}

# 503 for a temporary failure of a platform; 502 for a response that cannot be used and for a rejected API key.
_PLATFORM_ERRORS: Mapping[ErrorKind, tuple[HTTPStatus, str, str]] = {
    ErrorKind.NOT_FOUND: (HTTPStatus.NOT_FOUND, "blogger_not_found", "{platform} has no account of this name."),
    ErrorKind.PRIVATE: (HTTPStatus.NOT_FOUND, "blogger_private", "This account is private on {platform}."),
    ErrorKind.RATE_LIMITED: (HTTPStatus.SERVICE_UNAVAILABLE, "platform_busy", "{platform} accepts no requests now."),
    ErrorKind.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "platform_unavailable", "{platform} is not available now."),
    ErrorKind.QUOTA_EXCEEDED: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "platform_quota_exceeded",
        "{platform} accepts no requests now.",
    ),
}
_OTHER_PLATFORM_ERROR = (HTTPStatus.BAD_GATEWAY, "platform_failed", "{platform} sent no usable response.")


def install_error_handlers(app: FastAPI) -> None:
    """Respond to every error with an ErrorResponse."""
    app.add_exception_handler(request_errors.RequestError, _handle_request_error)
    app.add_exception_handler(PlatformError, _handle_platform_error)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(HTTPException, _handle_http_exception)
    app.add_exception_handler(KeysUnavailableError, _handle_keys_unavailable)
    app.add_exception_handler(BloggerTrackingError, _handle_unavailable)
    app.add_exception_handler(psycopg.Error, _handle_unavailable)
    app.add_exception_handler(psycopg_pool.PoolTimeout, _handle_unavailable)
    app.add_exception_handler(Exception, _handle_unexpected_error)


def request_or_platform_error_response(error: request_errors.RequestError | PlatformError) -> JSONResponse:
    """Return the response to an error of a request or of a platform."""
    return platform_error_response(error) if isinstance(error, PlatformError) else request_error_response(error)


def _error_response(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = ErrorResponse(error=ErrorBody(code=code, message=message)).model_dump(mode="json", by_alias=True)
    return JSONResponse(body, status, dict(headers or {}))


def request_error_response(error: request_errors.RequestError) -> JSONResponse:
    """Return the response to a rejected request."""
    status = next(
        (_REQUEST_ERRORS[kind] for kind in type(error).__mro__ if kind in _REQUEST_ERRORS), HTTPStatus.BAD_REQUEST
    )
    headers = _retry_after(getattr(error, "retry_after", None))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        # The rest of the body is not read, so that the connection cannot carry another request.
        headers["Connection"] = "close"
    return _error_response(status, error.code, str(error), headers)


def platform_error_response(error: PlatformError) -> JSONResponse:
    """Return the response if a platform did not return the blogger's profile, without the platform's error text."""
    status, code, message = _PLATFORM_ERRORS.get(error.kind, _OTHER_PLATFORM_ERROR)
    seconds = ceil((error.retry_at - datetime.now(UTC)).total_seconds()) if error.retry_at else None
    return _error_response(status, code, message.format(platform=error.platform), _retry_after(seconds))


def _retry_after(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, seconds))}


def _handle_request_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, request_errors.RequestError):
        raise error
    return request_error_response(error)


def _handle_platform_error(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, PlatformError):
        raise error
    logger.warning("A blogger was not added, because the platform returned no profile: %s", error)
    return platform_error_response(error)


def _handle_invalid_request(_: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    where = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    return _error_response(HTTPStatus.BAD_REQUEST, "invalid_request", where or "The request cannot be parsed.")


def _handle_http_exception(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return _error_response(error.status_code, code, f"{HTTPStatus(error.status_code).phrase}.", error.headers)


def _handle_unavailable(request: Request, error: Exception) -> JSONResponse:
    logger.error(
        "A request to %s got a 503. Any open transaction was rolled back, and the request may be sent again. "
        "Cause: %s: %s",
        _mount_of(request),
        type(error).__name__,
        error,
        extra={"fingerprint": ("api", "unavailable", type(error).__qualname__)},
    )
    return _unavailable_response()


def _handle_keys_unavailable(_request: Request, _error: Exception) -> JSONResponse:
    """Log nothing: strangers cause this error, and the verifier of access tokens logs the error."""
    return _unavailable_response()


def _unavailable_response() -> JSONResponse:
    return _error_response(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "Temporarily unavailable. Try again later.")


def _handle_unexpected_error(request: Request, error: Exception) -> JSONResponse:
    logger.error(
        "A request to %s got a 500: unexpected %s. Any open transaction was rolled back.",
        _mount_of(request),
        type(error).__name__,
        exc_info=error,
    )
    return _error_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Internal error.")


def _mount_of(request: Request) -> str:
    """Return the path that the app is mounted at: `/blogger`, or `/bloggers` for the page in Airflow's UI."""
    return str(request.scope.get("root_path", ""))

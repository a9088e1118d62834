"""Which error becomes which answer. No answer says anything of the inside."""

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
    request_errors.BloggerUnknownError: HTTPStatus.NOT_FOUND,
    request_errors.CampaignNotFoundError: HTTPStatus.NOT_FOUND,
    request_errors.InProgressError: HTTPStatus.CONFLICT,
    request_errors.KeyReusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    request_errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    request_errors.PlatformSuspendedError: HTTPStatus.SERVICE_UNAVAILABLE,
    request_errors.BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}

# Passing troubles of a platform are 503; an answer that is no use, or a key that is refused, is 502.
_PLATFORM: Mapping[ErrorKind, tuple[HTTPStatus, str, str]] = {
    ErrorKind.NOT_FOUND: (HTTPStatus.NOT_FOUND, "blogger_not_found", "{platform} knows nobody of this name."),
    ErrorKind.PRIVATE: (HTTPStatus.NOT_FOUND, "blogger_private", "This account of {platform} is private."),
    ErrorKind.RATE_LIMITED: (HTTPStatus.SERVICE_UNAVAILABLE, "platform_busy", "{platform} takes no requests now."),
    ErrorKind.UNAVAILABLE: (HTTPStatus.SERVICE_UNAVAILABLE, "platform_unavailable", "{platform} does not answer."),
    ErrorKind.QUOTA_EXCEEDED: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "platform_quota_exceeded",
        "{platform} takes no requests now.",
    ),
}
_OTHER_PLATFORM_TROUBLE = (HTTPStatus.BAD_GATEWAY, "platform_failed", "{platform} gave no answer that can be used.")


def install_error_handlers(app: FastAPI) -> None:
    """Answer every error in one form."""
    app.add_exception_handler(request_errors.RequestError, _refused)
    app.add_exception_handler(PlatformError, _platform_failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(BloggerTrackingError, _unavailable)
    app.add_exception_handler(psycopg.Error, _unavailable)
    app.add_exception_handler(psycopg_pool.PoolTimeout, _unavailable)
    app.add_exception_handler(Exception, _broken)


def failure(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The one form of an error."""
    body = ErrorResponse(error=ErrorBody(code=code, message=message)).model_dump(mode="json", by_alias=True)
    return JSONResponse(body, status, dict(headers or {}))


def request_error_response(error: request_errors.RequestError) -> JSONResponse:
    """The answer to a request that is not granted."""
    status = next(
        (_REQUEST_ERRORS[kind] for kind in type(error).__mro__ if kind in _REQUEST_ERRORS), HTTPStatus.BAD_REQUEST
    )
    headers = _retry_after(getattr(error, "retry_after", None))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return failure(status, error.code, str(error), headers)


def platform_error_response(error: PlatformError) -> JSONResponse:
    """The answer when a platform did not describe the blogger. The platform's own words stay inside."""
    status, code, message = _PLATFORM.get(error.kind, _OTHER_PLATFORM_TROUBLE)
    seconds = ceil((error.retry_at - datetime.now(UTC)).total_seconds()) if error.retry_at else None
    return failure(status, code, message.format(platform=error.platform), _retry_after(seconds))


def _retry_after(seconds: int | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, seconds))}


def _refused(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, request_errors.RequestError):
        raise error
    return request_error_response(error)


def _platform_failed(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, PlatformError):
        raise error
    logger.warning("A blogger could not be looked up: %s", error)
    return platform_error_response(error)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    where = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    return failure(HTTPStatus.BAD_REQUEST, "invalid_request", where or "The request cannot be read.")


def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return failure(error.status_code, code, f"{HTTPStatus(error.status_code).phrase}.", error.headers)


def _unavailable(_: Request, error: Exception) -> JSONResponse:
    logger.error("A request could not be served: %s: %s", type(error).__name__, error)
    return failure(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "This cannot be done just now. Try again later.")


def _broken(_: Request, error: Exception) -> JSONResponse:
    logger.error("A request failed: %s", type(error).__name__, exc_info=error)
    return failure(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong here.")

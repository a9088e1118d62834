"""Idempotency keys of requests: a repetition gets the first response again, and is not processed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Header
from fastapi.responses import JSONResponse
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

from blogger_tracking.api.error_responses import request_or_platform_error_response
from blogger_tracking.database.idempotency_keys import (
    KeptResponse,
    RequestKey,
    begin_request,
    forget_request,
    save_response,
)
from blogger_tracking.domain.platform_errors import PlatformError
from blogger_tracking.domain.request_errors import RequestError

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[!-~]+$"),
]
"""The header; each key belongs to one user and one route, for 24 hours."""


@dataclass(slots=True)
class IdempotentRequest:
    """A request in progress. `kept_response` is the response to the first request with the same key, if any."""

    kept_response: JSONResponse | None = None
    response: JSONResponse | None = None

    def respond(self, response: JSONResponse) -> JSONResponse:
        """Return the response, and have the response saved for repetitions."""
        self.response = response
        return response


def request_key(user_id: UUID, route: str, key: str | None, body: BaseModel) -> RequestKey | None:
    """Return the identity of the request, or None for a request without a key."""
    if key is None:
        return None
    return RequestKey(user_id, route, key, hashlib.sha256(body.model_dump_json(by_alias=True).encode()).digest())


@contextmanager
def idempotent_request(pool: ConnectionPool, key: RequestKey | None) -> Generator[IdempotentRequest]:
    """Process a request with this key once; without a key, process the request.

    The caller returns `kept_response` if there is one, otherwise the result of `respond`. Responses with a
    2xx or 4xx status are saved, including those to a RequestError and a PlatformError. After a 429, any other response
    or any other error, a repetition is processed as a new request.
    Raises KeyReusedError, InProgressError.
    """
    if key is None:
        yield IdempotentRequest()
        return
    with pool.connection() as connection:
        begun = begin_request(connection, key)
    if isinstance(begun, KeptResponse):
        yield IdempotentRequest(kept_response=JSONResponse(dict(begun.body), begun.status))
        return
    request = IdempotentRequest()
    try:
        yield request
    except (RequestError, PlatformError) as error:
        request.response = request_or_platform_error_response(error)
        raise
    finally:
        _finish_request(pool, key, begun, request.response)


def _finish_request(pool: ConnectionPool, key: RequestKey, receipt: UUID, response: JSONResponse | None) -> None:
    with pool.connection() as connection:
        if response is not None and _is_kept(response.status_code):
            kept = KeptResponse(response.status_code, json.loads(bytes(response.body)))
            save_response(connection, key, receipt, kept)
        else:
            forget_request(connection, key, receipt)


def _is_kept(status: int) -> bool:
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS

"""Requests that may come twice: the first answer is given to repetitions, and nothing happens again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.api.error_responses import platform_error_response, request_error_response
from blogger_tracking.database.idempotency_keys import (
    KeptAnswer,
    RequestKey,
    begin_request,
    forget_request,
    keep_answer,
)
from blogger_tracking.domain.platform_errors import PlatformError
from blogger_tracking.domain.request_errors import RateLimitedError, RequestError

IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, pattern=r"^[!-~]+$"),
]
"""Kept 24 hours for a person and a route."""


def request_key(user_id: UUID, route: str, key: str | None, body: BaseModel) -> RequestKey | None:
    """What identifies the request, or None for one without a key."""
    if key is None:
        return None
    return RequestKey(user_id, route, key, hashlib.sha256(body.model_dump_json(by_alias=True).encode()).digest())


def answer_once(services: ApiServices, key: RequestKey | None, work: Callable[[], JSONResponse]) -> JSONResponse:
    """Answer a request, or repeat the answer that it got before.

    Kept are answers of 2xx and 4xx. After any other, and after a 429, a repetition is a new try.
    Raises KeyReusedError and InProgressError, whatever `work` raises, and what the database raises.
    """
    if key is None:
        return work()
    with services.pool.connection() as connection:
        begun = begin_request(connection, key)
    if isinstance(begun, KeptAnswer):
        return JSONResponse(dict(begun.answer), begun.status)
    kept = False
    try:
        response = _answer(work)
        kept = response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
        with services.pool.connection() as connection:
            if kept:
                keep_answer(connection, key, begun, KeptAnswer(response.status_code, json.loads(bytes(response.body))))
        return response
    finally:
        if not kept:
            with services.pool.connection() as connection:
                forget_request(connection, key, begun)


def _answer(work: Callable[[], JSONResponse]) -> JSONResponse:
    try:
        return work()
    except RateLimitedError:
        raise
    except RequestError as error:
        return request_error_response(error)
    except PlatformError as error:
        return platform_error_response(error)

"""The routes for people who track bloggers. Plain functions: they run in threads and block no loop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from blogger_tracking.api import serializers
from blogger_tracking.api.authentication import BEARER, AuthenticatedRoute, CurrentServices, CurrentUser
from blogger_tracking.api.dependencies import ApiServices, require_may_add, require_may_manage
from blogger_tracking.api.idempotency import IdempotencyKey, answer_once, request_key
from blogger_tracking.api.schemas import (
    AddBlogger,
    AddFromTracking,
    AlreadyTracked,
    ChangeTracking,
    ErrorBody,
    ErrorResponse,
    Tracking,
    TrackingState,
)
from blogger_tracking.database.blogger_additions import AdditionKind, AdditionRequest
from blogger_tracking.database.tracked_accounts import (
    Change,
    change_tracked_account,
    read_organization_of,
    read_tracked_blogger,
)
from blogger_tracking.domain.request_errors import BusyError
from blogger_tracking.usecases.add_blogger import AddedBlogger, add_blogger, add_from_tracking

_BUSY_SECONDS = 5


def _failures(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"model": AlreadyTracked if status == HTTPStatus.CONFLICT else ErrorResponse} for status in statuses
    }


router = APIRouter(
    route_class=AuthenticatedRoute, dependencies=[BEARER], responses=_failures(400, 401, 403, 404, 429, 503)
)


@router.post("/add", response_model=Tracking, responses=_failures(402, 409, 422, 502))
def add(body: AddBlogger, user_id: CurrentUser, services: CurrentServices, key: IdempotencyKey = None) -> JSONResponse:
    """Look a blogger up on its platform, track it, and have its first videos fetched."""

    def look_up(addition: AdditionRequest) -> AddedBlogger:
        with _look_up(services):
            return add_blogger(services.fetch_services, services.airflow, addition, body.platform, body.username)

    work = partial(_add, services, user_id, body, look_up)
    return answer_once(services, request_key(user_id, "POST /blogger/add", key, body), work)


@router.post("/add-from-tracking", response_model=Tracking, responses=_failures(402, 409, 422))
def add_tracked(
    body: AddFromTracking, user_id: CurrentUser, services: CurrentServices, key: IdempotencyKey = None
) -> JSONResponse:
    """Track a blogger that the organization knows already, without asking its platform."""

    def take_over(addition: AdditionRequest) -> AddedBlogger:
        return add_from_tracking(services.fetch_services, services.airflow, addition, body.blogger_id)

    work = partial(_add, services, user_id, body, take_over)
    return answer_once(services, request_key(user_id, "POST /blogger/add-from-tracking", key, body), work)


@router.get("/{trackingId}")
def read(trackingId: UUID, user_id: CurrentUser, services: CurrentServices) -> TrackingState:  # noqa: N803 - the name in the contract's path
    """How far the initial fetch is, how the last fetch ended, and how many videos there are."""
    with services.pool.connection() as connection:
        services.admit(connection, read_organization_of(connection, trackingId), user_id)
        return serializers.tracking_state(read_tracked_blogger(connection, trackingId))


@router.patch("/{trackingId}", responses=_failures(402))
def change(trackingId: UUID, body: ChangeTracking, user_id: CurrentUser, services: CurrentServices) -> TrackingState:  # noqa: N803 - the name in the contract's path
    """Pause or resume a tracked account, or change how many videos it asks for."""
    with services.pool.connection() as connection:
        organization_id = read_organization_of(connection, trackingId)
        require_may_manage(services.admit(connection, organization_id, user_id))
        change_tracked_account(connection, organization_id, trackingId, _change(body))
        return serializers.tracking_state(read_tracked_blogger(connection, trackingId))


def _add(
    services: ApiServices,
    user_id: UUID,
    body: AddBlogger | AddFromTracking,
    adding: Callable[[AdditionRequest], AddedBlogger],
) -> JSONResponse:
    with services.pool.connection() as connection:
        require_may_add(services.admit(connection, body.organization_id, user_id))
    added = adding(AdditionRequest(user_id, body.organization_id, body.campaign_id, body.tags, body.daily_videos_count))
    answer = serializers.tracking(added.account, added.dispatched)
    if added.kind is not AdditionKind.ALREADY_TRACKED:
        return JSONResponse(answer.model_dump(mode="json", by_alias=True))
    conflict = AlreadyTracked(
        error=ErrorBody(code="already_tracked", message="This organization tracks this blogger already."),
        blogger=answer.blogger,
        initial_fetch=answer.initial_fetch,
    )
    return JSONResponse(conflict.model_dump(mode="json", by_alias=True), HTTPStatus.CONFLICT)


@contextmanager
def _look_up(services: ApiServices) -> Generator[None]:
    """A platform that hangs may hold some threads of the server, and not all that Airflow's own routes need."""
    if not services.look_ups.acquire(blocking=False):
        raise BusyError(_BUSY_SECONDS)
    try:
        yield
    finally:
        services.look_ups.release()


def _change(body: ChangeTracking) -> Change:
    named = body.model_fields_set
    return Change(
        is_active=body.is_active if "is_active" in named else None,
        sets_daily_videos_count="daily_videos_count" in named,
        daily_videos_count=body.daily_videos_count,
    )

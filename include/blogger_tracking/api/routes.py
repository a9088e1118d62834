"""Routes of the HTTP API.

The routes are plain functions, which AuthenticatedRoute runs in threads: they block, and the event loop must not be
blocked. The routes that add bloggers are asynchronous, because their requests wait for a slot without a thread.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from blogger_tracking.api import serializers
from blogger_tracking.api.authentication import BEARER, AuthenticatedRoute, CurrentServices, CurrentUser, in_own_thread
from blogger_tracking.api.dependencies import ApiServices, require_may_add, require_may_manage
from blogger_tracking.api.idempotency import IdempotencyKey, idempotent_request, request_key
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
from blogger_tracking.domain.models import Role
from blogger_tracking.usecases.add_blogger import AddedBlogger, add_blogger, add_from_tracking


def _error_models(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        status: {"model": AlreadyTracked if status == HTTPStatus.CONFLICT else ErrorResponse} for status in statuses
    }


router = APIRouter(
    route_class=AuthenticatedRoute, dependencies=[BEARER], responses=_error_models(400, 401, 403, 404, 413, 429, 503)
)


@router.post("/add", response_model=Tracking, responses=_error_models(402, 409, 422, 502))
async def add(
    body: AddBlogger, user_id: CurrentUser, services: CurrentServices, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Look a blogger up on its platform, track the blogger, and dispatch its initial fetch."""
    role = await in_own_thread(_authorize, services, body.organization_id, user_id)
    return await services.look_up_slots.run(
        body.platform, body.organization_id, _add, services, body, user_id, role, idempotency_key
    )


@router.post("/add-from-tracking", response_model=Tracking, responses=_error_models(402, 409, 422))
async def add_tracked(
    body: AddFromTracking, user_id: CurrentUser, services: CurrentServices, idempotency_key: IdempotencyKey = None
) -> JSONResponse:
    """Track a blogger that the organization already knows, without a request to its platform."""
    role = await in_own_thread(_authorize, services, body.organization_id, user_id)
    return await services.look_up_slots.run(
        None, body.organization_id, _add_tracked, services, body, user_id, role, idempotency_key
    )


@router.get("/{trackingId}")
def read(trackingId: UUID, user_id: CurrentUser, services: CurrentServices) -> TrackingState:  # noqa: N803 - the name in the contract's path
    """Return the state of the initial fetch, the outcome of the last fetch, and the number of videos."""
    with services.pool.connection() as connection:
        services.authorize(connection, read_organization_of(connection, trackingId), user_id)
        return serializers.tracking_state(read_tracked_blogger(connection, trackingId))


@router.patch("/{trackingId}", responses=_error_models(402))
def change(trackingId: UUID, body: ChangeTracking, user_id: CurrentUser, services: CurrentServices) -> TrackingState:  # noqa: N803 - the name in the contract's path
    """Pause or resume a tracked account, or change its number of videos."""
    with services.pool.connection() as connection:
        organization_id = read_organization_of(connection, trackingId)
        require_may_manage(services.authorize(connection, organization_id, user_id))
        change_tracked_account(connection, organization_id, trackingId, _change(body))
        return serializers.tracking_state(read_tracked_blogger(connection, trackingId))


def _add(
    services: ApiServices, body: AddBlogger, user_id: UUID, role: Role, idempotency_key: str | None
) -> JSONResponse:
    key = request_key(user_id, "POST /blogger/add", idempotency_key, body)
    with idempotent_request(services.pool, key) as request:
        if request.kept_response:
            return request.kept_response
        require_may_add(role)
        added = add_blogger(
            services.fetch_services,
            services.airflow_api,
            services.look_up_limits,
            _addition(body, user_id),
            body.platform,
            body.username,
        )
        return request.respond(_addition_response(added))


def _add_tracked(
    services: ApiServices, body: AddFromTracking, user_id: UUID, role: Role, idempotency_key: str | None
) -> JSONResponse:
    key = request_key(user_id, "POST /blogger/add-from-tracking", idempotency_key, body)
    with idempotent_request(services.pool, key) as request:
        if request.kept_response:
            return request.kept_response
        require_may_add(role)
        added = add_from_tracking(
            services.fetch_services,
            services.airflow_api,
            services.look_up_limits,
            _addition(body, user_id),
            body.blogger_id,
        )
        return request.respond(_addition_response(added))


def _authorize(services: ApiServices, organization_id: UUID, user_id: UUID) -> Role:
    """Return the user's role before anything else is read or written for the organization."""
    with services.pool.connection() as connection:
        return services.authorize(connection, organization_id, user_id)


def _addition(body: AddBlogger | AddFromTracking, user_id: UUID) -> AdditionRequest:
    return AdditionRequest(user_id, body.organization_id, body.campaign_id, body.tags, body.daily_videos_count)


def _addition_response(added: AddedBlogger) -> JSONResponse:
    tracking = serializers.tracking(added.account, added.dispatched)
    if added.kind is not AdditionKind.ALREADY_TRACKED:
        return JSONResponse(tracking.model_dump(mode="json", by_alias=True))
    conflict = AlreadyTracked(
        error=ErrorBody(code="already_tracked", message="This organization already tracks this blogger."),
        blogger=tracking.blogger,
        initial_fetch=tracking.initial_fetch,
    )
    return JSONResponse(conflict.model_dump(mode="json", by_alias=True), HTTPStatus.CONFLICT)


def _change(body: ChangeTracking) -> Change:
    given = body.model_fields_set
    return Change(
        is_active=body.is_active if "is_active" in given else None,
        sets_daily_videos_count="daily_videos_count" in given,
        daily_videos_count=body.daily_videos_count,
    )

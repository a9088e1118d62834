"""Routes of the page's JSON API.

The routes are plain functions, which PageRoute runs in threads. The route that looks bloggers up is asynchronous,
because its requests wait for a slot without a thread.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import NAMESPACE_URL, UUID, uuid5

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from psycopg import Connection
from pydantic import ValidationError

from blogger_tracking.api import serializers as api_serializers
from blogger_tracking.api.authentication import with_bounded_body
from blogger_tracking.database.blogger_additions import AdditionKind, AdditionRequest
from blogger_tracking.database.blogger_histories import (
    list_fetches,
    list_videos,
    read_account_changes,
    read_captures,
    read_follower_counts,
    read_thumbnail_path,
    read_tracked_by,
)
from blogger_tracking.database.blogger_lists import (
    BloggerFilter,
    BloggerOrder,
    BloggerState,
    blogger_exists,
    list_bloggers,
    read_bloggers,
)
from blogger_tracking.database.organization_usage import list_organizations, require_organization
from blogger_tracking.database.run_overviews import read_live_runs
from blogger_tracking.database.statistics_totals import read_day_totals
from blogger_tracking.domain.initial_fetch import InitialFetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.request_errors import AlreadyTrackedError, BloggerNotFoundError
from blogger_tracking.page import schemas, serializers
from blogger_tracking.page.access import PageRoute
from blogger_tracking.page.dependencies import CurrentServices, PageServices
from blogger_tracking.settings import get_settings
from blogger_tracking.thumbnails.download import SIGNATURES
from blogger_tracking.usecases.add_blogger import AddedBlogger, add_blogger
from blogger_tracking.usecases.preview_run import preview_run
from blogger_tracking.usecases.read_overview import read_overview

VIDEOS_OF_VIEWS = 20
"""Number of a blogger's newest videos whose views the list adds up: more would make the list slow."""

_MAX_BIGINT = 2**63 - 1
_MEDIA_TYPES = {extension: f"image/{'jpeg' if extension == 'jpg' else extension}" for extension in SIGNATURES}
_THUMBNAIL_HEADERS = {
    "Cache-Control": "private, max-age=86400",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}

# Postgres cannot store NUL.
Search = Annotated[str, Query(max_length=200, pattern=r"^[^\x00]*$")]
Page = Annotated[int, Query(ge=1, le=100_000)]
VideoId = Annotated[int, Path(ge=1, le=_MAX_BIGINT)]

reading = APIRouter(prefix="/api", route_class=PageRoute)
acting = APIRouter(prefix="/api", route_class=PageRoute)


@reading.get("/overview")
def overview(services: CurrentServices) -> schemas.Overview:
    """Return the newest batch runs, and the state of platforms, queues and invariants."""
    moment = datetime.now(UTC)
    limit = get_settings().failed_share_limit
    with services.pool.connection() as connection:
        read = read_overview(connection, services.deployment, services.batch_dag_id, limit, moment)
    return serializers.overview(read, moment)


@reading.get("/live")
def live(services: CurrentServices) -> list[schemas.LiveRun]:
    """Return the active runs with their progress."""
    with services.pool.connection() as connection:
        runs = read_live_runs(connection, services.deployment, datetime.now(UTC))
    return [schemas.LiveRun.model_validate(run) for run in runs]


@reading.get("/organizations")
def organizations(services: CurrentServices, search: Search = "", page: Page = 1) -> schemas.OrganizationPage:
    """Return a page of the organizations with their usage."""
    with services.pool.connection() as connection:
        total, items = list_organizations(connection, datetime.now(UTC), search, page)
    return schemas.OrganizationPage(total=total, items=[schemas.Organization.model_validate(item) for item in items])


@reading.get("/organizations/{organization_id}/next-run")
def next_run(organization_id: UUID, services: CurrentServices) -> list[schemas.PlannedAccount]:
    """Return the decisions that planning would make now on the organization's active accounts."""
    accounts = preview_run(services.pool, organization_id)
    return [schemas.PlannedAccount.model_validate(account) for account in accounts]


@reading.get("/bloggers")
def bloggers(  # noqa: PLR0913, PLR0917 - the query has as many parameters
    services: CurrentServices,
    search: Search = "",
    organization: UUID | None = None,
    platform: Platform | None = None,
    state: BloggerState | None = None,
    sort: BloggerOrder = BloggerOrder.NAME,
    page: Page = 1,
) -> schemas.BloggerPage:
    """Return a page of the bloggers."""
    today = datetime.now(UTC).date()
    restriction = BloggerFilter(search.strip().removeprefix("@") or None, organization, platform, state)
    with services.pool.connection() as connection:
        total, listed = list_bloggers(connection, services.deployment, restriction, sort, page)
        views = read_day_totals(
            connection, [each.id for each in listed], serializers.first_day(today), VIDEOS_OF_VIEWS, ["views"]
        )
        followers = read_follower_counts(connection, [each.id for each in listed], serializers.first_day(today))
    return schemas.BloggerPage(
        total=total, items=[serializers.blogger(each, views, followers, today) for each in listed]
    )


@reading.get("/bloggers/{blogger_id}")
def blogger(blogger_id: UUID, services: CurrentServices) -> schemas.BloggerDetails:
    """Return one blogger with the history of the account."""
    today = datetime.now(UTC).date()
    with services.pool.connection() as connection:
        found = read_bloggers(connection, services.deployment, [blogger_id])
        if not found:
            raise _no_blogger()
        views = read_day_totals(connection, [blogger_id], serializers.first_day(today), VIDEOS_OF_VIEWS, ["views"])
        followers = read_follower_counts(connection, [blogger_id])
        details = serializers.blogger_details(found[0], views, followers, today)
        changes = read_account_changes(connection, blogger_id)
        details.history = [schemas.AccountChange.model_validate(change) for change in changes]
        details.tracked = [
            schemas.TrackedBy.model_validate(tracked) for tracked in read_tracked_by(connection, blogger_id)
        ]
    return details


@reading.get("/bloggers/{blogger_id}/videos")
def videos(blogger_id: UUID, services: CurrentServices, page: Page = 1) -> schemas.VideoPage:
    """Return a page of a blogger's videos, the newest first."""
    with services.pool.connection() as connection:
        _require_blogger(connection, blogger_id)
        total, items = list_videos(connection, blogger_id, page)
    return schemas.VideoPage(total=total, items=[schemas.Video.model_validate(item) for item in items])


@reading.get("/bloggers/{blogger_id}/statistics")
def statistics(
    blogger_id: UUID, services: CurrentServices, days: Annotated[int, Query(ge=1, le=3660)] = 90
) -> schemas.BloggerStatistics:
    """Return the totals of a blogger's videos on the last days."""
    with services.pool.connection() as connection:
        _require_blogger(connection, blogger_id)
        totals = read_day_totals(connection, [blogger_id], _days_ago(days - 1)).get(blogger_id, [])
    return schemas.BloggerStatistics(totals=[(day.day, day.views, day.likes, day.comments) for day in totals])


@reading.get("/bloggers/{blogger_id}/fetches")
def fetches(blogger_id: UUID, services: CurrentServices, page: Page = 1) -> schemas.FetchPage:
    """Return a page of a blogger's fetches, the newest first."""
    with services.pool.connection() as connection:
        _require_blogger(connection, blogger_id)
        total, items = list_fetches(connection, services.deployment, blogger_id, page)
    return schemas.FetchPage(total=total, items=[schemas.FetchDetails.model_validate(item) for item in items])


@reading.get("/videos/{video_id}/statistics")
def video_statistics(video_id: VideoId, services: CurrentServices) -> list[schemas.Capture]:
    """Return the statistics of a video over time."""
    with services.pool.connection() as connection:
        captures = read_captures(connection, video_id)
    return [schemas.Capture.model_validate(capture) for capture in captures]


@reading.get("/videos/{video_id}/thumbnail")
def thumbnail(video_id: VideoId, services: CurrentServices) -> Response:
    """Return the stored thumbnail of a video, with the media type that its content has."""
    with services.pool.connection() as connection:
        path = read_thumbnail_path(connection, video_id)
    content = services.thumbnails().read(path) if path else None
    media_type = _media_type(content) if content else None
    if media_type is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(content, media_type=media_type, headers=_THUMBNAIL_HEADERS)


async def _read_addition(request: Request) -> schemas.AddBlogger:
    """Return the body of an addition. Raises BodyTooLargeError, RequestValidationError.

    A dependency is called after the guards of the route, unlike FastAPI's own reading of a declared body.
    """
    bounded = await with_bounded_body(request)
    try:
        return schemas.AddBlogger.model_validate_json(await bounded.body())
    except ValidationError as error:
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]) from None


@acting.post("/organizations/{organization_id}/bloggers")
async def add(
    organization_id: UUID,
    request: Request,
    services: CurrentServices,
    body: Annotated[schemas.AddBlogger, Depends(_read_addition)],
) -> schemas.Addition:
    """Look a blogger up on its platform, track the blogger, and dispatch its initial fetch."""
    # Airflow's users are not those of the database: a name stands for the holder of a budget.
    person_id = uuid5(NAMESPACE_URL, f"airflow-user:{request.state.person}")
    return await services.look_up_slots.run(
        body.platform,
        organization_id,
        _add,
        services,
        AdditionRequest(person_id, organization_id, by_operator=True),
        body,
    )


def _add(services: PageServices, addition: AdditionRequest, body: schemas.AddBlogger) -> schemas.Addition:
    with services.pool.connection() as connection:
        require_organization(connection, addition.organization_id)
    added = add_blogger(
        services.fetch_services,
        services.airflow_api(),
        services.look_up_limits,
        addition,
        body.platform,
        body.username,
    )
    if added.kind is AdditionKind.ALREADY_TRACKED:
        raise AlreadyTrackedError(_already_tracked(added))
    tracking = api_serializers.tracking(added.account, added.dispatched)
    return schemas.Addition(
        tracking_id=tracking.blogger.tracking_id,
        blogger_id=tracking.blogger.blogger_id,
        initial_fetch=tracking.initial_fetch,
    )


def _already_tracked(added: AddedBlogger) -> str:
    """Return the sentences of a 409: the addition may have started a failed initial fetch again."""
    known = "This organization already tracks this blogger."
    if not added.is_reopened or added.dispatched is None:
        return known
    repeated = f"{known} Its first fetch, which had brought no videos,"
    if added.dispatched.state is InitialFetchState.STARTED:
        return f"{repeated} was started again."
    return f"{repeated} is pending again. {added.dispatched.reason}"


def _media_type(content: bytes) -> str | None:
    """Return the media type of an image of a known format, whatever the name of its file is."""
    return next((_MEDIA_TYPES[extension] for extension, sign in SIGNATURES.items() if sign.match(content)), None)


def _require_blogger(connection: Connection, blogger_id: UUID) -> None:
    if not blogger_exists(connection, blogger_id):
        raise _no_blogger()


def _no_blogger() -> BloggerNotFoundError:
    return BloggerNotFoundError("There is no such blogger.")


def _days_ago(days: int) -> date:
    return datetime.now(UTC).date() - timedelta(days=days)

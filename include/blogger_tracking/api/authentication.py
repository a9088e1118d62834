"""Authentication of requests, before any other part of a request is read, and the threads that serve requests."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache, partial, wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.domain.request_errors import NotAuthenticatedError
from blogger_tracking.settings import get_settings


class AuthenticatedRoute(APIRoute):
    """A route that verifies the access token before the body is parsed, and runs in the API's own threads.

    FastAPI's threads are those of Airflow's own routes, because the API is mounted in Airflow's API server. A request
    of this API waits for Airflow's REST API, which needs one of these threads: enough requests at once would wait for
    each other until their time-outs.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's own
        super().__init__(path, _in_own_threads(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, preceded by the verification of the token."""
        handle = super().get_route_handler()

        async def handle_authenticated(request: Request) -> Response:
            # A request for the JWKS blocks its thread, which must not be the one of the event loop.
            request.state.user_id = await to_thread.run_sync(_user_id, request, limiter=_own_threads())
            return await handle(request)

        return handle_authenticated


@cache
def _own_threads() -> CapacityLimiter:
    """Return the limiter of the API's threads in this process."""
    return CapacityLimiter(get_settings().api_threads)


def _in_own_threads(endpoint: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return an asynchronous function that calls a blocking endpoint in one of the API's threads."""
    # FastAPI creates a route again, from the endpoint of the first one, when the router is included in the app.
    if iscoroutinefunction(endpoint):
        return endpoint

    @wraps(endpoint)
    async def call(**arguments: Any) -> Any:  # noqa: ANN401 - whatever the endpoint takes and returns
        return await to_thread.run_sync(partial(endpoint, **arguments), limiter=_own_threads())

    return call


# The two dependencies are asynchronous although they await nothing: FastAPI would run plain functions in its threads.
async def current_services(request: Request) -> ApiServices:  # noqa: RUF029 - see above
    """Return the dependencies of the API in this process."""
    return _services(request)


async def current_user(request: Request) -> UUID:  # noqa: RUF029 - see above
    """Return the id of the authenticated user, as set by AuthenticatedRoute."""
    user_id: UUID = request.state.user_id
    return user_id


BEARER = Depends(HTTPBearer(auto_error=False, bearerFormat="JWT", description="A Supabase access token."))
"""Declaration of the access token in the OpenAPI document."""

CurrentServices = Annotated[ApiServices, Depends(current_services)]
CurrentUser = Annotated[UUID, Depends(current_user)]


def _services(request: Request) -> ApiServices:
    services: ApiServices = request.app.state.make_services()
    return services


def _user_id(request: Request) -> UUID:
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticatedError("An access token is needed: Authorization: Bearer <token>.")
    return _services(request).token_verifier.user_id(token)

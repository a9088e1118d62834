"""Authentication of requests, before any other part of a request is read, and the threads that serve requests."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cache, partial, wraps
from inspect import iscoroutinefunction
from typing import Annotated, Any, ParamSpec, TypeVar
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.types import Message

from blogger_tracking.api.access_tokens import KeysUnavailableError
from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.domain.request_errors import BodyTooLargeError, BusyError, NotAuthenticatedError
from blogger_tracking.rate_limit import StrangerRateLimiter
from blogger_tracking.settings import get_settings

P = ParamSpec("P")
R = TypeVar("R")

BODY_BYTES_LIMIT = 64 * 2**10
"""Maximum size of a request's body: several times the size of the largest valid body."""

_WAITING_FOR_KEYS = 100
"""Maximum number of requests that wait for the JWKS, or for the creation of the API's services, in one process."""

_BUSY_RETRY_SECONDS = 5


class AuthenticatedRoute(APIRoute):
    """A route that verifies the access token before the body is read, and runs in the API's own threads.

    FastAPI's threads are those of Airflow's own routes, because the API is mounted in Airflow's API server. A request
    of this API waits for Airflow's REST API, which needs one of these threads: enough requests at once would wait for
    each other until their time-outs.

    A request without a valid token takes none of the API's threads, and its body is not read.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's own
        super().__init__(path, in_own_threads(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, preceded by the verification of the token and of the body's size."""
        handle = super().get_route_handler()

        async def handle_authenticated(request: Request) -> Response:
            request.state.user_id = await _authenticate(request)
            return await handle(await with_bounded_body(request))

        return handle_authenticated


async def _authenticate(request: Request) -> UUID:
    """Return the id of the user who sends the request, and count the request against the user's rate limit.

    A request whose token is not verified counts against the rate limits of strangers, whatever the reason. The address
    of a request is the one of its peer, unless Airflow's API server runs with `--proxy-headers`.
    Raises NotAuthenticatedError, RateLimitedError, KeysUnavailableError, BusyError, and the errors of the services'
    creation.
    """
    strangers: StrangerRateLimiter = request.app.state.strangers
    try:
        user_id = await _verified_user_id(request)
    except (NotAuthenticatedError, KeysUnavailableError, BusyError):
        strangers.count(request.client.host if request.client else "")
        raise
    request.app.state.services.person_rate_limiter.count(str(user_id))
    return user_id


async def _verified_user_id(request: Request) -> UUID:
    token = _bearer_token(request)
    services = await _current_services(request)
    if services.token_verifier.may_request_keys(token):
        user_id: UUID = await _in_single_thread(partial(services.token_verifier.user_id, token))
        return user_id
    return services.token_verifier.user_id(token)


def _bearer_token(request: Request) -> str:
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticatedError("An access token is needed: Authorization: Bearer <token>.")
    return token


async def _current_services(request: Request) -> ApiServices:
    """Return the dependencies of the API without a thread, except at the first request."""
    state = request.app.state
    if state.services is None:
        state.services = await _in_single_thread(state.make_services)
    services: ApiServices = state.services
    return services


async def _in_single_thread(call: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the function returns
    """Call a function that may block, one at a time, however many strangers send requests.

    Raises BusyError if too many requests wait already.
    """
    if _single_thread().statistics().tasks_waiting >= _WAITING_FOR_KEYS:
        raise BusyError("Too many requests wait for verification.", _BUSY_RETRY_SECONDS)
    return await to_thread.run_sync(call, limiter=_single_thread())


async def with_bounded_body(request: Request) -> Request:
    """Return the request with its whole body read. Raises BodyTooLargeError without reading any further."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > BODY_BYTES_LIMIT:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        # A chunked body has no Content-Length.
        if len(body) > BODY_BYTES_LIMIT:
            raise _too_large()
    message: Message = {"type": "http.request", "body": bytes(body), "more_body": False}

    async def receive() -> Message:  # noqa: RUF029 - as ASGI demands
        return message

    return Request(request.scope, receive)


def _too_large() -> BodyTooLargeError:
    return BodyTooLargeError(f"The body is larger than {BODY_BYTES_LIMIT} bytes, which no valid request needs.")


@cache
def _single_thread() -> CapacityLimiter:
    """Return the limiter of the one thread that may wait for the JWKS."""
    return CapacityLimiter(1)


@cache
def _own_threads() -> CapacityLimiter:
    """Return the limiter of the API's threads in this process."""
    return CapacityLimiter(get_settings().api_threads)


def in_own_threads(endpoint: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return an asynchronous function that calls a blocking endpoint in one of the API's threads.

    An asynchronous endpoint is returned as it is.
    """
    # FastAPI creates a route again, from the endpoint of the first one, when the router is included in the app.
    if iscoroutinefunction(endpoint):
        return endpoint

    @wraps(endpoint)
    async def call(**arguments: Any) -> Any:  # noqa: ANN401 - whatever the endpoint takes and returns
        return await in_own_thread(endpoint, **arguments)

    return call


async def in_own_thread(call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a blocking function in one of the API's threads."""
    return await to_thread.run_sync(partial(call, *args, **kwargs), limiter=_own_threads())


# The two dependencies are asynchronous: FastAPI would run plain functions in its threads.
async def current_services(request: Request) -> ApiServices:
    """Return the dependencies of the API in this process."""
    services: ApiServices = await in_own_thread(request.app.state.make_services)
    return services


async def current_user(request: Request) -> UUID:  # noqa: RUF029 - FastAPI runs plain functions in Airflow's threads
    """Return the id of the authenticated user, as set by AuthenticatedRoute."""
    user_id: UUID = request.state.user_id
    return user_id


BEARER = Depends(HTTPBearer(auto_error=False, bearerFormat="JWT", description="A Supabase access token."))
"""Declaration of the access token in the OpenAPI document."""

CurrentServices = Annotated[ApiServices, Depends(current_services)]
CurrentUser = Annotated[UUID, Depends(current_user)]

"""Authentication of requests, before any other part of a request is read."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.domain.request_errors import NotAuthenticatedError


class AuthenticatedRoute(APIRoute):
    """A route that verifies the access token before the body is parsed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, preceded by the verification of the token."""
        handle = super().get_route_handler()

        async def handle_authenticated(request: Request) -> Response:
            # A request for the JWKS blocks its thread, which must not be the one of the event loop.
            request.state.user_id = await run_in_threadpool(_user_id, request)
            return await handle(request)

        return handle_authenticated


def current_services(request: Request) -> ApiServices:
    """Return the dependencies of the API in this process."""
    services: ApiServices = request.app.state.make_services()
    return services


def current_user(request: Request) -> UUID:
    """Return the id of the authenticated user, as set by AuthenticatedRoute."""
    user_id: UUID = request.state.user_id
    return user_id


BEARER = Depends(HTTPBearer(auto_error=False, bearerFormat="JWT", description="A Supabase access token."))
"""Declaration of the access token in the OpenAPI document."""

CurrentServices = Annotated[ApiServices, Depends(current_services)]
CurrentUser = Annotated[UUID, Depends(current_user)]


def _user_id(request: Request) -> UUID:
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticatedError("An access token is needed: Authorization: Bearer <token>.")
    return current_services(request).token_verifier.user_id(token)

"""Who is calling. Settled before anything else of a request is read."""

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
    """A route whose body is not even parsed for a caller without a valid token."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, behind the check of the token."""
        handle = super().get_route_handler()

        async def handle_authenticated(request: Request) -> Response:
            # The look at published keys may block, and must not block the server's loop.
            request.state.user_id = await run_in_threadpool(_user_id, request)
            return await handle(request)

        return handle_authenticated


def current_services(request: Request) -> ApiServices:
    """What this process stands on, made on first use."""
    services: ApiServices = request.app.state.make_services()
    return services


def current_user(request: Request) -> UUID:
    """The person that the token speaks for; set by AuthenticatedRoute alone."""
    user_id: UUID = request.state.user_id
    return user_id


BEARER = Depends(HTTPBearer(auto_error=False, bearerFormat="JWT", description="A Supabase access token."))
"""Declares the token in the OpenAPI document."""

CurrentServices = Annotated[ApiServices, Depends(current_services)]
CurrentUser = Annotated[UUID, Depends(current_user)]


def _user_id(request: Request) -> UUID:
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticatedError("An access token is needed: Authorization: Bearer <token>.")
    return current_services(request).tokens.user_id(token)

"""Access to the Bloggers page: the dependencies that guard its routes, and the route class."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.status import HTTP_415_UNSUPPORTED_MEDIA_TYPE

from blogger_tracking.api.authentication import in_own_threads

NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}
"""Header that keeps browsers from taking a response for another type than the declared one."""


@dataclass(frozen=True, slots=True)
class PageAccess:
    """FastAPI dependencies that state the rights of the person who sends a request.

    `require_reading` and `require_acting` raise HTTPException with 401 or 403. `may_act` returns True for a person
    whom `require_acting` lets pass, and `person` returns the person's name as a text.
    """

    require_reading: Callable[..., object]
    require_acting: Callable[..., object]
    may_act: Callable[..., bool]
    person: Callable[..., object]


class PageRoute(APIRoute):
    """A route that runs in the threads of the HTTP API instead of Airflow's.

    A route must not declare a body: FastAPI would read the body before the guards of `PageAccess` are called.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - FastAPI's own
        super().__init__(path, in_own_threads(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler with the headers of the page's responses."""
        handle = super().get_route_handler()

        async def handle_with_headers(request: Request) -> Response:
            response = await handle(request)
            response.headers.update(NO_SNIFFING)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return handle_with_headers


async def require_json(request: Request) -> None:  # noqa: RUF029 - FastAPI would run a plain function in Airflow's threads
    """Raise HTTPException unless the body is declared as JSON, which the form of another site cannot do.

    Browsers ask before they send JSON to another origin, and the page answers no such question.
    """
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(HTTP_415_UNSUPPORTED_MEDIA_TYPE)

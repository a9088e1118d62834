"""Factory of the Bloggers page's FastAPI app."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse

from blogger_tracking.api.error_responses import install_error_handlers
from blogger_tracking.page.access import PageAccess, PageRoute, require_json
from blogger_tracking.page.dependencies import PageServices
from blogger_tracking.page.routes import acting, reading
from blogger_tracking.page.schemas import Person

STATIC_FILES = {"bloggers.js": "text/javascript", "icon.svg": "image/svg+xml", "icon-dark.svg": "image/svg+xml"}
"""Files that are served below `/static`, with their media types."""

STATIC_FOLDER = Path(__file__).parent / "static"

# Nothing in a file may run or load anything if somebody opens the file itself as a page.
_STATIC_HEADERS = {"Cache-Control": "private, no-cache", "Content-Security-Policy": "default-src 'none'; sandbox"}


def create_app(
    access: PageAccess, make_services: Callable[[], PageServices], static_folder: Path = STATIC_FOLDER
) -> FastAPI:
    """Return the app that is mounted at `/bloggers`.

    Every route has one of the two guards of `access`. `make_services` is called in a thread for every request that
    reads or changes data, and has to cache its result.
    """
    app = FastAPI(title="Bloggers page", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.make_services = make_services
    app.include_router(_own_router(access, static_folder), dependencies=[Depends(access.require_reading)])
    app.include_router(reading, dependencies=[Depends(access.require_reading)])
    app.include_router(
        acting, dependencies=[Depends(access.require_acting), Depends(require_json), Depends(_identified(access))]
    )
    install_error_handlers(app)
    return app


def _own_router(access: PageAccess, static_folder: Path) -> APIRouter:
    """Return the routes that need no service: the built files, and the rights of the person."""
    router = APIRouter(route_class=PageRoute)

    @router.get("/static/{name}")
    def read_static_file(name: str) -> FileResponse:
        """Return one of the built files."""
        path = static_folder / name
        if name not in STATIC_FILES or not path.is_file():
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return FileResponse(path, media_type=STATIC_FILES[name], headers=_STATIC_HEADERS)

    async def read_me(may_act: bool = Depends(access.may_act)) -> Person:  # noqa: FBT001, RUF029 - FastAPI passes the value
        return Person(may_act=may_act)

    router.add_api_route("/api/me", read_me, methods=["GET"])
    return router


def _identified(access: PageAccess) -> Callable[..., object]:
    """Return a dependency that keeps the name of the person who sends the request in `request.state.person`."""

    async def identify(request: Request, person: str = Depends(access.person)) -> None:  # noqa: RUF029 - FastAPI would run a plain function in Airflow's threads
        request.state.person = person

    return identify

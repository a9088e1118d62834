"""Factory of the FastAPI app."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.api.error_responses import install_error_handlers
from blogger_tracking.api.routes import router
from blogger_tracking.rate_limit import StrangerRateLimiter
from blogger_tracking.settings import get_settings

_PREFLIGHT_SECONDS = 600


def create_app(make_services: Callable[[], ApiServices], allowed_origins: Sequence[str]) -> FastAPI:
    """Return the app that is mounted at `/blogger`.

    `make_services` is called in a thread for every authenticated request, and has to cache its result. The OpenAPI
    document is not served, so that no route except the CORS preflight responds without a token.
    """
    settings = get_settings()
    app = FastAPI(title="Blogger tracking", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.make_services = make_services
    app.state.services = None
    app.state.strangers = StrangerRateLimiter(
        settings.stranger_requests_per_minute_of_address, settings.stranger_requests_per_minute
    )
    app.include_router(router)
    install_error_handlers(app)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(allowed_origins),
        allow_methods=["GET", "POST", "PATCH"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
        expose_headers=["Retry-After"],
        max_age=_PREFLIGHT_SECONDS,
    )
    return app

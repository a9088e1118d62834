"""Construction of the HTTP API from Airflow Connections and settings, for the plugin that mounts the API.

Every Airflow process imports this module with the plugin, and only the API server needs the app: what the app needs is
imported at the first request.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from blogger_tracking.api.access_tokens import SupabaseAuthConfig
    from blogger_tracking.api.dependencies import ApiServices

SUPABASE_AUTH = "supabase_auth"
"""Connection id of the issuer of access tokens: host = the issuer, password = the legacy JWT secret, if it is used.

The extras `jwks_url` and `audience` replace the defaults of SupabaseAuthConfig.
"""


class LazyApp:
    """ASGI app that imports and creates another app at the first request."""

    def __init__(self, make_app: Callable[[], ASGIApp]) -> None:
        self._make_app = make_app
        self._app: ASGIApp | None = None
        self._loading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        app = await self._load()
        await app(scope, receive, send)

    async def _load(self) -> ASGIApp:
        async with self._loading:
            if self._app is None:
                # In a thread, because importing takes seconds and must not block other requests.
                self._app = await asyncio.to_thread(self._make_app)
            return self._app


def make_app() -> ASGIApp:
    """Return the FastAPI app, whose dependencies are created at the first request and kept."""
    from blogger_tracking.api.app import create_app
    from blogger_tracking.orchestration.process_cache import cached_in_process
    from blogger_tracking.orchestration.sentry import ensure_sentry
    from blogger_tracking.settings import get_settings

    kept_services = cached_in_process(make_services)

    def services() -> ApiServices:
        ensure_sentry()
        return kept_services()

    return create_app(services, get_settings().allowed_origins)


def make_services() -> ApiServices:
    """Return the dependencies of the routes.

    Raises ConfigurationError, to which the app responds with 503.
    """
    from blogger_tracking.api.access_tokens import TokenVerifier
    from blogger_tracking.api.dependencies import ApiServices
    from blogger_tracking.database.request_budgets import BudgetPurpose, Budgets
    from blogger_tracking.orchestration.connected_services import airflow_api, fetch_services
    from blogger_tracking.orchestration.shared_look_ups import look_up_slots
    from blogger_tracking.rate_limit import RequestRateLimiter
    from blogger_tracking.settings import get_settings
    from blogger_tracking.usecases.look_up_blogger import LookUpLimits

    settings = get_settings()
    return ApiServices(
        make_fetch_services=fetch_services,
        airflow_api=airflow_api(),
        token_verifier=TokenVerifier(auth_config(), timeout_seconds=settings.auth_timeout_seconds),
        person_rate_limiter=RequestRateLimiter("This person", settings.person_requests_per_minute),
        request_budgets=Budgets(
            BudgetPurpose.REQUESTS,
            timedelta(minutes=1),
            of_person=settings.person_requests_per_minute,
            of_organization=settings.organization_requests_per_minute,
        ),
        look_up_slots=look_up_slots(),
        look_up_limits=LookUpLimits.of(settings),
    )


def auth_config() -> SupabaseAuthConfig:
    """Return the configuration of access tokens. Raises ConfigurationError."""
    from blogger_tracking.api.access_tokens import SupabaseAuthConfig
    from blogger_tracking.orchestration.connected_services import config_from, get_connection

    connection = get_connection(SUPABASE_AUTH)
    return config_from(
        connection, SupabaseAuthConfig, {"issuer": connection.host or "", "secret": connection.password or None}
    )

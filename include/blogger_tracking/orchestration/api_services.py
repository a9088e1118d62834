"""The HTTP surface as an Airflow deployment has it: out of Connections and settings, once per process."""

from __future__ import annotations

import threading
from functools import cache

from fastapi import FastAPI

from blogger_tracking.api.access_tokens import SupabaseAuthConfig, TokenVerifier
from blogger_tracking.api.app import create_app
from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.orchestration.connections import airflow_api, fetch_services, get_connection
from blogger_tracking.orchestration.process_cache import cached_in_process
from blogger_tracking.rate_limit import OrganizationRateLimiter
from blogger_tracking.settings import get_settings

SUPABASE_AUTH = "supabase_auth"
"""Connection id: host = the issuer's address, password = the JWT secret (HS256), extra = jwks_url and audience."""


@cache
def app() -> FastAPI:
    """The app that the plugin mounts."""
    return create_app(services, get_settings().allowed_origins)


@cached_in_process
def services() -> ApiServices:
    """What the routes stand on. Raises ConfigurationError and DatabaseStateError, which are answered with 503."""
    settings = get_settings()
    return ApiServices(
        fetch_services=fetch_services(),
        airflow=airflow_api(),
        tokens=TokenVerifier(_auth_config(), timeout_seconds=settings.auth_timeout_seconds),
        rate_limit=OrganizationRateLimiter(settings.organization_requests_per_minute),
        look_ups=threading.BoundedSemaphore(settings.concurrent_look_ups),
    )


def _auth_config() -> SupabaseAuthConfig:
    connection = get_connection(SUPABASE_AUTH)
    return SupabaseAuthConfig.model_validate({
        "issuer": connection.host,
        "secret": connection.password or None,
        **connection.extra_dejson,
    })

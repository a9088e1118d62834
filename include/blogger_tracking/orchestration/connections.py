"""What Airflow's Connections lead to: the database, the platforms, Sentry. Made once per process, on first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.rate_limits import reserve_slots
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.process_cache import cached_in_process
from blogger_tracking.orchestration.sentry import start_sentry
from blogger_tracking.platforms import PlatformConfig, PlatformService, SharedRateLimiter, create_service
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.fetch_blogger import FetchServices

BLOGGER_DB = "blogger_db"
"""Connection id of the application's database, with the pipeline's role."""

BLOGGER_DB_ADMIN = "blogger_db_admin"
"""Connection id of the same database as the owner of the schema. Only migrations use it."""

AIRFLOW_API = "airflow_api"
"""Connection id of Airflow's own REST API: host = base URL, login and password of a service account."""

SENTRY = "sentry"
"""Connection id of Sentry; its password is the DSN. Optional."""


@cached_in_process
def fetch_services() -> FetchServices:
    """What a fetch talks to, shared by all fetches of this process.

    Raises ConfigurationError and DatabaseStateError, each with what to do.
    """
    start_sentry(_sentry_dsn())
    return FetchServices(pool=database_pool(), platforms=_Platforms())


class _Platforms(Mapping[Platform, PlatformService]):
    """The clients, each made when it is first asked for: nobody needs the key of a platform that is not tracked."""

    def __getitem__(self, platform: Platform) -> PlatformService:
        return platform_service(platform)

    def __iter__(self) -> Iterator[Platform]:
        return iter(Platform)

    def __len__(self) -> int:
        return len(Platform)


@cached_in_process
def database_pool() -> ConnectionPool:
    """Connections to the application's database."""
    return open_pool(conninfo(get_connection(BLOGGER_DB)))


@cached_in_process
def platform_service(platform: Platform) -> PlatformService:
    """The client of one platform, at a pace that it keeps together with all processes on the same database.

    Its questions raise psycopg.Error, too: without the database no platform is asked.
    """
    connection = get_connection(f"{platform.slug}_api")
    if not connection.host or not connection.password:
        raise ConfigurationError(
            f"The Connection {connection.conn_id} needs a host (the platform's base URL) and a password (the API key). "
            "Nothing was fetched."
        )
    return create_service(
        platform,
        PlatformConfig.model_validate({
            "base_url": connection.host,
            "api_key": connection.password,
            **connection.extra_dejson,
        }),
        rate_limiter=_shared_rate_limiter(),
    )


@cached_in_process
def _shared_rate_limiter() -> SharedRateLimiter:
    return SharedRateLimiter(partial(reserve_slots, database_pool()))


@cached_in_process
def airflow_api() -> AirflowApi:
    """The REST API that initial fetches are triggered over."""
    connection = get_connection(AIRFLOW_API)
    if not connection.host or not connection.login or not connection.password:
        raise ConfigurationError(
            f"The Connection {AIRFLOW_API} needs a host (Airflow's base URL), a login and a password. "
            "Wishes for an initial fetch stay open."
        )
    timeout = get_settings().airflow_api_timeout_seconds
    return AirflowApi(connection.host, connection.login, connection.password, timeout_seconds=timeout)


def get_connection(connection_id: str) -> Connection:
    """An Airflow Connection. Raises ConfigurationError when there is none."""
    try:
        return BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"There is no Airflow Connection {connection_id!r}. Nothing was fetched. "
            f"Create it in the UI or set AIRFLOW_CONN_{connection_id.upper()}; README.md has an example."
        ) from None


def conninfo(connection: Connection) -> str:
    """A Postgres Connection as libpq reads it. Its extras are libpq's own parameters, and win."""
    parts = {
        "host": connection.host,
        "port": connection.port,
        "user": connection.login,
        "password": connection.password,
        "dbname": connection.schema,
    }
    return make_conninfo("", **{name: value for name, value in parts.items() if value} | connection.extra_dejson)


def _sentry_dsn() -> str | None:
    try:
        return get_connection(SENTRY).password
    except ConfigurationError:
        return None

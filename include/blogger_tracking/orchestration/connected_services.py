"""Services configured by Airflow Connections: the database, the platforms, Airflow's REST API.

Each service is created at its first use and kept for the life of the process.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from copy import copy
from functools import partial
from typing import Any, TypeVar

import psycopg
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from psycopg_pool import ConnectionPool
from pydantic import BaseModel, ValidationError

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.database.connections import OpenConnection, open_pool
from blogger_tracking.database.rate_limits import reserve_slots
from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.domain.models import Platform
from blogger_tracking.log_redaction import redact_log_records
from blogger_tracking.orchestration.process_cache import cached_in_process
from blogger_tracking.platforms import PlatformConfig, PlatformService, SharedRateLimiter, create_service
from blogger_tracking.redaction import redact, remember_secrets_in
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.fetch_blogger import FetchServices

Config = TypeVar("Config", bound=BaseModel)

BLOGGER_DB = "blogger_db"
"""Connection id of the application's database, with the pipeline's role."""

BLOGGER_DB_ADMIN = "blogger_db_admin"
"""Connection id of the same database, as the owner of the schema: for migrations, imports and the removal."""

AIRFLOW_API = "airflow_api"
"""Connection id of Airflow's own REST API: host = base URL, login and password of a service account."""

SENTRY = "sentry"
"""Connection id of Sentry: password = the DSN. Optional."""

_SECRET_EXTRAS = re.compile(
    r"secret|token|passw|api_?key|access_key|account_key|private_key|connection_string|credential|authorization",
    re.IGNORECASE,
)
"""Names of a Connection's extras whose values are secrets: those of the platforms' and the storages' arguments."""

_ADDRESS_EXTRAS = ("_url", "_uri", "_endpoint", "_file", "_path")
"""Ends of names of extras whose values are addresses: a `token_url` is no token."""

_REST_OF_URL = re.compile(r"@[^@]*/")
"""Server and database of a URL, in an extra that begins with a part of the password."""


@cached_in_process
def fetch_services() -> FetchServices:
    """Return the services of a fetch, shared by all fetches of this process.

    Raises ConfigurationError and DatabaseStateError, each with the remedy in its text.
    """
    return FetchServices(pool=database_pool(), platforms=_Platforms())


class _Platforms(Mapping[Platform, PlatformService]):
    """The clients of the platforms, each created at its first use: a platform that is not tracked needs no API key."""

    def __getitem__(self, platform: Platform) -> PlatformService:
        return platform_service(platform)

    def __iter__(self) -> Iterator[Platform]:
        return iter(Platform)

    def __len__(self) -> int:
        return len(Platform)


@cached_in_process
def database_pool() -> ConnectionPool:
    """Return the pool of connections to the application's database."""
    return open_pool(database_opener(BLOGGER_DB))


@cached_in_process
def platform_service(platform: Platform) -> PlatformService:
    """Return the client of one platform, within a rate limit that all processes on the same database share.

    The client's methods also raise psycopg.Error: without the database the rate limit cannot be kept, so no request
    is sent.
    """
    return create_service(platform, platform_config(platform), rate_limiter=_shared_rate_limiter())


def platform_config(platform: Platform) -> PlatformConfig:
    """Return the address and API key of a platform. Raises ConfigurationError."""
    connection = get_connection(f"{platform.slug}_api")
    if not connection.host or not connection.password:
        raise ConfigurationError(
            f"The Connection {connection.conn_id} needs a host (the platform's base URL) and a password (the API key). "
            "Nothing was fetched."
        )
    return config_from(connection, PlatformConfig, {"base_url": connection.host, "api_key": connection.password})


@cached_in_process
def _shared_rate_limiter() -> SharedRateLimiter:
    return SharedRateLimiter(partial(reserve_slots, database_pool()))


@cached_in_process
def airflow_api() -> AirflowApi:
    """Return the client of the REST API that initial fetches are triggered over."""
    connection = get_connection(AIRFLOW_API)
    if not connection.host or not connection.login or not connection.password:
        raise ConfigurationError(
            f"The Connection {AIRFLOW_API} needs a host (Airflow's base URL), a login and a password. "
            "Initial fetches stay pending."
        )
    timeout = get_settings().airflow_api_timeout_seconds
    return AirflowApi(connection.host, connection.login, connection.password, timeout_seconds=timeout)


def get_connection(connection_id: str) -> Connection:
    """Return an Airflow Connection. Its password and its secret extras are redacted from then on, in log lines as well.

    Raises ConfigurationError if there is none.
    """
    try:
        connection = BaseHook.get_connection(connection_id)
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"There is no Airflow Connection {connection_id!r}. Nothing was changed. "
            f"Create the Connection in the UI or set AIRFLOW_CONN_{connection_id.upper()}; README.md has an example."
        ) from None
    redact_log_records()
    for value in (connection.password, *_secret_values(connection.extra_dejson)):
        remember_secrets_in(value or "")
    return connection


def _secret_values(extras: Mapping[str, Any]) -> Iterator[str]:
    for name, value in extras.items():
        if isinstance(value, Mapping):
            yield from _secret_values(value)
        elif isinstance(value, str) and _SECRET_EXTRAS.search(name) and not name.lower().endswith(_ADDRESS_EXTRAS):
            yield value


def find_connection(connection_id: str) -> Connection | None:
    """Return an Airflow Connection, or None if there is none.

    Airflow reports a Connection that it could not read, for example during a restart of the API server, as one that
    does not exist.
    """
    try:
        return get_connection(connection_id)
    except ConfigurationError:
        return None


def config_from(connection: Connection, model: type[Config], values: dict[str, Any]) -> Config:
    """Return a configuration of `values` and the Connection's extras; extras take precedence.

    Raises ConfigurationError.
    """
    try:
        return model.model_validate({**values, **connection.extra_dejson})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ConfigurationError(
            f"The Connection {connection.conn_id} is not valid: {faults}. Correct the Connection's host, password "
            "and extras; README.md has an example."
        ) from None


def database_opener(connection_id: str) -> OpenConnection:
    """Return a function that connects to the database of an Airflow Connection. Raises ConfigurationError.

    The Connection is read once. A token of IAM or Entra is requested anew for each connection to the database.
    """
    connection = get_connection(connection_id)
    if _is_misread(connection):
        raise ConfigurationError(
            f"The Connection {connection_id} cannot be read, or it names no database. Nothing was changed. "
            "Percent-encode the password in its URL, with %40 for @, %2F for /, %3F for ? and %23 for #."
        )
    return partial(_connect, connection)


def _is_misread(connection: Connection) -> bool:
    """Return True if Airflow may have taken a part of the password for the host, the port, the database or an extra.

    The rest of a URL whose password is not percent-encoded is then in the name of the database or in an extra. Airflow
    drops what follows a `#`, so the variable that Airflow read is searched for one.
    """
    url = os.environ.get(f"AIRFLOW_CONN_{connection.conn_id.upper()}", "").strip()
    extras = [f"{name} {value}" for name, value in connection.extra_dejson.items()]
    return (
        not connection.schema
        or "@" in f"{connection.host}{connection.schema}"
        or ("#" in url and not url.startswith("{"))
        or any(_REST_OF_URL.search(extra) for extra in extras)
    )


def _connect(connection: Connection, **options: object) -> psycopg.Connection:
    """Connect as Airflow's PostgresHook does. `options` of `psycopg.connect` replace extras of the Connection."""
    with_options = copy(connection)
    with_options.extra = json.dumps({**connection.extra_dejson, **options})
    try:
        opened = PostgresHook(connection=with_options).get_conn()
    except AirflowException as error:
        raise ConfigurationError(
            f"The Connection {connection.conn_id} cannot be used: {redact(str(error))}. Nothing was changed. "
            "Correct the Connection."
        ) from error
    if not isinstance(opened, psycopg.Connection):
        raise ConfigurationError(
            "Airflow's PostgresHook uses psycopg2, but psycopg 3 is required. Install SQLAlchemy 2."
        )
    return opened

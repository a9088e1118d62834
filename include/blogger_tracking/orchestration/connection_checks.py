"""Readiness checks of Airflow's Connections and of the services behind the Connections. Nothing is changed.

A platform is not requested, because requests cost money or units.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import psycopg
from sentry_sdk.utils import BadDsn, Dsn

from blogger_tracking.airflow_api import AirflowApi, AirflowApiError
from blogger_tracking.api.access_tokens import KeysUnavailableError, SupabaseAuthConfig, count_published_keys
from blogger_tracking.database.readiness import check_database, check_owner, count_active_accounts
from blogger_tracking.domain.checks import Check, Remedy, export, fault, not_checked, ok, shell, to_do, warning
from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from blogger_tracking.orchestration.api_app import SUPABASE_AUTH, auth_config
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.orchestration.connected_services import (
    AIRFLOW_API,
    BLOGGER_DB,
    BLOGGER_DB_ADMIN,
    SENTRY,
    airflow_api,
    database_opener,
    find_connection,
    platform_config,
)
from blogger_tracking.orchestration.health_tasks import HEALTH_DAG_ID
from blogger_tracking.orchestration.maintenance_tasks import MAINTENANCE_DAG_ID
from blogger_tracking.orchestration.queue_tasks import THUMBNAIL_DAG_ID, VIDEO_BATCH_DAG_ID
from blogger_tracking.settings import Settings

_EXAMPLES: Final[Mapping[str, str]] = {
    BLOGGER_DB: "postgresql://LOGIN:PASSWORD@HOST:5432/DATABASE?sslmode=require",
    BLOGGER_DB_ADMIN: "postgresql://OWNER:PASSWORD@HOST:5432/DATABASE?sslmode=require",
    "tiktok_api": '{"conn_type": "http", "host": "https://tiktok-api23.p.rapidapi.com", "password": "KEY"}',
    "instagram_api": '{"conn_type": "http", "host": "https://api.hikerapi.com", "password": "KEY"}',
    "youtube_api": '{"conn_type": "http", "host": "https://www.googleapis.com/youtube/v3", "password": "KEY"}',
    AIRFLOW_API: '{"conn_type": "http", "host": "http://localhost:8080", "login": "LOGIN", "password": "PASSWORD"}',
    SUPABASE_AUTH: '{"conn_type": "http", "host": "https://PROJECT.supabase.co/auth/v1"}',
    SENTRY: '{"conn_type": "generic", "password": "https://KEY@sentry.example.org/1"}',
}
"""A working form of each Connection; words in capitals are to be replaced."""

_WITH_SECRET = '{"conn_type": "http", "host": "https://PROJECT.supabase.co/auth/v1", "password": "JWT SECRET"}'  # noqa: S105 - a form to fill in

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

DAG_IDS = (
    BATCH_DAG_ID,
    INITIAL_FETCH_DAG_ID,
    VIDEO_BATCH_DAG_ID,
    THUMBNAIL_DAG_ID,
    HEALTH_DAG_ID,
    MAINTENANCE_DAG_ID,
)
"""Ids of this project's DAGs."""

_API_KEY = re.compile(r"sb_(publishable|secret)_.*|eyJ[\w-]+\.[\w-]+\.[\w-]+")


def check_variables() -> Iterator[Check]:
    """Check that Airflow can read each Connection that is an environment variable.

    Airflow treats a Connection that it cannot read as missing, even an optional one. An empty variable, as Compose sets
    it for a Connection that `.env` leaves out, is no Connection.
    """
    for connection_id in _EXAMPLES:
        variable = _variable(connection_id)
        if os.environ.get(variable) and find_connection(connection_id) is None:
            yield fault(variable, "The value is neither JSON nor a URL.", set_connection(connection_id))


def check_pipeline_database(settings: Settings) -> list[Check]:
    """Check the Connection `blogger_db` and the database behind the Connection."""
    try:
        opener = database_opener(BLOGGER_DB)
        checks = check_database(opener, settings.database_connections)
    except BloggerTrackingError as error:
        return [fault(BLOGGER_DB, _first_sentence(error), set_connection(BLOGGER_DB))]
    except psycopg.Error as error:
        finding = f"The server ended the connection during the checks: {str(error).splitlines()[0]}."
        return [fault(BLOGGER_DB, finding, shell("make doctor"))]
    return [ok(BLOGGER_DB, "The Connection is set, and the server accepts the login."), *checks]


def check_owner_connection() -> Check:
    """Check that `blogger_db_admin`, if there is such a Connection, is the owner of the schema in the same database."""
    if find_connection(BLOGGER_DB_ADMIN) is None:
        return ok(
            BLOGGER_DB_ADMIN, "Not set; only migrations, imports, `uninstall` and `remove-…` need the Connection."
        )
    try:
        return check_owner(
            database_opener(BLOGGER_DB),
            database_opener(BLOGGER_DB_ADMIN),
            name=BLOGGER_DB_ADMIN,
            remedy=set_connection(BLOGGER_DB_ADMIN),
        )
    except BloggerTrackingError as error:
        return fault(BLOGGER_DB_ADMIN, _first_sentence(error), set_connection(BLOGGER_DB_ADMIN))


def check_platforms() -> Iterator[Check]:
    """Check the Connection of each platform. A platform without active accounts needs none."""
    try:
        accounts: dict[str, int] | None = count_active_accounts(database_opener(BLOGGER_DB))
    except (BloggerTrackingError, psycopg.Error):
        accounts = None
    for platform in Platform:
        yield _check_platform(platform, None if accounts is None else accounts.get(platform.value, 0))


def check_youtube_statistics(settings: Settings) -> Check:
    """Check that the operator has decided how long YouTube's statistics are kept, if YouTube is tracked."""
    name = "youtube_statistics_days"
    if settings.youtube_statistics_days is not None:
        return ok(name, f"YouTube's statistics are kept for {settings.youtube_statistics_days} days.")
    try:
        is_tracked = bool(count_active_accounts(database_opener(BLOGGER_DB)).get(Platform.YOUTUBE))
    except (BloggerTrackingError, psycopg.Error):
        return not_checked(name, "The tracked accounts cannot be read.")
    if not is_tracked or uses_sandbox():
        return ok(name, "No real account of YouTube is tracked.")
    return warning(
        name,
        "YouTube's statistics are kept for ever; its terms allow 30 days unless another period was agreed.",
        to_do("Set the days that were agreed, or 30. The next maintenance removes older statistics for good:"),
        export("BLOGGER_TRACKING_YOUTUBE_STATISTICS_DAYS", "30"),
    )


def uses_sandbox() -> bool:
    """Return True if a platform's address is on this host, as the sandbox's is."""
    for platform in Platform:
        try:
            if _is_local(platform_config(platform).base_url):
                return True
        except BloggerTrackingError:
            continue
    return False


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


def _check_platform(platform: Platform, accounts: int | None) -> Check:
    name = f"{platform.slug}_api"
    if find_connection(name) is None and accounts == 0:
        return ok(name, f"Not set; no account on {platform.value} is tracked.")
    try:
        config = platform_config(platform)
    except BloggerTrackingError as error:
        return fault(name, _first_sentence(error), set_connection(name))
    if config.base_url.startswith("http://") and not _is_local(config.base_url):
        finding = f"The key is sent to {config.host} without encryption."
        return fault(name, finding, set_connection(name))
    return ok(name, f"The Connection has an address ({config.host}) and a key; the key was not tried.")


def check_airflow_api() -> Iterator[Check]:
    """Check Airflow's REST API: the service account, the version, the processes and the DAGs."""
    try:
        api = airflow_api()
        yield _check_running_version(api)
        yield _check_processes(api)
        yield _check_plugin(api)
        for dag_id in DAG_IDS:
            yield _check_dag(api, dag_id)
    except AirflowApiError as error:
        yield fault(AIRFLOW_API, _first_sentence(error), shell("airflow api-server"), set_connection(AIRFLOW_API))
    except BloggerTrackingError as error:
        yield fault(AIRFLOW_API, _first_sentence(error), set_connection(AIRFLOW_API))


def _check_running_version(api: AirflowApi) -> Check:
    running = api.version()
    if running == AIRFLOW_VERSION:
        return ok(AIRFLOW_API, f"Airflow {running} accepts the service account.")
    return fault(
        AIRFLOW_API,
        f"Airflow {running} is running; the code was verified against {AIRFLOW_VERSION}.",
        install_airflow(),
    )


def _check_processes(api: AirflowApi) -> Check:
    missing = api.unhealthy_components()
    if not missing:
        return ok("airflow_processes", "Scheduler, triggerer and DAG processor are running.")
    return fault(
        "airflow_processes",
        f"Not running: {', '.join(missing)}.",
        *(shell(f"airflow {name.replace('_', '-')}") for name in missing),
    )


def _check_plugin(api: AirflowApi) -> Check:
    status = api.plugin_status()
    if status == HTTPStatus.UNAUTHORIZED:
        return ok("plugin", "/blogger is mounted and asks for an access token.")
    if status == HTTPStatus.NOT_FOUND:
        finding = "The API server has no route /blogger: the plugin is not loaded."
        return fault("plugin", finding, shell("airflow plugins"))
    finding = f"/blogger returns {status} instead of 401: the API server lacks a Connection, or cannot use one."
    return fault("plugin", finding, shell("python -m blogger_tracking.cli doctor  # in the API server's environment"))


def _check_dag(api: AirflowApi, dag_id: str) -> Check:
    paused = api.is_paused(dag_id)
    if paused is None:
        return fault(dag_id, "Airflow does not have the DAG.", shell("airflow dags list-import-errors"))
    if paused:
        return warning(dag_id, "The DAG is paused: its runs do not start.", shell(f"airflow dags unpause {dag_id}"))
    return ok(dag_id, "Airflow has the DAG, and it is not paused.")


def check_supabase_auth(settings: Settings) -> Check:
    """Check the issuer and keys by which the HTTP API verifies access tokens."""
    try:
        config = auth_config()
    except BloggerTrackingError as error:
        return fault(SUPABASE_AUTH, _first_sentence(error), set_connection(SUPABASE_AUTH))
    secret = config.secret.get_secret_value() if config.secret else ""
    if _API_KEY.fullmatch(secret):
        return fault(
            SUPABASE_AUTH,
            "The password is an API key. API keys verify no access tokens.",
            to_do("Leave the password out to use the published keys, or set the JWT secret of the project:"),
            set_connection(SUPABASE_AUTH),
            export(_variable(SUPABASE_AUTH), _WITH_SECRET),
        )
    address = urlsplit(config.issuer)
    if (address.hostname or "").endswith(".supabase.co") and address.path.rstrip("/") != "/auth/v1":
        finding = f"The issuer {config.issuer} is not the one that Supabase writes into tokens: /auth/v1 is missing."
        right = f'{{"conn_type": "http", "host": "https://{address.hostname}/auth/v1"}}'
        return fault(SUPABASE_AUTH, finding, export(_variable(SUPABASE_AUTH), right))
    return _check_published_keys(config, settings)


def _check_published_keys(config: SupabaseAuthConfig, settings: Settings) -> Check:
    try:
        keys = count_published_keys(config, settings.auth_timeout_seconds)
    except KeysUnavailableError as error:
        return _without_keys(config, fault(SUPABASE_AUTH, str(error), set_connection(SUPABASE_AUTH)))
    if keys:
        return ok(SUPABASE_AUTH, f"Tokens are verified with {keys} published keys.")
    finding = f"No keys are published at {config.key_set_url}: the project signs tokens with its JWT secret."
    return _without_keys(config, fault(SUPABASE_AUTH, finding, export(_variable(SUPABASE_AUTH), _WITH_SECRET)))


def _without_keys(config: SupabaseAuthConfig, found: Check) -> Check:
    if config.may_lack_key_set:
        return ok(SUPABASE_AUTH, "Tokens that are signed with the project's JWT secret are accepted.")
    return found


def check_sentry() -> Check:
    """Check the DSN of Sentry, if there is such a Connection."""
    connection = find_connection(SENTRY)
    if connection is None:
        return ok(SENTRY, "Not set; alerts are only logged.")
    try:
        Dsn(connection.password or "")
    except BadDsn:
        return fault(SENTRY, "The password is not a DSN: no alert arrives.", set_connection(SENTRY))
    return ok(SENTRY, "The DSN is valid; no event was sent.")


def install_airflow() -> Remedy:
    """Return the command that installs the version of Airflow that the code needs."""
    return shell("pip install --require-hashes --requirement requirements-image.lock")


def set_connection(connection_id: str) -> Remedy:
    """Return the command that sets a Connection, with words in capitals to be replaced."""
    return export(_variable(connection_id), _EXAMPLES[connection_id])


def _variable(connection_id: str) -> str:
    return f"AIRFLOW_CONN_{connection_id.upper()}"


def _first_sentence(error: BloggerTrackingError) -> str:
    """Return the error without its advice, which the remedy replaces."""
    return f"{str(error).split('. ')[0].rstrip('.')}."

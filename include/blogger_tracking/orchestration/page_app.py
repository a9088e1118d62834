"""Construction of the Bloggers page from Airflow's login and permissions, Connections and settings.

Every Airflow process imports this module with the plugin, and only the API server needs the app: what the app needs is
imported at the first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from blogger_tracking.page.dependencies import PageServices


def make_app() -> ASGIApp:
    """Return the FastAPI app, whose services are created at the first request and kept."""
    from blogger_tracking.orchestration.airflow_3_3.page_access import airflow_access
    from blogger_tracking.orchestration.process_cache import cached_in_process
    from blogger_tracking.orchestration.sentry import ensure_sentry
    from blogger_tracking.page.app import create_app

    kept_services = cached_in_process(make_services)

    def services() -> PageServices:
        ensure_sentry()
        return kept_services()

    return create_app(airflow_access(), services)


def make_services() -> PageServices:
    """Return the dependencies of the routes.

    Raises ConfigurationError and DatabaseStateError, to which the app responds with 503.
    """
    from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
    from blogger_tracking.orchestration.connected_services import airflow_api, fetch_services
    from blogger_tracking.orchestration.process_cache import cached_in_process
    from blogger_tracking.orchestration.shared_look_ups import look_up_slots
    from blogger_tracking.orchestration.thumbnail_store import thumbnail_store
    from blogger_tracking.page.dependencies import PageServices
    from blogger_tracking.settings import get_settings
    from blogger_tracking.usecases.look_up_blogger import LookUpLimits

    settings = get_settings()
    return PageServices(
        fetch_services=fetch_services(),
        look_up_slots=look_up_slots(),
        look_up_limits=LookUpLimits.of(settings),
        airflow_api=airflow_api,
        thumbnails=cached_in_process(thumbnail_store),
        deployment=settings.deployment,
        batch_dag_id=BATCH_DAG_ID,
    )

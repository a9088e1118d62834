"""Registration of the Airflow plugin.

Airflow imports this file in every process, so the app and the listener import what they need at first use.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from blogger_tracking.orchestration.airflow_3_3 import callback_requests, cleared_instances, runs_ended_by_hand
from blogger_tracking.orchestration.api_app import LazyApp


class BloggerPlugin(AirflowPlugin):
    """Plugin that mounts the HTTP API at `/blogger` and registers the listeners."""

    name = "blogger"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/blogger", "name": "Blogger tracking"}]  # noqa: RUF012 - as Airflow declares it
    listeners = [callback_requests, cleared_instances, runs_ended_by_hand]  # noqa: RUF012 - as Airflow declares it

"""Registration alone: Airflow imports this file in every process, so the app loads itself with its first request."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from blogger_tracking.orchestration.api_app import LazyApp


class BloggerPlugin(AirflowPlugin):
    """Mounts the HTTP surface for people at `/blogger`."""

    name = "blogger"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/blogger", "name": "Blogger tracking"}]  # noqa: RUF012 - as Airflow declares it

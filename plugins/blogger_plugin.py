"""Registration of the HTTP API.

Airflow imports this file in every process, so the app is loaded with the first request.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from blogger_tracking.orchestration.api_app import LazyApp


class BloggerPlugin(AirflowPlugin):
    """The plugin that mounts the HTTP API at `/blogger`."""

    name = "blogger"
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/blogger", "name": "Blogger tracking"}]  # noqa: RUF012 - as Airflow declares it

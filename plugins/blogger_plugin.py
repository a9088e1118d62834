"""Registration of the Airflow plugin.

Airflow imports this file in every process, so the apps and the listeners import what they need at first use.
"""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from blogger_tracking.orchestration import api_app, page_app
from blogger_tracking.orchestration.airflow_3_3 import callback_requests, cleared_instances, runs_ended_by_hand
from blogger_tracking.orchestration.airflow_3_3.state_updates import repeat_state_updates_in
from blogger_tracking.orchestration.api_app import LazyApp


class BloggerPlugin(AirflowPlugin):
    """Plugin that mounts the HTTP API and the Bloggers page, and registers the page and the listeners."""

    name = "blogger"
    fastapi_apps = [  # noqa: RUF012 - as Airflow declares it
        {"app": LazyApp(api_app.make_app), "url_prefix": "/blogger", "name": "Blogger tracking"},
        {"app": LazyApp(page_app.make_app), "url_prefix": "/bloggers", "name": "Bloggers page"},
    ]
    fastapi_root_middlewares = [  # noqa: RUF012 - as Airflow declares it
        {"middleware": repeat_state_updates_in, "name": "Repeated state updates"}
    ]
    # Without a leading slash: Airflow's UI resolves the addresses against its own base, which may have a prefix.
    react_apps = [  # noqa: RUF012 - as Airflow declares it
        {
            "name": "Bloggers",
            "bundle_url": "bloggers/static/bloggers.js",
            "destination": "nav",
            "url_route": "bloggers",
            "icon": "bloggers/static/icon.svg",
            "icon_dark_mode": "bloggers/static/icon-dark.svg",
        }
    ]
    listeners = [callback_requests, cleared_instances, runs_ended_by_hand]  # noqa: RUF012 - as Airflow declares it

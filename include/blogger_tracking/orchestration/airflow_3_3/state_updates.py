"""Updates of a task's state whose connection to the metadata database is lost on the way.

Airflow's API server sets a task to failed, whatever retries are left, if anything fails while it prepares the update of
the task's state. If a connection was lost, nothing was wrong with the task, and its worker would have repeated the
request. With this module, such a request fails with 500, and the worker repeats it.

Relies on: the route `ti_update_state` calls the function `PREPARE` of its own module, sets the task to failed if the
function raises, and otherwise executes the statement that it returns; an SQLAlchemyError of that statement becomes a
response with 500, which workers repeat. SQLAlchemy executes nothing in a transaction whose connection was lost.
Verified against: Airflow 3.3.2, airflow/api_fastapi/execution_api/routes/task_instances.py.
Turned off by: `BLOGGER_TRACKING_REPEAT_STATE_UPDATES=false`.
Test: tests/orchestration/airflow_3_3/test_state_updates.py.

The plugin registers `repeat_state_updates_in` as a middleware, because Airflow calls middlewares in the API server
alone, once, before the first request. An API server without the core API (`--apps execution`) has none. Every
Airflow process imports the plugin: imports are inside functions.
"""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

logger = logging.getLogger(__name__)

PREPARE = "_create_ti_state_update_query_and_update_state"
"""Name of the function of Airflow that prepares an update."""


def repeat_state_updates_in(app: ASGIApp) -> ASGIApp:
    """Return the API server's app unchanged, and let workers repeat the updates whose connection was lost."""
    from blogger_tracking.settings import get_settings

    if get_settings().repeat_state_updates:
        repeat_state_updates()
    return app


def repeat_state_updates() -> None:
    """Wrap `PREPARE`: after a lost connection it returns the statement, which then fails, instead of raising itself."""
    from airflow.api_fastapi.execution_api.routes import task_instances

    prepare = getattr(task_instances, PREPARE)
    if not hasattr(prepare, "tolerates_lost_connections"):
        setattr(task_instances, PREPARE, _tolerant(prepare))


def _tolerant(prepare: Callable[..., Any]) -> Callable[..., Any]:
    from airflow.utils.state import TaskInstanceState
    from sqlalchemy.exc import DBAPIError

    @wraps(prepare)
    def tolerant(**named: Any) -> object:  # noqa: ANN401 - whatever Airflow's arguments are
        try:
            return prepare(**named)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            logger.warning("A connection was lost while a task's state was updated: the worker will repeat the update.")
            # The transaction executes nothing any more, so the statement of the caller fails.
            return named["query"], TaskInstanceState(named["ti_patch_payload"].state.value), ()

    tolerant.tolerates_lost_connections = True  # type: ignore[attr-defined] # marks the function that is in place
    return tolerant

"""Guards of the Bloggers page: Airflow's own dependencies for its login and its permissions.

Relies on: `requires_access_dag` returns a function of the request and the user that raises HTTPException with 403, and
`get_user` raises one with 401. The module of both is no public interface.
Verified against: Airflow 3.3.2, airflow/api_fastapi/core_api/security.py.
Turned off by: nothing, because the page would be open to everyone.
Test: tests/orchestration/airflow_3_3/test_page_access.py.

The API server alone imports this module.
"""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import HTTPException, Request

from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.page.access import PageAccess

_require_reading = requires_access_dag("GET", param_dag_id=BATCH_DAG_ID)
_require_acting = requires_access_dag("POST", DagAccessEntity.RUN, param_dag_id=BATCH_DAG_ID)


def airflow_access() -> PageAccess:
    """Return the guards: reading needs read access to the batch DAG, and acting the right to trigger the DAG."""
    return PageAccess(_require_reading, _require_acting, _may_act, _person)


def _may_act(request: Request, user: GetUserDep) -> bool:
    try:
        _require_acting(request, user)
    except HTTPException:
        return False
    return True


async def _person(user: GetUserDep) -> str:  # noqa: RUF029 - FastAPI runs plain functions in a thread
    return user.get_name()

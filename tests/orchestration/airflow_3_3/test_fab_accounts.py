"""The permissions of the service account; test_native_trial.py has the account in a running Airflow."""

from __future__ import annotations

from airflow.providers.fab.www.security import permissions

from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.orchestration.airflow_3_3.fab_accounts import service_permissions
from blogger_tracking.orchestration.connection_checks import DAG_IDS


def test_the_account_creates_runs_of_the_initial_fetch_alone() -> None:
    created = {resource for action, resource in service_permissions() if action == permissions.ACTION_CAN_CREATE}

    assert created == {permissions.resource_name(INITIAL_FETCH_DAG_ID, permissions.RESOURCE_DAG_RUN)}


def test_every_permission_names_one_dag_of_this_project() -> None:
    own = {
        permissions.resource_name(dag_id, kind)
        for dag_id in DAG_IDS
        for kind in (permissions.RESOURCE_DAG, permissions.RESOURCE_DAG_RUN)
    }

    assert {resource for _, resource in service_permissions()} == own

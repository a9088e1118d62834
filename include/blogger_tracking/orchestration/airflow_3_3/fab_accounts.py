"""Accounts of Airflow's FAB auth manager: the administrator, and the service account of the Connection `airflow_api`.

`python -m blogger_tracking.orchestration.airflow_3_3.fab_accounts` creates both and sets their passwords, which come
from the variables ADMIN_PASSWORD and SERVICE_PASSWORD. Airflow's own commands take a password as an argument, which
every process of the host can read.

Relies on: the permissions that FAB checks for DAG runs, and the security manager of `get_application_builder`.
Verified against: apache-airflow-providers-fab 3.10.2. For every change of a run, `is_authorized_dag` demands `can_edit`
on the DAG besides the permission on `DAG Run:` + the DAG's id.
Turned off by: not running the command; any other account can be named in the Connection.
Test: tests/orchestration/airflow_3_3/test_fab_accounts.py, tests/docker/test_native_trial.py.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.orchestration.connection_checks import DAG_IDS

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride

ADMIN = "admin"
SERVICE_ACCOUNT = "blogger_tracking"
"""User name of the service account, and name of its role."""


def service_permissions() -> Iterator[tuple[str, str]]:
    """Yield the service account's permissions: action and resource.

    The account triggers initial fetches, reads the state of this project's DAGs, and deletes the DAGs' old runs. The
    account sees no Connection, no variable, no log and no other DAG.
    """
    yield "can_create", f"DAG Run:{INITIAL_FETCH_DAG_ID}"
    for dag_id in DAG_IDS:
        yield from ((action, f"DAG:{dag_id}") for action in ("can_read", "can_edit"))
        yield from ((action, f"DAG Run:{dag_id}") for action in ("can_read", "can_delete"))


def set_up_accounts(admin_password: str, service_password: str) -> None:
    """Create the accounts that are missing, set both passwords, and give the role the permissions that it lacks."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import (  # noqa: PLC0415 - builds Airflow's old web app
        get_application_builder,
    )

    with get_application_builder() as builder:
        manager = builder.sm
        role = manager.add_role(SERVICE_ACCOUNT)
        for action, resource in service_permissions():
            manager.add_permission_to_role(role, manager.create_permission(action, resource))
        _set_up_user(manager, ADMIN, "Admin", admin_password)
        _set_up_user(manager, SERVICE_ACCOUNT, SERVICE_ACCOUNT, service_password)


def _set_up_user(manager: FabAirflowSecurityManagerOverride, name: str, role_name: str, password: str) -> None:
    user = manager.find_user(username=name)
    if user is None:
        role = manager.find_role(role_name)
        user = manager.add_user(name, name, "Account", f"{name}@localhost", role=role, password=password)
    manager.reset_password(user.id, password)


if __name__ == "__main__":
    set_up_accounts(os.environ["ADMIN_PASSWORD"], os.environ["SERVICE_PASSWORD"])
    sys.stdout.write(f"The accounts {ADMIN} and {SERVICE_ACCOUNT} have the passwords of the environment.\n")

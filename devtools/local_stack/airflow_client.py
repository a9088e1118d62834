"""Client of Airflow's public REST API for tests, the benchmark and `make run`, over Airflow's official client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import requests
from airflow_client.client import ApiClient, ApiException, Configuration
from airflow_client.client.api.dag_api import DAGApi
from airflow_client.client.api.dag_run_api import DagRunApi
from airflow_client.client.api.import_error_api import ImportErrorApi
from airflow_client.client.api.task_instance_api import TaskInstanceApi
from airflow_client.client.api.x_com_api import XComApi
from airflow_client.client.exceptions import UnauthorizedException
from airflow_client.client.models.clear_task_instances_body import ClearTaskInstancesBody
from airflow_client.client.models.clear_task_instances_body_task_ids_inner import ClearTaskInstancesBodyTaskIdsInner
from airflow_client.client.models.dag_patch_body import DAGPatchBody
from airflow_client.client.models.dag_run_clear_body import DAGRunClearBody
from airflow_client.client.models.dag_run_mutable_states import DagRunMutableStates
from airflow_client.client.models.dag_run_patch_body import DAGRunPatchBody
from airflow_client.client.models.dag_run_response import DAGRunResponse
from airflow_client.client.models.dag_run_state import DagRunState
from airflow_client.client.models.task_instance_response import TaskInstanceResponse
from airflow_client.client.models.trigger_dag_run_post_body import TriggerDAGRunPostBody
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from devtools.local_stack.config import StackError

_TIMEOUT_SECONDS = 30.0
_POLL_SECONDS = 1.0
_PAGE = 100
# The supervisor starts a killed API server again within seconds.
_RETRIES = Retry(total=6, backoff_factor=0.5, allowed_methods={"GET"})
FINISHED_STATES = frozenset({DagRunState.SUCCESS, DagRunState.FAILED})

Response = TypeVar("Response")


class AirflowClient:
    """Calls one API server as one user. Every call raises StackError with Airflow's own reason."""

    def __init__(self, api_url: str, login: str, password: str) -> None:
        self._url = api_url
        self._credentials = {"username": login, "password": password}
        self._configuration = Configuration(host=api_url, retries=_RETRIES)
        api = ApiClient(self._configuration)
        self._dags = DAGApi(api)
        self._dag_runs = DagRunApi(api)
        self._import_errors = ImportErrorApi(api)
        self._task_instances = TaskInstanceApi(api)
        self._xcoms = XComApi(api)

    def has_dag(self, dag_id: str) -> bool:
        """Return True if the DAG has been parsed and can be triggered."""
        try:
            self._send(self._dags.get_dag, dag_id)
        except ApiException:
            # Unknown so far, or the API server has just started.
            return False
        return True

    def pause(self, dag_id: str) -> None:
        """Pause a DAG: the scheduler creates no new runs of the DAG and starts no further tasks of its runs."""
        self._call(self._dags.patch_dag, dag_id, DAGPatchBody(is_paused=True))

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler create runs of a DAG and continue the existing ones."""
        self._call(self._dags.patch_dag, dag_id, DAGPatchBody(is_paused=False))

    def import_errors(self) -> list[str]:
        """Return the stack trace of every DAG file that could not be imported."""
        return [error.stack_trace for error in self._call(self._import_errors.get_import_errors).import_errors]

    def trigger(
        self, dag_id: str, conf: Mapping[str, object] | None = None, dag_run_id: str | None = None
    ) -> DAGRunResponse:
        """Trigger a run and return the run."""
        body = TriggerDAGRunPostBody(logical_date=None, conf=dict(conf or {}), dag_run_id=dag_run_id)
        return self._call(self._dag_runs.trigger_dag_run, dag_id, body)

    def run(self, dag_id: str, dag_run_id: str) -> DAGRunResponse:
        """Return one run."""
        return self._call(self._dag_runs.get_dag_run, dag_id, dag_run_id)

    def wait_for_run(
        self, dag_id: str, dag_run_id: str, timeout_seconds: float, poll_seconds: float = _POLL_SECONDS
    ) -> DAGRunResponse:
        """Return the run once it has ended. Raises StackError after `timeout_seconds`.

        For each response about a run, Airflow reads all task instances of the run: hundreds of milliseconds for a
        thousand instances. Poll rarely.
        """
        deadline = time.monotonic() + timeout_seconds
        while (run := self.run(dag_id, dag_run_id)).state not in FINISHED_STATES:
            if time.monotonic() > deadline:
                raise StackError(
                    f"{dag_run_id} of {dag_id} is still {run.state.value} after {timeout_seconds:.0f} s. "
                    "The run was not stopped."
                )
            time.sleep(poll_seconds)
        return run

    def task_instances(self, dag_id: str, dag_run_id: str) -> list[TaskInstanceResponse]:
        """Return all task instances of a run. `map_index` is -1 for an instance that is not mapped."""
        instances: list[TaskInstanceResponse] = []
        while True:
            page = self._call(
                self._task_instances.get_task_instances, dag_id, dag_run_id, limit=_PAGE, offset=len(instances)
            )
            instances += page.task_instances
            if not page.task_instances or len(instances) >= (page.total_entries or 0):
                return instances

    def clear(self, dag_id: str, dag_run_id: str, task_id: str, map_index: int = -1) -> None:
        """Clear one task instance and all tasks downstream, as the UI does, so that Airflow runs them again."""
        task = ClearTaskInstancesBodyTaskIdsInner(task_id if map_index < 0 else [task_id, map_index])
        body = ClearTaskInstancesBody(
            dry_run=False, dag_run_id=dag_run_id, task_ids=[task], only_failed=False, include_downstream=True
        )
        self._call(self._task_instances.post_clear_task_instances, dag_id, body)

    def clear_run(self, dag_id: str, dag_run_id: str) -> None:
        """Clear all task instances of a run, so that Airflow runs them again."""
        self._call(self._dag_runs.clear_dag_run, dag_id, dag_run_id, DAGRunClearBody(dry_run=False))

    def mark_run(self, dag_id: str, dag_run_id: str, state: DagRunMutableStates) -> None:
        """Mark a run as the UI does. The unfinished instances of a run that is marked as ended end as well."""
        self._call(self._dag_runs.patch_dag_run, dag_id, dag_run_id, DAGRunPatchBody(state=state))

    def delete_run(self, dag_id: str, dag_run_id: str) -> None:
        """Delete a run with its task instances, as the UI does."""
        self._call(self._dag_runs.delete_dag_run, dag_id, dag_run_id)

    def xcom(self, dag_id: str, dag_run_id: str, task_id: str, map_index: int = -1) -> object:
        """Return the value that a task instance returned."""
        entry = self._call(
            self._xcoms.get_xcom_entry,
            dag_id,
            task_id,
            dag_run_id,
            "return_value",
            map_index=map_index,
            deserialize=True,
        )
        if entry.actual_instance is None:
            raise StackError(f"{task_id} of {dag_run_id} has not returned a value.")
        value: object = entry.actual_instance.value
        return value

    def log(self, dag_id: str, dag_run_id: str, task_id: str, map_index: int = -1, try_number: int = 1) -> str:
        """Return the log of one try of a task instance, one line per event."""
        # Read as JSON: the official model of a log event drops all of its fields but `event` and `timestamp`.
        response = self._call(
            self._task_instances.get_log_with_http_info, dag_id, dag_run_id, task_id, try_number, map_index=map_index
        )
        return "\n".join(str(event) for event in json.loads(response.raw_data)["content"])

    def _call(self, operation: Callable[..., Response], *arguments: object, **options: object) -> Response:
        try:
            return self._send(operation, *arguments, **options)
        except ApiException as error:
            raise StackError(
                f"Airflow refused {operation.__name__} {arguments[:2]} with {error.status}: {str(error.body)[:500]}"
            ) from error

    def _send(self, operation: Callable[..., Response], *arguments: object, **options: object) -> Response:
        send = partial(operation, *arguments, **options, _request_timeout=_TIMEOUT_SECONDS)
        try:
            try:
                return send()
            except UnauthorizedException:
                self._log_in()
                return send()
        except (HTTPError, requests.RequestException) as error:
            raise StackError(f"Airflow's API at {self._url} does not answer: {error}") from error

    def _log_in(self) -> None:
        # The official client has no call for a token: /auth/token belongs to the auth manager, not to the REST API.
        answer = requests.post(f"{self._url}/auth/token", json=self._credentials, timeout=_TIMEOUT_SECONDS)
        if not answer.ok:
            raise StackError(f"Airflow refused the login {self._credentials['username']} ({answer.status_code}).")
        self._configuration.access_token = answer.json()["access_token"]

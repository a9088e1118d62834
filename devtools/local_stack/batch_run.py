"""One run of the batch DAG, started over Airflow's REST API and watched through the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable

from psycopg import Connection

from blogger_tracking.database.runs import RunKey, find_run
from devtools.local_stack.airflow_client import FINISHED_STATES, AirflowClient
from devtools.local_stack.errors import StackError

BATCH_DAG = "blogger_batch_fetch"

_PARSED_SECONDS = 120.0
_RUN_SECONDS = 3600.0
_POLL_SECONDS = 1.0

_COUNT_STATES = """
select state, count(*)
from fetches
where run_id = %s
group by state
order by state
"""


def wait_for_dag(client: AirflowClient, dag_id: str) -> None:
    """Return once the DAG can be triggered. Raises StackError, with what could not be imported, after two minutes."""
    deadline = time.monotonic() + _PARSED_SECONDS
    while not client.has_dag(dag_id):
        if time.monotonic() > deadline:
            reasons = "\n".join(client.import_errors()) or "No file of the DAGs folder defines it."
            raise StackError(f"Airflow does not know the DAG {dag_id}. {reasons}")
        time.sleep(_POLL_SECONDS)


def run_batch(
    client: AirflowClient, connection: Connection, deployment: str, progress: Callable[[str], None]
) -> tuple[int, str]:
    """Run the batch DAG once; return the run's id in the ledger and its state in Airflow.

    Raises StackError when it does not end, or ends before it was planned.
    """
    wait_for_dag(client, BATCH_DAG)
    dag_run_id = client.trigger(BATCH_DAG)["dag_run_id"]
    progress(f"{BATCH_DAG} runs as {dag_run_id}")
    key = RunKey(deployment, BATCH_DAG, dag_run_id)
    state = _watch(client, connection, key, progress)
    run_id = find_run(connection, key)
    if run_id is None:
        raise StackError(f"{dag_run_id} ended as {state} without a plan; the logs of its `plan` tasks say why.")
    return run_id, state


def read_states(connection: Connection, run_id: int) -> dict[str, int]:
    """How many fetches of a run are in which state."""
    return dict(connection.execute(_COUNT_STATES, (run_id,)).fetchall())


def _watch(client: AirflowClient, connection: Connection, key: RunKey, progress: Callable[[str], None]) -> str:
    deadline = time.monotonic() + _RUN_SECONDS
    said = ""
    while (state := client.run(key.dag_id, key.dag_run_id)["state"]) not in FINISHED_STATES:
        if time.monotonic() > deadline:
            raise StackError(f"{key.dag_run_id} is still {state} after {_RUN_SECONDS:.0f} s.")
        counts = _describe(connection, key)
        if counts != said:
            progress(counts)
            said = counts
        time.sleep(_POLL_SECONDS)
    return state


def _describe(connection: Connection, key: RunKey) -> str:
    run_id = find_run(connection, key)
    if run_id is None:
        return "Fetches: not planned yet"
    return "Fetches: " + ", ".join(f"{count} {state}" for state, count in read_states(connection, run_id).items())

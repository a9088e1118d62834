"""One run of the batch DAG, triggered over Airflow's REST API and watched through the ledger, and its queues."""

from __future__ import annotations

import time
from collections.abc import Callable

from psycopg import Connection

from blogger_tracking.database.runs import RunKey, find_run
from blogger_tracking.usecases.manage_queues import QueueState, read_queues
from devtools.local_stack.airflow_client import FINISHED_STATES, AirflowClient
from devtools.local_stack.config import StackError

BATCH_DAG = "blogger_batch_fetch"

_PARSE_SECONDS = 120.0
_RUN_SECONDS = 3600.0
_RUN_POLL_SECONDS = 1.0
_QUEUES_SECONDS = 300.0
_QUEUES_POLL_SECONDS = 2.0

_COUNT_STATES = """
select state, count(*)
from blogger_tracking.fetches
where run_id = %s
group by state
order by state
"""


def wait_for_dag(client: AirflowClient, dag_id: str) -> None:
    """Return once the DAG can be triggered. Raises StackError, with the import errors, after two minutes."""
    deadline = time.monotonic() + _PARSE_SECONDS
    while not client.has_dag(dag_id):
        if time.monotonic() > deadline:
            reasons = "\n".join(client.import_errors()) or "No file of the DAGs folder defines this DAG."
            raise StackError(f"Airflow does not know the DAG {dag_id} after {_PARSE_SECONDS:.0f} s. {reasons}")
        time.sleep(_RUN_POLL_SECONDS)


def run_batch(
    client: AirflowClient, connection: Connection, deployment: str, progress: Callable[[str], None]
) -> tuple[int, str]:
    """Run the batch DAG once; return the run's id in the ledger and its state in Airflow.

    Raises StackError if the run does not end within an hour, or ends without a plan.
    """
    wait_for_dag(client, BATCH_DAG)
    dag_run_id = client.trigger(BATCH_DAG).dag_run_id
    progress(f"Triggered {BATCH_DAG} as {dag_run_id}")
    key = RunKey(deployment, BATCH_DAG, dag_run_id)
    state = _watch(client, connection, key, progress)
    run_id = find_run(connection, key)
    if run_id is None:
        raise StackError(
            f"{dag_run_id} ended as {state} without a plan, so nothing was fetched or charged. "
            "The logs of its `plan` tasks in Airflow's UI show the reason."
        )
    return run_id, state


def count_states(connection: Connection, run_id: int) -> dict[str, int]:
    """Return the number of a run's fetches by state."""
    return dict(connection.execute(_COUNT_STATES, (run_id,)).fetchall())


def wait_for_queues(connection: Connection, progress: Callable[[str], None]) -> list[QueueState]:
    """Return the state of the queues once no message waits, or after five minutes."""
    deadline = time.monotonic() + _QUEUES_SECONDS
    printed = ""
    states = read_queues(connection)
    while any(state.counts.waiting for state in states) and time.monotonic() < deadline:
        counts = "Queues: " + ", ".join(f"{state.counts.waiting} waiting in {state.queue}" for state in states)
        if counts != printed:
            progress(counts)
            printed = counts
        time.sleep(_QUEUES_POLL_SECONDS)
        states = read_queues(connection)
    return states


def _watch(client: AirflowClient, connection: Connection, key: RunKey, progress: Callable[[str], None]) -> str:
    deadline = time.monotonic() + _RUN_SECONDS
    printed = ""
    while (state := client.run(key.dag_id, key.dag_run_id).state) not in FINISHED_STATES:
        if time.monotonic() > deadline:
            raise StackError(
                f"{key.dag_run_id} is still {state.value} after {_RUN_SECONDS:.0f} s. What was saved is kept; "
                "the logs of its tasks in Airflow's UI show the reason."
            )
        counts = _describe(connection, key)
        if counts != printed:
            progress(counts)
            printed = counts
        time.sleep(_RUN_POLL_SECONDS)
    return state.value


def _describe(connection: Connection, key: RunKey) -> str:
    run_id = find_run(connection, key)
    if run_id is None:
        return "Fetches: not planned yet"
    return "Fetches: " + ", ".join(f"{count} {state}" for state, count in count_states(connection, run_id).items())

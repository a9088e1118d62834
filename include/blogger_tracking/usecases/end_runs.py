"""Use case: end runs whose last task did not or will not run, so that they hold no reservation and no blogger."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.run_plans import serialize_planning
from blogger_tracking.database.runs import RunKey, find_run, finish_run, read_open_runs, release_stale_fetches

logger = logging.getLogger(__name__)

CountRunning = Callable[[str, Sequence[str]], int]
"""Function that returns how many of these DAG runs of a DAG are queued or running in Airflow."""


def end_run(pool: ConnectionPool, key: RunKey) -> int:
    """Save the end of a run and release its unfinished fetches; return the number of released fetches.

    No attempt of the run begins from now on, unless somebody clears an instance. A run without a plan has nothing
    to release.
    """
    with pool.connection() as connection:
        return _end_run(connection, key) or 0


def end_dead_runs(pool: ConnectionPool, deployment: str, count_running: CountRunning) -> list[RunKey]:
    """End the runs of this deployment that have no end in the ledger and do not run in Airflow; return these runs.

    Such a run was failed, ended or deleted by hand, or timed out, or its last task failed; the watch reports such a
    batch. A run that ends by itself while Airflow is asked keeps its end.
    """
    with pool.connection() as connection:
        open_runs = read_open_runs(connection, deployment)
    running = _running(open_runs, count_running)
    return [key for key in open_runs if key not in running and _end_dead_run(pool, key)]


def end_runs_of_deployment(connection: Connection, deployment: str) -> dict[RunKey, int]:
    """End all open runs of a deployment whose Airflow is gone; return the number of released fetches of each run.

    Without this, they hold their reservations and bloggers until they expire: each Airflow ends its own dead runs only.
    """
    return {key: _end_run(connection, key) or 0 for key in read_open_runs(connection, deployment)}


def _end_dead_run(pool: ConnectionPool, key: RunKey) -> bool:
    """Save the end of a dead run. Return False if the run has ended by itself meanwhile."""
    with pool.connection() as connection:
        released = _end_run(connection, key, is_dead=True)
    if released is None:
        return False
    logger.warning(
        "%s of %s no longer runs in Airflow and did not end by itself: released its %s unfinished fetches.",
        key.dag_run_id,
        key.dag_id,
        released,
    )
    return True


def _end_run(connection: Connection, key: RunKey, *, is_dead: bool = False) -> int | None:
    """Return the number of released fetches; None if the run has no plan, or has died after it had ended by itself."""
    with bounded_transaction(connection):
        moment = serialize_planning(connection)
        run_id = find_run(connection, key)
        if run_id is None or not finish_run(connection, run_id, moment, is_dead=is_dead):
            return None
        return release_stale_fetches(connection, moment, run_id)


def _running(runs: Sequence[RunKey], count_running: CountRunning) -> set[RunKey]:
    by_dag: dict[str, list[RunKey]] = defaultdict(list)
    for key in runs:
        by_dag[key.dag_id].append(key)
    return {key for dag_id, keys in by_dag.items() for key in _running_of_dag(dag_id, keys, count_running)}


def _running_of_dag(dag_id: str, keys: Sequence[RunKey], count_running: CountRunning) -> Sequence[RunKey]:
    # One request in the usual case, in which all of them run.
    if count_running(dag_id, [key.dag_run_id for key in keys]) == len(keys):
        return keys
    return [key for key in keys if count_running(dag_id, [key.dag_run_id])]

"""Labels of mapped instances that start in the triggerer, written when Airflow creates the instances.

Airflow renders `map_index_template` in workers alone. The scheduler calls `label_instance` (a cluster policy, see
plugins/airflow_local_settings.py) for every task instance that it creates. One query to the ledger serves a whole run.
The query runs in a thread of its own with a time limit, because the scheduler must never wait for the application's
database.

Relies on: `TaskInstance._rendered_map_index` is the column behind the public `rendered_map_index`, which has no setter;
nothing else writes the column for an instance that never runs on a worker.
Verified against: Airflow 3.3.2, airflow/models/taskinstance.py.
Turned off by: `BLOGGER_TRACKING_LABEL_INSTANCES=false`. The UI then shows map indexes.
Test: tests/orchestration/airflow_3_3/test_instance_labels.py.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

from blogger_tracking.database.bounded_answers import bound_answers
from blogger_tracking.database.runs import RunKey, find_run, read_instances
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.orchestration.connected_services import BLOGGER_DB, database_opener
from blogger_tracking.orchestration.run_keys import run_key
from blogger_tracking.settings import get_settings

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

logger = logging.getLogger(__name__)

QUERY_SECONDS = 2
"""Seconds that the scheduler waits for the labels of a run; afterwards the instances get no labels.

The query's own thread waits as long for each answer of the database, so that a silent database does not keep the
thread from the next run.
"""

CONNECT_SECONDS = 2
"""Connection time-out of the query, the shortest that libpq accepts. Only the query's own thread waits that long."""

CACHED_RUNS = 8
"""Number of runs whose labels are cached. Airflow creates the instances of a run within a few scheduler loops."""

_query_thread = ThreadPoolExecutor(1, thread_name_prefix="labels")


def label_instance(task_instance: TaskInstance) -> None:
    """Label a mapped instance of the batch run with its bloggers. Never raises."""
    if task_instance.dag_id != BATCH_DAG_ID or task_instance.map_index < 0 or not get_settings().label_instances:
        return
    label = _labels_of(run_key(task_instance)).get((task_instance.task_id, task_instance.map_index))
    if label:
        task_instance._rendered_map_index = label  # noqa: SLF001 - the public attribute has no setter


def clear_label_cache() -> None:
    """Delete the cached labels of all runs, so that the next instance queries the ledger again."""
    _labels_of.cache_clear()


@lru_cache(CACHED_RUNS)
def _labels_of(key: RunKey) -> dict[tuple[str, int], str]:
    """Return the labels of a run by task id and map index; an empty result, cached as well, if the query fails."""
    try:
        return _query_thread.submit(_read_labels, key).result(QUERY_SECONDS)
    except Exception as error:  # noqa: BLE001 - an error about labels must not stop the scheduler
        logger.warning(
            "The task instances of %s get no labels: the query to the ledger failed with %s. The run goes on; the "
            "UI shows map indexes.",
            key.dag_run_id,
            type(error).__name__,
        )
        return {}


def _read_labels(key: RunKey) -> dict[tuple[str, int], str]:
    open_connection = database_opener(BLOGGER_DB)
    with open_connection(connect_timeout=CONNECT_SECONDS, prepare_threshold=None) as connection:
        bound_answers(connection, QUERY_SECONDS)
        connection.execute("select set_config('statement_timeout', %s, true)", (f"{QUERY_SECONDS}s",))
        run_id = find_run(connection, key)
        instances = [] if run_id is None else read_instances(connection, run_id)
    return {(instance.task_id, instance.map_index): instance.label for instance in instances}

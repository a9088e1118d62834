"""Labels of instances that never see a worker, which alone renders `map_index_template`.

Airflow calls `label_instance` in the scheduler for every task instance it creates. One look-up in the ledger serves a
whole run; it is made in a thread of its own and given up after a moment, because the scheduler must never wait for the
application's database.
"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

from blogger_tracking.database.runs import RunKey, find_run, read_instances
from blogger_tracking.domain.fan_out import instance_label
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.orchestration.connections import BLOGGER_DB, database_opener
from blogger_tracking.orchestration.run_keys import run_key

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance

logger = logging.getLogger(__name__)

LOOK_UP_SECONDS = 2
"""How long the scheduler waits for the labels of a run; without them it goes on."""

CONNECT_SECONDS = 2
"""The least that libpq knows; the thread that waits is nobody's but the look-up's."""

RUNS_REMEMBERED = 8
"""Airflow creates the instances of a run within a few of the scheduler's loops."""

_look_up_thread = ThreadPoolExecutor(1, thread_name_prefix="labels")


def label_instance(task_instance: TaskInstance) -> None:
    """Say who a mapped instance of the batch run is for. Never raises."""
    if task_instance.dag_id != BATCH_DAG_ID or task_instance.map_index < 0:
        return
    label = _labels_of(run_key(task_instance)).get((task_instance.task_id, task_instance.map_index))
    if label:
        # The public attribute has no setter, and nothing else writes it for an instance without a worker.
        task_instance._rendered_map_index = label  # noqa: SLF001


def clear_label_cache() -> None:
    """Look every run up again."""
    _labels_of.cache_clear()


@lru_cache(RUNS_REMEMBERED)
def _labels_of(key: RunKey) -> dict[tuple[str, int], str]:
    """The labels of a run by task and map index; none when they cannot be had, and then it is not asked again."""
    try:
        return _look_up_thread.submit(_look_up, key).result(LOOK_UP_SECONDS)
    except Exception as error:  # noqa: BLE001 - a label is not worth a scheduler
        logger.warning("The instances of %s go without labels: %s.", key.dag_run_id, type(error).__name__)
        return {}


def _look_up(key: RunKey) -> dict[tuple[str, int], str]:
    open_connection = database_opener(BLOGGER_DB)
    with open_connection(connect_timeout=CONNECT_SECONDS, prepare_threshold=None) as connection:
        connection.execute("select set_config('statement_timeout', %s, true)", (f"{LOOK_UP_SECONDS}s",))
        run_id = find_run(connection, key)
        instances = [] if run_id is None else read_instances(connection, run_id)
    return {
        (instance.task_id, instance.map_index): instance_label(Platform(instance.platform), instance.usernames)
        for instance in instances
    }

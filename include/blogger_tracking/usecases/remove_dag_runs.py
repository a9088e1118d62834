"""Use case: remove old DAG runs from Airflow's metadata, over its REST API.

Tasks of Airflow 3 cannot use the metadata database. Each run is deleted by a request of its own, with its task
instances, XComs and rendered fields; Airflow's other tables are cleaned by `airflow db clean` (docs/operations.md).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from blogger_tracking.airflow_api import AirflowApi, AirflowApiError, DagRunState
from blogger_tracking.domain.queues import TimeBudget

logger = logging.getLogger(__name__)

RUNS_PER_LIST = 100
"""Number of DAG runs that one request lists."""

SECONDS_PER_TASK = 1_800.0
"""Time after which no further run is deleted; the next maintenance continues."""


@dataclass(frozen=True, slots=True)
class OldRuns:
    """Runs of a DAG that ended before a moment in one of these states."""

    dag_id: str
    ended_before: datetime
    states: Collection[DagRunState] = (DagRunState.SUCCESS, DagRunState.FAILED)


def remove_dag_runs(api: AirflowApi, old: Collection[OldRuns], seconds: float = SECONDS_PER_TASK) -> dict[str, int]:
    """Delete these runs and return their number by DAG.

    A run that cannot be deleted is left to the next maintenance, with a warning. Raises AirflowApiError if the runs
    cannot be listed.
    """
    time_budget = TimeBudget(seconds)
    counts: Counter[str] = Counter()
    for each in old:
        for dag_run_id in _listed(api, each, time_budget):
            try:
                counts[each.dag_id] += api.delete_run(each.dag_id, dag_run_id)
            except AirflowApiError as error:
                logger.warning("The run %s of %s was not deleted: %s", dag_run_id, each.dag_id, error)
    logger.info("DAG runs: %s.", ", ".join(f"{count} of {dag_id}" for dag_id, count in counts.items()) or "none")
    return dict(counts)


def _listed(api: AirflowApi, old: OldRuns, time_budget: TimeBudget) -> Iterator[str]:
    """Yield each run once, page by page, until none is left that was not yielded before or the time is spent."""
    known: set[str] = set()
    while True:
        found = api.runs_ended_before(old.dag_id, old.ended_before, old.states, RUNS_PER_LIST)
        new = [dag_run_id for dag_run_id in found if dag_run_id not in known]
        if not new:
            return
        for dag_run_id in new:
            if time_budget.is_spent():
                return
            known.add(dag_run_id)
            yield dag_run_id

"""Tasks of the batch run around its fan-out: `plan_<platform>` before the fetches, `gate` after them.

DAG files import this module, and Airflow parses DAG files repeatedly, also in workers: modules that only a running
task needs are imported inside functions.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.sdk import Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException
from airflow.utils.types import DagRunType

from blogger_tracking.domain.fan_out import fetch_task_id
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.dead_runs import end_dead_runs_of
from blogger_tracking.orchestration.error_reporting import errors_reported
from blogger_tracking.orchestration.queue_tasks import QUEUE_ASSETS
from blogger_tracking.orchestration.task_defaults import RESTART_TOLERANCE
from blogger_tracking.settings import get_settings

if TYPE_CHECKING:
    from airflow.sdk.types import DagRunProtocol

    from blogger_tracking.database.run_plans import RunScope

_BACKFILL = DagRunType.BACKFILL_JOB.value
BATCH_DAG_ID = "blogger_batch_fetch"
BATCH_RUN_TYPES = [run_type.value for run_type in DagRunType if run_type is not DagRunType.BACKFILL_JOB]
"""Types of runs that Airflow may create: all but a backfill."""

# The triggerer validates the params against their schemas for every task instance; the newest draft takes three times
# as long as this one.
_DRAFT: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#"}
_IDS: dict[str, Any] = {
    **_DRAFT,
    "type": ["null", "array"],
    "items": {"type": "string", "format": "uuid"},
    "uniqueItems": True,
}

BATCH_PARAMS = {
    "organizations": Param(None, title="Only these organizations", description="Organization ids; empty: all.", **_IDS),
    "platforms": Param(
        None,
        title="Only these platforms",
        description="Empty: all.",
        type=["null", "array"],
        items={"type": "string", "enum": [platform.value for platform in Platform]},
        examples=[platform.value for platform in Platform],
        uniqueItems=True,
        **_DRAFT,
    ),
    "bloggers": Param(None, title="Only these bloggers", description="Blogger ids; empty: all.", **_IDS),
}
"""Restrictions of a run that is triggered by hand. Airflow refuses to trigger a run whose conf does not fit."""


@task(outlets=QUEUE_ASSETS, **RESTART_TOLERANCE)
@errors_reported()
def plan_platform(platform: str) -> list[str]:
    """Plan the whole run, unless the task of another platform has done so; return this platform's instance labels.

    Each platform has a plan task of its own, because a mapped task can only expand the whole XCom of one task.
    """
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.orchestration.run_keys import run_key
    from blogger_tracking.usecases.plan_run import plan_run

    context = get_current_context()
    require_plannable(context["dag_run"])
    end_dead_runs_of(context["ti"])
    planned = plan_run(
        database_pool(),
        run_key(context["ti"]),
        run_scope(context["params"]),
        timedelta(minutes=get_settings().run_timeout_minutes),
    )
    return planned.labels(fetch_task_id(Platform(platform)))


@task(trigger_rule="all_done", **RESTART_TOLERANCE)
@errors_reported()
def gate() -> None:
    """Finish the run in the ledger, log its summary, and fail if too many fetches failed."""
    from blogger_tracking.orchestration.connected_services import database_pool
    from blogger_tracking.orchestration.run_keys import run_key
    from blogger_tracking.usecases.finish_run import finish_run

    problems = finish_run(database_pool(), run_key(get_current_context()["ti"]), get_settings().failed_share_limit)
    if problems:
        raise AirflowFailException(
            f"The run failed: {'; '.join(problems)}. All fetched videos are saved. Clear the failed or skipped "
            "instances, or a failed plan task, to fetch the missing bloggers; Airflow then runs this task again."
        )


def require_plannable(dag_run: DagRunProtocol) -> None:
    """Raise AirflowFailException for a backfill, and for a conf with a key that is no param of the DAG.

    Airflow checks the values of params, and ignores keys that it does not know. Airflow refuses a backfill by
    `BATCH_RUN_TYPES` before the backfill has a run. The run of an older backfill, which Airflow accepted before the DAG
    named its types of runs, ends here.
    """
    if dag_run.run_type == _BACKFILL:
        raise AirflowFailException(
            "A backfill is refused: platforms only list today's videos, and each past slot would be charged for them. "
            "Nothing was planned or charged. Trigger the DAG once instead."
        )
    unknown = sorted((dag_run.conf or {}).keys() - BATCH_PARAMS.keys())
    if unknown:
        raise AirflowFailException(
            f"The conf of this run has unknown keys: {', '.join(unknown)}. Nothing was planned or charged, because the "
            f"run might have been meant for some bloggers only. Trigger a new run with: {', '.join(BATCH_PARAMS)}."
        )


def run_scope(params: dict[str, Any]) -> RunScope:
    """Return the restrictions of a run, from its params."""
    from blogger_tracking.database.run_plans import RunScope

    return RunScope(
        organizations=_uuids(params["organizations"]),
        platforms=tuple(params["platforms"]) if params["platforms"] else None,
        bloggers=_uuids(params["bloggers"]),
    )


def _uuids(texts: list[str] | None) -> tuple[UUID, ...] | None:
    return tuple(map(UUID, texts)) if texts else None

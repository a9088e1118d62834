"""The tasks of the batch run around its fan-out: planning before it, the gate after it.

Airflow parses DAG files again and again, in every worker too: what only a running task needs is imported when it runs.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow.sdk import Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from blogger_tracking.domain.fan_out import fetch_task_id
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.assets import QUEUES
from blogger_tracking.settings import get_settings

if TYPE_CHECKING:
    from blogger_tracking.database.run_plans import RunScope

BATCH_DAG_ID = "blogger_batch_fetch"

# The triggerer checks params and their schemas for every instance; the newest draft takes it three times as long.
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
"""What a run by hand may be restricted to; Airflow refuses anything else when the run is triggered."""


@task(outlets=QUEUES, retries=2, retry_delay=timedelta(seconds=30))
def plan_platform(platform: str) -> list[str]:
    """Plan the run, unless another platform's task has; give this platform's instances by their labels.

    One task for each platform: a mapped task can expand a whole XCom only.
    """
    from blogger_tracking.orchestration.connections import database_pool
    from blogger_tracking.orchestration.run_keys import run_key
    from blogger_tracking.usecases.plan_run import plan_run

    context = get_current_context()
    planned = plan_run(
        database_pool(),
        run_key(context["ti"]),
        scope_of(context["params"]),
        timedelta(minutes=get_settings().run_timeout_minutes),
    )
    return planned.labels(fetch_task_id(Platform(platform)))


@task(task_id="gate", trigger_rule="all_done", retries=2, retry_delay=timedelta(seconds=30))
def gate() -> None:
    """End the run in the ledger, log what became of it, and fail if too much of it failed."""
    from blogger_tracking.orchestration.connections import database_pool
    from blogger_tracking.orchestration.run_keys import run_key
    from blogger_tracking.usecases.finish_run import finish_run

    problems = finish_run(database_pool(), run_key(get_current_context()["ti"]), get_settings().failed_share_limit)
    if problems:
        raise AirflowFailException(
            f"The run is red: {'; '.join(problems)}. What was fetched is saved. Clear what failed to try it again."
        )


def scope_of(params: dict[str, Any]) -> RunScope:
    """What the run is restricted to."""
    from blogger_tracking.database.run_plans import RunScope

    return RunScope(
        organizations=_uuids(params["organizations"]),
        platforms=tuple(params["platforms"]) if params["platforms"] else None,
        bloggers=_uuids(params["bloggers"]),
    )


def _uuids(texts: list[str] | None) -> tuple[UUID, ...] | None:
    return tuple(map(UUID, texts)) if texts else None

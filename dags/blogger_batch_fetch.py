"""### Batch fetch, twice a day

Fetches the newest videos of every active tracked account and saves them, within each organization's subscription.

**Tasks**

1. **plan_tiktok**, **plan_instagram**, **plan_youtube**: the first of them to run reads `tracked_bloggers_view`,
   applies the subscription rule, reserves videos, and writes the plan of all platforms to the ledger. Each returns the
   labels of its platform's instances.
2. **fetch_tiktok**, **fetch_instagram**, **fetch_youtube**: one instance per blogger; beyond 1,000 bloggers of a
   platform, several bloggers share an instance.
3. **gate**: finishes the run, logs a summary per platform and organization, and fails if every fetch of a platform
   failed, or a larger share of all fetches than the setting `failed_share_limit` allows. A private, missing or empty
   account is a result, not a failure. The task also fails if planning left out the accounts of a suspended platform,
   and if accounts were left out for another run that ended without fetching them.
4. **dispatch_initial_fetches**: triggers `blogger_initial_fetch` for accounts whose first videos are still missing.

**Fetch a blogger again**: *Clear* its instance. Nothing is charged twice.

**Fetch only some bloggers**: *Trigger* with *organizations*, *platforms* or *bloggers*. A blogger that another run is
fetching at that moment is skipped as `already_running`. A misspelt param ends the run before anything is planned.

**A backfill** is refused before it has a run: past slots would be charged for today's videos.

**Plan skipped accounts again**: trigger a new run. Planning the same run again returns the same plan.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from blogger_tracking.domain.fan_out import fetch_task_id
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID, BATCH_PARAMS, BATCH_RUN_TYPES, gate, plan_platform
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from blogger_tracking.orchestration.initial_fetch_tasks import dispatch_initial_fetches
from blogger_tracking.settings import get_settings

settings = get_settings()

with DAG(
    dag_id=BATCH_DAG_ID,
    # No start date and no immediate run: the first run of a new deployment is the next one on schedule, not the last
    # one before the deployment.
    schedule=CronTriggerTimetable(settings.schedule, timezone="UTC", run_immediately=timedelta()),
    catchup=False,
    allowed_run_types=BATCH_RUN_TYPES,
    is_paused_upon_creation=False,
    max_active_runs=16,
    dagrun_timeout=timedelta(minutes=settings.run_timeout_minutes),
    doc_md=__doc__,
    tags=["bloggers"],
) as dag:
    plans = {platform: plan_platform.override(task_id=f"plan_{platform.slug}")(platform.value) for platform in Platform}

    # Instance i fetches the bloggers that the ledger has for map index i; the mapped value is the instance's label
    # alone.
    fetches = [
        FetchBloggersOperator.partial(
            task_id=fetch_task_id(platform),
            map_index_template="{{ task.instance_label }}",
            retries=settings.fetch_retries,
            retry_delay=timedelta(seconds=settings.fetch_retry_delay_seconds),
        ).expand(instance_label=labels)
        for platform, labels in plans.items()
    ]

    fetches >> gate()

    list(plans.values()) >> dispatch_initial_fetches()

    # Set after the tasks: a task that is created later copies the params, and the triggerer reads the serialized DAG
    # with all copies for every instance.
    dag.params.update(BATCH_PARAMS)

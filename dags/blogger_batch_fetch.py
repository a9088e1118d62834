"""### The twice-daily run

Fetches the newest videos of every active tracked account and saves them, within each organization's subscription.

1. **plan_tiktok**, **plan_instagram**, **plan_youtube**: the first of them to run reads `tracked_bloggers_view`,
   applies the subscription rule, reserves the videos, and writes the plan of all platforms to the ledger; each hands
   on its platform's part. Planning a run again gives the same plan: start a new one to reconsider what was skipped.
2. **fetch_tiktok**, **fetch_instagram**, **fetch_youtube** have one instance per blogger (several bloggers share one
   beyond 1,000 of a platform). *Clear* an instance to fetch its blogger again: nothing is charged twice.
3. **gate** ends the run, logs a summary per platform and organization, and is red when every fetch of a platform
   failed or too many did. A blogger that is private, gone or without videos is an outcome, not a failure.
4. **dispatch_initial_fetches** triggers `blogger_initial_fetch` for new bloggers whose first videos are still missing.

To fetch less, trigger it with *organizations*, *platforms* or *bloggers*. Bloggers that another run is fetching at that
moment are skipped as `already_running`.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from blogger_tracking.domain.fan_out import fetch_task_id
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID, BATCH_PARAMS, gate, plan_platform
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from blogger_tracking.orchestration.initial_fetch_tasks import dispatch_initial_fetches
from blogger_tracking.settings import get_settings

settings = get_settings()

with DAG(
    dag_id=BATCH_DAG_ID,
    # No start date, never immediately: a new deployment's first run is the next slot, not the one just missed.
    schedule=CronTriggerTimetable(settings.schedule, timezone="UTC", run_immediately=timedelta()),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=16,
    dagrun_timeout=timedelta(minutes=settings.run_timeout_minutes),
    doc_md=__doc__,
    tags=["bloggers"],
) as dag:
    gated = gate()
    wishes = dispatch_initial_fetches()
    for platform in Platform:
        labels = plan_platform.override(task_id=f"plan_{platform.slug}")(platform.value)
        labels >> wishes
        fetched = FetchBloggersOperator.partial(
            task_id=fetch_task_id(platform),
            map_index_template="{{ task.instance_label }}",
            retries=settings.fetch_retries,
            retry_delay=timedelta(seconds=settings.fetch_retry_delay_seconds),
        ).expand(instance_label=labels)
        fetched >> gated
    # Last, or every task gets a copy, and the triggerer reads all of them for every instance.
    dag.params.update(BATCH_PARAMS)

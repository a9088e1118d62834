"""### The first videos of a new blogger.

Runs when a blogger is added: `POST /blogger/add` triggers it, and so may anybody who may trigger it over Airflow's REST
API. The run conf is the message; *Trigger* shows its keys. Runs that `/blogger` triggers are called
`initial__<tracking id>__<attempt>`.

**fetch** takes the wish for the initial fetch, applies the subscription rule, asks the platform, and saves.

* *skipped*: a duplicate (another run has or had the wish), a paused account, or no room in the subscription; the
  reason stands in the task's log. Without room the wish stays open, and the batch run asks again.
* *failed*: the conf does not fit the database, or the platform gave no answer. In the second case the wish stays open.
  *Clear* the task, add the blogger again over `/blogger`, or wait for the next batch run: nothing is charged twice.
"""

from datetime import timedelta

from airflow.sdk import DAG

from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.orchestration.initial_fetch_tasks import (
    INITIAL_FETCH_PARAMS,
    FetchInitialVideosOperator,
    release_failed_initial_fetch,
)
from blogger_tracking.orchestration.queue_tasks import QUEUE_ASSETS
from blogger_tracking.settings import get_settings

settings = get_settings()

with DAG(
    dag_id=INITIAL_FETCH_DAG_ID,
    schedule=None,
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=64,
    max_active_tasks=64,
    dagrun_timeout=timedelta(minutes=settings.initial_fetch_timeout_minutes),
    params=INITIAL_FETCH_PARAMS,
    doc_md=__doc__,
    tags=["bloggers"],
):
    FetchInitialVideosOperator(
        task_id="fetch",
        outlets=QUEUE_ASSETS,
        retries=settings.initial_fetch_retries,
        retry_delay=timedelta(seconds=settings.initial_fetch_retry_delay_seconds),
        on_failure_callback=release_failed_initial_fetch,
    )

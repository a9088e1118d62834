"""### Initial fetch: the first videos of a new blogger

#### What the DAG does

`POST /blogger/add` triggers a run when a user adds a blogger. Users who may trigger DAGs can do the same over Airflow's
REST API. The run conf is the message; *Trigger* shows its keys. Runs that `/blogger` triggers are named
`initial__<tracking id>__<attempt>`. The task **fetch** checks the subscription, reserves the videos, requests them from
the platform, and saves them together with the charge.

#### When the task is skipped or red

The reason is at the end of the task's log.

* *skipped* as `duplicate`: another run does the initial fetch, or has done it. Nothing is missing.
* *skipped* as `inactive`, `subscription_limit` or `no_active_subscription`: the account is paused, or the subscription
  has no room. The initial fetch stays pending.
* *failed* with a message about the run conf, such as `externalId is not this blogger's`: the run conf contradicts the
  database. Nothing was fetched, and a retry would fail as well.
* *failed* with an error of the platform, or because another run is fetching the blogger, after the last retry: nothing
  was charged, and the initial fetch stays pending.

#### What to do

Usually nothing: each batch run dispatches the pending initial fetches that the subscription allows. To save that time,
add the blogger again over `/blogger`, or *Clear* a failed task; nothing is charged twice. A task that was skipped for
the subscription keeps that decision when it is cleared. If the run conf contradicts the database, correct the program
that triggered the run. If the platform rejected the API key, correct the platform's Connection.
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

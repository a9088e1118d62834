"""### Health of the system

**Purpose.** Looks at the runs, the platforms, the queues, the accounts and YouTube's units, and sends an alert once
when a condition begins and once when the condition ends: a batch run that is late or failed, instances that do not go
on, a suspended platform, a queue whose messages wait, a day without a fetch, YouTube's units nearly spent. The setting
`alert_notifiers` names the Airflow notifiers that send the alerts; without notifiers, alerts are in the task's log and
in Sentry. The task also emits the gauges of Airflow's metrics. docs/monitoring.md describes both. Before it looks, it
ends the runs in the ledger that no longer run in Airflow, for example because somebody deleted them: what they had
reserved is free again.

**Schedule.** Every ten minutes. A look is a few queries.

**When a run is red.** The database cannot be reached, or the Connection `blogger_db` is missing or wrong: the error in
the task's log says which. Meanwhile no condition is evaluated. A condition that holds does not make the run red, and
neither does a notifier that fails: the error is in the log and in Sentry, and if every notifier fails, the next look
sends the alert again.

**What to do.** Correct what the error names; the next run continues. docs/operations.md has a section for each alert,
under the alert's name. If no run starts at all, Airflow's scheduler is down: watch the scheduler from outside, because
nothing inside Airflow can report that.
"""

from datetime import timedelta

from airflow.sdk import DAG

from blogger_tracking.orchestration.health_tasks import HEALTH_DAG_ID, HEALTH_SCHEDULE, watch

with DAG(
    dag_id=HEALTH_DAG_ID,
    schedule=HEALTH_SCHEDULE,
    catchup=False,
    is_paused_upon_creation=False,
    # Two looks at once could send the same news twice.
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    doc_md=__doc__,
    tags=["bloggers", "monitoring"],
):
    watch()

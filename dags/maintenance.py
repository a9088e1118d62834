"""### Maintenance, once a day

Keeps the databases and the disk small: makes the partitions of the next months, and removes what is older than the
settings of the group *Retention* allow. Each task logs and returns the numbers of what it removed.

**Tasks**

1. **prepare_partitions**: creates the partitions of `video_statistics` for the next three months, and moves rows that
   the default partition has of other months into partitions of their own.
2. **remove_old_statistics**: drops the months that are over for all platforms, which is instant, and removes old
   statistics of single platforms, with the rows of `statistics_readers` for them. By default statistics are kept for
   ever.
3. **remove_old_messages**: removes finished and parked queue messages, and idempotency keys that have expired.
4. **remove_old_runs**: removes old runs from the ledger, with their fetches, allocations, attempts and decisions. Their
   charges stay part of the period's usage.
5. **check_ledger**: checks the invariants of the ledger, as the command `verify` does, and keeps the numbers of
   violations for the Bloggers page. A violation is an error in the log, and the task stays green: nothing is changed.
6. **remove_old_dag_runs**: deletes old runs of this project's DAGs over Airflow's REST API.
7. **remove_old_log_files**: removes old files below Airflow's `base_log_folder`, on the worker's host.

**When a task is red.** The database or Airflow's API cannot be reached: the error in the log says which. Nothing is
lost, and the next run continues. A run may be killed, cleared or started twice at any moment: every step is a short
transaction of its own.

**What stays.** Everything that customers see for longer: organizations, bloggers, videos with their thumbnails, the
links of organizations to videos, and the usage of each period. `docs/operations.md` has the retention of each table.
"""

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable

from blogger_tracking.orchestration.maintenance_tasks import (
    MAINTENANCE_DAG_ID,
    check_ledger,
    prepare_partitions,
    remove_old_dag_runs,
    remove_old_log_files,
    remove_old_messages,
    remove_old_runs,
    remove_old_statistics,
)
from blogger_tracking.settings import get_settings

with DAG(
    dag_id=MAINTENANCE_DAG_ID,
    schedule=CronTriggerTimetable(get_settings().maintenance_schedule, timezone="UTC", run_immediately=timedelta()),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=5),
    doc_md=__doc__,
    tags=["bloggers", "maintenance"],
):
    prepare_partitions() >> remove_old_statistics()

    # A fetch is removed after the messages that refer to it. The check reads the ledger when nothing is being removed.
    remove_old_messages() >> remove_old_runs() >> check_ledger()

    remove_old_dag_runs()

    remove_old_log_files()

"""### Statistics of YouTube videos

YouTube's listing has no statistics, so every fetch puts its videos into `high_priority_queue`, new or known. This run
asks `videos.list` for up to 50 of them in one call, filled across bloggers, and writes statistics, the true
publication date and the length for the fetch that queued them. Ids are acknowledged one by one.

- It starts when a run was planned, looks on while fetches are under way, and every five minutes for leftovers.
- A call that is not full waits until nothing more is to come: a run costs no more units than its videos need.
- Videos that YouTube leaves out are marked as unseen, and as removed when that goes on; both end when it shows them.
- The day's units are counted in `youtube_units`. When they are gone, messages wait for midnight Pacific; that counts as
  no attempt.
- A message that failed five times is parked with its reason. `make queues` shows parked messages and requeues them.
"""

from datetime import timedelta

from airflow.sdk import DAG

from blogger_tracking.orchestration.assets import HIGH_PRIORITY_QUEUE, on_work_or_leftovers
from blogger_tracking.orchestration.queue_tasks import refresh_statistics

with DAG(
    dag_id="youtube_video_batch",
    schedule=on_work_or_leftovers(HIGH_PRIORITY_QUEUE),
    catchup=False,
    is_paused_upon_creation=False,
    # A second one does not add speed: it takes over when the first has died.
    max_active_runs=2,
    dagrun_timeout=timedelta(minutes=30),
    doc_md=__doc__,
    tags=["bloggers", "queues"],
):
    refresh_statistics()

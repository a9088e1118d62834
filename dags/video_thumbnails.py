"""### Pictures of videos

The platforms' addresses of pictures expire, so every fetch puts the pictures it saw first into `thumbnail_queue`. This
run downloads them into object storage, one object per video at `platform/video id`, and records where it is.

- It starts when a run was planned, looks on while fetches are under way, and every five minutes for leftovers.
- Only https and public addresses are asked, decided anew at every redirect; size, time and kind of picture are checked.
- A dead address is parked with its reason at once; other failures rest 1, 5, 15 and 60 minutes and are parked then.
  `make queues` shows parked messages and requeues them.
- Where pictures go is set by `BLOGGER_TRACKING_THUMBNAIL_STORAGE`, for example `s3://connection_id@bucket/pictures`.
"""

from datetime import timedelta

from airflow.sdk import DAG

from blogger_tracking.orchestration.assets import THUMBNAIL_QUEUE, on_work_or_leftovers
from blogger_tracking.orchestration.queue_tasks import store_thumbnails

with DAG(
    dag_id="video_thumbnails",
    schedule=on_work_or_leftovers(THUMBNAIL_QUEUE),
    catchup=False,
    is_paused_upon_creation=False,
    # A long queue gets a further consumer every five minutes.
    max_active_runs=4,
    dagrun_timeout=timedelta(minutes=30),
    doc_md=__doc__,
    tags=["bloggers", "queues"],
):
    store_thumbnails()

"""### Thumbnails of videos

**Purpose.** Downloads the thumbnails that fetches put into `thumbnail_queue`, before the platforms' URLs expire,
and writes one object per video to object storage, with the key `platform/video id`. The stored path is recorded in
`videos.thumbnail_path`. Only https URLs with public addresses are requested, redirects included; size, time and image
format are checked. `BLOGGER_TRACKING_THUMBNAIL_STORAGE` sets the storage, for example
`s3://connection_id@bucket/thumbnails`.

**Schedule.** When a run was planned or an initial fetch ended; within a minute when messages are due, for example
because their retry delay is over; and every hour, in case the triggerer, which looks for due messages, does not run.
The task waits for new messages while fetches are in progress, at most four minutes by default.

**When a run is red.** The database cannot be reached, the storage cannot be written, or a Connection or setting is
missing or wrong: the error in the task's log says which. No message is lost: messages that the task had taken become
visible again after the visibility timeout (15 minutes by default), and those that the storage refused after five
minutes, without a counted attempt. A thumbnail that cannot be downloaded does not make the run red: its message is
tried again after 1, 5, 15 and 60 minutes, and parked after five attempts, or at once if no server can mend it: an
unusable URL, a private address, or an image that is too large.

**What to do.** Correct what the error names; the next run, within minutes, continues with the queue. The task's
log names the messages that were parked (the newest 100, and the number of the others).
`python -m blogger_tracking.cli queues` lists parked messages with their reasons;
`python -m blogger_tracking.cli requeue` returns all of them to their queue. If thumbnails *were not stored*, check the
storage and its Connection.
"""

from datetime import timedelta

from airflow.sdk import DAG

from blogger_tracking.orchestration.queue_tasks import (
    THUMBNAIL_DAG_ID,
    THUMBNAIL_QUEUE,
    consumer_schedule,
    store_thumbnails,
)

with DAG(
    dag_id=THUMBNAIL_DAG_ID,
    schedule=consumer_schedule(THUMBNAIL_QUEUE),
    catchup=False,
    is_paused_upon_creation=False,
    # A long queue gets one more consumer every five minutes.
    max_active_runs=4,
    dagrun_timeout=timedelta(minutes=30),
    doc_md=__doc__,
    tags=["bloggers", "queues"],
):
    store_thumbnails()

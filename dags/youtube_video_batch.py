"""### Statistics of YouTube videos

**Purpose.** YouTube's listing has no statistics, so every fetch puts its videos, new and known, into
`high_priority_queue`. This DAG requests up to 50 videos in one call of `videos.list`, filled across bloggers, and saves
statistics, exact publication date and length for the fetch that queued the video. A partial call waits until no
more videos are expected (30 minutes at most by default), so that a run costs no more units than its videos need. A
video that is missing from several responses in a row is marked as removed (`videos.removed_at`) until YouTube returns
the video again.

**Schedule.** When a run was planned or an initial fetch ended; within a minute when messages are due, for example
because their retry delay is over; and every hour, in case the triggerer, which looks for due messages, does not run.
The task waits for new messages while fetches are in progress, at most four minutes by default.

**When a run is red.** The database cannot be reached, or the Connection `youtube_api` is missing or wrong: the error in
the task's log says which. No message is lost: messages that the task had taken become visible again after the
visibility timeout (15 minutes by default). A failed call does not make the run red: its messages are tried again after
1, 5, 15 and 60 minutes, and parked after five attempts.

**What to do.** Correct what the error names; the next run, within minutes, continues with the queue.

- *The day's units are spent* or *YouTube is suspended* in the log: messages wait, and no attempt is counted. Units are
  reset at midnight Pacific time; an invalid key has to be replaced in the Connection `youtube_api`.
- A parked message: `python -m blogger_tracking.cli queues` lists parked messages with their reasons;
  `python -m blogger_tracking.cli requeue` returns all of them to their queue.
"""

from datetime import timedelta

from airflow.sdk import DAG

from blogger_tracking.orchestration.queue_tasks import (
    HIGH_PRIORITY_QUEUE,
    VIDEO_BATCH_DAG_ID,
    consumer_schedule,
    refresh_statistics,
)

with DAG(
    dag_id=VIDEO_BATCH_DAG_ID,
    schedule=consumer_schedule(HIGH_PRIORITY_QUEUE),
    catchup=False,
    is_paused_upon_creation=False,
    # The second consumer adds no speed: it continues with the queue if the first has died.
    max_active_runs=2,
    dagrun_timeout=timedelta(minutes=30),
    doc_md=__doc__,
    tags=["bloggers", "queues"],
):
    refresh_statistics()

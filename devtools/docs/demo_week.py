"""A week of batch runs with the demo data, made within minutes: the screenshots of the documentation need a past.

Each run is a real one. The sandbox answers as of the past moment, and afterwards the rows of the run are dated back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import requests
from psycopg import Connection

from devtools.local_stack.batch_run import BATCH_DAG, wait_for_dag, wait_for_queues
from devtools.local_stack.stack import Stack

MAINTENANCE_DAG = "maintenance"

_HALF_DAY = timedelta(hours=12)
_RUNS = 14
_RUN_SECONDS = 120
_SECONDS = 10

# Of everything since the beginning of the run, which is all that the run and its consumers have written.
_DATE_BACK = (
    """
    update blogger_tracking.runs
    set planned_at = planned_at - %(age)s, expires_at = expires_at - %(age)s, ended_at = ended_at - %(age)s
    where dag_run_id = %(dag_run_id)s
    """,
    """
    update blogger_tracking.fetches
    set
        fetched_on = (runs.planned_at at time zone 'UTC')::date,
        claimed_at = claimed_at - %(age)s,
        lease_expires_at = lease_expires_at - %(age)s
    from blogger_tracking.runs
    where runs.id = fetches.run_id and runs.dag_run_id = %(dag_run_id)s
    """,
    """
    update blogger_tracking.fetch_attempts
    set
        started_at = started_at - %(age)s,
        lease_expires_at = fetch_attempts.lease_expires_at - %(age)s,
        finished_at = finished_at - %(age)s
    from blogger_tracking.fetches
    join blogger_tracking.runs on runs.id = fetches.run_id
    where fetches.id = fetch_attempts.fetch_id and runs.dag_run_id = %(dag_run_id)s
    """,
    """
    update blogger_tracking.fetch_allocations
    set
        fetched_on = fetches.fetched_on,
        last_attempt_at = last_attempt_at - %(age)s,
        charged_at = charged_at - %(age)s
    from blogger_tracking.fetches
    join blogger_tracking.runs on runs.id = fetches.run_id
    where fetches.id = fetch_allocations.fetch_id and runs.dag_run_id = %(dag_run_id)s
    """,
    """
    update blogger_tracking.video_statistics
    set fetched_on = fetches.fetched_on, captured_at = captured_at - %(age)s
    from blogger_tracking.fetches
    join blogger_tracking.runs on runs.id = fetches.run_id
    where fetches.id = video_statistics.fetch_id and runs.dag_run_id = %(dag_run_id)s
    """,
    """
    update blogger_tracking.tracked_accounts
    set last_scraped_at = last_scraped_at - %(age)s
    where last_scraped_at >= %(began)s
    """,
    """
    update blogger_tracking.videos
    set first_seen_at = first_seen_at - %(age)s
    where first_seen_at >= %(began)s
    """,
    """
    update blogger_tracking.youtube_units
    set pacific_day = ((spent_at - %(age)s) at time zone 'America/Los_Angeles')::date, spent_at = spent_at - %(age)s
    where spent_at >= %(began)s
    """,
)


# The followers of the sandbox never change; in this past they grow by a few per mille a day.
_PAST_FOLLOWERS = """
insert into blogger_tracking.follower_counts (blogger_id, counted_on, followers)
select
    id,
    (now() at time zone 'UTC')::date - days,
    subscribers - subscribers * days * (1 + mod(subscribers, 7)) / 1000
from blogger_tracking.blogger_information
cross join generate_series(1, 7) as days
where subscribers is not null
"""


def run_a_week(stack: Stack, connection: Connection, progress: Callable[[str], None]) -> None:
    """Run the batch as if twice a day for a week, then once now, and check the invariants.

    The connection owns the schema. Raises StackError if a run does not end in two minutes.
    """
    wait_for_dag(stack.client(), BATCH_DAG)
    for number in range(_RUNS, 0, -1):
        _run_in_the_past(stack, connection, number * _HALF_DAY)
        progress(f"Run of {number * _HALF_DAY} ago")
    connection.execute(_PAST_FOLLOWERS)
    connection.commit()
    _set_clock(stack, None)
    _run(stack, connection, _dag_run_id(datetime.now(UTC)))
    client = stack.client()
    client.wait_for_run(MAINTENANCE_DAG, client.trigger(MAINTENANCE_DAG).dag_run_id, _RUN_SECONDS)
    progress("Run of now")


def _run_in_the_past(stack: Stack, connection: Connection, age: timedelta) -> None:
    began = datetime.now(UTC)
    _set_clock(stack, began - age)
    dag_run_id = _dag_run_id(began - age)
    _run(stack, connection, dag_run_id)
    with connection.transaction():
        for statement in _DATE_BACK:
            connection.execute(statement.encode(), {"age": age, "dag_run_id": dag_run_id, "began": began})


def _run(stack: Stack, connection: Connection, dag_run_id: str) -> None:
    client = stack.client()
    client.trigger(BATCH_DAG, dag_run_id=dag_run_id)
    client.wait_for_run(BATCH_DAG, dag_run_id, _RUN_SECONDS)
    wait_for_queues(connection, lambda _: None)


def _dag_run_id(moment: datetime) -> str:
    """Return an id as that of a run that was triggered at a moment."""
    return f"manual__{moment.isoformat()}"


def _set_clock(stack: Stack, moment: datetime | None) -> None:
    body = {"now": moment.isoformat() if moment else None}
    requests.post(f"{stack.sandbox_url}/_sandbox/clock", json=body, timeout=_SECONDS).raise_for_status()

"""Statements on whole runs: open and finish a run, release stale fetches, read the task instances of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow, scalar_row

from blogger_tracking.database.rows import fetch_all, fetch_value
from blogger_tracking.domain.fan_out import instance_label
from blogger_tracking.domain.models import Platform


@dataclass(frozen=True, slots=True)
class RunKey:
    """Key of one DAG run. `deployment` separates the runs of several Airflows that share one database."""

    deployment: str
    dag_id: str
    dag_run_id: str

    def parameters(self) -> dict[str, str]:
        """Return the key as parameters of a statement."""
        return {"deployment": self.deployment, "dag_id": self.dag_id, "dag_run_id": self.dag_run_id}


@dataclass(frozen=True, slots=True)
class InstanceTry:
    """One try of a task instance.

    `created_at` is the time at which Airflow created the try: with the run, for a retry, or when somebody cleared the
    instance. `is_retry` is True if Airflow is known to have created the try because the one before failed.
    """

    run: RunKey
    task_id: str
    map_index: int
    created_at: datetime
    is_retry: bool = False


@dataclass(frozen=True, slots=True)
class InstanceFetch:
    """A fetch of a task instance. `is_due` is True if the try has to make the fetch."""

    id: int
    is_due: bool


@dataclass(frozen=True, slots=True)
class PlannedInstance:
    """A task instance of a run and the bloggers that it fetches."""

    task_id: str
    map_index: int
    platform: str
    usernames: list[str]

    @property
    def label(self) -> str:
        """The label of the instance in Airflow's UI."""
        return instance_label(Platform(self.platform), self.usernames)


_REOPEN_RUN = """
update blogger_tracking.runs
set ended_at = null, is_dead = false, expires_at = %(expires_at)s
where deployment = %(deployment)s and dag_id = %(dag_id)s and dag_run_id = %(dag_run_id)s
returning id
"""

_INSERT_RUN = """
insert into blogger_tracking.runs (deployment, dag_id, dag_run_id, planned_at, expires_at, active_accounts)
values (%(deployment)s, %(dag_id)s, %(dag_run_id)s, %(moment)s, %(expires_at)s, %(active_accounts)s)
returning id
"""

_FIND_RUN = """
select id
from blogger_tracking.runs
where deployment = %(deployment)s and dag_id = %(dag_id)s and dag_run_id = %(dag_run_id)s
"""

_OPEN_RUNS = """
select deployment, dag_id, dag_run_id
from blogger_tracking.runs
where deployment = %(deployment)s and ended_at is null
order by id
"""

# A run that has ended by itself does not die afterwards.
_FINISH_RUN = """
update blogger_tracking.runs
set ended_at = %(moment)s, is_dead = %(is_dead)s
where id = %(run_id)s and (ended_at is null or not %(is_dead)s)
"""

# Stale fetches: the run has ended or expired since the fetch was claimed for the last time, or the lease of the newest
# attempt has expired. A fetch that was cleared after its run had ended is not stale while its lease lasts.
_STALE_FETCHES = """
select
    fetches.id,
    case
        when fetches.lease_expires_at <= %(moment)s then 'the lease of its attempt has expired'
        when runs.ended_at <= %(moment)s then 'its run has ended'
        else 'its run has expired'
    end as reason
from blogger_tracking.fetches
join blogger_tracking.runs on runs.id = fetches.run_id
where fetches.state in ('planned', 'running')
  and (%(run_id)s::bigint is null or fetches.run_id = %(run_id)s)
  and (
      (fetches.state = 'running' and fetches.lease_expires_at <= %(moment)s)
      or (runs.ended_at <= %(moment)s and (fetches.state = 'planned' or fetches.claimed_at < runs.ended_at))
      or (runs.expires_at <= %(moment)s and (fetches.state = 'planned' or fetches.claimed_at < runs.expires_at))
  )
"""

_LIVE_FETCHES_OF_BLOGGER = """
select id, 'its blogger was removed' as reason
from blogger_tracking.fetches
where blogger_id = %(blogger_id)s and state in ('planned', 'running')
"""

_RELEASE_RESERVATIONS = """
with released as (
    update blogger_tracking.fetch_allocations
    set reserved = 0
    from (
        select fetch_id, organization_id, reserved
        from blogger_tracking.fetch_allocations
        where fetch_id = any(%(fetches)s) and reserved > 0
    ) as before
    where fetch_allocations.fetch_id = before.fetch_id
      and fetch_allocations.organization_id = before.organization_id
    returning fetch_allocations.organization_id, fetch_allocations.period_start, before.reserved
),
per_period as (
    select organization_id, period_start, sum(reserved) as reserved
    from released
    group by organization_id, period_start
)
update blogger_tracking.subscription_usage as usage
set reserved = usage.reserved - per_period.reserved
from per_period
where usage.organization_id = per_period.organization_id and usage.period_start = per_period.period_start
"""

_RELEASE_ATTEMPTS = """
update blogger_tracking.fetch_attempts
set outcome = 'released', finished_at = %(moment)s, reason = stale.reason
from blogger_tracking.fetches
join unnest(%(fetches)s::bigint[], %(reasons)s::text[]) as stale (fetch_id, reason) on stale.fetch_id = fetches.id
where fetch_attempts.id = fetches.current_attempt_id and fetch_attempts.outcome is null
"""

# A fetch with a conclusive attempt keeps the state and the reason of that attempt.
_RELEASE_FETCHES = """
update blogger_tracking.fetches
set
    state = coalesce(fetches.conclusive_state, 'released'),
    reason = case when fetches.conclusive_state is null then stale.reason else fetches.reason end,
    lease_expires_at = null
from unnest(%(fetches)s::bigint[], %(reasons)s::text[]) as stale (fetch_id, reason)
where fetches.id = stale.fetch_id
"""

_INSTANCES = """
select
    fetches.task_id,
    fetches.map_index,
    fetches.platform,
    array_agg(blogger_information.username order by fetches.id) as usernames
from blogger_tracking.fetches
join blogger_tracking.blogger_information on blogger_information.id = fetches.blogger_id
where fetches.run_id = %(run_id)s
group by fetches.task_id, fetches.map_index, fetches.platform
order by fetches.task_id, fetches.map_index
"""

# Due are the fetches whose newest attempt got no answer from the platform. If every fetch had its answer before the try
# was created, somebody cleared the instance on purpose, and all are due. A claim refuses what the platform has answered
# since: such a try was interrupted and is started once more.
_INSTANCE_FETCHES = """
with instance as (
    select
        fetches.id,
        coalesce(fetches.current_attempt_id <> fetches.conclusive_attempt_id, true) as unanswered,
        coalesce(before.outcome in ('succeeded', 'partial', 'empty', 'private', 'not_found'), false)
            as answered_before
    from blogger_tracking.fetches
    join blogger_tracking.runs on runs.id = fetches.run_id
    left join lateral (
        select outcome
        from blogger_tracking.fetch_attempts
        where fetch_id = fetches.id and started_at < %(created_at)s
        order by id desc
        limit 1
    ) as before on true
    where runs.deployment = %(deployment)s
      and runs.dag_id = %(dag_id)s
      and runs.dag_run_id = %(dag_run_id)s
      and fetches.task_id = %(task_id)s
      and fetches.map_index = %(map_index)s
)
select id, unanswered or (not %(is_retry)s and bool_and(answered_before) over ()) as is_due
from instance
order by id
"""


def reopen_run(connection: Connection, key: RunKey, expires_at: datetime) -> int | None:
    """Reopen a run that was planned before. Return its ledger id, or None if the run was never planned."""
    ids = connection.cursor(row_factory=scalar_row).execute(_REOPEN_RUN, {**key.parameters(), "expires_at": expires_at})
    return ids.fetchone()


def insert_run(connection: Connection, key: RunKey, moment: datetime, timeout: timedelta, active_accounts: int) -> int:
    """Insert a run and return its ledger id."""
    parameters = {
        **key.parameters(),
        "moment": moment,
        "expires_at": moment + timeout,
        "active_accounts": active_accounts,
    }
    return int(fetch_value(connection, _INSERT_RUN, parameters))


def find_run(connection: Connection, key: RunKey) -> int | None:
    """Return the ledger id of a run, or None if the run was never planned."""
    return connection.cursor(row_factory=scalar_row).execute(_FIND_RUN, key.parameters()).fetchone()


def read_open_runs(connection: Connection, deployment: str) -> list[RunKey]:
    """Return the runs of a deployment that have no end in the ledger."""
    return fetch_all(connection, RunKey, _OPEN_RUNS, {"deployment": deployment})


def finish_run(connection: Connection, run_id: int, moment: datetime, *, is_dead: bool = False) -> bool:
    """Record the end of a run, and return True. Its unfinished fetches are stale from now on.

    `is_dead` is True for a run that ended in Airflow without its last task. If such a run has an end in the ledger
    already, that end stays as it is, and False is returned.
    """
    parameters = {"run_id": run_id, "moment": moment, "is_dead": is_dead}
    return connection.execute(_FINISH_RUN, parameters).rowcount > 0


def release_stale_fetches(connection: Connection, moment: datetime, run_id: int | None = None) -> int:
    """Release the fetches that ended runs and crashed attempts left unfinished; return the number of these fetches.

    With a `run_id` only the fetches of that run. The caller must hold the lock of `serialize_planning`.
    """
    stale = connection.execute(_STALE_FETCHES, {"moment": moment, "run_id": run_id}).fetchall()
    _release(connection, stale, moment)
    return len(stale)


def release_fetches_of_blogger(connection: Connection, blogger_id: UUID, moment: datetime) -> None:
    """Release the live fetch of a blogger who is being removed: its attempt can no longer save.

    The caller must hold a lock that keeps claims and settlements away, as that of `serialize_planning` does.
    """
    live = connection.execute(_LIVE_FETCHES_OF_BLOGGER, {"blogger_id": blogger_id}).fetchall()
    _release(connection, live, moment)


def _release(connection: Connection, fetches: Sequence[TupleRow], moment: datetime) -> None:
    """Release fetches, each given with the reason."""
    parameters = {
        "moment": moment,
        "fetches": [fetch_id for fetch_id, _ in fetches],
        "reasons": [reason for _, reason in fetches],
    }
    for statement in (_RELEASE_RESERVATIONS, _RELEASE_ATTEMPTS, _RELEASE_FETCHES):
        connection.execute(statement, parameters)


def read_instances(connection: Connection, run_id: int) -> list[PlannedInstance]:
    """Return the task instances of a run, ordered by task and map index."""
    return fetch_all(connection, PlannedInstance, _INSTANCES, {"run_id": run_id})


def read_instance_fetches(connection: Connection, instance: InstanceTry) -> list[InstanceFetch]:
    """Return the fetches of a task instance, with what this try of the instance has to fetch."""
    parameters = {
        **instance.run.parameters(),
        "task_id": instance.task_id,
        "map_index": instance.map_index,
        "created_at": instance.created_at,
        "is_retry": instance.is_retry,
    }
    return fetch_all(connection, InstanceFetch, _INSTANCE_FETCHES, parameters)

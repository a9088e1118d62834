"""The statements about runs as a whole: opening, releasing what others left behind, ending, looking up instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import Connection
from psycopg.rows import class_row, scalar_row


@dataclass(frozen=True, slots=True)
class RunKey:
    """One DAG run of one Airflow. `deployment` tells two Airflows on one database apart."""

    deployment: str
    dag_id: str
    dag_run_id: str

    def parameters(self) -> dict[str, str]:
        """The key as parameters of a statement."""
        return {"deployment": self.deployment, "dag_id": self.dag_id, "dag_run_id": self.dag_run_id}


@dataclass(frozen=True, slots=True)
class PlannedInstance:
    """A task instance of a run and the bloggers that it carries."""

    task_id: str
    map_index: int
    platform: str
    usernames: list[str]


_REOPEN = """
update runs
set ended_at = null, expires_at = %(expires_at)s
where deployment = %(deployment)s and dag_id = %(dag_id)s and dag_run_id = %(dag_run_id)s
returning id
"""

_INSERT = """
insert into runs (deployment, dag_id, dag_run_id, planned_at, expires_at, active_accounts)
values (%(deployment)s, %(dag_id)s, %(dag_run_id)s, %(moment)s, %(expires_at)s, %(active_accounts)s)
returning id
"""

_FIND = """
select id from runs where deployment = %(deployment)s and dag_id = %(dag_id)s and dag_run_id = %(dag_run_id)s
"""

_END = "update runs set ended_at = %(moment)s where id = %(run_id)s"

# Left behind: planned by a run that is over, or running on a lease that ran out, or started before its run was over.
# A fetch that somebody cleared after its run was over is still at work while its lease lasts.
_STALE = """
select
    fetches.id,
    case
        when fetches.lease_expires_at <= %(moment)s then 'the lease of its start ran out'
        when runs.ended_at <= %(moment)s then 'its run has ended'
        else 'its run has expired'
    end as reason
from fetches
join runs on runs.id = fetches.run_id
where fetches.state in ('planned', 'running')
  and (
      (fetches.state = 'running' and fetches.lease_expires_at <= %(moment)s)
      or (
          least(runs.ended_at, runs.expires_at) <= %(moment)s
          and (fetches.state = 'planned' or fetches.claimed_at < least(runs.ended_at, runs.expires_at))
      )
  )
"""

_RETURN_RESERVATIONS = """
with released as (
    update fetch_allocations
    set reserved = 0
    from (
        select fetch_id, organization_id, reserved as held
        from fetch_allocations
        where fetch_id = any(%(fetches)s) and reserved > 0
    ) as before
    where fetch_allocations.fetch_id = before.fetch_id
      and fetch_allocations.organization_id = before.organization_id
    returning fetch_allocations.organization_id, fetch_allocations.period_start, before.held
),
per_period as (
    select organization_id, period_start, sum(held) as held
    from released
    group by organization_id, period_start
)
update subscription_usage as usage
set reserved = usage.reserved - per_period.held
from per_period
where usage.organization_id = per_period.organization_id and usage.period_start = per_period.period_start
"""

_FINISH_ATTEMPTS = """
update fetch_attempts
set outcome = 'released', finished_at = %(moment)s, reason = stale.reason
from fetches
join unnest(%(fetches)s::bigint[], %(reasons)s::text[]) as stale (fetch_id, reason) on stale.fetch_id = fetches.id
where fetch_attempts.id = fetches.current_attempt_id and fetch_attempts.outcome is null
"""

_RELEASE_FETCHES = """
update fetches
set state = coalesce(conclusive_state, 'released'), reason = stale.reason, lease_expires_at = null
from unnest(%(fetches)s::bigint[], %(reasons)s::text[]) as stale (fetch_id, reason)
where fetches.id = stale.fetch_id
"""

_INSTANCES = """
select
    fetches.task_id,
    fetches.map_index,
    fetches.platform,
    array_agg(blogger_information.username order by fetches.id) as usernames
from fetches
join blogger_information on blogger_information.id = fetches.blogger_id
where fetches.run_id = %(run_id)s
group by fetches.task_id, fetches.map_index, fetches.platform
order by fetches.task_id, fetches.map_index
"""

# What has no understood state yet; everything when all have one, for then somebody cleared the instance on purpose.
_INSTANCE_FETCHES = """
select fetches.id
from fetches
join runs on runs.id = fetches.run_id
where runs.deployment = %(deployment)s
  and runs.dag_id = %(dag_id)s
  and runs.dag_run_id = %(dag_run_id)s
  and fetches.task_id = %(task_id)s
  and fetches.map_index = %(map_index)s
  and (
      fetches.conclusive_state is null
      or not exists (
          select
          from fetches as other
          where other.run_id = fetches.run_id
            and other.task_id = fetches.task_id
            and other.map_index = fetches.map_index
            and other.conclusive_state is null
      )
  )
order by fetches.id
"""


def reopen_run(connection: Connection, key: RunKey, expires_at: datetime) -> int | None:
    """The ledger id of a run that was planned before, open again; None if it was not."""
    ids = connection.cursor(row_factory=scalar_row).execute(_REOPEN, {**key.parameters(), "expires_at": expires_at})
    return ids.fetchone()


def insert_run(connection: Connection, key: RunKey, moment: datetime, timeout: timedelta, active_accounts: int) -> int:
    """Open a run and return its ledger id."""
    parameters = {
        **key.parameters(),
        "moment": moment,
        "expires_at": moment + timeout,
        "active_accounts": active_accounts,
    }
    return int(connection.cursor(row_factory=scalar_row).execute(_INSERT, parameters).fetchall()[0])


def find_run(connection: Connection, key: RunKey) -> int | None:
    """The ledger id of a run, or None if it was never planned."""
    return connection.cursor(row_factory=scalar_row).execute(_FIND, key.parameters()).fetchone()


def finish_run(connection: Connection, run_id: int, moment: datetime) -> None:
    """Note that a run has ended. What it left unfinished is stale from now on."""
    connection.execute(_END, {"run_id": run_id, "moment": moment})


def release_stale_fetches(connection: Connection, moment: datetime) -> int:
    """Release what runs that are over or starts whose lease ran out still hold; return how many fetches.

    Only while planning is serialized.
    """
    stale = connection.execute(_STALE, {"moment": moment}).fetchall()
    parameters = {
        "moment": moment,
        "fetches": [fetch_id for fetch_id, _ in stale],
        "reasons": [reason for _, reason in stale],
    }
    for statement in (_RETURN_RESERVATIONS, _FINISH_ATTEMPTS, _RELEASE_FETCHES):
        connection.execute(statement, parameters)
    return len(stale)


def read_instances(connection: Connection, run_id: int) -> list[PlannedInstance]:
    """The task instances of a run, by task and map index."""
    cursor = connection.cursor(row_factory=class_row(PlannedInstance))
    return cursor.execute(_INSTANCES, {"run_id": run_id}).fetchall()


def read_instance_fetches(connection: Connection, key: RunKey, task_id: str, map_index: int) -> Sequence[int]:
    """The ids of the fetches that a start of this task instance has to do."""
    parameters = {**key.parameters(), "task_id": task_id, "map_index": map_index}
    return connection.cursor(row_factory=scalar_row).execute(_INSTANCE_FETCHES, parameters).fetchall()

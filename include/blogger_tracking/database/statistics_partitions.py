"""Partitions of `video_statistics`: one for each month, and the default partition for months without a partition.

The pipeline's role may not change tables: functions of the schema create and drop partitions as its owner.
"""

from __future__ import annotations

from psycopg import Connection, sql

from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.rows import fetch_value, fetch_values
from blogger_tracking.domain.retention import Month, month_of

LOCK_SECONDS = 5
"""Longest wait for the locks of a change of partitions: everything that saves or reads statistics waits behind it."""

_LIMIT_WAIT = sql.SQL("set local lock_timeout = {}")

_CREATE = "select blogger_tracking.create_statistics_partition(%(day)s)"

_DROP = "select blogger_tracking.drop_statistics_partition(%(day)s)"

_MONTHS = r"""
select to_date(substring(pg_class.relname from '\d{4}_\d\d$'), 'YYYY_MM') as first_day
from pg_inherits
join pg_class on pg_class.oid = pg_inherits.inhrelid
where pg_inherits.inhparent = 'blogger_tracking.video_statistics'::regclass
  and pg_class.relname ~ '^video_statistics_\d{4}_\d\d$'
order by first_day
"""

_MONTHS_OF_DEFAULT = """
select distinct date_trunc('month', fetched_on)::date as first_day
from blogger_tracking.video_statistics_default
order by first_day
"""


def create_partition(connection: Connection, month: Month) -> bool:
    """Create the partition of a month, with its rows of the default partition; return False if the partition exists.

    Raises psycopg.errors.LockNotAvailable if the tables are in use for longer than LOCK_SECONDS, and
    psycopg.errors.QueryCanceled if moving the rows takes longer than the setting `database_timeout_seconds`.
    """
    return _change(connection, _CREATE, month)


def drop_partition(connection: Connection, month: Month) -> bool:
    """Drop the partition of a month with all its rows; return False if there is none.

    Raises psycopg.errors.LockNotAvailable and QueryCanceled as `create_partition` does.
    """
    return _change(connection, _DROP, month)


def read_partition_months(connection: Connection) -> list[Month]:
    """Return the months that have a partition, in order."""
    return [month_of(day) for day in fetch_values(connection, _MONTHS)]


def read_default_months(connection: Connection) -> list[Month]:
    """Return the months of the rows in the default partition, in order."""
    return [month_of(day) for day in fetch_values(connection, _MONTHS_OF_DEFAULT)]


def _change(connection: Connection, statement: str, month: Month) -> bool:
    with bounded_transaction(connection):
        connection.execute(_LIMIT_WAIT.format(sql.Literal(round(LOCK_SECONDS * 1000))))
        return bool(fetch_value(connection, statement.encode(), {"day": month.first_day}))

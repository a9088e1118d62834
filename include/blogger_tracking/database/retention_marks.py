"""Retention marks: the moments before which rows may have been removed."""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from psycopg import Connection

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.queues import Queue

Subject: TypeAlias = Platform | Queue | None
"""Statistics of a platform, messages of a queue, or None for the ledger."""

_MARK = """
insert into blogger_tracking.retention_marks (subject, removed_before)
values (%(subject)s, %(moment)s)
on conflict (subject) do update
set removed_before = excluded.removed_before
where retention_marks.removed_before < excluded.removed_before
"""


def mark_removed(connection: Connection, subject: Subject, moment: datetime) -> None:
    """Record that rows before a moment may be removed from now on. An earlier moment changes nothing."""
    connection.execute(_MARK, {"subject": _name(subject), "moment": moment})


def _name(subject: Subject) -> str:
    if isinstance(subject, Platform):
        return f"{subject} statistics"
    return "ledger" if subject is None else subject.value

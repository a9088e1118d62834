"""The last check of the invariants, kept because checking all of them takes long on a large database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import Connection

from blogger_tracking.database.connections import bounded_transaction


@dataclass(frozen=True, slots=True)
class InvariantCheck:
    """Number of violations by invariant, and the time of the check."""

    checked_at: datetime
    violations: Mapping[str, int]


_REMOVE = "delete from blogger_tracking.invariant_checks"

_SAVE = """
insert into blogger_tracking.invariant_checks (name, violations, checked_at)
select name, violations, %(checked_at)s
from unnest(%(names)s::text[], %(violations)s::bigint[]) as checked (name, violations)
on conflict (name) do update
set violations = excluded.violations, checked_at = excluded.checked_at
"""

_READ = "select name, violations, checked_at from blogger_tracking.invariant_checks order by name"


def save_invariant_check(connection: Connection, check: InvariantCheck) -> None:
    """Replace the last check, also of invariants that exist no more."""
    parameters = {
        "names": list(check.violations),
        "violations": list(check.violations.values()),
        "checked_at": check.checked_at,
    }
    with bounded_transaction(connection):
        connection.execute(_REMOVE)
        connection.execute(_SAVE, parameters)


def read_invariant_check(connection: Connection) -> InvariantCheck | None:
    """Return the last check, or None before the first one."""
    rows = connection.execute(_READ).fetchall()
    if not rows:
        return None
    return InvariantCheck(min(row[2] for row in rows), {name: violations for name, violations, _ in rows})

"""Budgets of the HTTP API in the table `request_budgets`: uses by a person and an organization in a sliding period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import ceil
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.rows import fetch_one, fetch_values


class BudgetPurpose(StrEnum):
    """Use that a budget bounds."""

    REQUESTS = "requests"
    LOOK_UPS = "look_ups"
    YOUTUBE_LOOK_UPS = "youtube_look_ups"


class BudgetHolder(StrEnum):
    """Kind of the holder of a budget."""

    PERSON = "person"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Budgets:
    """Numbers of uses that each person and each organization has in any period of this length."""

    purpose: BudgetPurpose
    period: timedelta
    of_person: int
    of_organization: int


@dataclass(frozen=True, slots=True)
class SpentBudget:
    """A budget without a use left. `retry_after`: whole seconds until the next use, at least 1."""

    holder: BudgetHolder
    retry_after: int


@dataclass(frozen=True, slots=True)
class _Taken:
    of_person: bool
    of_organization: bool


# One statement for both budgets. Rows are locked in the order person, organization: this lock order prevents deadlocks.
# The clock is read again in each expression, because the statement may have waited for a row lock. `used_at` has the
# newest uses, as many as the budget, in ascending order: there is room if the oldest of them is before the period.
_SPEND = """
with person as (
    insert into blogger_tracking.request_budgets as budget (purpose, holder, holder_id, used_at)
    values (%(purpose)s, 'person', %(user_id)s, array[clock_timestamp()])
    on conflict (purpose, holder, holder_id) do update
    set used_at = array_append(
        budget.used_at[cardinality(budget.used_at) - %(of_person)s + 2:], clock_timestamp()
    )
    where coalesce(
        budget.used_at[cardinality(budget.used_at) - %(of_person)s + 1] <= clock_timestamp() - %(period)s, true
    )
    returning 1
),

organization as (
    insert into blogger_tracking.request_budgets as budget (purpose, holder, holder_id, used_at)
    select %(purpose)s, 'organization', %(organization_id)s, array[clock_timestamp()]
    where exists (select from person)
    on conflict (purpose, holder, holder_id) do update
    set used_at = array_append(
        budget.used_at[cardinality(budget.used_at) - %(of_organization)s + 2:], clock_timestamp()
    )
    where coalesce(
        budget.used_at[cardinality(budget.used_at) - %(of_organization)s + 1] <= clock_timestamp() - %(period)s, true
    )
    returning 1
)

select
    exists (select from person) as of_person,
    exists (select from organization) as of_organization
"""

_SECONDS_TO_WAIT = """
select extract(
    epoch from used_at[cardinality(used_at) - %(uses)s + 1] + %(period)s - clock_timestamp()
)::float8
from blogger_tracking.request_budgets
where purpose = %(purpose)s and holder = %(holder)s and holder_id = %(holder_id)s
"""


def spend(connection: Connection, budgets: Budgets, user_id: UUID, organization_id: UUID) -> SpentBudget | None:
    """Take one use from the person's budget, then one from the organization's; return the budget that is spent, if any.

    A person without a use left takes nothing from the organization. All processes on one database share the budgets.
    """
    parameters = {
        "purpose": budgets.purpose,
        "period": budgets.period,
        "user_id": user_id,
        "organization_id": organization_id,
        "of_person": budgets.of_person,
        "of_organization": budgets.of_organization,
    }
    taken = fetch_one(connection, _Taken, _SPEND, parameters)
    if not taken.of_person:
        return _spent(connection, budgets, BudgetHolder.PERSON, user_id, budgets.of_person)
    if not taken.of_organization:
        return _spent(connection, budgets, BudgetHolder.ORGANIZATION, organization_id, budgets.of_organization)
    return None


def _spent(connection: Connection, budgets: Budgets, holder: BudgetHolder, holder_id: UUID, uses: int) -> SpentBudget:
    parameters = {
        "purpose": budgets.purpose,
        "period": budgets.period,
        "holder": holder,
        "holder_id": holder_id,
        "uses": uses,
    }
    seconds = fetch_values(connection, _SECONDS_TO_WAIT, parameters)
    # Without a value, the row or its uses were removed meanwhile.
    return SpentBudget(holder, max(1, ceil(seconds[0] or 0)) if seconds else 1)

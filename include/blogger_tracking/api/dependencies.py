"""Dependencies of the HTTP API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.airflow_api import AirflowApi
from blogger_tracking.api.access_tokens import TokenVerifier
from blogger_tracking.api.look_up_slots import LookUpSlots
from blogger_tracking.database.organizations import read_role
from blogger_tracking.database.request_budgets import Budgets, spend
from blogger_tracking.domain.models import Role
from blogger_tracking.domain.request_errors import RateLimitedError, RoleNotAllowedError
from blogger_tracking.rate_limit import RequestRateLimiter
from blogger_tracking.usecases.fetch_blogger import FetchServices
from blogger_tracking.usecases.look_up_blogger import LookUpLimits


@dataclass(frozen=True, slots=True)
class ApiServices:
    """Dependencies of the routes, shared by all requests of a process.

    `make_fetch_services` connects to the database at its first call and has to cache its result: a token is verified
    without the database. `person_rate_limiter` counts in this process, before a request takes a thread;
    `request_budgets` are shared by all processes.
    """

    make_fetch_services: Callable[[], FetchServices]
    airflow_api: AirflowApi
    token_verifier: TokenVerifier
    person_rate_limiter: RequestRateLimiter
    request_budgets: Budgets
    look_up_slots: LookUpSlots
    look_up_limits: LookUpLimits

    @property
    def fetch_services(self) -> FetchServices:
        """The services of a fetch. Raises ConfigurationError and DatabaseStateError."""
        return self.make_fetch_services()

    @property
    def pool(self) -> ConnectionPool:
        """The pool of connections to the application's database."""
        return self.fetch_services.pool

    def authorize(self, connection: Connection, organization_id: UUID, user_id: UUID) -> Role:
        """Return the user's role, and count the request against the person's and the organization's rate limit.

        Requests of users who are not members do not count; otherwise such users could block the organization.
        Requests over the person's own limit do not count for the organization.
        Raises NotAMemberError, RateLimitedError.
        """
        role = read_role(connection, organization_id, user_id)
        spent = spend(connection, self.request_budgets, user_id, organization_id)
        if spent:
            raise RateLimitedError(f"This {spent.holder}", spent.retry_after)
        return role


def require_may_add(role: Role) -> None:
    """Raise RoleNotAllowedError unless the role may add bloggers."""
    if not role.may_add:
        raise RoleNotAllowedError(f"The role {role} may not add bloggers.")


def require_may_manage(role: Role) -> None:
    """Raise RoleNotAllowedError unless the role may change tracked accounts."""
    if not role.may_manage:
        raise RoleNotAllowedError(f"The role {role} may not change a tracked account.")

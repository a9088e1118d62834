"""The system under attack, with two organizations, and a client that keeps every answer."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import jwt
import requests
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.rows import fetch_one, fetch_value
from blogger_tracking.domain.models import Role
from devtools.local_stack.airflow_client import AirflowClient
from devtools.platform_sandbox.sandbox_admin import SandboxAdmin

_TIMEOUT_SECONDS = 30.0
_TOKEN_SECONDS = 3600

_INSERT_TENANT = """
with organization as (
    insert into blogger_tracking.organizations (name) values ('Attacked') returning id
),
subscription as (
    insert into blogger_tracking.subscriptions (
        organization_id, period_start, period_end, plan, video_limit, blogger_limit
    )
    select id, now() - interval '10 days', now() + interval '20 days', 'attack', 100, 100
    from organization
    returning organization_id, period_start
),
usage as (
    insert into blogger_tracking.subscription_usage (organization_id, period_start)
    select organization_id, period_start
    from subscription
),
blogger as (
    insert into blogger_tracking.blogger_information (platform, username, external_id, sec_id)
    select 'TikTok', 'attacked_' || left(id::text, 8), id::text, id::text
    from organization
    returning id
),
account as (
    insert into blogger_tracking.tracked_accounts (organization_id, blogger_id, initial_videos_fetched)
    select organization.id, blogger.id, true
    from organization, blogger
    returning id
),
campaign as (
    insert into blogger_tracking.campaigns (organization_id, name)
    select id, 'Attacked'
    from organization
    returning id
)
select
    organization.id as organization_id, account.id as tracking_id, blogger.id as blogger_id, campaign.id as campaign_id
from organization, account, blogger, campaign
"""

_INSERT_USER = "insert into auth.users default values returning id"
_INSERT_MEMBER = (
    "insert into blogger_tracking.organization_members (organization_id, user_id, role) values (%s, %s, %s)"
)
_SIGN_IN = "select set_config('request.jwt.claims', json_build_object('sub', %s::text)::text, true)"


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization with a subscription, a tracked account and a campaign."""

    organization_id: UUID
    tracking_id: UUID
    blogger_id: UUID
    campaign_id: UUID


@dataclass(frozen=True)
class Target:
    """The system under attack.

    `connection` is that of the schema's owner, in autocommit mode; `pool` has the connections of consumers. `sandbox`
    stands for the platforms. `issuer` and `secret` sign tokens as Supabase does.
    `secrets` must appear in no answer and in no file below `log_folders`. `answers` has every answer.
    `person_limit` is the number of requests of a person in a minute, `stranger_limit` that of requests without a valid
    token from an address, `look_up_limit` that of look-ups of a person in an hour.
    `airflow` is None if no Airflow runs.
    """

    url: str
    connection: Connection
    pool: ConnectionPool
    sandbox: SandboxAdmin
    issuer: str
    secret: str
    secrets: tuple[str, ...]
    log_folders: tuple[Path, ...] = ()
    person_limit: int = 60
    stranger_limit: int = 1_500
    look_up_limit: int = 20
    airflow: AirflowClient | None = None
    answers: list[str] = field(default_factory=list)

    def tenant(self) -> Tenant:
        """Create an organization."""
        return fetch_one(self.connection, Tenant, _INSERT_TENANT)

    def user(self) -> UUID:
        """Create a user who is no member of any organization."""
        return UUID(str(fetch_value(self.connection, _INSERT_USER)))

    def member(self, tenant: Tenant, role: Role) -> UUID:
        """Create a member of an organization."""
        user = self.user()
        self.connection.execute(_INSERT_MEMBER, (tenant.organization_id, user, role))
        return user

    def claims(self, user: UUID, **changed: object) -> dict[str, object]:
        """Return the claims of a valid token. A claim changed to None is left out."""
        claims = {
            "sub": str(user),
            "aud": "authenticated",
            "iss": self.issuer,
            "exp": int(time.time()) + _TOKEN_SECONDS,
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, user: UUID) -> str:
        """Return a valid token of a user."""
        return jwt.encode(self.claims(user), self.secret, algorithm="HS256")

    def send(
        self,
        method: str,
        path: str,
        token: str | None,
        *,
        json: object = None,
        data: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Send a request, and keep the answer."""
        given = {**(headers or {}), **({} if token is None else {"Authorization": f"Bearer {token}"})}
        answer = requests.request(
            method, f"{self.url}/blogger{path}", json=json, data=data, headers=given, timeout=_TIMEOUT_SECONDS
        )
        self.answers.append(f"{answer.headers} {answer.text}")
        return answer

    @contextmanager
    def signed_in(self, role: str, user: UUID) -> Generator[Connection]:
        """Use the database as Supabase's Data API does for a user; every change is rolled back."""
        with self.connection.transaction(force_rollback=True):
            self.connection.execute(f"set local role {role}".encode())
            self.connection.execute(_SIGN_IN, (user,))
            yield self.connection

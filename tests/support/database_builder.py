"""Insert organizations, people, bloggers and tracked accounts into a test's database."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import Connection

from devtools.platform_sandbox import Creator

_numbers = itertools.count(1)

Parameter: TypeAlias = UUID | datetime | str | int | bool | None


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tracked account with the ids of its organization and its blogger."""

    tracking_id: UUID
    organization_id: UUID
    blogger_id: UUID


class DatabaseBuilder:
    """Inserts one row of a kind per method, with defaults that a run accepts; each method returns the id of its row."""

    def __init__(self, connection: Connection) -> None:
        # Statements of tests name tables without their schema; those of the project name the schema.
        connection.execute("set search_path = blogger_tracking")
        self._connection = connection

    def value(self, statement: str, **parameters: Parameter) -> Any:  # noqa: ANN401 - the test knows its column
        """Return the first column of the first row of a statement."""
        row = self._connection.execute(statement.encode(), parameters).fetchone()
        return row[0] if row else None

    def rows(self, statement: str, **parameters: Parameter) -> list[tuple[Any, ...]]:
        """Return all rows of a statement."""
        return self._connection.execute(statement.encode(), parameters).fetchall()

    def run(self, statement: str, **parameters: Parameter) -> None:
        """Execute a statement."""
        self._connection.execute(statement.encode(), parameters)

    def organization(self, *, video_limit: int | None = 1000, opening: int = 0, daily: int = 10) -> UUID:
        """Insert an organization with a current subscription, or with none if `video_limit` is None."""
        organization: UUID = self.value(
            "insert into organizations (name, daily_videos_count) values (%(name)s, %(daily)s) returning id",
            name=f"Organization {next(_numbers)}",
            daily=daily,
        )
        if video_limit is not None:
            self.subscription(organization, video_limit=video_limit, opening=opening)
        return organization

    def subscription(
        self,
        organization: UUID,
        *,
        video_limit: int = 1000,
        opening: int = 0,
        starts: timedelta = timedelta(days=-10),
        ends: timedelta = timedelta(days=20),
    ) -> datetime:
        """Insert a subscription for a period around now, and its usage; return the start of the period."""
        now = datetime.now(UTC)
        self.run(
            """
            insert into subscriptions (organization_id, period_start, period_end, plan, video_limit, blogger_limit)
            values (%(organization)s, %(start)s, %(end)s, 'team', %(limit)s, 100)
            """,
            organization=organization,
            start=now + starts,
            end=now + ends,
            limit=video_limit,
        )
        self.run(
            """
            insert into subscription_usage (organization_id, period_start, opening)
            values (%(organization)s, %(start)s, %(opening)s)
            """,
            organization=organization,
            start=now + starts,
            opening=opening,
        )
        return now + starts

    def user(self) -> UUID:
        """Insert a person."""
        user: UUID = self.value("insert into auth.users default values returning id")
        return user

    def member(self, organization: UUID, role: str = "member") -> UUID:
        """Insert a person who is a member of an organization."""
        user = self.user()
        self.run(
            """
            insert into organization_members (organization_id, user_id, role)
            values (%(organization)s, %(user)s, %(role)s)
            """,
            organization=organization,
            user=user,
            role=role,
        )
        return user

    def campaign(self, organization: UUID) -> UUID:
        """Insert a campaign without bloggers."""
        campaign: UUID = self.value(
            "insert into campaigns (organization_id, name) values (%(organization)s, %(name)s) returning id",
            organization=organization,
            name=f"Campaign {next(_numbers)}",
        )
        return campaign

    def blogger(self, platform: str = "TikTok", *, external_id: str | None = None, sec_id: str | None = None) -> UUID:
        """Insert a blogger without a tracked account."""
        number = next(_numbers)
        return self._blogger(platform, f"name_{number}", external_id or f"external-{number}", sec_id or f"sec-{number}")

    def creator(self, creator: Creator) -> UUID:
        """Insert the blogger of a creator of the sandbox, without a tracked account."""
        return self._blogger(creator.platform, creator.username, creator.external_id, creator.sec_id)

    def track(
        self,
        organization: UUID,
        blogger: UUID | None = None,
        *,
        platform: str = "TikTok",
        daily: int | None = None,
        is_active: bool = True,
        pending_initial_fetch: bool = False,
    ) -> Tracked:
        """Insert a tracked account, for a new blogger unless one is given; the initial fetch is done or pending."""
        blogger = blogger or self.blogger(platform)
        tracking_id: UUID = self.value(
            """
            insert into tracked_accounts (
                organization_id, blogger_id, daily_videos_count, is_active, pending_initial_fetch,
                initial_videos_fetched
            )
            values (%(organization)s, %(blogger)s, %(daily)s, %(is_active)s, %(pending)s, not %(pending)s)
            returning id
            """,
            organization=organization,
            blogger=blogger,
            daily=daily,
            is_active=is_active,
            pending=pending_initial_fetch,
        )
        return Tracked(tracking_id, organization, blogger)

    def _blogger(self, platform: str, username: str, external_id: str, sec_id: str | None) -> UUID:
        blogger: UUID = self.value(
            """
            insert into blogger_information (platform, username, external_id, sec_id)
            values (%(platform)s, %(username)s, %(external_id)s, %(sec_id)s)
            returning id
            """,
            platform=platform,
            username=username,
            external_id=external_id,
            sec_id=sec_id,
        )
        return blogger

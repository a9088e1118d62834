"""Bloggers of the sandbox that the organization of one test tracks, in the database of a running stack."""

from __future__ import annotations

import itertools
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.models import Platform
from devtools.platform_sandbox import Creator, CreatorKind, World
from tests.support.database_builder import DatabaseBuilder

_WORLD = World()
_unused = {platform: itertools.count() for platform in Platform}


class Fleet:
    """One organization and its tracked accounts. No creator is in two fleets of a test session."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.build = DatabaseBuilder(connection)
        self.organization = self.build.organization(video_limit=100_000)
        self.creators: dict[UUID, Creator] = {}

    def track(self, platform: Platform, count: int = 1) -> list[UUID]:
        """Track ordinary creators that no organization tracks yet; return their blogger ids."""
        return [self._track(platform) for _ in range(count)]

    def scope(self) -> dict[str, list[str]]:
        """Return the conf of a run that is restricted to this fleet."""
        return {"organizations": [str(self.organization)]}

    def value(self, statement: str) -> object:
        """Return the first column of the first row; `%(organization)s` is the fleet's organization."""
        found: object = self.build.value(statement, organization=self.organization)
        return found

    def charged(self) -> object:
        """Return the number of videos that the organization was charged."""
        return self.value("select videos_fetched from subscription_usage where organization_id = %(organization)s")

    def violations(self) -> dict[str, int]:
        """Return the violated invariants with their counts."""
        return {name: count for name, count in check_invariants(self._connection).items() if count}

    def untracked(self, platform: Platform) -> Creator:
        """Return an ordinary creator that no organization tracks yet."""
        return next(
            creator
            for index in _unused[platform]
            if (creator := _WORLD.creator(platform, index)).kind is CreatorKind.NORMAL
        )

    def _track(self, platform: Platform) -> UUID:
        creator = self.untracked(platform)
        blogger = self.build.creator(creator)
        self.build.track(self.organization, blogger)
        self.creators[blogger] = creator
        return blogger

"""Members of organizations as callers of the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import requests

from tests.support.access_tokens import token_for
from tests.support.database_builder import DatabaseBuilder

ALLOWED_ORIGIN = "https://ui.example"
"""The origin of the web page that calls the HTTP API."""


@dataclass(frozen=True)
class Person:
    """A user who calls the HTTP API for an organization. `token` replaces the one signed with the tests' secret."""

    session: requests.Session
    url: str
    user_id: UUID
    organization_id: UUID
    token: str = ""

    def add(
        self, username: str, platform: str = "TikTok", *, key: str | None = None, **more: object
    ) -> requests.Response:
        body = {"username": username, "platform": platform, "organizationId": str(self.organization_id), **more}
        return self.call("POST", "/blogger/add", body, key=key)

    def add_from_tracking(self, blogger_id: UUID, *, key: str | None = None, **more: object) -> requests.Response:
        body = {"bloggerId": str(blogger_id), "organizationId": str(self.organization_id), **more}
        return self.call("POST", "/blogger/add-from-tracking", body, key=key)

    def read(self, tracking_id: object) -> requests.Response:
        return self.call("GET", f"/blogger/{tracking_id}")

    def change(self, tracking_id: object, **changes: object) -> requests.Response:
        return self.call("PATCH", f"/blogger/{tracking_id}", changes)

    def call(self, method: str, path: str, body: object = None, *, key: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token or token_for(self.user_id)}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        return self.session.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=30)


class People:
    """Factory of users."""

    def __init__(self, build: DatabaseBuilder, session: requests.Session, url: str) -> None:
        self._build = build
        self._session = session
        self._url = url

    def person(self, role: str = "member", organization: UUID | None = None, *, blogger_limit: int = 100) -> Person:
        """Return a new member with this role, of a new organization unless one is given."""
        organization = organization or self._build.organization()
        self._build.run(
            "update subscriptions set blogger_limit = %(limit)s where organization_id = %(organization)s",
            limit=blogger_limit,
            organization=organization,
        )
        return self.calling(self._build.member(organization, role), organization)

    def calling(self, user: UUID, organization: UUID) -> Person:
        """Return a caller for an organization that need not have the user as a member."""
        return Person(self._session, self._url, user, organization)

"""Stand-ins for Airflow's login and permissions, and people who call the Bloggers page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests
from fastapi import HTTPException, Request

from blogger_tracking.page.access import PageAccess


def name_of(request: Request) -> str:
    return request.headers.get("X-Person", "")


def require_reading(request: Request) -> None:
    if not name_of(request):
        raise HTTPException(401)


def require_acting(request: Request) -> None:
    require_reading(request)
    if name_of(request) == "viewer":
        raise HTTPException(403)


def may_act(request: Request) -> bool:
    return name_of(request) != "viewer"


ACCESS = PageAccess(require_reading, require_acting, may_act, name_of)
"""Stand-ins for Airflow's dependencies: the person of the header reads, and all but `viewer` act."""


@dataclass(frozen=True)
class PagePerson:
    """A person of Airflow who uses the page."""

    url: str
    name: str

    def call(self, method: str, path: str, body: object = None, **query: str) -> requests.Response:
        headers = {"X-Person": self.name} if self.name else {}
        return requests.request(method, f"{self.url}{path}", params=query, json=body, headers=headers, timeout=30)

    def get(self, path: str) -> requests.Response:
        return self.call("GET", path)

    def read(self, path: str, **query: str) -> Any:  # noqa: ANN401 - the test knows the body
        """Return the body of a successful response."""
        answer = self.call("GET", f"/api/{path}", **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

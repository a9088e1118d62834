"""The guards of the Bloggers page, with Airflow's own dependencies and a stand-in for its auth manager."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import requests
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api import security
from airflow.models.dag import DagModel

from blogger_tracking.domain.errors import ConfigurationError
from blogger_tracking.orchestration.airflow_3_3.page_access import airflow_access
from blogger_tracking.page.app import create_app
from blogger_tracking.page.dependencies import PageServices
from tests.support.app_server import AppServer


@dataclass
class Person:
    name: str

    def get_name(self) -> str:
        return self.name


@dataclass
class AuthManager:
    """Knows people by tokens that are their names; `viewer` may read, and `operator` may do anything."""

    asked: list[tuple[str, object, str | None]] = field(default_factory=list)

    async def get_user_from_token(self, token: str) -> Person:
        return Person(token)

    def is_authorized_dag(
        self, *, method: str, access_entity: DagAccessEntity | None, details: DagDetails, user: Person
    ) -> bool:
        self.asked.append((method, access_entity, details.id))
        return user.name == "operator" or (user.name == "viewer" and method == "GET")


@pytest.fixture
def auth_manager(monkeypatch: pytest.MonkeyPatch) -> AuthManager:
    manager = AuthManager()
    monkeypatch.setattr(security, "get_auth_manager", lambda: manager)
    monkeypatch.setattr(DagModel, "get_team_name", lambda _: None)
    return manager


@pytest.fixture
def url(auth_manager: AuthManager) -> Iterator[str]:
    def no_services() -> PageServices:
        raise ConfigurationError("There are no services.")

    del auth_manager
    with AppServer(create_app(airflow_access(), no_services), mount="/bloggers") as server:
        yield f"{server.url}/bloggers"


def get(url: str, token: str) -> requests.Response:
    return requests.get(f"{url}/api/me", cookies={"_token": token} if token else {}, timeout=10)


def test_a_person_reads_with_read_access_to_the_dag_and_acts_with_the_right_to_trigger_it(
    url: str, auth_manager: AuthManager
) -> None:
    assert get(url, "viewer").json() == {"mayAct": False}
    assert get(url, "operator").json() == {"mayAct": True}
    assert set(auth_manager.asked) == {
        ("GET", None, "blogger_batch_fetch"),
        ("POST", DagAccessEntity.RUN, "blogger_batch_fetch"),
    }


def test_a_person_without_a_login_is_401_and_one_without_the_right_to_read_403(url: str) -> None:
    assert get(url, "").status_code == 401
    assert get(url, "stranger").status_code == 403

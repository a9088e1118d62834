"""Adding a blogger from the page: as over the HTTP API, by a person who is no user of the database."""

from __future__ import annotations

from uuid import uuid4

import pytest
import requests

from blogger_tracking.domain.models import Platform
from devtools.platform_sandbox import Creator, CreatorKind, SandboxServer
from tests.support.airflow_stand_in import AirflowStandIn
from tests.support.database_builder import DatabaseBuilder
from tests.support.page_people import PagePerson


@pytest.fixture
def creator(sandbox: SandboxServer) -> Creator:
    return next(sandbox.world.creators(Platform.TIKTOK, kind=CreatorKind.NORMAL))


def add(person: PagePerson, organization: object, username: str, platform: str = "TikTok") -> requests.Response:
    body = {"username": username, "platform": platform}
    return person.call("POST", f"/api/organizations/{organization}/bloggers", body)


def test_an_added_blogger_is_tracked_by_nobody_and_its_initial_fetch_starts(
    build: DatabaseBuilder, person: PagePerson, creator: Creator
) -> None:
    organization = build.organization()
    # Initial fetches name a member of the organization.
    build.member(organization, "owner")
    answer = add(person, organization, f"@{creator.username}")
    assert (answer.status_code, answer.json()["initialFetch"]["state"]) == (200, "started"), answer.text
    tracked = build.rows("select id, blogger_id, organization_id, user_id from tracked_accounts")
    assert [tuple(map(str, row)) for row in tracked] == [
        (answer.json()["trackingId"], answer.json()["bloggerId"], str(organization), "None")
    ]


def test_a_blogger_that_is_tracked_already_is_409(build: DatabaseBuilder, person: PagePerson, creator: Creator) -> None:
    organization = build.organization()
    assert add(person, organization, creator.username).status_code == 200
    answer = add(person, organization, creator.username)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_tracked")


def test_a_failed_initial_fetch_is_started_again_and_the_409_says_so(
    build: DatabaseBuilder, person: PagePerson, creator: Creator, airflow: AirflowStandIn
) -> None:
    organization = build.organization()
    build.member(organization, "owner")
    tracking = add(person, organization, creator.username).json()["trackingId"]
    known = "This organization already tracks this blogger."
    # The first run has not ended.
    assert add(person, organization, creator.username).json()["error"]["message"] == known
    fail = "update tracked_accounts set pending_initial_fetch = false, initial_fetch_reason = 'The platform failed.'"
    build.run(fail)
    answer = add(person, organization, creator.username)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "already_tracked")
    repeated = f"{known} Its first fetch, which had brought no videos,"
    assert answer.json()["error"]["message"] == f"{repeated} was started again."
    assert f"initial__{tracking}__2" in airflow.states
    build.run(fail)
    airflow.down = True
    assert add(person, organization, creator.username).json()["error"]["message"] == (
        f"{repeated} is pending again. Airflow does not accept the run now; the next batch run triggers it."
    )


def test_a_paused_blogger_stays_paused(build: DatabaseBuilder, person: PagePerson, creator: Creator) -> None:
    organization = build.organization()
    build.track(organization, build.creator(creator), is_active=False)
    answer = add(person, organization, creator.username)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "role_not_allowed")
    assert build.value("select is_active from tracked_accounts") is False


@pytest.mark.parametrize(
    ("username", "status", "code"),
    [
        ("not a name!", 400, "invalid_username"),
        ("", 400, "invalid_request"),
        ("missing_name", 404, "blogger_not_found"),
    ],
)
def test_a_wrong_name_is_an_error_with_a_code(
    build: DatabaseBuilder, person: PagePerson, username: str, status: int, code: str
) -> None:
    answer = add(person, build.organization(), username)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_an_unknown_organization_is_404_and_one_without_a_subscription_402(
    build: DatabaseBuilder, person: PagePerson, creator: Creator
) -> None:
    assert add(person, uuid4(), creator.username).json()["error"]["code"] == "organization_not_found"
    answer = add(person, build.organization(video_limit=None), creator.username)
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "no_active_subscription")


def test_the_budget_is_that_of_the_person(build: DatabaseBuilder, person: PagePerson, creator: Creator) -> None:
    organization = build.organization()
    add(person, organization, creator.username)
    holders = "select holder_id from request_budgets where holder = 'person' and purpose = 'look_ups'"
    (first,) = build.rows(holders)
    build.run("delete from look_ups")
    add(PagePerson(person.url, "another"), build.organization(), creator.username)
    assert first in build.rows(holders)
    assert len(build.rows(holders)) == 2


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_that_another_site_could_send_is_415(
    build: DatabaseBuilder, person: PagePerson, creator: Creator, content_type: str
) -> None:
    body = f'{{"username": "{creator.username}", "platform": "TikTok"}}'
    answer = requests.post(
        f"{person.url}/api/organizations/{build.organization()}/bloggers",
        data=body.encode(),
        headers={"X-Person": "operator", "Content-Type": content_type},
        timeout=10,
    )
    assert answer.status_code == 415
    assert build.value("select count(*) from tracked_accounts") == 0

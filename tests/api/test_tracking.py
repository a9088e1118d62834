"""GET and PATCH /blogger/{trackingId} over real HTTP."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, settle, succeed
from tests.support.people import People


def test_reading_returns_the_last_fetch_and_the_number_of_videos_saved(
    people: People, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    person = people.person("viewer")
    tracked = build.track(person.organization_id)
    before = person.read(tracked.tracking_id).json()
    assert (before["lastFetch"], before["videosSaved"]) == (None, 0)
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=4)
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="TikTok: unavailable (503)"))
    after = person.read(tracked.tracking_id).json()
    assert after["success"] is True
    assert after["videosSaved"] == 4
    assert after["initialFetch"]["state"] == "fetched"
    assert (after["lastFetch"]["state"], after["lastFetch"]["reason"]) == ("succeeded", None)


def test_reading_returns_the_state_of_the_account_since_its_first_sighting(
    people: People, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    person = people.person("viewer")
    tracked = build.track(person.organization_id)
    states = []
    for _ in range(3):
        states.append(person.read(tracked.tracking_id).json()["account"])
        (fetch_id,) = fetch_ids(pool, plan(pool))
        settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.PRIVATE))
    first = build.value("select min(finished_at) from fetch_attempts")
    assert [(state["state"], state["reason"]) for state in states] == [
        ("active", None),
        ("active", None),
        ("private", "This account is private."),
    ]
    assert datetime.fromisoformat(states[2]["since"]) == first


def test_reading_returns_the_former_name_of_a_renamed_account(people: People, build: DatabaseBuilder) -> None:
    person = people.person("viewer")
    tracked = build.track(person.organization_id)
    other = build.track(person.organization_id)
    before = person.read(tracked.tracking_id).json()["account"]
    assert (before["formerUsername"], before["renamedAt"]) == (None, None)
    for name in ("second_name", "third_name"):
        build.run(
            "update blogger_information set username = %(name)s where id = %(id)s", name=name, id=tracked.blogger_id
        )
    after = person.read(tracked.tracking_id).json()
    assert (after["blogger"]["username"], after["account"]["formerUsername"]) == ("third_name", "second_name")
    assert datetime.fromisoformat(after["account"]["renamedAt"]) == build.value(
        "select max(since) from account_state_changes"
    )
    assert person.read(other.tracking_id).json()["account"]["formerUsername"] is None


def test_the_last_fetch_is_explained_without_the_platforms_text(
    people: People, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    person = people.person("viewer")
    tracked = build.track(person.organization_id)
    (fetch_id,) = fetch_ids(pool, plan(pool))
    error = PlatformError(ErrorKind.REFUSED, Platform.TIKTOK, "/v1/posts: app 4711 at gateway-3.internal is blocked")
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, error=error, reason=str(error)))
    assert person.read(tracked.tracking_id).json()["lastFetch"]["reason"] == (
        "TikTok accepts no requests at the moment."
    )


def test_videos_of_another_organization_do_not_count(
    people: People, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    person = people.person()
    tracked = build.track(build.organization())
    (fetch_id,) = fetch_ids(pool, plan(pool))
    succeed(pool, claim(pool, fetch_id), returned=4)
    own = build.track(person.organization_id, tracked.blogger_id)
    assert person.read(own.tracking_id).json()["videosSaved"] == 0


def test_an_unknown_tracked_account_is_404(people: People) -> None:
    person = people.person("owner")
    for answer in (person.read(uuid4()), person.change(uuid4(), isActive=False)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "tracked_account_not_found")


def test_another_organizations_tracked_account_is_403(people: People, build: DatabaseBuilder) -> None:
    person = people.person("owner")
    foreign = build.track(build.organization())
    for answer in (person.read(foreign.tracking_id), person.change(foreign.tracking_id, isActive=False)):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_a_member")
    assert build.value("select is_active from tracked_accounts") is True


@pytest.mark.parametrize(("role", "status"), [("owner", 200), ("admin", 200), ("member", 403), ("viewer", 403)])
def test_owners_and_admins_may_change_a_tracked_account(
    people: People, build: DatabaseBuilder, role: str, status: int
) -> None:
    person = people.person(role)
    tracked = build.track(person.organization_id)
    answer = person.change(tracked.tracking_id, isActive=False, dailyVideosCount=3)
    assert answer.status_code == status
    changed = build.rows("select is_active, daily_videos_count from tracked_accounts")
    assert changed == [(False, 3) if status == 200 else (True, None)]


def test_an_absent_key_changes_nothing_and_null_means_the_organizations_count(
    people: People, build: DatabaseBuilder
) -> None:
    person = people.person("admin")
    tracked = build.track(person.organization_id, daily=7, is_active=False)
    answer = person.change(tracked.tracking_id, dailyVideosCount=None)
    assert (answer.json()["blogger"]["isActive"], answer.json()["blogger"]["dailyVideosCount"]) == (False, 10)


@pytest.mark.parametrize("changes", [{}, {"isActive": None}, {"isActive": "no"}, {"dailyVideosCount": 501}, {"x": 1}])
def test_an_invalid_change_is_400(people: People, build: DatabaseBuilder, changes: dict[str, object]) -> None:
    person = people.person("admin")
    tracked = build.track(person.organization_id)
    assert person.change(tracked.tracking_id, **changes).status_code == 400


def test_resuming_a_blogger_at_the_blogger_limit_is_402(people: People, build: DatabaseBuilder) -> None:
    person = people.person("owner", blogger_limit=1)
    build.track(person.organization_id)
    paused = build.track(person.organization_id, is_active=False)
    answer = person.change(paused.tracking_id, isActive=True)
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "blogger_limit_reached")

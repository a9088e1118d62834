"""Budgets of look-ups over real HTTP: of a person, of an organization, and of YouTube's daily units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest
import requests

from blogger_tracking.api.app import create_app
from blogger_tracking.api.dependencies import ApiServices
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.youtube_quota import next_quota_reset, quota_day
from blogger_tracking.settings import Settings
from blogger_tracking.usecases.look_up_blogger import LookUpLimits
from devtools.platform_sandbox import CreatorKind, SandboxServer
from tests.support.airflow_stand_in import AirflowStandIn
from tests.support.app_server import AppServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.people import People

Serve = Callable[[Settings], str]


@pytest.fixture
def serve(services: ApiServices) -> Iterator[Serve]:
    """Start one more server of the API with other settings, and return its address."""

    def start(settings: Settings) -> str:
        limited = replace(services, look_up_limits=LookUpLimits.of(settings))
        return servers.enter_context(AppServer(create_app(lambda: limited, []))).url

    with ExitStack() as servers:
        yield start


def name(sandbox: SandboxServer, number: int = 0, platform: str = "TikTok") -> str:
    return sandbox.world.creator(platform, number).username


def spend_units(build: DatabaseBuilder, units: int, run_id: int | None = None) -> None:
    build.run(
        "insert into youtube_units (pacific_day, spent_at, call, units, run_id)"
        " values (%(day)s, now(), 'profile', %(units)s, %(run_id)s)",
        day=str(quota_day(datetime.now(UTC))),
        units=units,
        run_id=run_id,
    )


def test_a_person_and_an_organization_can_spend_their_look_ups_of_an_hour(
    build: DatabaseBuilder, sandbox: SandboxServer, http: requests.Session, serve: Serve
) -> None:
    limits = Settings(person_look_ups_per_hour=2, organization_look_ups_per_hour=3)
    urls = [serve(limits), serve(limits)]
    person = People(build, http, urls[0]).person()
    colleague = People(build, http, urls[0]).person(organization=person.organization_id)
    other = People(build, http, urls[0]).person()
    answers = [
        replace(each, url=urls[number % 2]).add(name(sandbox, number))
        for number, each in enumerate([person, person, person, colleague, colleague])
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200, 429]
    assert [answers[number].json()["error"]["message"].split(" has ")[0] for number in (2, 4)] == [
        "This person",
        "This organization",
    ]
    assert answers[4].json()["error"]["code"] == "look_up_budget_spent"
    assert 3500 < int(answers[4].headers["Retry-After"]) <= 3600
    assert sandbox.request_count() == 3
    assert other.add(name(sandbox, 9)).status_code == 200


def test_an_hour_later_the_look_ups_are_there_again(
    build: DatabaseBuilder, sandbox: SandboxServer, http: requests.Session, serve: Serve
) -> None:
    person = People(build, http, serve(Settings(person_look_ups_per_hour=1))).person()
    assert [person.add(name(sandbox, number)).status_code for number in (0, 1)] == [200, 429]
    build.run("update request_budgets set used_at = array(select unnest(used_at) - interval '1 hour')")
    assert person.add(name(sandbox, 1)).status_code == 200


def test_each_further_attempt_at_an_initial_fetch_that_ended_without_videos_takes_a_look_up(
    build: DatabaseBuilder, sandbox: SandboxServer, http: requests.Session, serve: Serve, airflow: AirflowStandIn
) -> None:
    person = People(build, http, serve(Settings(person_look_ups_per_hour=3))).person()
    blogger = UUID(person.add(name(sandbox)).json()["blogger"]["bloggerId"])
    end = "update tracked_accounts set pending_initial_fetch = false, initial_fetch_reason = 'private'"
    for again in (partial(person.add_from_tracking, blogger), partial(person.add, name(sandbox))):
        build.run(end)
        assert again().status_code == 409
    build.run(end)
    answers = [person.add_from_tracking(blogger, tags=["x"]), person.add(name(sandbox), tags=["x"])]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (429, "look_up_budget_spent")
    ] * 2
    state = "select pending_initial_fetch, initial_fetch_attempt, initial_fetch_reason from tracked_accounts"
    assert build.rows(state) == [(False, 3, "private")]
    assert build.value("select count(*) from blogger_tags") == 0
    assert len(airflow.states) == 3


def test_a_failed_initial_fetch_stays_pending_without_a_look_up_left(
    build: DatabaseBuilder, sandbox: SandboxServer, http: requests.Session, serve: Serve, airflow: AirflowStandIn
) -> None:
    person = People(build, http, serve(Settings(person_look_ups_per_hour=1))).person()
    first = person.add(name(sandbox)).json()
    blogger = UUID(first["blogger"]["bloggerId"])
    airflow.states[first["initialFetch"]["dagRunId"]] = "failed"
    for answer in (person.add_from_tracking(blogger), person.add(name(sandbox))):
        assert (answer.status_code, answer.json()["initialFetch"]["state"]) == (409, "waiting")
        assert "This person has used up the look-ups" in answer.json()["initialFetch"]["reason"]
    assert build.rows("select pending_initial_fetch, initial_fetch_attempt from tracked_accounts") == [(True, 1)]
    build.run("update request_budgets set used_at = array(select unnest(used_at) - interval '1 hour')")
    assert person.add_from_tracking(blogger).json()["initialFetch"]["state"] == "started"
    assert len(airflow.states) == 2


@pytest.mark.parametrize("platform", Platform)
def test_what_was_just_looked_up_costs_no_request_and_no_look_up_in_any_process_and_organization(
    build: DatabaseBuilder, sandbox: SandboxServer, http: requests.Session, serve: Serve, platform: Platform
) -> None:
    gone = next(sandbox.world.creators(platform, CreatorKind.GONE)).username
    urls = [serve(Settings(person_look_ups_per_hour=2)) for _ in range(2)]
    first = People(build, http, urls[0]).person()
    assert [first.add(each, platform).status_code for each in (name(sandbox, 0, platform), gone)] == [200, 404]
    asked = sandbox.request_count()
    for person in (first, People(build, http, urls[1]).person()):
        again = [person.add(each.upper(), platform) for each in (name(sandbox, 0, platform), gone)]
        assert [answer.status_code for answer in again] == [409 if person is first else 200, 404]
        assert again[1].json()["error"]["code"] == "blogger_not_found"
    assert sandbox.request_count() == asked


@pytest.mark.parametrize("typed", ["name", "handle", "address"])
def test_a_channel_that_was_looked_up_is_known_by_every_spelling(
    people: People, sandbox: SandboxServer, typed: str
) -> None:
    creator = sandbox.world.creator("YouTube", 0)
    person = people.person()
    spellings = {
        "name": creator.username,
        "handle": f"@{creator.username}",
        "address": f"https://www.youtube.com/channel/{creator.external_id}",
    }
    found = person.add(spellings[typed], "YouTube")
    assert found.status_code == 200
    asked = sandbox.request_count()
    capitals = creator.username.upper()
    for spelling in (*spellings.values(), capitals, f"@{capitals}", creator.external_id):
        again = person.add(spelling, "YouTube")
        assert (again.status_code, again.json()["blogger"]) == (409, found.json()["blogger"])
    assert sandbox.request_count() == asked


def test_a_name_that_is_not_found_is_no_handle_but_a_missing_handle_may_be_a_name(
    people: People, sandbox: SandboxServer
) -> None:
    person = people.person()
    for first, second, requests_of_second in (("gone_one", "@Gone_One", 0), ("@gone_two", "gone_two", 2)):
        assert person.add(first, "YouTube").status_code == 404
        asked = sandbox.request_count()
        assert person.add(second, "YouTube").status_code == 404
        assert sandbox.request_count() == asked + requests_of_second


def test_a_look_up_is_forgotten_after_a_while(people: People, build: DatabaseBuilder, sandbox: SandboxServer) -> None:
    gone = next(sandbox.world.creators("TikTok", CreatorKind.GONE)).username
    person = people.person()
    person.add(gone)
    build.run("update look_ups set looked_up_at = looked_up_at - interval '15 minutes'")
    person.add(gone)
    assert sandbox.request_count() == 2
    person.add(name(sandbox))
    assert build.value("select count(*) from look_ups") == 2


def test_look_ups_leave_the_reserved_units_to_the_batch(
    build: DatabaseBuilder, people: People, sandbox: SandboxServer
) -> None:
    person = people.person()
    spend_units(build, 999)
    assert person.add(name(sandbox, 0, "YouTube"), "YouTube").status_code == 200
    asked = sandbox.request_count()
    answer = person.add(name(sandbox, 1, "YouTube"), "YouTube")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "platform_quota_exceeded")
    seconds = (next_quota_reset(datetime.now(UTC)) - datetime.now(UTC)) / timedelta(seconds=1)
    assert int(answer.headers["Retry-After"]) == pytest.approx(seconds, abs=5)
    assert sandbox.request_count() == asked
    assert person.add(name(sandbox)).status_code == 200


def test_one_organization_cannot_spend_the_units_that_all_look_ups_share(
    build: DatabaseBuilder, sandbox: SandboxServer, http: requests.Session, serve: Serve
) -> None:
    # A quarter of the 16 units that are not reserved, at two units for each look-up.
    url = serve(Settings(youtube_daily_units=160, youtube_reserved_share=0.9))
    person = People(build, http, url).person()
    colleague = People(build, http, url).person(organization=person.organization_id)
    other = People(build, http, url).person()
    names = [name(sandbox, number, "YouTube") for number in range(4)]
    assert [each.add(names[number], "YouTube").status_code for number, each in enumerate([person, colleague])] == [
        200
    ] * 2
    asked = sandbox.request_count()
    for each in (person, colleague):
        answer = each.add(names[2], "YouTube")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "look_up_budget_spent")
        assert "This organization has used up the look-ups at YouTube of a day" in answer.json()["error"]["message"]
        assert 86_300 < int(answer.headers["Retry-After"]) <= 86_400
    assert sandbox.request_count() == asked
    assert other.add(names[2], "YouTube").status_code == 200
    assert person.add(name(sandbox)).status_code == 200
    # The rejected look-ups took nothing from the budgets of the hour.
    assert build.value("select sum(cardinality(used_at)) from request_budgets where purpose = 'look_ups'") == 8


def test_further_attempts_at_youtube_count_for_the_day(
    build: DatabaseBuilder, sandbox: SandboxServer, http: requests.Session, serve: Serve
) -> None:
    person = People(build, http, serve(Settings(youtube_daily_units=160, youtube_reserved_share=0.9))).person()
    blogger = UUID(person.add(name(sandbox, 0, "YouTube"), "YouTube").json()["blogger"]["bloggerId"])
    statuses = []
    for _ in range(2):
        build.run("update tracked_accounts set pending_initial_fetch = false")
        statuses.append(person.add_from_tracking(blogger).status_code)
    assert statuses == [409, 429]


def test_units_that_the_batch_has_spent_are_not_left_for_look_ups(
    build: DatabaseBuilder, people: People, sandbox: SandboxServer
) -> None:
    run_id = build.value(
        "insert into runs (deployment, dag_id, dag_run_id, planned_at, expires_at, ended_at, active_accounts)"
        " values ('default', 'blogger_batch_fetch', 'earlier', now(), now(), now(), 0) returning id"
    )
    spend_units(build, 9_999, run_id)
    person = people.person()
    assert person.add(name(sandbox, 0, "YouTube"), "YouTube").status_code == 200
    answer = person.add(name(sandbox, 1, "YouTube"), "YouTube")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "platform_quota_exceeded")

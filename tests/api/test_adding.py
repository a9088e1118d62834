"""POST /blogger/add and /blogger/add-from-tracking over real HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Literal
from unicodedata import normalize
from uuid import uuid4

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from devtools.platform_sandbox import CreatorKind, Fault, FaultKind, SandboxServer, handles_in_other_scripts
from tests.support.airflow_stand_in import AirflowStandIn
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, plan, settle
from tests.support.people import People


def username(sandbox: SandboxServer, number: int = 0, platform: str = "TikTok") -> str:
    return sandbox.world.creator(platform, number).username


@pytest.mark.parametrize("platform", Platform)
def test_adding_tracks_the_blogger_and_dispatches_its_initial_fetch(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, airflow: AirflowStandIn, platform: Platform
) -> None:
    person = people.person()
    creator = sandbox.world.creator(platform, 0)
    answer = person.add(f"@{creator.username}", platform, dailyVideosCount=7, tags=["a", "b"])
    assert answer.status_code == 200
    body = answer.json()
    blogger = body["blogger"]
    assert body["success"] is True
    assert (blogger["externalId"], blogger["username"], blogger["dailyVideosCount"]) == (
        creator.external_id,
        creator.username,
        7,
    )
    dag_run_id = f"initial__{blogger['trackingId']}__1"
    assert body["initialFetch"] == {"state": "started", "dagRunId": dag_run_id, "reason": None}
    conf = airflow.confs[dag_run_id]
    assert (conf["externalId"], conf["secUid"], conf["videoCount"]) == (creator.external_id, creator.sec_id, 30)
    assert build.rows("select pending_initial_fetch, initial_fetch_attempt from tracked_accounts") == [(True, 1)]
    assert sorted(build.rows("select tag from blogger_tags")) == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("platform", "name", "units"),
    [("YouTube", None, [("profile", 1)]), ("YouTube", "nobody.of.that.name", [("profile", 2)]), ("TikTok", None, [])],
)
def test_a_look_up_on_youtube_is_recorded_with_its_units(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, platform: str, name: str | None, units: object
) -> None:
    people.person().add(name or username(sandbox, platform=platform), platform)
    assert sandbox.request_count() >= 1
    assert build.rows("select call, units from youtube_units") == units


@pytest.mark.parametrize("form", ["https://www.tiktok.com/@{}?lang=en#top", "m.tiktok.com/@{}/video/7", " {} "])
def test_a_profile_url_is_accepted_as_username(people: People, sandbox: SandboxServer, form: str) -> None:
    assert people.person().add(form.format(username(sandbox))).status_code == 200


def test_an_added_blogger_joins_the_campaign(people: People, sandbox: SandboxServer, build: DatabaseBuilder) -> None:
    person = people.person()
    campaign = build.campaign(person.organization_id)
    assert person.add(username(sandbox), campaignId=str(campaign)).status_code == 200
    assert build.value("select count(*) from blogger_campaign where campaign_id = %(id)s", id=campaign) == 1


def test_a_campaign_of_another_organization_is_404_and_nothing_is_added(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder
) -> None:
    foreign = build.campaign(build.organization())
    answer = people.person().add(username(sandbox), campaignId=str(foreign))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "campaign_not_found")
    assert build.value("select count(*) from tracked_accounts") == 0


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("platform", "MySpace"),
        ("username", ""),
        ("username", "https://instagram.com/someone"),
        ("dailyVideosCount", 0),
        ("dailyVideosCount", 501),
        ("dailyVideosCount", "7"),
        ("organizationId", "x"),
        ("tags", ["\x00"]),
        ("tags", ["x"] * 51),
        ("unknown", 1),
    ],
)
def test_invalid_input_is_400_without_a_request_to_the_platform(
    people: People, sandbox: SandboxServer, change: str, value: object
) -> None:
    person = people.person()
    body = {"username": "x", "platform": "TikTok", "organizationId": str(person.organization_id), change: value}
    answer = person.call("POST", "/blogger/add", body)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert sandbox.request_count() == 0


def test_a_stranger_and_a_viewer_are_403_without_a_request_to_the_platform(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder
) -> None:
    person = people.person()
    stranger = people.calling(build.member(build.organization(), "owner"), person.organization_id)
    viewer = people.person("viewer", person.organization_id)
    answers = [each.add(username(sandbox)) for each in (stranger, viewer)]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (403, "not_a_member"),
        (403, "role_not_allowed"),
    ]
    assert sandbox.request_count() == 0


def test_a_reached_blogger_limit_is_402_without_a_request_to_the_platform(
    people: People, sandbox: SandboxServer
) -> None:
    person = people.person(blogger_limit=1)
    person.add(username(sandbox, 0))
    asked = sandbox.request_count()
    answer = person.add(username(sandbox, 1))
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "blogger_limit_reached")
    assert sandbox.request_count() == asked


def test_no_subscription_is_402(people: People, sandbox: SandboxServer, build: DatabaseBuilder) -> None:
    answer = people.person(organization=build.organization(video_limit=None)).add(username(sandbox))
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "no_active_subscription")


def test_an_unknown_username_is_404(people: People, sandbox: SandboxServer, build: DatabaseBuilder) -> None:
    gone = next(sandbox.world.creators("TikTok", CreatorKind.GONE))
    answer = people.person().add(gone.username)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "blogger_not_found")
    assert build.value("select count(*) from tracked_accounts") == 0


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ("server_error", 503, "Internal server error"),
        ("rate_limit", 503, "Too many requests"),
        ("invalid_credentials", 502, "not subscribed"),
    ],
)
def test_a_failing_platform_is_503_or_502_without_the_platforms_error_text(
    people: People, sandbox: SandboxServer, fault: str, status: int, text: str
) -> None:
    sandbox.add_fault(Fault(FaultKind(fault), Platform.TIKTOK))
    answer = people.person().add(username(sandbox))
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"code", "message"}
    assert text not in answer.text


def test_a_rejected_key_that_a_look_up_meets_suspends_the_platform_for_everybody(
    people: People, sandbox: SandboxServer
) -> None:
    sandbox.add_fault(Fault(FaultKind.INVALID_CREDENTIALS, Platform.TIKTOK))
    assert people.person().add(username(sandbox)).status_code == 502
    again = people.person().add(username(sandbox))
    assert (again.status_code, again.json()["error"]["code"]) == (503, "platform_suspended")
    assert sandbox.request_count() == 1


@pytest.mark.parametrize("platform", Platform)
def test_a_look_up_refused_in_words_that_no_rule_knows_suspends_nothing(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, platform: Platform
) -> None:
    sandbox.add_fault(Fault(FaultKind.UNKNOWN_REFUSAL, platform, times=1))
    assert people.person().add(username(sandbox, platform=platform), platform).status_code == 502
    assert build.value("select count(*) from platform_suspensions") == 0
    assert people.person().add(username(sandbox, platform=platform), platform).status_code == 200


@pytest.mark.parametrize("fault", [FaultKind.PROJECT_SUSPENDED, FaultKind.REFERER_BLOCKED])
def test_a_look_up_refused_in_known_words_suspends_the_platform(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, fault: FaultKind
) -> None:
    sandbox.add_fault(Fault(fault, Platform.YOUTUBE))
    assert people.person().add(username(sandbox, platform="YouTube"), "YouTube").status_code == 502
    assert build.rows("select platform from platform_suspensions") == [("YouTube",)]


LANGUAGES = ("Bengali", "French", "Hindi", "Khmer", "Tamil", "Thai")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_handle_with_letters_and_marks_of_any_script_is_added(
    people: People, sandbox: SandboxServer, language: str, form: Literal["NFC", "NFD"]
) -> None:
    creator = sandbox.world.creator("YouTube", 3)
    handles = handles_in_other_scripts(creator)
    assert handles.keys() == set(LANGUAGES)
    answer = people.person().add(f"@{normalize(form, handles[language])}", "YouTube")
    assert answer.status_code == 200, answer.text
    blogger = answer.json()["blogger"]
    assert (blogger["externalId"], blogger["username"]) == (creator.external_id, handles[language])


def test_a_private_profile_that_comes_whole_beside_its_code_is_added(people: People, sandbox: SandboxServer) -> None:
    creator = next(sandbox.world.creators("TikTok", CreatorKind.PRIVATE))
    sandbox.add_fault(Fault(FaultKind.PRIVATE_PROFILE_WITH_CODE, creator=creator.username))
    answer = people.person().add(creator.username)
    assert (answer.status_code, answer.json()["blogger"]["externalId"]) == (200, creator.external_id)


def test_a_private_profile_is_a_first_sighting_that_the_initial_fetch_confirms(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, pool: ConnectionPool
) -> None:
    creator = next(sandbox.world.creators("TikTok", CreatorKind.PRIVATE))
    sandbox.add_fault(Fault(FaultKind.PRIVATE_PROFILE_WITH_CODE, creator=creator.username))
    added = people.person().add(creator.username).json()["blogger"]
    assert added["accountState"] == "active"
    build.run("update tracked_accounts set pending_initial_fetch = false")
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.PRIVATE))
    assert build.value("select account_state from blogger_information") == "private"


def test_a_rename_that_an_addition_finds_is_kept(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder
) -> None:
    name = username(sandbox)
    people.person().add(name)
    build.run("update blogger_information set username = 'old_name'")
    build.run("delete from account_state_changes")
    people.person().add(name)
    assert build.rows("select state, old_username, new_username from account_state_changes") == [
        ("renamed", "old_name", name)
    ]


def test_a_suspended_platform_is_503_without_a_request_to_the_platform(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder
) -> None:
    build.run("insert into platform_suspensions values ('TikTok', now() + interval '1 minute', 'secret reason', now())")
    answer = people.person().add(username(sandbox))
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "platform_suspended")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "secret reason" not in answer.text
    assert sandbox.request_count() == 0


def test_adding_again_is_409_with_the_blogger_and_its_initial_fetch(
    people: People, sandbox: SandboxServer, airflow: AirflowStandIn
) -> None:
    person = people.person()
    first = person.add(username(sandbox)).json()
    again = person.add(username(sandbox))
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_tracked")
    assert again.json()["blogger"] == first["blogger"]
    assert again.json()["initialFetch"] == first["initialFetch"]
    assert len(airflow.states) == 1


def test_adding_again_dispatches_a_failed_initial_fetch_again_even_at_the_blogger_limit(
    people: People, sandbox: SandboxServer, airflow: AirflowStandIn
) -> None:
    person = people.person(blogger_limit=1)
    first = person.add(username(sandbox)).json()
    airflow.states[first["initialFetch"]["dagRunId"]] = "failed"
    again = person.add(username(sandbox))
    assert again.status_code == 409
    assert again.json()["initialFetch"]["dagRunId"] == f"initial__{first['blogger']['trackingId']}__2"
    assert again.json()["initialFetch"]["state"] == "started"


def test_adding_a_paused_blogger_reactivates_it_within_the_blogger_limit(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder
) -> None:
    person = people.person("admin", blogger_limit=1)
    person.add(username(sandbox, 0))
    build.run("update tracked_accounts set is_active = false")
    assert person.add(username(sandbox, 1)).status_code == 200
    assert person.add(username(sandbox, 0)).status_code == 402
    build.run("update subscriptions set blogger_limit = 2")
    answer = person.add(username(sandbox, 0))
    assert (answer.status_code, answer.json()["blogger"]["isActive"]) == (200, True)


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_a_pause_by_a_manager_is_not_undone_by_a_member(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, airflow: AirflowStandIn, role: str
) -> None:
    manager = people.person(role)
    member = people.person(organization=manager.organization_id)
    blogger = member.add(username(sandbox)).json()["blogger"]
    assert manager.change(blogger["trackingId"], isActive=False).status_code == 200
    answers = [member.add(username(sandbox), tags=["x"]), member.add_from_tracking(blogger["bloggerId"], tags=["x"])]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (403, "role_not_allowed")
    ] * 2
    assert "the role member may not resume a paused blogger" in answers[0].json()["error"]["message"]
    assert build.rows("select is_active, initial_fetch_attempt from tracked_accounts") == [(False, 1)]
    assert build.value("select count(*) from blogger_tags") == 0
    assert len(airflow.states) == 1
    resumed = manager.add(username(sandbox))
    assert (resumed.status_code, resumed.json()["blogger"]["isActive"]) == (200, True)


def test_with_airflow_down_the_initial_fetch_stays_pending_and_the_response_says_so(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, airflow: AirflowStandIn
) -> None:
    airflow.down = True
    answer = people.person().add(username(sandbox))
    assert answer.status_code == 200
    assert answer.json()["initialFetch"]["state"] == "waiting"
    assert "batch" in answer.json()["initialFetch"]["reason"]
    assert build.value("select pending_initial_fetch from tracked_accounts") is True


def test_concurrent_additions_of_one_blogger_give_one_tracked_account_and_one_initial_fetch(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, airflow: AirflowStandIn
) -> None:
    person = people.person()
    with ThreadPoolExecutor(6) as executor:
        answers = list(executor.map(lambda _: person.add(username(sandbox)), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]
    assert build.value("select count(*) from tracked_accounts") == 1
    assert len(airflow.states) == 1


def test_concurrent_additions_succeed_up_to_the_blogger_limit(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder
) -> None:
    person = people.person(blogger_limit=2)
    with ThreadPoolExecutor(6) as executor:
        answers = list(executor.map(lambda number: person.add(username(sandbox, number)), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 402, 402, 402, 402]
    assert build.value("select count(*) from tracked_accounts") == 2


def test_a_known_blogger_is_added_without_a_request_to_the_platform(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder
) -> None:
    person = people.person("owner")
    by_campaign, by_pause = build.blogger(), build.track(person.organization_id, is_active=False).blogger_id
    build.run(
        "insert into blogger_campaign values (%(campaign)s, %(blogger)s)",
        campaign=build.campaign(person.organization_id),
        blogger=by_campaign,
    )
    answers = [person.add_from_tracking(blogger) for blogger in (by_campaign, by_pause)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["initialFetch"]["state"] for answer in answers] == ["started", "fetched"]
    assert sandbox.request_count() == 0
    assert person.add_from_tracking(by_pause).status_code == 409


def test_adding_from_tracking_is_404_for_a_blogger_of_another_organization(
    people: People, build: DatabaseBuilder
) -> None:
    foreign = build.track(build.organization())
    answers = [people.person().add_from_tracking(blogger) for blogger in (foreign.blogger_id, uuid4())]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [
        (404, "blogger_unknown")
    ] * 2

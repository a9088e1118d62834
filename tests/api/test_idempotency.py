"""Idempotency keys over real HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from blogger_tracking.domain.models import Platform
from devtools.platform_sandbox import Fault, FaultKind, SandboxServer
from tests.support.airflow_stand_in import AirflowStandIn
from tests.support.database_builder import DatabaseBuilder
from tests.support.people import People


def name(sandbox: SandboxServer, number: int = 0) -> str:
    return sandbox.world.creator("TikTok", number).username


def test_a_repetition_gets_the_first_response_and_is_not_processed(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder, airflow: AirflowStandIn
) -> None:
    person = people.person()
    first = person.add(name(sandbox), key="k")
    asked = sandbox.request_count()
    build.run("update tracked_accounts set is_active = false")
    again = person.add(name(sandbox), key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    assert (sandbox.request_count(), len(airflow.states)) == (asked, 1)
    assert build.value("select is_active from tracked_accounts") is False


def test_a_4xx_response_is_kept(people: People, sandbox: SandboxServer, build: DatabaseBuilder) -> None:
    person = people.person("viewer")
    assert person.add(name(sandbox), key="k").status_code == 403
    build.run("update organization_members set role = 'owner'")
    assert person.add(name(sandbox), key="k").status_code == 403
    assert person.add(name(sandbox), key="other").status_code == 200


def test_a_key_with_another_body_is_422(people: People, sandbox: SandboxServer) -> None:
    person = people.person()
    person.add(name(sandbox, 0), key="k")
    answer = person.add(name(sandbox, 1), key="k")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_a_key_belongs_to_one_user_and_one_route(people: People, sandbox: SandboxServer) -> None:
    person = people.person()
    colleague = people.person(organization=person.organization_id)
    first = person.add(name(sandbox, 0), key="k")
    assert colleague.add(name(sandbox, 1), key="k").status_code == 200
    body = {"bloggerId": first.json()["blogger"]["bloggerId"], "organizationId": str(person.organization_id)}
    assert person.call("POST", "/blogger/add-from-tracking", body, key="k").status_code == 409


def test_after_a_failure_of_the_platform_a_repetition_is_processed(people: People, sandbox: SandboxServer) -> None:
    person = people.person()
    sandbox.add_fault(Fault(FaultKind.SERVER_ERROR, Platform.TIKTOK, times=1))
    assert person.add(name(sandbox), key="k").status_code == 503
    assert person.add(name(sandbox), key="k").status_code == 200


def test_after_24_hours_the_key_is_new(people: People, sandbox: SandboxServer, build: DatabaseBuilder) -> None:
    person = people.person()
    person.add(name(sandbox, 0), key="k")
    build.run("update idempotency_keys set started_at = started_at - interval '24 hours'")
    assert person.add(name(sandbox, 1), key="k").status_code == 200


def test_of_concurrent_requests_with_one_key_one_is_processed(people: People, sandbox: SandboxServer) -> None:
    person = people.person()
    with ThreadPoolExecutor(6) as executor:
        answers = list(executor.map(lambda _: person.add(name(sandbox), key="k"), range(6)))
    in_progress = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json()["error"]["code"] for answer in in_progress} <= {"request_in_progress"}
    assert len({answer.text for answer in answers if answer.status_code == 200}) == 1
    assert sandbox.request_count() == 1


def test_a_key_is_free_when_its_request_has_taken_longer_than_the_slowest_addition(
    people: People, sandbox: SandboxServer, build: DatabaseBuilder
) -> None:
    person = people.person()
    first = person.add(name(sandbox), key="k")
    build.run("update idempotency_keys set status = null, body = null")
    assert person.add(name(sandbox), key="k").json()["error"]["code"] == "request_in_progress"
    build.run("update idempotency_keys set started_at = started_at - interval '14 minutes'")
    assert person.add(name(sandbox), key="k").json()["error"]["code"] == "request_in_progress"
    build.run("update idempotency_keys set started_at = started_at - interval '1 minute'")
    again = person.add(name(sandbox), key="k")
    assert again.json()["error"]["code"] == "already_tracked"
    assert again.json()["blogger"] == first.json()["blogger"]

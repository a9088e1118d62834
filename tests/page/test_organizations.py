"""Organizations: usage of the period, projection, accounts, search, and the preview of the next run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.support.database_builder import DatabaseBuilder
from tests.support.page_people import PagePerson


def test_an_organization_has_the_usage_of_its_current_period_and_its_accounts(
    build: DatabaseBuilder, person: PagePerson
) -> None:
    organization = build.organization(video_limit=1000, opening=100)
    build.run("update subscription_usage set videos_fetched = 200, reserved = 50")
    for is_active, pending in ((True, False), (True, True), (False, False)):
        build.track(organization, is_active=is_active, pending_initial_fetch=pending)
    (item,) = person.read("organizations")["items"]
    assert (item["id"], item["plan"], item["bloggerLimit"]) == (str(organization), "team", 100)
    usage = ("videoLimit", "opening", "charged", "reserved", "remaining")
    assert [item[name] for name in usage] == [1000, 100, 200, 50, 650]
    assert (item["activeAccounts"], item["pausedAccounts"], item["pendingAccounts"]) == (2, 1, 1)
    assert item["usedUpAt"] is None


def test_the_projection_is_the_time_at_which_the_rate_so_far_uses_the_limit_up(
    build: DatabaseBuilder, person: PagePerson
) -> None:
    organization = build.organization(video_limit=None)
    build.subscription(organization, video_limit=100, starts=timedelta(days=-10), ends=timedelta(days=20))
    build.run("update subscription_usage set videos_fetched = 50")
    used_up_at = datetime.fromisoformat(person.read("organizations")["items"][0]["usedUpAt"])
    assert abs(used_up_at - (datetime.now(UTC) + timedelta(days=10))) < timedelta(minutes=5)


def test_without_a_current_subscription_the_numbers_of_the_period_are_null(
    build: DatabaseBuilder, person: PagePerson
) -> None:
    build.organization(video_limit=None)
    (item,) = person.read("organizations")["items"]
    names = ("plan", "periodStart", "videoLimit", "opening", "charged", "reserved", "remaining", "usedUpAt")
    assert [item[name] for name in names] == [None] * len(names)
    assert item["activeAccounts"] == 0


def test_organizations_are_found_by_a_part_of_the_name(build: DatabaseBuilder, person: PagePerson) -> None:
    wanted, _ = build.organization(), build.organization()
    build.run("update organizations set name = 'Größe 50%%' where id = %(id)s", id=wanted)
    for search in ("grö", "50%25"):
        listing = person.read(f"organizations?search={search}")
        assert (listing["total"], [item["id"] for item in listing["items"]]) == (1, [str(wanted)])


def test_the_next_run_of_an_unknown_organization_is_404(person: PagePerson) -> None:
    answer = person.get(f"/api/organizations/{uuid4()}/next-run")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "organization_not_found")


def test_the_next_run_has_the_planners_decisions(build: DatabaseBuilder, person: PagePerson) -> None:
    organization = build.organization(video_limit=15, daily=15)
    tracked = build.track(organization)
    build.track(organization, pending_initial_fetch=True)
    planned, skipped = sorted(person.read(f"organizations/{organization}/next-run"), key=lambda each: -each["videos"])
    assert (planned["trackingId"], planned["decision"]) == (str(tracked.tracking_id), "full")
    assert (planned["asked"], planned["videos"], planned["reason"]) == (15, 15, None)
    assert (skipped["decision"], skipped["videos"], skipped["reason"]) == ("skip", 0, "pending_initial_fetch")

"""The overview and the live progress: runs, problems, platforms, queues, units and invariants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import connect
from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.invariants import INVARIANTS
from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.database.runs import RunKey
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.ledger import FetchState, RequestUse
from blogger_tracking.domain.models import Platform
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.maintain_database import check_ledger
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, settle, succeed
from tests.support.page_people import PagePerson


def test_an_empty_system_has_an_overview(person: PagePerson) -> None:
    overview = person.read("overview")
    assert (overview["runs"], overview["live"], overview["invariants"]) == ([], [], None)
    assert [each["platform"] for each in overview["platforms"]] == ["TikTok", "Instagram", "YouTube"]
    assert (overview["requestsOfLastRun"], overview["requestsToday"]) == ({}, {})
    assert {each["queue"] for each in overview["queues"]} == {"high_priority_queue", "thumbnail_queue"}
    assert person.read("live") == []


def test_an_active_run_is_live_with_its_progress_until_it_ends(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    organization = build.organization()
    for platform in ("TikTok", "TikTok", "YouTube"):
        build.track(organization, platform=platform)
    key = new_key()
    first, *others = fetch_ids(pool, plan(pool, key))
    succeed(pool, claim(pool, first), 2)
    (live,) = person.read("live")
    assert (live["dagId"], live["dagRunId"]) == ("blogger_batch_fetch", key.dag_run_id)
    assert sum(each["done"] for each in live["platforms"].values()) == 1
    assert {name: each["total"] for name, each in live["platforms"].items()} == {"TikTok": 2, "YouTube": 1}
    assert person.read("overview")["live"] == [live]
    for fetch_id in others:
        succeed(pool, claim(pool, fetch_id), 2)
    finish_run(pool, key, 0.2)
    assert person.read("live") == []


def test_a_run_of_another_deployment_is_not_shown(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    build.track(build.organization())
    plan(pool, RunKey("other", "blogger_batch_fetch", "run"))
    assert person.read("live") == []
    assert person.read("overview")["runs"] == []


def test_an_ended_run_has_its_fetches_its_problems_and_its_requests(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    organization = build.organization()
    for platform in ("TikTok", "TikTok", "YouTube"):
        build.track(organization, platform=platform)
    key = new_key()
    for number, fetch_id in enumerate(fetch_ids(pool, plan(pool, key))):
        claimed = claim(pool, fetch_id)
        if claimed.account.platform is Platform.TIKTOK:
            reason = "The platform did not answer."
            settle(pool, claimed, FetchOutcome(FetchState.FAILED, reason=reason))
        else:
            succeed(pool, claimed, 2 + number)
            with pool.connection() as connection:
                record_units(connection, datetime.now(UTC), {RequestUse.LISTING: 4}, fetch_id)
    build.run("""update fetch_attempts set requests = '{"listing": 2, "retry": 1}'""")
    assert person.read("overview")["runs"][0]["problems"] == []
    finish_run(pool, key, 0.2)
    overview = person.read("overview")
    (run,) = overview["runs"]
    assert (run["dagRunId"], run["endedAt"] is not None) == (key.dag_run_id, True)
    assert run["platforms"] == {"TikTok": {"failed": 2}, "YouTube": {"succeeded": 1}}
    assert run["problems"][0] == "every fetch of TikTok failed (2)"
    assert overview["requestsOfLastRun"] == {"TikTok": 6, "YouTube": 4}
    assert overview["youtubeUnits"]["spent"] == 4


def test_the_newest_eight_runs_are_shown(build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson) -> None:
    build.organization()
    keys = [new_key() for _ in range(9)]
    for key in keys:
        plan(pool, key)
        finish_run(pool, key, 0.2)
    shown = [run["dagRunId"] for run in person.read("overview")["runs"]]
    assert shown == [key.dag_run_id for key in reversed(keys[1:])]


def test_a_platform_has_its_accounts_its_last_fetch_and_its_suspension(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    organization = build.organization()
    build.track(organization)
    build.track(organization, is_active=False)
    build.run("update tracked_accounts set last_scraped_at = '2026-01-02 03:04:05+00'")
    with pool.connection() as connection:
        suspend_platform(connection, Platform.YOUTUBE, datetime.now(UTC) + timedelta(hours=1), "invalid credentials")
    tiktok, _, youtube = person.read("overview")["platforms"]
    assert (tiktok["accounts"], tiktok["lastFetchedAt"], tiktok["suspendedUntil"]) == (1, "2026-01-02T03:04:05Z", None)
    assert (youtube["accounts"], youtube["reason"]) == (0, "invalid credentials")
    build.run("update platform_suspensions set suspended_until = now()")
    assert person.read("overview")["platforms"][2]["reason"] is None


def test_the_invariants_are_those_of_the_last_check(
    build: DatabaseBuilder, pipeline_conninfo: str, person: PagePerson
) -> None:
    build.organization()
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with connect(pipeline_conninfo) as connection:
        assert not any(check_ledger(connection, moment - timedelta(days=1)).values())
        build.run("insert into invariant_checks values ('of an earlier version', 3, now())")
        build.run("update subscription_usage set videos_fetched = 5")
        check_ledger(connection, moment)
    (ledger_is_usage,) = [invariant for invariant in INVARIANTS if invariant.name == "ledger_is_usage"]
    assert person.read("overview")["invariants"] == {
        "checkedAt": "2026-01-02T03:04:05Z",
        "checked": len(INVARIANTS),
        "violations": [{"name": "ledger_is_usage", "sentence": ledger_is_usage.sentence, "count": 1}],
    }


def test_an_invariant_of_another_version_is_not_shown(build: DatabaseBuilder, person: PagePerson) -> None:
    build.run("insert into invariant_checks values ('lost', 0, now()), ('of an earlier version', 3, now())")
    invariants = person.read("overview")["invariants"]
    assert (invariants["checked"], invariants["violations"]) == (1, [])


def test_the_requests_of_today_are_those_of_all_runs_since_midnight_utc(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    organization = build.organization()
    for platform in ("TikTok", "YouTube"):
        build.track(organization, platform=platform)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    keys = [new_key(), RunKey("other", "blogger_batch_fetch", "run"), new_key()]
    for key, started_at in zip(keys, (midnight, midnight, midnight - timedelta(seconds=1)), strict=True):
        for fetch_id in fetch_ids(pool, plan(pool, key)):
            succeed(pool, claim(pool, fetch_id), 2)
            build.run(
                """
                update fetch_attempts
                set started_at = %(started_at)s, requests = '{"listing": 2, "retry": 1}'
                where fetch_id = %(id)s
                """,
                started_at=started_at,
                id=fetch_id,
            )
        youtube = build.value("select max(id) from fetches where platform = 'YouTube'")
        with pool.connection() as connection:
            record_units(connection, started_at, {RequestUse.LISTING: 4, RequestUse.RETRY: 1}, youtube)
            record_units(connection, started_at, {RequestUse.PROFILE: 100})
        finish_run(pool, key, 0.2)
    assert person.read("overview")["requestsToday"] == {"TikTok": 6, "YouTube": 10}

"""Removing a person, a blogger or an organization, also while the blogger is fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database import fetch_settlement, removals
from blogger_tracking.database import videos as videos_statements
from blogger_tracking.database.fetch_claims import ClaimRefused
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.database.removals import StoredVideo
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.errors import FetchRemovedError, StaleClaimError, StorageError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import CommonVideo, Platform
from blogger_tracking.usecases import remove_subjects
from blogger_tracking.usecases.finish_run import finish_run
from blogger_tracking.usecases.remove_subjects import (
    RemovalError,
    find_blogger,
    find_organization,
    find_person,
    remove_blogger,
    remove_organization,
    remove_person,
)
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, settle, succeed, try_claim, videos
from tests.support.waiting import wait_until

PERSONAL_TABLES = (
    "tracked_accounts",
    "blogger_information",
    "videos",
    "video_statistics",
    "organization_videos",
    "blogger_tags",
    "blogger_campaign",
    "fetches",
    "fetch_allocations",
    "fetch_attempts",
    "high_priority_queue",
    "thumbnail_queue",
    "look_ups",
    "idempotency_keys",
    "imported_rows",
)


REMOVAL_IS_AT_WORK = """
    select
        not exists (select from tracked_accounts)
        or exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')
"""
"""True once the removal has withdrawn the blogger, or waits for a lock."""


class RecordedThumbnails:
    """An object storage that records what was removed, and can be set to fail."""

    def __init__(self) -> None:
        self.removed: list[str] = []
        self.failing = False

    def write(self, key: str, content: bytes) -> str:
        raise StorageError(f"{key} of {len(content)} bytes is not written by a removal")

    def remove(self, path: str) -> None:
        if self.failing:
            raise StorageError("the storage does not respond")
        self.removed.append(path)


@pytest.fixture
def thumbnails() -> RecordedThumbnails:
    return RecordedThumbnails()


@pytest.fixture
def owner(server: DatabaseServer, database: str) -> Iterator[Connection]:
    with psycopg.connect(server.conninfo(database), autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def sound(admin: Connection, build: DatabaseBuilder) -> Iterator[None]:
    """Every invariant holds at the end, nothing is reserved, and no attempt is open."""
    yield
    assert {name: count for name, count in check_invariants(admin).items() if count} == {}
    assert build.value("select count(*) from fetch_attempts where outcome is null") == 0
    assert build.value("select coalesce(sum(reserved), 0) from subscription_usage") == 0


def count_rows(build: DatabaseBuilder, table: str, text: str = "") -> int:
    """Return the number of rows of a table that contain a text."""
    return sum(text in str(row) for row in build.rows("table " + table))


def counts(build: DatabaseBuilder) -> dict[str, int]:
    return {table: count_rows(build, table) for table in PERSONAL_TABLES}


def fetched(pool: ConnectionPool, tracked: Tracked, *, first: int = 1) -> None:
    """Fetch ten videos of a tracked account in a run of its own; the other bloggers of the run have none."""
    key = new_key()
    run = plan(pool, key)
    for fetch_id in fetch_ids(pool, run):
        claimed = claim(pool, fetch_id)
        if claimed.blogger_id == tracked.blogger_id:
            settle(
                pool,
                claimed,
                fetch_settlement.FetchOutcome(FetchState.SUCCEEDED, videos(10, claimed.account.platform, first=first)),
            )
        else:
            settle(pool, claimed, fetch_settlement.FetchOutcome(FetchState.EMPTY))
    finish_run(pool, key, 0.2)


def adorn(build: DatabaseBuilder, tracked: Tracked) -> None:
    """Add a row about the blogger to every other table."""
    ids: dict[str, Any] = {"organization": tracked.organization_id, "blogger": tracked.blogger_id}
    build.run("insert into blogger_tags values (%(organization)s, %(blogger)s, 'tag')", **ids)
    build.run(
        "insert into blogger_campaign values (%(campaign)s, %(blogger)s)",
        campaign=build.campaign(tracked.organization_id),
        blogger=tracked.blogger_id,
    )
    build.run(
        """
        insert into look_ups (platform, name, looked_up_at, profile)
        select platform, '@' || lower(username), now(), jsonb_build_object('external_id', external_id)
        from blogger_information where id = %(blogger)s
        """,
        blogger=tracked.blogger_id,
    )
    build.run(
        """
        insert into idempotency_keys (user_id, route, key, body_digest, receipt, started_at, status, body)
        values (
            gen_random_uuid(), 'POST /blogger/add', 'key', '', gen_random_uuid(), now(), 200,
            jsonb_build_object('blogger', jsonb_build_object('bloggerId', %(blogger)s::text))
        )
        """,
        blogger=tracked.blogger_id,
    )
    build.run(
        """
        insert into imported_rows (view_name, legacy_key, checksum, imported_id)
        select 'bloggers', 'old', '', %(blogger)s::text
        union all
        select 'tracked_accounts', 'old', '', %(account)s::text
        union all
        select 'videos', 'old', '', min(id)::text from videos where blogger_id = %(blogger)s
        """,
        blogger=tracked.blogger_id,
        account=tracked.tracking_id,
    )


def removal(connection: Connection, build: DatabaseBuilder, blogger: UUID) -> remove_subjects.Removal:
    ((platform, external_id),) = build.rows(
        "select platform, external_id from blogger_information where id = %(id)s", id=blogger
    )
    found = find_blogger(connection, Platform(platform), external_id)
    assert found is not None
    return found


@pytest.mark.parametrize("platform", ["TikTok", "YouTube"])
def test_everything_about_a_removed_blogger_goes_and_the_charges_stay(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection, thumbnails: RecordedThumbnails, platform: str
) -> None:
    tracked = build.track(build.organization(), platform=platform)
    build.track(build.organization(), tracked.blogger_id)
    fetched(pool, tracked)
    build.run("update videos set thumbnail_path = 'stored/' || external_video_id where mod(id, 2) = 0")
    adorn(build, tracked)
    found = removal(owner, build, tracked.blogger_id)
    assert (found.counts["videos"], found.counts["tracked_accounts"], found.counts["thumbnails"]) == (10, 2, 5)
    remove_blogger(owner, thumbnails, found)
    assert counts(build) == dict.fromkeys(PERSONAL_TABLES, 0)
    assert len(thumbnails.removed) == 5
    assert build.rows("select videos_fetched, removed_charges from subscription_usage") == [(10, 10), (10, 10)]
    assert build.value("select count(*) from run_accounts") == 2


def test_another_blogger_keeps_everything_and_a_removal_may_be_repeated(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection, thumbnails: RecordedThumbnails
) -> None:
    organization = build.organization()
    kept, removed = build.track(organization), build.track(organization)
    fetched(pool, kept, first=100)
    fetched(pool, removed, first=1)
    adorn(build, kept)
    before = counts(build)
    found = removal(owner, build, removed.blogger_id)
    for _ in range(2):
        remove_blogger(owner, thumbnails, found)
    after = counts(build)
    assert after["videos"] == 10
    assert {table: before[table] - after[table] for table in ("look_ups", "blogger_tags", "imported_rows")} == {
        "look_ups": 0,
        "blogger_tags": 0,
        "imported_rows": 0,
    }
    assert build.rows("select distinct blogger_id from fetches") == [(kept.blogger_id,)]


def test_a_removal_that_failed_at_the_storage_goes_on_where_it_stopped(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection, thumbnails: RecordedThumbnails
) -> None:
    tracked = build.track(build.organization())
    fetched(pool, tracked)
    build.run("update videos set thumbnail_path = 'stored/' || external_video_id")
    thumbnails.failing = True
    with pytest.raises(StorageError):
        remove_blogger(owner, thumbnails, removal(owner, build, tracked.blogger_id))
    assert build.value("select count(*) from videos") == 10
    thumbnails.failing = False
    remove_blogger(owner, thumbnails, removal(owner, build, tracked.blogger_id))
    assert len(thumbnails.removed) == 10
    assert build.value("select count(*) from blogger_information") == 0


def test_a_joint_post_that_belongs_to_another_blogger_stays_and_gets_its_thumbnail_by_the_next_fetch(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection, thumbnails: RecordedThumbnails
) -> None:
    organization = build.organization()
    first, second = build.track(organization), build.track(organization)
    fetched(pool, first)
    fetched(pool, second)
    build.run("delete from thumbnail_queue")
    build.run(
        "insert into thumbnail_queue (fetch_id, video_id, thumbnail_url) "
        "select (select max(id) from fetches where blogger_id = %(second)s), id, thumbnail_url from videos",
        second=second.blogger_id,
    )
    remove_blogger(owner, thumbnails, removal(owner, build, second.blogger_id))
    assert build.value("select count(*) from videos where thumbnail_url is null") == 10
    fetched(pool, first)
    assert build.value("select count(*) from thumbnail_queue where done_at is null") == 10


@pytest.mark.parametrize("returned", [0, 10])
def test_an_attempt_in_progress_saves_nothing_after_the_removal(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection, thumbnails: RecordedThumbnails, returned: int
) -> None:
    tracked = build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    claimed = claim(pool, fetch_id)
    remove_blogger(owner, thumbnails, removal(owner, build, tracked.blogger_id))
    state = FetchState.SUCCEEDED if returned else FetchState.NOT_FOUND
    with pytest.raises(StaleClaimError, match="the blogger was removed"):
        settle(pool, claimed, fetch_settlement.FetchOutcome(state, videos(returned)))
    with pytest.raises(FetchRemovedError):
        try_claim(pool, fetch_id)
    assert build.value("select count(*) from videos") == 0
    assert finish_run(pool, key, 0.2) == []


def test_a_claim_after_the_withdrawal_is_refused(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection
) -> None:
    tracked = build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    removals.withdraw_blogger(owner, tracked.blogger_id)
    refused = try_claim(pool, fetch_id)
    assert isinstance(refused, ClaimRefused)
    assert refused.reason == "removed"
    finish_run(pool, key, 0.2)


def test_a_settlement_that_is_saving_its_videos_and_a_removal_do_not_block_each_other(
    build: DatabaseBuilder,
    pool: ConnectionPool,
    owner: Connection,
    thumbnails: RecordedThumbnails,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracked = build.track(build.organization())
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    claimed = claim(pool, fetch_id)
    found = removal(owner, build, tracked.blogger_id)
    save_videos = videos_statements.save_videos
    removing: list[Future[object]] = []
    with ThreadPoolExecutor(2) as executor:

        def save_and_begin_the_removal(connection: Connection, claim: Claim, saved: Sequence[CommonVideo]) -> None:
            save_videos(connection, claim, saved)
            # The response means that Postgres has executed the statements of the pipeline.
            connection.execute("select 1").fetchone()
            removing.append(executor.submit(remove_blogger, owner, thumbnails, found))
            wait_until(lambda: removing[0].done() or build.value(REMOVAL_IS_AT_WORK) is True, 20)

        monkeypatch.setattr(fetch_settlement, "save_videos", save_and_begin_the_removal)
        error = executor.submit(succeed, pool, claimed, 10).exception()
    assert [each.exception() for each in removing] == [None]
    assert error is None or isinstance(error, StaleClaimError)
    assert counts(build) == dict.fromkeys(PERSONAL_TABLES, 0)
    finish_run(pool, key, 0.2)


def test_a_blogger_who_is_added_again_meanwhile_is_not_removed_halfway(
    build: DatabaseBuilder, owner: Connection, thumbnails: RecordedThumbnails, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = build.track(build.organization())
    read_videos = removals.read_videos_of_blogger

    def add_again(connection: Connection, blogger_id: UUID, limit: int) -> list[StoredVideo]:
        build.track(build.organization(), blogger_id)
        return read_videos(connection, blogger_id, limit)

    monkeypatch.setattr(removals, "read_videos_of_blogger", add_again)
    with pytest.raises(RemovalError, match="Run the command again"):
        remove_blogger(owner, thumbnails, removal(owner, build, tracked.blogger_id))


def test_a_name_of_several_bloggers_is_refused(build: DatabaseBuilder, owner: Connection) -> None:
    build.blogger(external_id="one")
    build.blogger(external_id="two")
    build.run("update blogger_information set username = 'Same'")
    with pytest.raises(RemovalError, match="@Same: one; @Same: two"):
        find_blogger(owner, Platform.TIKTOK, "@same")
    found = find_blogger(owner, Platform.TIKTOK, "two")
    assert found is not None
    assert found.name == "@Same (TikTok, two)"
    assert find_blogger(owner, Platform.YOUTUBE, "two") is None


def test_a_removed_person_is_named_in_no_table(build: DatabaseBuilder, owner: Connection) -> None:
    organization = build.organization()
    person, other = build.member(organization), build.member(organization)
    for user in (person, other):
        tracked = build.track(organization)
        build.run("update tracked_accounts set user_id = %(user)s where id = %(id)s", user=user, id=tracked.tracking_id)
        build.run("insert into request_budgets values ('requests', 'person', %(user)s, '{now}')", user=user)
        build.run(
            """
            insert into idempotency_keys (user_id, route, key, body_digest, receipt, started_at)
            values (%(user)s, 'POST /blogger/add', 'key', '', gen_random_uuid(), now())
            """,
            user=user,
        )
        build.run(
            "insert into imported_rows values ('members', %(user)s::text, '', %(org)s::text || '/' || %(user)s::text)",
            user=user,
            org=organization,
        )
    tables = {"organization_members", "tracked_accounts", "idempotency_keys", "request_budgets", "imported_rows"}
    for rows in (1, 0):
        found = find_person(owner, person)
        assert found.counts == dict.fromkeys(tables, rows)
        assert remove_person(owner, found) == found.counts
    for table in tables:
        assert (count_rows(build, table, str(person)), count_rows(build, table, str(other))) == (0, 1)
    assert build.value("select count(*) from auth.users") == 2
    build.run("delete from auth.users")
    assert build.value("select count(*) from tracked_accounts where user_id is null") == 2


def test_a_removed_organization_takes_its_rows_along_and_leaves_the_others(
    build: DatabaseBuilder, pool: ConnectionPool, owner: Connection
) -> None:
    removed = build.track(build.organization())
    kept = build.track(build.organization(), removed.blogger_id)
    fetched(pool, removed)
    build.run(
        "insert into request_budgets values ('requests', 'organization', %(id)s, '{now}')", id=removed.organization_id
    )
    for _ in range(2):
        remove_organization(owner, find_organization(owner, removed.organization_id))
    assert build.rows("select id from organizations") == [(kept.organization_id,)]
    assert build.value("select count(*) from request_budgets") == 0
    assert build.value("select count(*) from organization_videos") == 10
    assert build.value("select count(*) from statistics_readers") == 0

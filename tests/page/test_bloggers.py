"""The list of bloggers and one blogger: search, filters, order, pages, views, history and fetches."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_settlement import FetchOutcome
from blogger_tracking.database.runs import RunKey
from blogger_tracking.domain.ledger import FetchState
from tests.support.database_builder import DatabaseBuilder
from tests.support.ledger_steps import claim, fetch_ids, new_key, plan, settle, succeed
from tests.support.page_people import PagePerson

MARKUP = "<img src=x onerror=alert(1)>"


def ids(person: PagePerson, query: str) -> list[str]:
    return [item["id"] for item in person.read(f"bloggers?{query}")["items"]]


def rename(build: DatabaseBuilder, blogger: UUID, username: str) -> None:
    build.run("update blogger_information set username = %(name)s where id = %(id)s", name=username, id=blogger)


def searched(build: DatabaseBuilder) -> UUID:
    blogger = build.blogger(external_id="external-7")
    rename(build, blogger, "ab_bab")
    build.run("update blogger_information set channel_name = 'Bob & Co'")
    return blogger


def video(build: DatabaseBuilder, blogger: UUID, *, age_days: int = 100) -> int:
    number: int = build.value(
        """
        insert into videos (platform, external_video_id, blogger_id, url, title, published_at, first_seen_at)
        values (
            'TikTok', gen_random_uuid(), %(blogger)s, 'https://example.org/v', %(title)s,
            now() - %(age)s * interval '1 day', now() - %(age)s * interval '1 day'
        )
        returning id
        """,
        blogger=blogger,
        title=MARKUP,
        age=age_days,
    )
    return number


def capture(build: DatabaseBuilder, video_id: int, days_ago: int, views: int | None, likes: int | None = None) -> None:
    build.run(
        """
        insert into video_statistics (video_id, fetch_id, fetched_on, captured_at, views, likes)
        select %(video)s, 1000 - %(ago)s, moment::date, moment, %(views)s, %(likes)s
        from (select now() at time zone 'UTC' - %(ago)s * interval '1 day' as moment) as time
        """,
        video=video_id,
        ago=days_ago,
        views=views,
        likes=likes,
    )


def day(days_ago: int) -> str:
    return (datetime.now(UTC).date() - timedelta(days=days_ago)).isoformat()


def test_the_list_has_bloggers_with_their_organizations_and_states(build: DatabaseBuilder, person: PagePerson) -> None:
    first, second = build.organization(), build.organization()
    tracked = build.track(first, is_active=False)
    build.track(second, tracked.blogger_id, pending_initial_fetch=True)
    untracked = build.blogger()
    listing = person.read("bloggers")
    by_id = {item["id"]: item for item in listing["items"]}
    assert listing["total"] == 2
    item = by_id[str(tracked.blogger_id)]
    assert {each["id"] for each in item["organizations"]} == {str(first), str(second)}
    assert (item["isActive"], item["isPending"], item["videos"], item["lastFetch"]) == (True, True, 0, None)
    assert len(item["views"]) == 30
    assert item["views"][-1] == [day(0), None]
    assert by_id[str(untracked)]["organizations"] == []


@pytest.mark.parametrize("search", ["B_B", "bob & co", "external-7", "@ab_", " @AB_BAB "])
def test_search_finds_a_part_of_a_name_in_any_case_or_an_external_id(
    build: DatabaseBuilder, person: PagePerson, search: str
) -> None:
    blogger = searched(build)
    assert person.read("bloggers", search=search)["items"][0]["id"] == str(blogger)


@pytest.mark.parametrize("search", ["b%b", "axb", "external"])
def test_search_takes_no_wildcards_and_no_part_of_an_external_id(
    build: DatabaseBuilder, person: PagePerson, search: str
) -> None:
    searched(build)
    assert person.read("bloggers", search=search) == {"total": 0, "items": []}


def test_pending_are_bloggers_with_an_active_account_whose_initial_fetch_is_pending(
    build: DatabaseBuilder, person: PagePerson
) -> None:
    organization = build.organization()
    build.track(organization, is_active=False, pending_initial_fetch=True)
    assert [item["isPending"] for item in person.read("bloggers")["items"]] == [False]
    assert ids(person, "state=pending") == []
    pending = build.track(organization, pending_initial_fetch=True).blogger_id
    assert ids(person, "state=pending") == [str(pending)]


def test_filters_restrict_to_an_organization_a_platform_and_a_state(build: DatabaseBuilder, person: PagePerson) -> None:
    organization, other = build.organization(), build.organization()
    active = build.track(organization).blogger_id
    paused = build.track(organization, is_active=False, platform="YouTube").blogger_id
    pending = build.track(other, pending_initial_fetch=True).blogger_id
    build.run("update blogger_information set account_state = 'private' where id = %(id)s", id=pending)
    assert set(ids(person, f"organization={organization}")) == {str(active), str(paused)}
    assert ids(person, "platform=YouTube") == ids(person, "state=paused") == [str(paused)]
    assert set(ids(person, "state=active")) == {str(active), str(pending)}
    assert ids(person, "state=pending") == ids(person, "state=private") == [str(pending)]
    assert ids(person, f"state=active&organization={organization}&platform=TikTok") == [str(active)]


def test_failed_are_bloggers_whose_last_fetch_failed(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    organization = build.organization()
    failed = build.track(organization).blogger_id
    build.track(organization)
    first, second = new_key(), new_key()
    for key in (first, second):
        for fetch_id in fetch_ids(pool, plan(pool, key)):
            claimed = claim(pool, fetch_id)
            blogger = build.value("select blogger_id from fetches where id = %(id)s", id=fetch_id)
            if key is first or blogger == failed:
                settle(pool, claimed, FetchOutcome(FetchState.FAILED, reason="The platform did not answer."))
            else:
                succeed(pool, claimed, 3)
    (item,) = person.read("bloggers?state=failed")["items"]
    fetch = item["lastFetch"]
    assert item["id"] == str(failed)
    assert (fetch["state"], fetch["dagId"], fetch["dagRunId"]) == ("failed", "blogger_batch_fetch", second.dag_run_id)
    assert (fetch["taskId"], fetch["finishedAt"] is not None) == ("fetch_tiktok", True)


def import_fetch(build: DatabaseBuilder, blogger: UUID, state: str) -> None:
    """Insert a fetch of a run that stands for the earlier system."""
    build.run(
        """
        with run as (
            insert into runs (deployment, dag_id, dag_run_id, planned_at, expires_at, ended_at, active_accounts)
            values ('imported', 'import', gen_random_uuid(), now(), now(), now(), 0)
            returning id
        )
        insert into fetches (run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index, state)
        select id, %(blogger)s, 'TikTok', current_date, 1, 'import', -1, %(state)s
        from run
        """,
        blogger=blogger,
        state=state,
    )


def test_an_imported_fetch_is_neither_failed_nor_the_last_fetch(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    failed = build.track(build.organization()).blogger_id
    import_fetch(build, build.blogger(), "failed")
    (fetch_id,) = fetch_ids(pool, plan(pool))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="The platform did not answer."))
    import_fetch(build, failed, "succeeded")
    (item,) = person.read("bloggers?state=failed")["items"]
    assert (item["id"], item["lastFetch"]["state"]) == (str(failed), "failed")


def test_a_fetch_of_another_deployment_is_not_here(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    blogger = build.track(build.organization()).blogger_id
    for key in (new_key(), RunKey("other", "blogger_batch_fetch", "run")):
        (fetch_id,) = fetch_ids(pool, plan(pool, key))
        succeed(pool, claim(pool, fetch_id), 1)
        last_fetch = person.read("bloggers")["items"][0]["lastFetch"]
        assert (last_fetch["fetchId"], last_fetch["isHere"]) == (fetch_id, key.deployment == "test")
        assert person.read(f"bloggers/{blogger}")["lastFetch"] == last_fetch
    assert [fetch["isHere"] for fetch in person.read(f"bloggers/{blogger}/fetches")["items"]] == [False, True]


def test_the_name_that_orders_the_list_is_the_channel_name_or_else_the_username(
    build: DatabaseBuilder, person: PagePerson
) -> None:
    names = (("z", "Anna"), ("a", "bob"), ("C", None), ("d", ""))
    bloggers = []
    for username, channel_name in names:
        bloggers.append(blogger := build.blogger())
        rename(build, blogger, username)
        build.run("update blogger_information set channel_name = %(n)s where id = %(id)s", n=channel_name, id=blogger)
    assert ids(person, "sort=name") == [str(blogger) for blogger in bloggers]


def test_the_list_is_ordered_by_name_followers_or_last_fetch(build: DatabaseBuilder, person: PagePerson) -> None:
    organization = build.organization()
    bloggers = [build.track(organization).blogger_id for _ in range(3)]
    for blogger, name, followers, age in zip(bloggers, "cAb", (5, None, 9), (2, 1, None), strict=True):
        rename(build, blogger, name)
        build.run("update blogger_information set subscribers = %(n)s where id = %(id)s", n=followers, id=blogger)
        build.run(
            """
            update tracked_accounts
            set last_scraped_at = now() - %(age)s * interval '1 day'
            where blogger_id = %(id)s
            """,
            age=age,
            id=blogger,
        )
    c, a, b = map(str, bloggers)
    assert ids(person, "sort=name") == [a, b, c]
    assert ids(person, "sort=-followers") == [b, c, a]
    assert ids(person, "sort=-lastFetch") == [a, c, b]
    assert ids(person, "sort=lastFetch") == [c, a, b]


def test_a_page_has_fifty_bloggers_and_no_blogger_is_on_two_pages(build: DatabaseBuilder, person: PagePerson) -> None:
    for _ in range(53):
        build.blogger()
    first, second, third = (person.read(f"bloggers?page={page}") for page in (1, 2, 3))
    assert [len(page["items"]) for page in (first, second, third)] == [50, 3, 0]
    assert first["total"] == second["total"] == third["total"] == 53
    assert len({item["id"] for page in (first, second) for item in page["items"]}) == 53


@pytest.mark.parametrize("query", ["page=0", "state=odd", "sort=id", "platform=Vine", "organization=x", "search=%00"])
def test_an_invalid_query_is_400(person: PagePerson, query: str) -> None:
    answer = person.get(f"/api/bloggers?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")


def test_views_add_up_the_newest_numbers_of_each_video(build: DatabaseBuilder, person: PagePerson) -> None:
    blogger = build.blogger()
    known, new = video(build, blogger), video(build, blogger, age_days=5)
    capture(build, known, 40, 1)
    capture(build, known, 10, 100)
    capture(build, known, 3, 150)
    capture(build, new, 5, 20)
    capture(build, new, 3, 30)
    capture(build, new, 2, None)
    views = dict(person.read("bloggers")["items"][0]["views"])
    assert {at: total for at, total in views.items() if total is not None} == {day(10): 100, day(5): 120, day(3): 180}


def test_a_known_video_that_is_listed_later_makes_no_jump(build: DatabaseBuilder, person: PagePerson) -> None:
    blogger = build.blogger()
    first, second = video(build, blogger), video(build, blogger)
    capture(build, first, 10, 100)
    capture(build, second, 4, 50)
    capture(build, second, 1, 51)
    views = dict(person.read("bloggers")["items"][0]["views"])
    assert (views[day(10)], views[day(4)], views[day(1)]) == (150, 150, 151)


def test_statistics_have_the_totals_of_the_last_days(build: DatabaseBuilder, person: PagePerson) -> None:
    blogger = build.blogger()
    known = video(build, blogger)
    capture(build, known, 40, 1, likes=1)
    capture(build, known, 10, 100, likes=7)
    capture(build, known, 0, 150)
    expected = [[day(10), 100, 7, None], [day(0), 150, None, None]]
    assert person.read(f"bloggers/{blogger}/statistics?days=11")["totals"] == expected
    assert person.read(f"bloggers/{blogger}/statistics?days=1")["totals"] == expected[1:]


def test_a_video_that_lacks_a_number_keeps_its_last_one_in_the_totals(
    build: DatabaseBuilder, person: PagePerson
) -> None:
    blogger = build.blogger()
    lacking, other = video(build, blogger), video(build, blogger)
    for each in (lacking, other):
        capture(build, each, 10, 100, likes=10)
    capture(build, lacking, 3, 150, likes=None)
    capture(build, other, 3, 100, likes=11)
    capture(build, lacking, 1, None, likes=13)
    totals = person.read(f"bloggers/{blogger}/statistics?days=20")["totals"]
    assert totals == [[day(10), 200, 20, None], [day(3), 250, 21, None], [day(1), None, 24, None]]


def test_one_blogger_has_the_history_of_the_account_and_the_tracked_accounts(
    build: DatabaseBuilder, person: PagePerson
) -> None:
    tracked = build.track(build.organization(daily=7), daily=None, pending_initial_fetch=True)
    blogger = tracked.blogger_id
    rename(build, blogger, "first name")
    build.run(
        """
        update blogger_information
        set account_state = 'private', account_state_reason = 'Only followers see the posts.'
        where id = %(id)s
        """,
        id=blogger,
    )
    details = person.read(f"bloggers/{blogger}")
    private, renamed = details["history"]
    assert (private["state"], private["reason"]) == ("private", "Only followers see the posts.")
    assert (renamed["state"], renamed["newUsername"]) == ("renamed", "first name")
    assert details["url"] == "https://www.tiktok.com/@first%20name"
    (account,) = details["tracked"]
    assert account["trackingId"] == str(tracked.tracking_id)
    assert (account["dailyVideosCount"], account["isPending"], account["isActive"]) == (7, True, True)
    assert details["organizations"] == [account["organization"]]


def test_followers_are_kept_once_a_day_whenever_a_profile_is_saved(build: DatabaseBuilder, person: PagePerson) -> None:
    blogger = build.blogger()
    assert person.read(f"bloggers/{blogger}")["followerCounts"] == []
    save = "update blogger_information set subscribers = %(followers)s where id = %(id)s"
    build.run(save, followers=7, id=blogger)
    build.run("update follower_counts set counted_on = counted_on - 1")
    for followers in (8, 7, None):
        build.run(save, followers=followers, id=blogger)
    assert person.read(f"bloggers/{blogger}")["followerCounts"] == [[day(1), 7], [day(0), 7]]


def test_the_list_has_the_followers_of_the_last_30_days(build: DatabaseBuilder, person: PagePerson) -> None:
    counted, other = build.blogger(), build.blogger()
    for age in (0, 29, 30):
        build.run(
            "insert into follower_counts values (%(id)s, (now() at time zone 'UTC')::date - %(age)s, %(age)s)",
            id=counted,
            age=age,
        )
    by_id = {item["id"]: item["followerCounts"] for item in person.read("bloggers")["items"]}
    assert by_id == {str(counted): [[day(29), 29], [day(0), 0]], str(other): []}
    assert person.read(f"bloggers/{counted}")["followerCounts"] == [[day(30), 30], [day(29), 29], [day(0), 0]]


def test_fetches_have_their_attempts_and_the_parts_of_the_organizations(
    build: DatabaseBuilder, pool: ConnectionPool, person: PagePerson
) -> None:
    organization = build.organization(daily=5)
    blogger = build.track(organization).blogger_id
    key = new_key()
    (fetch_id,) = fetch_ids(pool, plan(pool, key))
    settle(pool, claim(pool, fetch_id), FetchOutcome(FetchState.FAILED, reason="The platform did not answer."))
    succeed(pool, claim(pool, fetch_id), 3)
    build.run("""update fetch_attempts set requests = '{"listing": 2, "retry": 1}'""")
    listing = person.read(f"bloggers/{blogger}/fetches")
    (fetch,) = listing["items"]
    assert listing["total"] == 1
    assert (fetch["state"], fetch["target"], fetch["videosReturned"], fetch["videosNew"]) == ("succeeded", 5, 3, 3)
    assert (fetch["attempts"], fetch["requests"]) == (2, {"listing": 4, "retry": 2})
    (allocation,) = fetch["allocations"]
    assert allocation["organization"]["id"] == str(organization)
    assert (allocation["asked"], allocation["granted"], allocation["charged"]) == (5, 5, 3)
    last_fetch = person.read("bloggers")["items"][0]["lastFetch"]
    assert last_fetch == {name: fetch[name] for name in last_fetch}


@pytest.mark.parametrize("path", ["", "/videos", "/statistics", "/fetches"])
def test_an_unknown_blogger_is_404(person: PagePerson, path: str) -> None:
    answer = person.get(f"/api/bloggers/{uuid4()}{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "blogger_not_found")


def test_texts_of_platforms_stay_json(build: DatabaseBuilder, person: PagePerson) -> None:
    blogger = build.blogger()
    rename(build, blogger, MARKUP)
    video(build, blogger)
    for path in ("bloggers", f"bloggers/{blogger}", f"bloggers/{blogger}/videos"):
        answer = person.get(f"/api/{path}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert MARKUP in answer.text

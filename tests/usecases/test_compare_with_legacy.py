"""Comparison with an earlier system, on a real Postgres: planted differences are found, and no others."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from blogger_tracking.comparison_report import COLUMNS, as_json, write_page
from blogger_tracking.database.comparison import comparing, count_left_out
from blogger_tracking.database.platform_suspensions import suspend_platform
from blogger_tracking.database.run_plans import RunScope
from blogger_tracking.database.runs import finish_run
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.comparison import REASON_SENTENCES, SMALLEST_COUNT_DIFFERENCE, Window, WindowError
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.domain.ledger import FetchState, RequestUse, SkipReason
from blogger_tracking.domain.models import Platform
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases import compare_with_legacy as compare_with_legacy_module
from devtools.browser import MISSING, PROGRAM
from tests.support import browser
from tests.support.compared_fleet import HOUR, NOW, TOLERANCE, WINDOW, Fleet, compare, found, only_old
from tests.support.cut_line import cut
from tests.support.database_builder import DatabaseBuilder, Tracked
from tests.support.ledger_steps import claim, plan, succeed, try_claim, video
from tests.support.old_system import OldSystem


def test_systems_with_the_same_videos_have_no_difference(fleet: Fleet, pipeline: Connection) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1, 2, 3)
    for number in (1, 2, 3):
        fleet.old_video(tracked, number)
    comparison = compare(pipeline)
    assert found(comparison) == set()
    assert comparison.total.differences == comparison.total.unexplained == 0
    assert (comparison.total.videos_of_both, comparison.total.videos_with_counts) == (3, 3)
    assert (comparison.total.bloggers_of_both, comparison.total.bloggers_only_old) == (1, 0)


def test_an_empty_window_of_empty_systems_has_no_difference(old: OldSystem, pipeline: Connection) -> None:
    del old
    assert compare(pipeline).total.differences == 0


def test_exactly_the_planted_differences_of_values_are_found(fleet: Fleet, pipeline: Connection) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1, 2, 3, 4, 5)
    fleet.old_video(tracked, 1, url="https://example.org/other")
    fleet.old_video(tracked, 2, published="2025-12-31T00:00:00Z")
    fleet.old_video(tracked, 3, [(NOW - HOUR / 2, 1000)])
    fleet.old_video(tracked, 4, url=None, published=None)
    fleet.old_video(tracked, 5, [(NOW - HOUR / 2, -1)], published="yesterday")
    comparison = compare(pipeline)
    assert found(comparison) == {
        ("address", "video-1", None),
        ("date", "video-2", None),
        ("count", "video-3", "views"),
    }
    assert comparison.total.unexplained == 3
    assert comparison.left_out.unreadable_dates == 1
    by_kind = {each.kind.value: (each.old, each.new) for each in comparison.differences}
    assert by_kind["address"] == ("https://example.org/other", "https://example.org/1")
    assert by_kind["count"] == ("at least 1000", "100")


def test_a_missing_video_gets_the_reason_that_the_outcome_of_the_fetch_gives(
    fleet: Fleet, pipeline: Connection
) -> None:
    build = fleet.build
    ended = {state: fleet.blogger() for state in (FetchState.PRIVATE, FetchState.NOT_FOUND, FetchState.FAILED)}
    empty, unfinished, paused_later, missed, counted, partial = (fleet.blogger() for _ in range(6))
    limited = fleet.both(build.track(build.organization(video_limit=12), daily=30))
    plan(fleet.pool)
    for state, tracked in {**ended, FetchState.EMPTY: empty}.items():
        fleet.end(tracked, state)
    build.run("update tracked_accounts set is_active = false where id = %(id)s", id=paused_later.tracking_id)
    try_claim(fleet.pool, fleet.fetch_of(paused_later))
    fleet.succeed(missed, 100, 102)
    fleet.succeed(counted, 201, 202)
    fleet.succeed(limited, *range(301, 313))
    fleet.end(partial, FetchState.PARTIAL, [video(402)])
    planted = {
        **{state.value: (tracked, number) for number, (state, tracked) in enumerate(ended.items(), start=1)},
        "empty": (empty, 40),
        "unfinished": (unfinished, 50),
        "inactive": (paused_later, 60),
        "missed": (missed, 101),
        "beyond_count": (counted, 200),
        "subscription_limit": (limited, 300),
        "partial": (partial, 401),
    }
    for tracked, number in planted.values():
        fleet.old_video(tracked, number)
    comparison = compare(pipeline)
    assert only_old(comparison) == {f"video-{number}": reason for reason, (_, number) in planted.items()}
    total = comparison.total
    assert total.reasons_only_old == dict.fromkeys(planted, 1)
    assert comparison.platforms["TikTok"].videos_only_old == total.videos_only_old == len(planted)
    assert total.unexplained == 1 + total.reasons_only_new["missed"]


def test_a_missing_video_of_a_blogger_without_a_fetch_gets_the_reason_of_planning(
    fleet: Fleet, pipeline: Connection
) -> None:
    build = fleet.build
    planted = {
        "subscription_limit": fleet.both(build.track(build.organization(video_limit=5))),
        "no_active_subscription": fleet.both(build.track(build.organization(video_limit=None))),
        "pending_initial_fetch": fleet.both(build.track(build.organization(), pending_initial_fetch=True)),
        "inactive": fleet.both(build.track(build.organization(), is_active=False)),
    }
    plan(fleet.pool)
    planted["never_planned"] = fleet.blogger()
    planted["not_tracked"] = replace(planted["never_planned"], blogger_id=fleet.old.blogger())
    for number, tracked in enumerate(planted.values()):
        fleet.old_video(tracked, number)
    comparison = compare(pipeline)
    assert only_old(comparison) == {f"video-{number}": reason for number, reason in enumerate(planted)}
    assert comparison.total.bloggers_only_old == 1
    assert comparison.total.unexplained == 0


def test_a_missing_video_of_an_account_that_a_run_skipped_gets_the_reason_of_the_run(
    fleet: Fleet, pipeline: Connection
) -> None:
    build = fleet.build
    already_running = fleet.blogger()
    plan(fleet.pool)
    planted = {
        "already_running": already_running,
        "invalid": fleet.both(build.track(build.organization(), build.blogger(external_id=" "))),
        "platform_suspended": fleet.blogger(platform="Instagram"),
        "daily_units": fleet.blogger(platform="YouTube"),
    }
    suspend_platform(pipeline, Platform.INSTAGRAM, NOW + HOUR, "five responses 503 in a row")
    record_units(pipeline, datetime.now(UTC), {RequestUse.LISTING: get_settings().youtube_daily_units})
    plan(fleet.pool)
    platforms = {"platform_suspended": "Instagram", "daily_units": "YouTube"}
    for number, (reason, tracked) in enumerate(planted.items()):
        fleet.old_video(tracked, number, platform=platforms.get(reason))
    comparison = compare(pipeline)
    assert only_old(comparison) == {f"video-{number}": reason for number, reason in enumerate(planted)}
    assert {each.reason: each.detail for each in comparison.differences} == {
        "already_running": "already_running",
        "invalid": "invalid: no external id",
        "platform_suspended": "platform_suspended: five responses 503 in a row",
        "daily_units": "daily_units: 0 left for the whole run",
    }


def test_a_missing_video_of_a_fetch_that_was_refused_or_released_gets_that_reason(
    fleet: Fleet, pipeline: Connection
) -> None:
    build = fleet.build
    planted = {
        "released": fleet.blogger(platform="YouTube"),
        "already_running": fleet.blogger(),
        "platform_suspended": fleet.blogger(platform="Instagram"),
        "no_active_subscription": fleet.blogger(),
        "subscription_limit": fleet.blogger(),
    }
    first = plan(fleet.pool)
    cleared = fleet.fetch_of(planted["already_running"])
    claim(fleet.pool, fleet.fetch_of(planted["released"]))
    suspend_platform(pipeline, Platform.INSTAGRAM, NOW + HOUR, "five responses 503 in a row")
    organizations = {reason: tracked.organization_id for reason, tracked in planted.items()}
    build.run("delete from subscriptions where organization_id = %(id)s", id=organizations["no_active_subscription"])
    build.run(
        "update subscriptions set video_limit = 5 where organization_id = %(id)s",
        id=organizations["subscription_limit"],
    )
    for reason in ("platform_suspended", "no_active_subscription", "subscription_limit"):
        try_claim(fleet.pool, fleet.fetch_of(planted[reason]))
    finish_run(pipeline, first.run_id, datetime.now(UTC))
    # The next planning releases what the first run has left, and plans only one of the bloggers.
    plan(fleet.pool, scope=RunScope(bloggers=(planted["already_running"].blogger_id,)))
    try_claim(fleet.pool, cleared)
    platforms = {"platform_suspended": "Instagram", "released": "YouTube"}
    for number, (reason, tracked) in enumerate(planted.items()):
        fleet.old_video(tracked, number, platform=platforms.get(reason))
    comparison = compare(pipeline)
    assert only_old(comparison) == {f"video-{number}": reason for number, reason in enumerate(planted)}
    details = {each.reason: each.detail for each in comparison.differences}
    assert details["released"] == "its run has ended"


def test_a_fetch_before_the_publication_does_not_explain_a_missing_video(fleet: Fleet, pipeline: Connection) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1)
    fleet.old_video(tracked, 1)
    fleet.old_video(tracked, 2, published=f"{datetime.now(UTC) + HOUR / 2:%Y-%m-%dT%H:%M:%SZ}")
    assert found(compare(pipeline)) == {("only_old", "video-2", "not_fetched_since")}


def test_a_listing_without_the_video_is_no_explanation_even_if_a_later_fetch_failed(
    fleet: Fleet, pipeline: Connection
) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1, 3)
    plan(fleet.pool)
    fleet.end(tracked, FetchState.FAILED)
    fleet.old_video(tracked, 2)
    assert only_old(compare(pipeline)) == {"video-2": "missed"}


def test_each_video_that_only_the_new_system_has_gets_a_reason(fleet: Fleet, pipeline: Connection) -> None:
    missed, counted, later, behind = (fleet.blogger() for _ in range(4))
    unknown = fleet.build.track(fleet.build.organization())
    paused = fleet.build.track(fleet.build.organization())
    fleet.old.blogger(paused.blogger_id, is_active=False)
    fleet.build.run(
        "update old.follows set last_scraped_at = %(at)s where creator_id = %(id)s",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        id=behind.blogger_id,
    )
    plan(fleet.pool)
    for number, tracked in enumerate((missed, counted, later, behind, unknown, paused)):
        fleet.succeed(tracked, 100 * number + 50)
    fleet.old_video(missed, 10)
    fleet.old_video(counted, 160)
    fleet.old_video(later, 250, [(WINDOW.until, 100)], published=None)
    comparison = compare(pipeline)
    assert {each for each in found(comparison) if each[0] == "only_new"} == {
        ("only_new", "video-50", "missed"),
        ("only_new", "video-150", "beyond_count"),
        ("only_new", "video-250", "found_later"),
        ("only_new", "video-350", "not_fetched_since"),
        ("only_new", "video-450", "not_tracked"),
        ("only_new", "video-550", "inactive"),
    }
    assert comparison.total.bloggers_only_new == 1


@pytest.mark.parametrize(
    ("captured_at", "videos"),
    [
        (WINDOW.since, 1),
        (WINDOW.since - timedelta(microseconds=1), 0),
        (WINDOW.until - timedelta(microseconds=1), 1),
        (WINDOW.until, 0),
    ],
)
def test_the_window_includes_its_begin_and_excludes_its_end(
    fleet: Fleet, pipeline: Connection, captured_at: datetime, videos: int
) -> None:
    fleet.old_video(fleet.blogger(), 1, [(captured_at, 100)], published=None)
    assert compare(pipeline).total.videos_only_old == videos


def test_a_video_that_this_system_first_saw_at_the_end_of_the_window_was_found_later(
    fleet: Fleet, pipeline: Connection
) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1)
    fleet.build.run("update videos set first_seen_at = %(at)s", at=WINDOW.until)
    fleet.build.run("update video_statistics set captured_at = %(at)s", at=WINDOW.until)
    fleet.old_video(tracked, 1)
    assert found(compare(pipeline)) == {("only_old", "video-1", "found_later")}


def test_a_video_that_was_imported_in_the_window_is_no_find_of_this_system(fleet: Fleet, pipeline: Connection) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1, 2)
    fleet.old_video(tracked, 2)
    for number in (3, 4):
        fleet.old_video(tracked, number, [(NOW, 5000)])
        _import(fleet.build, tracked, number)
    fleet.build.run(
        "update videos set first_seen_at = %(at)s where external_video_id = 'video-4'", at=WINDOW.since - HOUR
    )
    unplanned = fleet.blogger()
    fleet.old_video(unplanned, 5)
    _import(fleet.build, unplanned, 5)
    assert found(compare(pipeline)) == {
        ("only_new", "video-1", "beyond_count"),
        ("only_old", "video-3", "missed"),
        ("only_old", "video-5", "never_planned"),
    }


def _import(build: DatabaseBuilder, tracked: Tracked, number: int) -> None:
    """Insert a video with statistics of a run of the deployment `imported`, which came with these numbers."""
    build.run(
        """
        insert into runs (deployment, dag_id, dag_run_id, planned_at, expires_at, active_accounts)
        values ('imported', 'import', 'day', now(), now(), 0)
        on conflict do nothing
        """
    )
    build.run(
        """
        insert into fetches (run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index, state)
        select id, %(blogger)s, 'TikTok', current_date, 1, 'import', -1, 'succeeded' from runs
        where deployment = 'imported'
        on conflict do nothing
        """,
        blogger=tracked.blogger_id,
    )
    same = video(number)
    build.run(
        """
        insert into videos (platform, external_video_id, blogger_id, url, title, published_at)
        values ('TikTok', %(id)s, %(blogger)s, %(url)s, '', %(date)s)
        """,
        id=same.external_video_id,
        blogger=tracked.blogger_id,
        url=same.video_url,
        date=same.published_at,
    )
    build.run(
        """
        insert into video_statistics (video_id, fetch_id, fetched_on, captured_at, views)
        select videos.id, (select max(id) from fetches), current_date, now() - interval '1 minute', 9000
        from videos where external_video_id = %(id)s
        """,
        id=same.external_video_id,
    )


def test_times_without_a_zone_uuids_and_numbers_of_other_types_are_compared(
    fleet: Fleet, admin: Connection, pipeline: Connection
) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1, 2)
    fleet.old_video(tracked, 1)
    fleet.old_video(tracked, 2, [(NOW - HOUR / 2, 1000)])
    admin.execute("drop view legacy_videos, legacy_statistics")
    admin.execute(
        """
        create view blogger_tracking.legacy_videos as
        select
            id::uuid as id, network as platform, external_id::varchar as external_video_id, creator_id as blogger_id,
            link as url, (published::timestamptz at time zone 'UTC') as published_at
        from old.clips;
        create view blogger_tracking.legacy_statistics as
        select
            clip_id::uuid as video_id, (taken_at at time zone 'UTC') as captured_at, views::numeric as views,
            likes::integer as likes, comments::smallint as comments, reposts
        from old.counts;
        grant select on blogger_tracking.legacy_videos, blogger_tracking.legacy_statistics to blogger_pipeline
        """
    )
    pipeline.execute("set timezone = 'Asia/Tokyo'")
    assert found(compare(pipeline)) == {("count", "video-2", "views")}


def test_twins_copies_and_spellings_of_one_account_are_one_blogger_with_each_video_once(
    fleet: Fleet, pipeline: Connection
) -> None:
    tracked = fleet.blogger(platform="YouTube")
    external_id = fleet.build.value("select external_id from blogger_information")
    twin = fleet.old.blogger(platform=" youtube", external_id=external_id)
    unknown = [fleet.old.blogger(platform=spelling, external_id="UC1") for spelling in ("YOUTUBE", "YouTube")]
    plan(fleet.pool)
    succeed(fleet.pool, claim(fleet.pool, fleet.fetch_of(tracked)), 1)
    for spelling, owner in (("YouTube", tracked.blogger_id), ("youtube", twin), ("YOUTUBE ", twin)):
        fleet.old.video(owner, "video-1", [(NOW, 100)], platform=spelling)
    for owner in unknown:
        fleet.old.video(owner, "video-9", [(NOW, 100)], platform="youtube")
    fleet.old.video(twin, "video-8", [(NOW, 100)], platform="Vimeo")
    comparison = compare(pipeline)
    assert found(comparison) == {("only_old", "video-9", "not_tracked")}
    assert comparison.total.videos_of_both == 1
    assert (comparison.total.bloggers_of_both, comparison.total.bloggers_only_old) == (1, 1)
    assert comparison.left_out.videos_of_unknown_platforms == 1


def test_one_copy_with_the_same_address_and_date_is_enough(fleet: Fleet, pipeline: Connection) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1)
    fleet.old_video(tracked, 1, url="https://example.org/a", published="2025-01-01")
    fleet.old_video(tracked, 1)
    assert found(compare(pipeline)) == set()


def test_an_old_video_without_a_blogger_is_compared(fleet: Fleet, pipeline: Connection) -> None:
    fleet.old_video(None, 1)
    fleet.old_video(fleet.blogger(), 2)
    assert found(compare(pipeline)) == {
        ("only_old", "video-1", "not_tracked"),
        ("only_old", "video-2", "never_planned"),
    }


# The counts of a curve that only grows, each captured by one of the systems (True: the new one).
_CURVES = st.lists(st.tuples(st.integers(0, 10**9), st.booleans()), min_size=2, max_size=10).map(
    lambda points: list(zip(sorted(count for count, _ in points), [is_new for _, is_new in points], strict=True))
)


def _capture(fleet: Fleet, tracked: Tracked, series: dict[int, list[tuple[int, bool]]]) -> None:
    """Save the counts of each video, one minute apart, with the system that captured them (True: the new one)."""
    fleet.build.run("truncate old.counts, old.clips")
    fleet.build.run("delete from video_statistics")
    fetch_id = fleet.fetch_of(tracked)
    for number, points in series.items():
        times = [NOW - HOUR / 2 + timedelta(minutes=minute) for minute in range(len(points))]
        captures = [(at, count) for at, (count, is_new) in zip(times, points, strict=True) if not is_new]
        fleet.old_video(tracked, number, captures)
        for at, (count, is_new) in zip(times, points, strict=True):
            if is_new:
                fleet.build.run(
                    """
                    insert into video_statistics (video_id, fetch_id, fetched_on, captured_at, views)
                    select id, %(fetch)s, current_date + %(day)s::integer, %(at)s, %(views)s
                    from videos where external_video_id = %(video)s
                    """,
                    fetch=fetch_id,
                    day=times.index(at),
                    at=at,
                    views=count,
                    video=f"video-{number}",
                )


@pytest.fixture
def captured(fleet: Fleet) -> Tracked:
    """A blogger with 20 videos, of which this system has no counts yet."""
    tracked = fleet.both(fleet.build.track(fleet.build.organization(), daily=20))
    plan(fleet.pool)
    fleet.succeed(tracked, *range(1, 21))
    return tracked


_SLOW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_SLOW
@given(st.lists(_CURVES, min_size=1, max_size=20))
def test_growth_explains_any_captures_of_a_curve_that_only_grows(
    fleet: Fleet, captured: Tracked, pipeline: Connection, curves: list[list[tuple[int, bool]]]
) -> None:
    _capture(fleet, captured, dict(enumerate(curves, start=1)))
    assert [each for each in compare(pipeline).differences if each.kind == "count"] == []


@_SLOW
@given(
    counts=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), is_above=st.booleans(), beside=st.integers(-9, 9)
)
def test_a_count_is_reported_exactly_if_it_leaves_the_range_of_its_neighbours_beyond_the_tolerance(
    fleet: Fleet, captured: Tracked, pipeline: Connection, counts: tuple[int, int], *, is_above: bool, beside: int
) -> None:
    lowest, highest = sorted(counts)
    least = lowest - max(SMALLEST_COUNT_DIFFERENCE, TOLERANCE * lowest)
    most = highest + max(SMALLEST_COUNT_DIFFERENCE, TOLERANCE * highest)
    count = max(0, round(most if is_above else least) + beside)
    _capture(fleet, captured, {1: [(counts[0], False), (count, True), (counts[1], False)]})
    reported = [each for each in compare(pipeline).differences if each.kind == "count" and each.new == str(count)]
    assert bool(reported) == (not least <= count <= most)


def test_a_count_that_both_systems_saw_shrink_is_no_difference(
    fleet: Fleet, captured: Tracked, pipeline: Connection
) -> None:
    _capture(fleet, captured, {1: [(1000, False), (1000, True), (500, False), (500, True)]})
    assert compare(pipeline).total.counts_differ == 0


def test_the_page_has_every_total_every_reason_and_no_external_resource(
    fleet: Fleet, pipeline: Connection, tmp_path: Path
) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, *range(1, 8))
    fleet.old_video(tracked, 1, url="https://example.org/<script>")
    fleet.old_video(fleet.blogger(), 100)
    comparison = compare(pipeline)
    write_page(comparison, tmp_path / "compare.html")
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    for name, title in COLUMNS.items():
        assert f'<div class="tile {name}"><b>{getattr(comparison.total, name):,}</b>{title}</div>' in page
    for reason in (*comparison.total.reasons_only_old, *comparison.total.reasons_only_new):
        assert f"<td>{reason}</td><td>{REASON_SENTENCES[reason]}</td>" in page
    assert "&lt;script&gt;" in page
    assert not any(resource in page for resource in ("<script", "<link", "src=", "url(", "@import"))


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
def test_the_page_fits_a_window_of_1280_pixels_and_its_bars_are_as_wide_as_their_share(
    fleet: Fleet, pipeline: Connection, tmp_path: Path
) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1, 2, 3)
    fleet.old_video(tracked, 1, url=f"https://example.org/{'long' * 100}")
    fleet.old_video(tracked, 3)
    file = tmp_path / "compare.html"
    write_page(compare(pipeline), file)
    assert browser.evaluate(file, "document.documentElement.scrollWidth", tmp_path, width=1280) == "1280"
    shares = (
        "[...document.querySelectorAll('.bar')].map(bar => [...bar.children].map(part => part.className + ' ' + "
        "Math.round(100 * part.getBoundingClientRect().width / bar.getBoundingClientRect().width)))"
    )
    assert browser.evaluate(file, shares, tmp_path, width=1280) == "both 67,new 33,,"


def test_the_totals_of_the_json_are_the_sums_of_its_platforms_and_bloggers(fleet: Fleet, pipeline: Connection) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1, 2, 3)
    fleet.old_video(tracked, 1, url="https://example.org/other")
    fleet.old_video(fleet.blogger(platform="Instagram"), 9, platform="instagram")
    written = json.loads(json.dumps(as_json(compare(pipeline)), default=str))
    numbers = {name for name, value in written["total"].items() if isinstance(value, int)}
    assert numbers >= set(COLUMNS)
    for name in numbers:
        assert written["total"][name] == sum(each[name] for each in written["platforms"].values())
        assert written["total"][name] == sum(each[name] for each in written["bloggers"])


def test_every_difference_is_counted_beyond_those_that_are_listed(
    fleet: Fleet, pipeline: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_with_legacy_module, "MAX_LISTED", 2)
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1, 2, 3)
    for number in range(1, 8):
        fleet.old_video(tracked, number, url="https://example.org/other")
    comparison = compare(pipeline)
    assert (comparison.total.videos_only_old, comparison.total.addresses_differ) == (4, 3)
    assert sorted(each.kind.value for each in comparison.differences) == ["address", "address", "only_old", "only_old"]


def test_missing_views_are_named_with_the_command_that_prints_their_template(pipeline: Connection) -> None:
    with pytest.raises(DatabaseStateError, match=r"(?s)legacy_bloggers.*legacy_statistics.*make legacy-views"):
        compare(pipeline)


@pytest.mark.usefixtures("old")
def test_views_that_the_pipeline_may_not_read_are_named_with_the_grant(admin: Connection, pipeline: Connection) -> None:
    admin.execute("revoke select on legacy_videos from blogger_pipeline")
    with pytest.raises(
        DatabaseStateError, match=r"grant select on blogger_tracking\.legacy_videos to blogger_pipeline"
    ):
        compare(pipeline)


@pytest.mark.usefixtures("old")
def test_a_table_behind_a_view_that_the_pipeline_may_not_read_is_named(admin: Connection, pipeline: Connection) -> None:
    admin.execute("alter view legacy_videos set (security_invoker = true)")
    with pytest.raises(DatabaseStateError, match="security_invoker"):
        compare(pipeline)


@pytest.mark.parametrize(
    "published", ["2026-02-30T00:00:00Z", "2026-01-01T25:00", "0001-01-01", "infinity", "01.02.2026", "now", "x"]
)
def test_a_text_that_is_no_date_is_counted_and_its_video_compared_without_a_date(
    fleet: Fleet, pipeline: Connection, published: str
) -> None:
    fleet.old_video(fleet.blogger(), 1, published=published)
    comparison = compare(pipeline)
    assert found(comparison) == {("only_old", "video-1", "never_planned")}
    assert comparison.left_out.unreadable_dates == 1


@pytest.mark.usefixtures("old")
def test_a_session_that_may_only_read_can_compare(pipeline: Connection) -> None:
    pipeline.execute("set default_transaction_read_only = on")
    assert compare(pipeline).total.differences == 0


def test_a_lost_connection_is_not_blamed_on_the_views(fleet: Fleet, pipeline: Connection) -> None:
    del fleet

    def lose_connection() -> None:
        with comparing(pipeline):
            cut(pipeline)
            count_left_out(pipeline)

    with pytest.raises(DatabaseStateError) as stopped:
        lose_connection()
    assert str(stopped.value) == "The connection to the database was lost. Nothing was compared. Run the command again."


def test_a_window_without_time_is_refused() -> None:
    with pytest.raises(WindowError, match="contains no time"):
        Window(NOW, NOW)


def test_every_reason_of_the_ledger_has_a_sentence() -> None:
    assert {*SkipReason, "partial", "empty", "private", "not_found", "failed", "released"} <= set(REASON_SENTENCES)

"""Comparing odd but plausible data: it counts as the import takes it, the figures add up, and errors are sentences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from psycopg import Connection

from blogger_tracking.domain.comparison import Window
from blogger_tracking.domain.errors import DatabaseStateError
from blogger_tracking.domain.models import Platform
from tests.support.compared_fleet import HOUR, NOW, Fleet, compare, found
from tests.support.ledger_steps import claim, plan, succeed


@pytest.mark.parametrize("spelling", ["you tube", "You-Tube", "YOUTUBE\n"])
def test_a_platform_is_known_by_every_spelling_that_an_import_takes(
    fleet: Fleet, pipeline: Connection, spelling: str
) -> None:
    tracked = fleet.build.track(fleet.build.organization(), platform="YouTube")
    fleet.old.blogger(tracked.blogger_id, platform=spelling)
    plan(fleet.pool)
    succeed(fleet.pool, claim(fleet.pool, fleet.fetch_of(tracked)), 1)
    fleet.old.video(tracked.blogger_id, "\tvideo-1 ", [(NOW, None)], platform=spelling)
    comparison = compare(pipeline)
    assert found(comparison) == set()
    assert (comparison.total.videos_of_both, comparison.total.bloggers_of_both) == (1, 1)
    left_out = comparison.left_out
    assert (left_out.bloggers_of_unknown_platforms, left_out.videos_of_unknown_platforms) == (0, 0)


def test_counts_beyond_a_bigint_are_unknown(fleet: Fleet, admin: Connection, pipeline: Connection) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1)
    fleet.old_video(tracked, 1, [(NOW - HOUR / 2, 7)])
    admin.execute(
        "drop view legacy_statistics; create view blogger_tracking.legacy_statistics as select clip_id as video_id, "
        "taken_at as captured_at, 1e30 as views, 'NaN'::numeric as likes, -1 as comments, reposts from old.counts; "
        "grant select on blogger_tracking.legacy_statistics to blogger_pipeline"
    )
    assert found(compare(pipeline)) == set()


def test_a_video_of_another_platform_than_its_blogger_has_no_blogger_and_the_bloggers_are_counted_once(
    fleet: Fleet, pipeline: Connection
) -> None:
    tracked = fleet.blogger()
    fleet.old_video(tracked, 1)
    fleet.old.video(tracked.blogger_id, "video-2", [(NOW, 1)], platform="YouTube")
    comparison = compare(pipeline)
    assert found(comparison) == {("only_old", "video-1", "never_planned"), ("only_old", "video-2", "not_tracked")}
    assert comparison.total.bloggers_of_both == 1
    assert (comparison.platforms["TikTok"].videos_only_old, comparison.platforms["YouTube"].videos_only_old) == (1, 1)


def test_a_video_of_different_bloggers_in_the_two_systems_is_one_of_both_and_counted_once(
    fleet: Fleet, pipeline: Connection
) -> None:
    mine, theirs = fleet.blogger(), fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(mine, 1)
    fleet.old_video(theirs, 1, [(NOW - HOUR / 2, 5000)])
    comparison = compare(pipeline)
    assert found(comparison) == {("count", "video-1", "views")}
    assert {each.blogger_id: each.figures.videos_of_both for each in comparison.bloggers} == {
        mine.blogger_id: 1,
        theirs.blogger_id: 0,
    }
    assert comparison.total.videos_of_both == 1


def test_rows_of_nulls_are_no_difference(fleet: Fleet, admin: Connection, pipeline: Connection) -> None:
    admin.execute("alter table old.creators drop constraint creators_pkey")
    admin.execute("alter table old.creators alter column id drop not null")
    for table in ("creators", "counts"):
        admin.execute(f"insert into old.{table} default values".encode())
    for table in ("follows", "clips"):
        admin.execute(f"insert into old.{table} (id) values (%s)".encode(), (uuid4(),))  # noqa: S608 - names of the test
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1)
    fleet.old_video(tracked, 1)
    comparison = compare(pipeline)
    assert found(comparison) == set()
    assert (comparison.left_out.bloggers_of_unknown_platforms, comparison.left_out.videos_without_id) == (1, 1)


def test_a_window_before_all_data_is_empty(fleet: Fleet, pipeline: Connection) -> None:
    tracked = fleet.blogger()
    plan(fleet.pool)
    fleet.succeed(tracked, 1)
    fleet.old_video(tracked, 2)
    early = datetime(2001, 1, 1, tzinfo=UTC)
    comparison = compare(pipeline, Window(early, early + timedelta(days=1)))
    assert found(comparison) == set()
    assert comparison.total.videos_of_both == 0


def test_the_format_of_dates_of_a_session_changes_nothing(
    fleet: Fleet, admin: Connection, pipeline: Connection
) -> None:
    tracked = fleet.blogger(platform=Platform.TIKTOK)
    plan(fleet.pool)
    settled = claim(fleet.pool, fleet.fetch_of(tracked))
    succeed(fleet.pool, settled, 1)
    fleet.old_video(tracked, 1)
    admin.execute(
        "drop view legacy_videos; create view blogger_tracking.legacy_videos as select id, network as platform, "
        "external_id as external_video_id, creator_id as blogger_id, link as url, published::timestamptz as "
        "published_at from old.clips; grant select on blogger_tracking.legacy_videos to blogger_pipeline"
    )
    pipeline.execute("set datestyle = 'German'")
    comparison = compare(pipeline)
    assert found(comparison) == set()
    assert comparison.left_out.unreadable_dates == 0


@pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("1 / (length(link) - length(link))", "division by zero"),
        ("(select taken_at from old.counts)", "more than one row returned by a subquery"),
        ("old.broken()", "the old application raises"),
    ],
)
def test_an_error_inside_a_view_is_a_sentence_with_its_cause(
    fleet: Fleet, admin: Connection, pipeline: Connection, expression: str, cause: str
) -> None:
    fleet.old_video(fleet.blogger(), 1, [(NOW, 1), (NOW, 2)])
    admin.execute(
        "create function old.broken() returns text language plpgsql as "
        "$$ begin raise exception 'the old application raises'; end $$"
    )
    admin.execute(
        "drop view legacy_videos; create view blogger_tracking.legacy_videos as select id, network as platform, "  # noqa: S608 - expressions of the test
        f"external_id as external_video_id, creator_id as blogger_id, link as url, {expression} as published_at "
        "from old.clips; grant select on blogger_tracking.legacy_videos to blogger_pipeline; "
        "grant usage on schema old to blogger_pipeline".encode()
    )
    with pytest.raises(DatabaseStateError, match=f"Nothing was compared.*{cause}"):
        compare(pipeline)


def test_a_column_that_is_missing_or_has_another_type_is_named(
    fleet: Fleet, admin: Connection, pipeline: Connection
) -> None:
    fleet.blogger()
    admin.execute(
        "drop view legacy_tracked_accounts; create view blogger_tracking.legacy_tracked_accounts as "
        "select id, creator_id::text as blogger_id, is_active from old.follows"
    )
    with pytest.raises(DatabaseStateError) as refused:
        compare(pipeline)
    assert str(refused.value).splitlines()[:2] == [
        "legacy_tracked_accounts.blogger_id is a text, but should be a uuid: cast the column in the view.",
        "The view legacy_tracked_accounts has no column last_scraped_at.",
    ]

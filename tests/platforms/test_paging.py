"""Paging loop: the rules of docs/platforms.md ("Paging"), on hand-written and random pages, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.models import CommonVideo, Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms.json_values import Json, MalformedResponseError
from blogger_tracking.platforms.listing import Entry, EntrySkipReason, Page, read_entries
from blogger_tracking.platforms.paging import ReadPage, collect, pages_needed

TODAY = datetime(2026, 3, 10, tzinfo=UTC)


def video(number: int) -> CommonVideo:
    """Create a video; the higher the number, the newer the video."""
    return CommonVideo(
        external_video_id=str(number),
        platform=Platform.TIKTOK,
        video_url=f"https://videos.invalid/{number}",
        title="",
        thumbnail_url=None,
        published_at=TODAY + timedelta(days=number),
    )


def entries(*numbers: int, pinned: bool = False) -> list[Entry]:
    return [Entry(str(number), video(number), pinned=pinned) for number in numbers]


def page(*numbers: int, then: str | None = None) -> Page:
    return Page(entries(*numbers), next_cursor=then, has_more=then is not None)


def platform_error(kind: ErrorKind = ErrorKind.UNAVAILABLE) -> PlatformError:
    return PlatformError(kind, Platform.TIKTOK, "scripted")


def listing(pages: dict[str | None, Page | PlatformError]) -> tuple[ReadPage, list[str | None]]:
    """Return a reader of these pages by cursor, and the list of the cursors that it is called with."""
    requested: list[str | None] = []

    def read(cursor: str | None, _number: int) -> Page:
        requested.append(cursor)
        found = pages[cursor]
        if isinstance(found, PlatformError):
            raise found
        return found

    return read, requested


def ids(batch: list[CommonVideo]) -> list[int]:
    return [int(found.external_video_id) for found in batch]


def test_a_repeated_cursor_ends_the_list() -> None:
    read, requested = listing({None: page(9, then="a"), "a": page(8, then="b"), "b": page(7, then="a")})
    batch = collect(read, 10, 10)
    assert ids(batch) == [9, 8, 7]
    assert requested == [None, "a", "b"]
    assert batch.interrupted_by is None


def test_a_page_without_a_new_id_ends_the_list() -> None:
    def read(_cursor: str | None, number: int) -> Page:
        return page(9, 8, then=f"cursor {number}")

    batch = collect(read, 10, 10)
    assert ids(batch) == [9, 8]
    assert batch.pages == 2


def test_at_most_max_pages_pages_are_read() -> None:
    def read(_cursor: str | None, number: int) -> Page:
        return page(1000 - number, then=f"cursor {number}")

    assert collect(read, 100, 7).pages == 7


def test_an_item_on_two_pages_counts_once_toward_the_target() -> None:
    read, _ = listing({None: page(9, 8, then="a"), "a": page(8, 7, then="b"), "b": page(6, then="c")})
    assert ids(collect(read, 4, 10)) == [9, 8, 7, 6]


def test_pinned_items_neither_end_the_list_nor_displace_newer_ones() -> None:
    first = Page([*entries(1, 2, pinned=True), *entries(90, 80)], next_cursor="a", has_more=True)
    read, _ = listing({None: first, "a": page(70, 60, then="b")})
    assert ids(collect(read, 3, 10)) == [90, 80, 70]


def test_a_new_pinned_item_is_sorted_by_its_date() -> None:
    first = Page([*entries(85, pinned=True), *entries(90, 80)])
    read, _ = listing({None: first})
    assert ids(collect(read, 2, 10)) == [90, 85]


@pytest.mark.parametrize("cursor", [None, ""])
def test_has_more_without_a_cursor_ends_the_list(cursor: str | None) -> None:
    read, requested = listing({None: Page(entries(9), next_cursor=cursor, has_more=True)})
    assert ids(collect(read, 10, 10)) == [9]
    assert requested == [None]


def test_a_cursor_without_has_more_ends_the_list() -> None:
    read, requested = listing({None: Page(entries(9), next_cursor="a", has_more=False)})
    assert ids(collect(read, 10, 10)) == [9]
    assert requested == [None]


def test_a_short_page_does_not_end_the_list() -> None:
    read, _ = listing({None: page(9, 8, 7, then="a"), "a": page(6, then="b"), "b": page(5, 4)})
    assert ids(collect(read, 10, 10)) == [9, 8, 7, 6, 5, 4]


def test_a_list_without_entries_is_an_empty_batch_without_an_error() -> None:
    read, _ = listing({None: page()})
    batch = collect(read, 10, 10)
    assert (list(batch), batch.pages, batch.interrupted_by) == ([], 1, None)


def test_skipped_entries_are_counted_by_reason_and_do_not_end_the_list() -> None:
    photos = [Entry(f"photo {number}", skipped=EntrySkipReason.PHOTO) for number in range(3)]
    card = Entry(None, skipped=EntrySkipReason.NOT_A_VIDEO)
    read, _ = listing({None: Page([*photos, card], "a", has_more=True), "a": Page([photos[0], *entries(9)])})
    batch = collect(read, 1, 10)
    assert ids(batch) == [9]
    assert batch.skipped == {"photo": 3, "not_a_video": 1}


def test_an_error_after_the_first_page_keeps_the_videos_and_the_error() -> None:
    error = platform_error()
    read, _ = listing({None: page(9, 8, then="a"), "a": error})
    batch = collect(read, 10, 10)
    assert ids(batch) == [9, 8]
    assert batch.interrupted_by is error
    assert batch.pages == 1


def test_an_error_on_the_first_page_is_raised() -> None:
    read, _ = listing({None: platform_error(ErrorKind.PRIVATE)})
    with pytest.raises(PlatformError) as raised:
        collect(read, 10, 10)
    assert raised.value.kind is ErrorKind.PRIVATE


def test_an_invalid_item_is_skipped_and_the_other_items_are_kept() -> None:
    def read(item: Json) -> Entry:
        return Entry(str(item), CommonVideo.model_validate(video(1).model_dump() | {"published_at": item}))

    assert [entry.skipped for entry in read_entries([1, "soon", 3], read)] == [None, EntrySkipReason.MALFORMED, None]


def test_a_page_of_malformed_entries_alone_is_malformed() -> None:
    with pytest.raises(MalformedResponseError, match="all 2 entries"):
        read_entries([1, 2], lambda _: Entry(None, skipped=EntrySkipReason.MALFORMED))


def list_with_stale_cursor(times: int) -> ReadPage:
    """Return a list of two pages whose cursor is stale this many times."""
    left = times

    def read(cursor: str | None, _number: int) -> Page:
        nonlocal left
        if cursor is None:
            return page(9, 8, then="a")
        left -= 1
        if left >= 0:
            raise platform_error(ErrorKind.STALE_CURSOR)
        return page(7)

    return read


def test_a_stale_cursor_restarts_the_list_once() -> None:
    batch = collect(list_with_stale_cursor(times=1), 10, 10)
    assert ids(batch) == [9, 8, 7]
    assert batch.interrupted_by is None


def test_a_second_stale_cursor_interrupts_the_list() -> None:
    batch = collect(list_with_stale_cursor(times=2), 10, 10)
    assert ids(batch) == [9, 8]
    assert batch.interrupted_by is not None


def test_a_stale_cursor_on_the_first_page_is_raised() -> None:
    read, requested = listing({None: platform_error(ErrorKind.STALE_CURSOR)})
    with pytest.raises(PlatformError):
        collect(read, 10, 10)
    assert requested == [None]


def test_videos_of_another_list_count_toward_the_target_and_are_left_out() -> None:
    read, requested = listing({None: Page([Entry("reel"), *entries(9)], "a", has_more=True)})
    assert ids(collect(read, 2, 10)) == [9]
    assert requested == [None]


def test_videos_without_a_date_come_last() -> None:
    undated = video(50).model_copy(update={"published_at": None, "external_video_id": "0"})
    read, _ = listing({None: Page([Entry("0", undated), *entries(1, 2)])})
    assert ids(collect(read, 3, 1)) == [2, 1, 0]


@pytest.mark.parametrize(("target_count", "pages"), [(1, 1), (30, 1), (31, 2), (500, 17)])
def test_pages_needed_are_full_pages_rounded_up(target_count: int, pages: int) -> None:
    assert pages_needed(target_count, 30) == pages


@pytest.mark.parametrize(
    "request_pages",
    [
        lambda: pages_needed(0, 30),
        lambda: collect(list_with_stale_cursor(0), 0, 1),
        lambda: collect(list_with_stale_cursor(0), 1, 0),
    ],
)
def test_a_target_or_page_limit_below_one_is_refused_without_a_request(request_pages: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        request_pages()


CURSORS = st.sampled_from([None, "", "a", "b", "c", "d"])
ENTRIES = st.one_of(
    st.builds(lambda number, pinned: entries(number, pinned=pinned)[0], st.integers(0, 40), st.booleans()),
    st.sampled_from([Entry(None, skipped=EntrySkipReason.MALFORMED), Entry("photo", skipped=EntrySkipReason.PHOTO)]),
)
PAGES = st.builds(Page, st.lists(ENTRIES, max_size=6), CURSORS, st.booleans())
RESPONSES = st.one_of(PAGES, PAGES, PAGES, st.sampled_from(list(ErrorKind)).map(platform_error))


@given(
    responses=st.lists(RESPONSES, min_size=1, max_size=8), target_count=st.integers(1, 12), max_pages=st.integers(1, 9)
)
def test_any_sequence_of_pages_gives_a_bounded_unique_batch_newest_first(
    responses: list[Page | PlatformError], target_count: int, max_pages: int
) -> None:
    calls = 0

    def read(_cursor: str | None, _number: int) -> Page:
        nonlocal calls
        response = responses[calls % len(responses)]
        calls += 1
        if isinstance(response, PlatformError):
            raise response
        return response

    try:
        batch = collect(read, target_count, max_pages)
    except PlatformError:
        assert calls == 1
        return
    restart = 1
    assert calls <= max_pages + restart
    assert 1 <= batch.pages <= max_pages
    assert len(batch) <= target_count
    assert len(set(ids(batch))) == len(batch)
    assert ids(batch) == sorted(ids(batch), reverse=True)


@given(
    newest=st.integers(1, 60),
    pinned=st.sets(st.integers(1, 60), max_size=3),
    page_size=st.integers(4, 12),
    target_count=st.integers(1, 30),
)
def test_a_well_formed_list_with_pinned_items_gives_exactly_its_newest_videos(
    newest: int, pinned: set[int], page_size: int, target_count: int
) -> None:
    pinned = {number for number in pinned if number <= newest}
    rest = [number for number in range(newest, 0, -1) if number not in pinned]
    ordered = [*entries(*pinned, pinned=True), *entries(*rest)]
    pages = [ordered[start : start + page_size] for start in range(0, len(ordered), page_size)]

    def read(cursor: str | None, _number: int) -> Page:
        index = int(cursor or 0)
        return Page(pages[index], str(index + 1), has_more=index + 1 < len(pages))

    batch = collect(read, target_count, pages_needed(target_count, page_size) + 3)
    assert ids(batch) == list(range(newest, max(0, newest - target_count), -1))

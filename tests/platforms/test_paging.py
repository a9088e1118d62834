"""Paging loop: the rules of docs/platforms.md ("Paging"), on hand-written and random pages, without HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blogger_tracking.domain.models import CommonVideo, Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms.json_values import Json, MalformedResponseError
from blogger_tracking.platforms.listing import Entry, EntrySkipReason, Page, VideoBatch, read_entries
from blogger_tracking.platforms.paging import MAX_EMPTY_PAGES, ReadPage, pages_needed
from blogger_tracking.platforms.paging import collect as collect_of

TODAY = datetime(2026, 3, 10, tzinfo=UTC)


collect = partial(collect_of, Platform.TIKTOK)


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


def kind(batch: VideoBatch) -> ErrorKind | None:
    return batch.interrupted_by.kind if batch.interrupted_by else None


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

    batch = collect(read, 100, 7)
    assert (batch.pages, kind(batch)) == (7, ErrorKind.INCOMPLETE_LIST)


def test_an_item_on_two_pages_counts_once_toward_the_target() -> None:
    read, _ = listing({None: page(9, 8, then="a"), "a": page(8, 7, then="b"), "b": page(6, then="c")})
    assert ids(collect(read, 4, 10)) == [9, 8, 7, 6]


@pytest.mark.parametrize("marked", [True, False])
def test_old_entries_at_the_head_take_no_place_of_newer_ones_whether_marked_as_pinned_or_not(*, marked: bool) -> None:
    first = Page([*entries(1, 2, pinned=marked), *entries(90, 80)], next_cursor="a", has_more=True)
    read, _ = listing({None: first, "a": page(70, 60, then="b")})
    assert ids(collect(read, 3, 10)) == [90, 80, 70]


def test_a_pinned_entry_that_is_newer_than_the_last_entry_saves_a_page() -> None:
    first = Page([*entries(95, pinned=True), *entries(90, 80)], next_cursor="a", has_more=True)
    read, requested = listing({None: first})
    assert ids(collect(read, 3, 10)) == [95, 90, 80]
    assert requested == [None]


def test_a_page_of_pinned_entries_alone_does_not_end_the_list() -> None:
    first = Page(entries(3, 2, 1, pinned=True), next_cursor="a", has_more=True)
    read, _ = listing({None: first, "a": page(9, 8, 7)})
    assert ids(collect(read, 3, 10)) == [9, 8, 7]


def test_a_new_pinned_item_is_sorted_by_its_date() -> None:
    first = Page([*entries(85, pinned=True), *entries(90, 80)])
    read, _ = listing({None: first})
    assert ids(collect(read, 2, 10)) == [90, 85]


@pytest.mark.parametrize("cursor", [None, ""])
def test_has_more_without_a_cursor_leaves_an_incomplete_list(cursor: str | None) -> None:
    read, requested = listing({None: Page(entries(9), next_cursor=cursor, has_more=True)})
    batch = collect(read, 10, 10)
    assert (ids(batch), kind(batch)) == ([9], ErrorKind.INCOMPLETE_LIST)
    assert requested == [None]


@pytest.mark.parametrize("target_count", [1, 10])
def test_a_cursor_back_to_the_start_ends_the_list(target_count: int) -> None:
    read, requested = listing({None: Page(entries(9), next_cursor="0", has_more=True)})
    batch = collect(read, target_count, 10, first_cursor="0")
    assert (ids(batch), batch.interrupted_by) == ([9], None)
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


def empty_page(then: str | None) -> Page:
    return Page((), next_cursor=then, has_more=True)


def test_empty_pages_that_promise_more_are_followed() -> None:
    read, requested = listing({
        None: empty_page("a"),
        "a": page(9, 8, then="b"),
        "b": empty_page("c"),
        "c": empty_page("d"),
        "d": empty_page("e"),
        "e": page(7),
    })
    batch = collect(read, 10, 10)
    assert (ids(batch), kind(batch)) == ([9, 8, 7], None)
    assert requested == [None, "a", "b", "c", "d", "e"]


def test_empty_pages_without_end_leave_an_incomplete_list() -> None:
    def read(_cursor: str | None, number: int) -> Page:
        return page(9, then="1") if number == 1 else empty_page(str(number))

    batch = collect(read, 10, 50)
    assert (ids(batch), kind(batch)) == ([9], ErrorKind.INCOMPLETE_LIST)
    assert batch.pages == 1 + MAX_EMPTY_PAGES + 1


@pytest.mark.parametrize("then", ["a", None])
def test_a_promise_of_more_that_is_not_kept_proves_no_empty_list(then: str | None) -> None:
    read, _ = listing({None: empty_page(then), "a": empty_page("a")})
    batch = collect(read, 10, 10)
    assert (list(batch), kind(batch)) == ([], ErrorKind.INCOMPLETE_LIST)


@pytest.mark.parametrize(
    ("reason", "proven"),
    [
        (EntrySkipReason.PHOTO, True),
        (EntrySkipReason.PLACEHOLDER, True),
        (EntrySkipReason.NOT_A_VIDEO, True),
        (EntrySkipReason.FOREIGN, False),
        (EntrySkipReason.MALFORMED, False),
        (EntrySkipReason.NO_ADDRESS, False),
    ],
)
def test_a_list_without_videos_is_empty_only_if_every_entry_is_known_to_be_no_video(
    reason: EntrySkipReason, *, proven: bool
) -> None:
    read, _ = listing({None: Page([Entry("1", skipped=EntrySkipReason.PHOTO), Entry("2", skipped=reason)])})
    batch = collect(read, 10, 10)
    assert (list(batch), kind(batch)) == ([], None if proven else ErrorKind.INCOMPLETE_LIST)


def test_entries_before_the_given_date_end_the_list() -> None:
    photo = Entry("photo", skipped=EntrySkipReason.PHOTO, published_at=TODAY + timedelta(days=4))
    read, requested = listing({None: page(9, 8, then="a"), "a": Page([*entries(7), photo], "b", has_more=True)})
    batch = collect(read, 10, 10, not_before=TODAY + timedelta(days=5))
    assert (ids(batch), kind(batch)) == ([9, 8, 7], None)
    assert requested == [None, "a"]


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


class InventedList(NamedTuple):
    """Pages of an invented list of videos with the irregularities that platforms show."""

    pages: list[Page]
    videos: list[int]
    promises_more: bool

    @property
    def ends_without_a_cursor(self) -> bool:
        return self.promises_more and self.pages[-1].next_cursor is None


@st.composite
def invented_lists(draw: st.DrawFn) -> InventedList:
    """Draw a list: newest first with pinned entries at its head, repeated entries, empty pages, and a lying end."""
    newest = draw(st.integers(0, 60))
    page_size = draw(st.integers(4, 12))
    pinned = draw(st.lists(st.integers(1, max(1, newest)), max_size=3, unique=True)) if newest else []
    marked = draw(st.booleans())
    rest = [number for number in range(newest, 0, -1) if number not in pinned]
    ordered = [*entries(*pinned, pinned=marked), *entries(*rest)]
    chunks = [ordered[start : start + page_size] for start in range(0, len(ordered), page_size)] or [[]]
    contents: list[list[Entry]] = []
    for position, chunk in enumerate(chunks):
        contents += [[]] * draw(st.integers(0, MAX_EMPTY_PAGES))
        repeated = draw(st.lists(st.sampled_from(chunks[position - 1]), max_size=2)) if position else []
        contents.append([*repeated, *chunk])
    promises_more = draw(st.booleans())
    pages = [Page(content, str(number), has_more=True) for number, content in enumerate(contents, 1)]
    # A list that lies promises a next page at its end, and gives its last cursor again.
    last = str(len(pages) - 1) if promises_more and len(pages) > 1 else None
    pages[-1] = Page(pages[-1].entries, last, has_more=promises_more)
    return InventedList(pages, sorted({*pinned, *rest}, reverse=True), promises_more)


@settings(max_examples=400)
@given(invented=invented_lists(), target_count=st.integers(1, 70))
def test_an_invented_list_loses_nothing_invents_nothing_and_is_empty_only_with_proof(
    invented: InventedList, target_count: int
) -> None:
    requested = 0

    def read(cursor: str | None, _number: int) -> Page:
        nonlocal requested
        requested += 1
        return invented.pages[int(cursor or 0)]

    batch = collect(read, target_count, len(invented.pages))
    assert ids(batch) == invented.videos[:target_count]
    assert requested <= len(invented.pages)
    if not batch:
        assert kind(batch) == (ErrorKind.INCOMPLETE_LIST if invented.promises_more else None)
    elif not invented.ends_without_a_cursor:
        assert batch.interrupted_by is None
    elif target_count > len(invented.videos):
        assert kind(batch) is ErrorKind.INCOMPLETE_LIST

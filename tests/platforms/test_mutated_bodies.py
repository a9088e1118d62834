"""Every key of every fixture removed, set to null, retyped and renamed, one at a time, through the clients.

Whatever a platform does to one key: no client crashes, no entry beside the key's is lost unnoticed, no wrong count is
read, and no account is concluded to be empty, missing or private.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from blogger_tracking.domain.models import BloggerProfile, CommonVideo, Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformService
from blogger_tracking.platforms.json_values import Json, as_count, get_path
from blogger_tracking.platforms.listing import EntrySkipReason, VideoBatch
from blogger_tracking.platforms.youtube import YouTubeService
from tests.support.platform_accounts import ACCOUNTS
from tests.support.scripted_server import Scripted, ScriptedServer

TIKTOK, INSTAGRAM, YOUTUBE = Platform.TIKTOK, Platform.INSTAGRAM, Platform.YOUTUBE
Path = tuple[str | int, ...]
Body = Callable[[Platform, str], Json]

TARGET = 30
ENTRIES_NOT_FOUND = Scripted({"detail": "Entries not found", "exc_type": "NotFoundError"}, status=404)

ABOUT_THE_ANSWER = {ErrorKind.MALFORMED_RESPONSE, ErrorKind.INCOMPLETE_LIST, ErrorKind.BLOCKED}
"""Kinds of errors that a mutated body may raise: later attempts may succeed, and nothing is concluded."""

COUNT_KEYS = {
    "views": {"playCount", "play_count", "ig_play_count", "view_count", "viewCount"},
    "likes": {"diggCount", "digg_count", "like_count", "likeCount"},
    "comments": {"commentCount", "comment_count"},
    "reposts": {"shareCount", "share_count", "media_repost_count", "reshare_count"},
    "subscribers": {"followerCount", "follower_count", "subscriberCount"},
    "video_count": {"videoCount", "media_count"},
}
"""The keys that a count is documented to come from: a key that cannot be read is made up for by another one."""

ID_KEYS = {"id", "pk", "pk_id", "aweme_id", "videoId", "uid"}


@dataclass(frozen=True)
class Mutation:
    """A body with one key changed. `path` leads to the key; `change` names the change, for messages."""

    path: Path
    change: str
    body: Json

    def __str__(self) -> str:
        return f"{'/'.join(map(str, self.path))} {self.change}"


def paths_in(value: Json, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every value inside a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from paths_in(child, (*path, key))


def other_values(value: Json) -> Iterator[tuple[str, Json]]:
    """Yield null and the value as every other type of JSON.

    Digits become the same number and the other way around, as platforms do.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None:
        yield "null", None
    if not isinstance(value, str):
        yield "as text", str(value) if is_number else "mutated"
    if not is_number:
        yield "as number", int(value) if isinstance(value, str) and value.removeprefix("-").isdigit() else 77
    if not isinstance(value, bool):
        yield "as bool", True
    if not isinstance(value, list):
        yield "as list", [value]
    if not isinstance(value, dict):
        yield "as object", {"mutated": value}


def mutations(body: Json) -> Iterator[Mutation]:
    """Yield the body with each of its keys changed in each way; the elements of lists only get other values.

    The body itself is changed, and restored before the next mutation: copies would take most of the time.
    """
    for path in list(paths_in(body)):
        *above, key = path
        parent = get_path(body, *above)
        original = parent[key]
        for change, value in other_values(original):
            parent[key] = value
            yield Mutation(path, change, body)
        parent[key] = original
        if isinstance(key, str):
            del parent[key]
            yield Mutation(path, "removed", body)
            parent[f"{key}_renamed"] = original
            yield Mutation(path, "renamed", body)
            del parent[f"{key}_renamed"]
            parent[key] = original


def counts_in(value: Json, counter: str) -> set[int | None]:
    """Return the counts under the keys of a counter, anywhere in a value."""
    return {as_count(get_path(value, *path)) for path in paths_in(value) if path and path[-1] in COUNT_KEYS[counter]}


def assert_no_wrong_count(found: object, original: object, raw: Json, counters: Iterable[str], where: str) -> None:
    """Assert that each count is the original one, unknown, or from another documented key; unknown ones stay so."""
    for counter in counters:
        value, right = getattr(found, counter), getattr(original, counter)
        is_right = value in {right, None} or (right is not None and value in counts_in(raw, counter))
        assert is_right, f"{where}: {counter} is {value}, not {right}"


@dataclass(frozen=True)
class Listing:
    """A fixture of a list of videos. `items` is the path of the list in the body."""

    platform: Platform
    fixture: str
    items: Path
    of_posts: bool = False

    def read(self, service: PlatformService, server: ScriptedServer, *bodies: Json) -> VideoBatch | PlatformError:
        """Return the batch of an account whose list has these pages, or the error."""
        before = [ENTRIES_NOT_FOUND] if self.of_posts else []
        server.play(*before, *bodies)
        server.asked.clear()
        try:
            return service.get_user_videos_batch(ACCOUNTS[self.platform], TARGET, max_pages=len(before) + len(bodies))
        except PlatformError as error:
            return error

    def without(self, body: Json, index: int) -> Json:
        """Return the body without one entry."""
        shorter = copy.deepcopy(body)
        del get_path(shorter, *self.items)[index]
        return shorter

    def last_page(self, body: Json, shown: CommonVideo) -> Json:
        """Return a last page of the same format whose only entry is a copy of a shown video under another id."""
        video_id = shown.external_video_id
        text = next(text for text in map(json.dumps, get_path(body, *self.items)) if video_id in text)
        copied = json.loads(text.replace(video_id, video_id[:-3] + "555"))
        page = copy.deepcopy(body)
        get_path(page, *self.items[:-1])[self.items[-1]] = [copied] if self.items else None
        for path in [path for path in paths_in(page) if path[: len(self.items)] != self.items]:
            if path[-1] in END_OF_A_LIST:
                get_path(page, *path[:-1])[path[-1]] = END_OF_A_LIST[path[-1]]
        if isinstance(page, list):
            page[1] = None
        return page


END_OF_A_LIST: dict[str | int, Json] = {
    "hasMore": False,
    "has_more": 0,
    "more_available": False,
    "next_page_id": None,
    "next_max_id": None,
    "max_id": "",
    "nextPageToken": None,
}

LISTINGS = [
    Listing(TIKTOK, "posts_web_wrapped", ("data", "itemList")),
    Listing(TIKTOK, "posts_web_bare", ("items",)),
    Listing(TIKTOK, "posts_app", ("aweme_list",)),
    Listing(INSTAGRAM, "clips_v2", ("response", "items")),
    Listing(INSTAGRAM, "clips_v1_chunk", (0,)),
    Listing(INSTAGRAM, "clips_private_api", ("items",)),
    Listing(INSTAGRAM, "medias_v2", ("response", "items"), of_posts=True),
    Listing(INSTAGRAM, "medias_v1_chunk", (0,), of_posts=True),
    Listing(INSTAGRAM, "medias_private_api", ("items",), of_posts=True),
    Listing(YOUTUBE, "uploads_page_1", ("items",)),
    Listing(YOUTUBE, "uploads_page_2", ("items",)),
]


COUNTERS_OF_A_VIDEO = ("views", "likes", "comments", "reposts")


def holds(entry: Json, video: CommonVideo) -> bool:
    return video.external_video_id in json.dumps(entry)


def batch_of(outcome: VideoBatch | PlatformError) -> VideoBatch:
    assert isinstance(outcome, VideoBatch), outcome
    return outcome


def problem_of(outcome: VideoBatch | PlatformError) -> ErrorKind | None:
    """Return the kind of the error that ended the reading, raised or kept in the batch."""
    error = outcome.interrupted_by if isinstance(outcome, VideoBatch) else outcome
    return error.kind if error else None


def assert_nothing_is_concluded(outcome: VideoBatch | PlatformError, where: str) -> None:
    problem = problem_of(outcome)
    assert problem is None or problem in ABOUT_THE_ANSWER, f"{where}: {problem}"
    assert problem or outcome, f"{where}: concluded to be empty"


@pytest.fixture
def connect_once(connect: Callable[..., PlatformService]) -> Callable[[Platform], PlatformService]:
    """Create a platform's service that sends each request once."""
    return partial(connect, request_retries=0)


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.fixture)
def test_a_mutated_entry_loses_no_other_entry_and_gives_no_wrong_count(
    listing: Listing,
    connect_once: Callable[[Platform], PlatformService],
    platform_server: ScriptedServer,
    body: Body,
) -> None:
    page = body(listing.platform, listing.fixture)
    read = partial(listing.read, connect_once(listing.platform), platform_server)
    whole = batch_of(read(page))
    entries = get_path(page, *listing.items)
    beside = [read(listing.without(page, index)) for index in range(len(entries))]
    depth = len(listing.items)
    raw = {video.external_video_id: entry for video in whole for entry in copy.deepcopy(entries) if holds(entry, video)}
    for mutation in mutations(page):
        if mutation.path[:depth] != listing.items or len(mutation.path) == depth:
            continue
        index = int(mutation.path[depth])
        where, others = f"{listing.fixture} {mutation}", beside[index]
        outcome = read(mutation.body)
        assert_nothing_is_concluded(outcome, where)
        if isinstance(others, VideoBatch) and others:
            assert problem_of(outcome) == problem_of(whole), where
            assert_others_are_kept(batch_of(outcome), others, whole, mutation, where)
        found = {video.external_video_id: video for video in outcome} if isinstance(outcome, VideoBatch) else {}
        for original in whole:
            if original.external_video_id in found and original.statistics:
                statistics = found[original.external_video_id].statistics
                original_entry = raw[original.external_video_id]
                assert_no_wrong_count(statistics, original.statistics, original_entry, COUNTERS_OF_A_VIDEO, where)


def assert_others_are_kept(
    batch: VideoBatch, others: VideoBatch, whole: VideoBatch, mutation: Mutation, where: str
) -> None:
    """Assert that the entries beside the mutated one are read as without it, and that it adds no invented video."""
    assert all(video in batch for video in others), f"{where}: lost an entry beside it"
    added = {video.external_video_id for video in batch} - {video.external_video_id for video in others}
    assert len(added) + sum(batch.skipped.values()) == 1 + sum(others.skipped.values()), f"{where}: uncounted"
    reasons = Counter(whole.skipped) - Counter(others.skipped)
    if EntrySkipReason.FOREIGN in reasons and mutation.path[-1] not in MARKS_OF_FOREIGN_ENTRIES:
        assert not added, f"{where}: an entry of another account"
    known = {video.external_video_id for video in whole}
    assert added <= known or reasons or mutation.path[-1] in ID_KEYS, f"{where}: invented {added - known}"


MARKS_OF_FOREIGN_ENTRIES = {"ad_id", "is_ad", "injected"}
"""Marks without which nothing tells another account's entry from a joint post on Instagram."""


NOT_NOTICED = {
    ("nextPageToken", "removed"),
    ("nextPageToken", "renamed"),
    ("nextPageToken", "null"),
    (1, "null"),
}
"""Mutations that make a page the same as a last page: YouTube's without a token, HikerAPI v1's with a null."""


@pytest.mark.parametrize("listing", LISTINGS, ids=lambda listing: listing.fixture)
def test_a_mutated_envelope_loses_no_page_unnoticed(
    listing: Listing,
    connect_once: Callable[[Platform], PlatformService],
    platform_server: ScriptedServer,
    body: Body,
) -> None:
    page = body(listing.platform, listing.fixture)
    read = partial(listing.read, connect_once(listing.platform), platform_server)
    last = listing.last_page(page, batch_of(read(page))[0])
    whole = batch_of(read(page, last))
    depth = len(listing.items)
    for mutation in mutations(page):
        if mutation.path[:depth] == listing.items and len(mutation.path) > depth:
            continue
        where = f"{listing.fixture} {mutation}"
        outcome = read(mutation.body, last)
        assert_nothing_is_concluded(outcome, where)
        if problem_of(outcome) is None and (mutation.path[-1], mutation.change) not in NOT_NOTICED:
            kept = {video.external_video_id: video for video in batch_of(outcome)}
            assert all(kept.get(video.external_video_id) == video for video in whole), f"{where}: lost a page unnoticed"


PROFILES = [
    (TIKTOK, "user_info"),
    (INSTAGRAM, "user_v1"),
    (INSTAGRAM, "user_v2"),
    (YOUTUBE, "channel"),
    (YOUTUBE, "channel_hidden_subscribers"),
]


@pytest.mark.parametrize(("platform", "fixture"), PROFILES)
def test_a_mutated_profile_is_the_account_or_an_error(
    platform: Platform,
    fixture: str,
    connect_once: Callable[[Platform], PlatformService],
    platform_server: ScriptedServer,
    body: Body,
) -> None:
    service, page = connect_once(platform), body(platform, fixture)

    def read(document: Json) -> BloggerProfile | PlatformError:
        platform_server.play(document)
        try:
            return service.get_user_info("@mira.invented")
        except PlatformError as error:
            return error

    original, raw = read(page), copy.deepcopy(page)
    assert isinstance(original, BloggerProfile)
    for mutation in mutations(page):
        found = read(mutation.body)
        if isinstance(found, PlatformError):
            assert found.kind is ErrorKind.MALFORMED_RESPONSE, f"{mutation}: {found}"
            continue
        assert found.external_id == original.external_id or mutation.path[-1] in ID_KEYS, mutation
        assert found.sec_id in {original.sec_id, None}, mutation
        assert found.is_private is original.is_private, mutation
        assert_no_wrong_count(found, original, raw, ("subscribers", "video_count"), str(mutation))


def test_an_unknown_channel_is_not_found_only_if_the_answer_says_so(
    connect_once: Callable[[Platform], PlatformService], platform_server: ScriptedServer, body: Body
) -> None:
    service = connect_once(YOUTUBE)
    kinds = set()
    for mutation in mutations(body(YOUTUBE, "channel_unknown")):
        platform_server.play(mutation.body)
        with pytest.raises(PlatformError) as raised:
            service.get_user_info("@mira.invented")
        kinds.add((mutation.path[-1], raised.value.kind))
    assert {kind for key, kind in kinds if key == "resultsPerPage"} == {ErrorKind.NOT_FOUND}
    assert {kind for key, kind in kinds if key == "pageInfo"} == {ErrorKind.MALFORMED_RESPONSE}


def test_mutated_statistics_lose_no_other_video_and_give_no_wrong_count(
    connect_once: Callable[[Platform], PlatformService], platform_server: ScriptedServer, body: Body
) -> None:
    service, page = connect_once(YOUTUBE), body(YOUTUBE, "videos")
    assert isinstance(service, YouTubeService)
    raw = {item["id"]: item for item in copy.deepcopy(page["items"])}
    platform_server.play(page)
    whole = service.get_videos(list(raw))
    assert len(whole) == len(raw)
    refused: list[tuple[Path, ErrorKind]] = []
    for mutation in mutations(page):
        platform_server.play(mutation.body)
        try:
            found = service.get_videos(list(raw))
        except PlatformError as error:
            refused.append((mutation.path, error.kind))
            continue
        is_item = mutation.path[0] == "items" and len(mutation.path) > 1
        hit = list(raw)[int(mutation.path[1])] if is_item else None
        assert {key: video for key, video in found.items() if key in raw and key != hit} == {
            key: video for key, video in whole.items() if key != hit
        }, mutation
        if hit is not None and hit in found:
            statistics, original = found[hit].statistics, whole[hit].statistics
            assert_no_wrong_count(statistics, original, raw[hit], ("views", "likes", "comments"), str(mutation))
    assert {kind for _, kind in refused} == {ErrorKind.MALFORMED_RESPONSE}
    assert {path for path, _ in refused} == {("items",)}

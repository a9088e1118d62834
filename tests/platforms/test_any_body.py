"""Any JSON from a platform gives a batch or a PlatformError; a malformed entry loses no other entry."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from operator import itemgetter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import PlatformError
from blogger_tracking.platforms import PlatformService
from blogger_tracking.platforms.json_values import Json
from tests.support.platform_accounts import ACCOUNTS
from tests.support.scripted_server import ScriptedServer

Body = Callable[[Platform, str], Json]

PAGES = {Platform.TIKTOK: "posts_web_wrapped", Platform.INSTAGRAM: "clips_v2", Platform.YOUTUBE: "uploads_page_1"}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "url", "pk"]), inner, max_size=2)
    ),
    max_leaves=4,
)
ONE_SERVER_FOR_ALL_EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def paths(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every value inside a JSON value."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from paths(child, (*path, key))


def with_change(body: Json, path: tuple[str | int, ...], value: Json) -> Json:
    changed = copy.deepcopy(body)
    parent = changed
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = value
    return changed


@pytest.mark.parametrize("platform", list(Platform))
@ONE_SERVER_FOR_ALL_EXAMPLES
@given(data=st.data())
def test_any_value_anywhere_in_a_page_gives_a_batch_or_a_platform_error(
    platform: Platform,
    data: st.DataObject,
    connect: Callable[..., PlatformService],
    platform_server: ScriptedServer,
    body: Body,
) -> None:
    page = body(platform, PAGES[platform])
    path = data.draw(st.sampled_from(list(paths(page))))
    platform_server.play(with_change(page, path, data.draw(ANY_JSON)))
    platform_server.asked.clear()
    service = connect(platform, request_retries=0)
    try:
        batch = service.get_user_videos_batch(ACCOUNTS[platform], 30, max_pages=1)
    except PlatformError:
        return
    assert len({video.external_video_id for video in batch}) == len(batch)


LISTS: dict[Platform, Callable[[Json], list[Json]]] = {
    Platform.TIKTOK: lambda page: page["data"]["itemList"],
    Platform.INSTAGRAM: lambda page: page["response"]["items"],
    Platform.YOUTUBE: itemgetter("items"),
}


@pytest.mark.parametrize("platform", list(Platform))
@ONE_SERVER_FOR_ALL_EXAMPLES
@given(malformed=ANY_JSON)
def test_a_malformed_entry_never_loses_the_page(
    platform: Platform,
    malformed: Json,
    connect: Callable[..., PlatformService],
    platform_server: ScriptedServer,
    body: Body,
) -> None:
    account, service = ACCOUNTS[platform], connect(platform, request_retries=0)
    page = body(platform, PAGES[platform])
    platform_server.play(page)
    expected = service.get_user_videos_batch(account, 30, max_pages=1)
    LISTS[platform](page).insert(1, malformed)
    platform_server.play(page)
    batch = service.get_user_videos_batch(account, 30, max_pages=1)
    known = {video.external_video_id for video in expected}
    assert known <= {video.external_video_id for video in batch}
    assert sum(batch.skipped.values()) + len(batch) == sum(expected.skipped.values()) + len(expected) + 1


def with_id(platform: Platform, entry: Json, video_id: str) -> Json:
    """Return a copy of an entry with another id, without the code that an Instagram URL is made of."""
    changed = copy.deepcopy(entry)
    if platform is Platform.YOUTUBE:
        changed["contentDetails"]["videoId"] = changed["snippet"]["resourceId"]["videoId"] = video_id
    elif platform is Platform.TIKTOK:
        changed["id"] = video_id
    else:
        media = changed.get("media", changed)
        media.pop("code", None)
        media["pk"] = media["id"] = video_id
    return changed


@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("digits", [501, 1_800, 4_301])
def test_an_entry_with_a_very_long_id_is_skipped_and_loses_no_other_entry(
    platform: Platform,
    digits: int,
    connect: Callable[..., PlatformService],
    platform_server: ScriptedServer,
    body: Body,
) -> None:
    page = body(platform, PAGES[platform])
    entries = LISTS[platform](page)
    service = connect(platform, request_retries=0)
    platform_server.play(page)
    expected = service.get_user_videos_batch(ACCOUNTS[platform], 30, max_pages=1)
    entries.insert(1, with_id(platform, entries[0], "9" * digits))
    platform_server.play(page)
    batch = service.get_user_videos_batch(ACCOUNTS[platform], 30, max_pages=1)
    assert [video.external_video_id for video in batch] == [video.external_video_id for video in expected]
    assert sum(batch.skipped.values()) == sum(expected.skipped.values()) + 1

from __future__ import annotations

from itertools import islice, pairwise

from devtools.platform_sandbox import Catalogue, CreatorKind, PlatformName, World
from devtools.platform_sandbox.cursor_pages import Pager, SandboxPage
from tests.support.sandbox_client import NOON

NOW = int(NOON.timestamp())
SIZE = 12


def pages_of_ordinary_creators(*, traps: bool) -> list[list[SandboxPage]]:
    world = World(creators_per_platform=100)
    creators = islice(world.creators(PlatformName.INSTAGRAM, CreatorKind.NORMAL), 20)
    return [all_pages(Pager(Catalogue(world, creator), NOW, SIZE, traps)) for creator in creators]


def all_pages(pager: Pager) -> list[SandboxPage]:
    pages = [pager.page(None)]
    while pages[-1].next:
        pages.append(pager.page(pages[-1].next))
    return pages


def test_some_pages_are_short_although_more_follow() -> None:
    lists = pages_of_ordinary_creators(traps=True)
    assert any(page.next and len(page.videos) < SIZE for pages in lists for page in pages)


def test_some_pages_repeat_the_last_video_of_the_preceding_page() -> None:
    lists = pages_of_ordinary_creators(traps=True)
    assert any(before.videos[-1] == after.videos[0] for pages in lists for before, after in pairwise(pages))


def test_without_traps_pages_are_full_and_no_video_is_repeated() -> None:
    for pages in pages_of_ordinary_creators(traps=False):
        numbers = [video.number for page in pages for video in page.videos]
        assert len(set(numbers)) == len(numbers)
        assert {len(page.videos) for page in pages if page.next} == {SIZE}

"""The creators whose lists chaos compares with the world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

from devtools.chaos.world_oracle import WorldOracle
from devtools.platform_sandbox import Catalogue, Creator, PlatformName, World
from devtools.platform_sandbox.instagram_media import MediaKind, media_kind

NOW = datetime(2026, 6, 15, 12, 0, 30, tzinfo=UTC)
WORLD = World()


def newest_is_a_joint_post(creator: Creator, moment: datetime) -> bool:
    second = int(moment.timestamp())
    newest = next(Catalogue(WORLD, creator).before(second + 1, second))
    return media_kind(newest) is MediaKind.COLLAB


def test_a_plain_creator_publishes_no_joint_post_while_a_try_lasts() -> None:
    creators = islice(WorldOracle(WORLD).plain_creators(PlatformName.INSTAGRAM, NOW), 400)
    published = [
        creator.username for creator in creators if newest_is_a_joint_post(creator, NOW + timedelta(minutes=25))
    ]

    assert published == []

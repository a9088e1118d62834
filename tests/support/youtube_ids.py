"""Ids of videos of the platform sandbox's YouTube."""

from __future__ import annotations

from itertools import islice

from devtools.platform_sandbox import Catalogue, CreatorKind, SandboxServer
from tests.support.sandbox_client import NOON

VIDEOS_LISTED = 200
"""Number of videos that each creator of the tests' sandbox lists."""


def newest_ids(
    sandbox: SandboxServer, count: int, creator: int = 0, kind: CreatorKind = CreatorKind.NORMAL
) -> list[str]:
    """Return the ids of a creator's newest videos at noon, newest first."""
    owner = next(islice(sandbox.world.creators("YouTube", kind), creator, None))
    newest = Catalogue(sandbox.world, owner, VIDEOS_LISTED).newest(int(NOON.timestamp()))
    return [sandbox.world.identifiers.youtube_video(owner.index, newest - step) for step in range(count)]

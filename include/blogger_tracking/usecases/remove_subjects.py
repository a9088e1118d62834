"""Use cases: remove a person, a blogger or an organization from the database, and thumbnails from object storage.

The connection is that of the owner of the schema, and in autocommit mode. Each removal may be repeated after a crash,
and continues; the pipeline may go on meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from psycopg import Connection
from psycopg.errors import ForeignKeyViolation

from blogger_tracking.database import removals
from blogger_tracking.database.ledger_removal import remove_fetches_of_blogger
from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.domain.models import Platform
from blogger_tracking.usecases.store_thumbnails import ThumbnailStore

FETCHES_PER_STEP = 1_000
"""Largest number of fetches that one transaction removes."""

VIDEOS_PER_STEP = 500
"""Largest number of videos that one transaction removes, with their statistics."""

_WAIT_SECONDS = 0.2
_MAX_WAITS = 300


class RemovalError(BloggerTrackingError):
    """A removal that cannot begin, or that has to be repeated."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A subject to remove, with the numbers of rows about it by table."""

    id: UUID
    name: str
    counts: Mapping[str, int]


def find_person(connection: Connection, user_id: UUID) -> Removal:
    """Return a person with the number of rows that name the person."""
    return Removal(user_id, f"the person {user_id}", removals.count_person(connection, user_id))


def find_organization(connection: Connection, organization_id: UUID) -> Removal:
    """Return an organization with the number of its rows."""
    counts = removals.count_organization(connection, organization_id)
    return Removal(organization_id, f"the organization {organization_id}", counts)


def find_blogger(connection: Connection, platform: Platform, name: str) -> Removal | None:
    """Return the blogger with this username, external id or id, or None.

    Raises RemovalError if several bloggers have the name.
    """
    found = removals.find_bloggers(connection, platform, name)
    if not found:
        return None
    if len(found) > 1:
        ids = "; ".join(f"@{each.username}: {each.external_id}" for each in found)
        raise RemovalError(
            f"Several bloggers have this name ({ids}). Nothing was removed. Give the id after the colon."
        )
    (blogger,) = found
    name = f"@{blogger.username} ({blogger.platform}, {blogger.external_id})"
    return Removal(blogger.id, name, removals.count_blogger(connection, blogger.id))


def remove_person(connection: Connection, person: Removal) -> dict[str, int]:
    """Remove a person from all tables of the schema, and return the numbers of changed rows by table.

    Accounts that the person added lose the person's id and stay. The host's auth.users keeps the person.
    """
    return removals.remove_person(connection, person.id)


def remove_organization(connection: Connection, organization: Removal) -> None:
    """Remove an organization with its members, subscriptions, usage, accounts, allocations and links."""
    removals.remove_organization(connection, organization.id)


def remove_blogger(connection: Connection, thumbnails: ThumbnailStore, blogger: Removal) -> None:
    """Remove everything about a blogger; what organizations were charged stays charged.

    Raises RemovalError if the blogger was added again meanwhile, and StorageError; a repetition continues.
    """
    removals.withdraw_blogger(connection, blogger.id)
    removals.remove_messages_of_blogger(connection, blogger.id)
    _remove_fetches(connection, blogger.id)
    _remove_videos(connection, thumbnails, blogger.id)
    try:
        removals.remove_profile(connection, blogger.id)
    except ForeignKeyViolation:
        raise RemovalError(f"{blogger.name} was added again meanwhile. Run the command again.") from None


def _remove_fetches(connection: Connection, blogger_id: UUID) -> None:
    """Remove the fetches step by step, and wait for the attempts that still have one locked."""
    for _ in range(_MAX_WAITS):
        step = remove_fetches_of_blogger(connection, blogger_id, FETCHES_PER_STEP)
        if step.last_id is None:
            return
        if not step.count:
            time.sleep(_WAIT_SECONDS)
    raise RemovalError("A fetch of the blogger is in use. Run the command again.")


def _remove_videos(connection: Connection, thumbnails: ThumbnailStore, blogger_id: UUID) -> None:
    """Remove videos step by step, the thumbnails first: a row that is left leads a repetition to the object."""
    while videos := removals.read_videos_of_blogger(connection, blogger_id, VIDEOS_PER_STEP):
        removed_paths = _remove_thumbnails(thumbnails, (video.thumbnail_path for video in videos))
        removed = removals.remove_videos(connection, [video.id for video in videos])
        # Stored between the two statements.
        late = {video.thumbnail_path for video in removed} - removed_paths
        _remove_thumbnails(thumbnails, late)


def _remove_thumbnails(thumbnails: ThumbnailStore, paths: Iterable[str | None]) -> set[str | None]:
    stored = {path for path in paths if path is not None}
    for path in stored:
        thumbnails.remove(path)
    return {*stored}

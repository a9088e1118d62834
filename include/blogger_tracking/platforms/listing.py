"""Entries and pages of a video list, and the batch of videos that paging makes of the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import ValidationError

from blogger_tracking.domain.models import CommonVideo, PostsHistory
from blogger_tracking.domain.platform_errors import PlatformError
from blogger_tracking.platforms.json_values import Json, MalformedResponseError


class EntrySkipReason(StrEnum):
    """Reason for leaving an entry out of the batch. FOREIGN: an entry of another account, such as an advertisement."""

    FOREIGN = "foreign"
    NO_ADDRESS = "no_address"
    NOT_A_VIDEO = "not_a_video"
    PHOTO = "photo"
    PLACEHOLDER = "placeholder"
    MALFORMED = "malformed"


_NO_VIDEO = {EntrySkipReason.NOT_A_VIDEO, EntrySkipReason.PHOTO, EntrySkipReason.PLACEHOLDER}
"""Reasons that prove that an account's own entry is not a public video."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a page: a video, or an entry left out of the batch for the reason `skipped`.

    `id` is None if the platform sent none. `published_at` is the date of a skipped entry, if known. `pinned` entries
    are marked by the platform as out of date order.
    """

    id: str | None
    video: CommonVideo | None = None
    skipped: EntrySkipReason | None = None
    pinned: bool = False
    published_at: datetime | None = None

    @property
    def date(self) -> datetime | None:
        """Publication date of the video or of the skipped entry."""
        return self.video.published_at if self.video else self.published_at


@dataclass(frozen=True, slots=True)
class Page:
    """A page of entries. `has_more` is the platform's promise of further entries, behind `next_cursor`."""

    entries: Sequence[Entry]
    next_cursor: str | None = None
    has_more: bool = False


class VideoBatch(list[CommonVideo]):  # noqa: FURB189 - the contract promises a list
    """Videos of one account, newest first, unique by id.

    `pages` is the number of pages read. `skipped` counts the entries left out, by reason. `interrupted_by` is the error
    that ended the paging early, INCOMPLETE_LIST if the list promised more videos than it delivered; the batch then has
    the videos of the pages before. A batch without videos and without `interrupted_by` proves that the account has no
    videos. `sec_id` is the account's secUid if the service had to look up the secUid (TikTok). `posts_history` is set
    if the list of posts was read completely (Instagram). `username` is the account's name, if all its entries have the
    same one (TikTok).
    """

    def __init__(
        self,
        videos: Iterable[CommonVideo] = (),
        *,
        pages: int = 0,
        skipped: Mapping[EntrySkipReason, int] | None = None,
        interrupted_by: PlatformError | None = None,
        sec_id: str | None = None,
        posts_history: PostsHistory | None = None,
    ) -> None:
        super().__init__(videos)
        self.pages = pages
        self.skipped = dict(skipped or {})
        self.interrupted_by = interrupted_by
        self.sec_id = sec_id
        self.posts_history = posts_history
        self.username: str | None = None

    @property
    def only_non_videos(self) -> bool:
        """True if entries were read and each of them is known not to be a video of the account."""
        return not self and bool(self.skipped) and self.skipped.keys() <= _NO_VIDEO


def read_entries(items: Sequence[Json], read: Callable[[Json], Entry]) -> list[Entry]:
    """Read the items one by one; an item that makes no valid video becomes a skipped entry.

    Raises MalformedResponseError if there are items and all are malformed: the response format has changed, and the
    account must not be taken for an empty one.
    """
    entries = [_read_entry(item, read) for item in items]
    if entries and all(entry.skipped is EntrySkipReason.MALFORMED for entry in entries):
        raise MalformedResponseError(f"all {len(entries)} entries are malformed")
    return entries


def _read_entry(item: Json, read: Callable[[Json], Entry]) -> Entry:
    try:
        return read(item)
    except ValidationError:
        return Entry(id=None, skipped=EntrySkipReason.MALFORMED)

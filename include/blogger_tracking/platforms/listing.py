"""Entries and pages of a video list, and the batch of videos that paging makes of the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from blogger_tracking.domain.models import CommonVideo
from blogger_tracking.domain.platform_errors import PlatformError
from blogger_tracking.platforms.json_values import Json, MalformedResponseError


class EntrySkipReason(StrEnum):
    """Reason for leaving an entry out of the batch."""

    ADVERTISEMENT = "advertisement"
    NO_ADDRESS = "no_address"
    NOT_A_VIDEO = "not_a_video"
    PHOTO = "photo"
    PLACEHOLDER = "placeholder"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a page: a video, or an entry left out of the batch for the reason `skipped`.

    An entry with neither is a video that another list of the same account delivers; it counts toward the target.
    `id` is None if the platform sent none. Pinned entries are out of date order.
    """

    id: str | None
    video: CommonVideo | None = None
    skipped: EntrySkipReason | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page of entries. A next page is requested only if `has_more` and `next_cursor` both announce one."""

    entries: Sequence[Entry]
    next_cursor: str | None = None
    has_more: bool = False


class VideoBatch(list[CommonVideo]):  # noqa: FURB189 - the contract promises a list
    """Videos of one account, newest first, unique by id.

    `pages` is the number of pages read. `skipped` counts the entries left out, by reason. `interrupted_by` is the error
    that ended the paging early; the batch then has the videos of the pages before. `sec_id` is the account's
    secUid if the service had to look up the secUid (TikTok).
    """

    def __init__(
        self,
        videos: Iterable[CommonVideo] = (),
        *,
        pages: int = 0,
        skipped: Mapping[str, int] | None = None,
        interrupted_by: PlatformError | None = None,
        sec_id: str | None = None,
    ) -> None:
        super().__init__(videos)
        self.pages = pages
        self.skipped = dict(skipped or {})
        self.interrupted_by = interrupted_by
        self.sec_id = sec_id


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

"""Pages and their entries, as every page reader hands them to the paging loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from blogger_tracking.domain.models import CommonVideo
from blogger_tracking.domain.platform_errors import PlatformError
from blogger_tracking.platforms.json_values import Json, MalformedResponseError


class EntrySkipReason(StrEnum):
    """Why an entry of a list is not delivered as a video."""

    ADVERTISEMENT = "advertisement"
    NO_ADDRESS = "no_address"
    NOT_A_VIDEO = "not_a_video"
    PHOTO = "photo"
    PLACEHOLDER = "placeholder"
    MALFORMED = "malformed"


class VideoBatch(list[CommonVideo]):  # noqa: FURB189 - the contract promises a list
    """Videos of one account, newest first, unique by id, and how they were got.

    `interrupted_by` is the error that ended the paging early: what was read before is here all the same.
    `skipped` counts entries that are no videos, by reason.
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


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a page: a video, or (`video` is None) something that is not delivered.

    `skipped` says why it is not delivered. An entry with neither is a video that another list of the same account
    delivers: it counts toward the target. `id` is None where the platform gave none. Pinned entries stand out of
    date order.
    """

    id: str | None
    video: CommonVideo | None = None
    skipped: EntrySkipReason | None = None
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page. The next one is asked for only if `has_more` and `next_cursor` agree that it exists."""

    entries: Sequence[Entry]
    next_cursor: str | None = None
    has_more: bool = False


def read_entries(items: Sequence[Json], read: Callable[[Json], Entry]) -> list[Entry]:
    """Read each item by itself: one that no video can be made of is skipped, and the others stay.

    Raises UnreadableBodyError when there are items and none can be read: then it is the shape that has changed,
    and the account must not be taken for an empty one.
    """
    entries = [_read_entry(item, read) for item in items]
    if entries and all(entry.skipped is EntrySkipReason.MALFORMED for entry in entries):
        raise MalformedResponseError(f"none of {len(entries)} entries can be read")
    return entries


def _read_entry(item: Json, read: Callable[[Json], Entry]) -> Entry:
    try:
        return read(item)
    except ValidationError:
        return Entry(id=None, skipped=EntrySkipReason.MALFORMED)

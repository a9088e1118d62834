"""The things the system speaks of: platforms, accounts, videos and their statistics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

MAX_COUNT = 2**63 - 1
"""The largest counter Postgres' bigint holds."""


def storable(text: str) -> str:
    """Text as Postgres can hold it: without NUL characters and without halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


Text = Annotated[str, AfterValidator(storable)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
NonEmptyText = Annotated[Text, StringConstraints(min_length=1, strip_whitespace=True)]


class Platform(StrEnum):
    """A platform, written the same in code, database, messages and UI."""

    TIKTOK = "TikTok"
    INSTAGRAM = "Instagram"
    YOUTUBE = "YouTube"

    @property
    def slug(self) -> str:
        """The name as it stands in task ids, connection ids and storage keys."""
        return self.value.lower()


class Role(StrEnum):
    """A member's role in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"

    @property
    def may_add(self) -> bool:
        """Whether this role may add bloggers."""
        return self is not Role.VIEWER

    @property
    def may_manage(self) -> bool:
        """Whether this role may pause a tracked account or change its count; the database's policies say the same."""
        return self in {Role.OWNER, Role.ADMIN}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Account(_Frozen):
    """A blogger as a platform client needs it. TikTok lists by `sec_id`; the others by `external_id`."""

    platform: Platform
    external_id: NonEmptyText
    sec_id: Text | None = None
    username: Text


class BloggerProfile(_Frozen):
    """What a platform says of a blogger. `subscribers` is None when hidden."""

    platform: Platform
    external_id: NonEmptyText
    sec_id: Text | None
    username: NonEmptyText
    channel_name: Text
    subscribers: Count | None
    thumbnail_url: Text | None
    is_private: bool = False


class VideoStatistics(_Frozen):
    """Counters of one video. None means hidden or lacking, never zero."""

    external_video_id: NonEmptyText
    views: Count | None = None
    likes: Count | None = None
    comments: Count | None = None
    reposts: Count | None = None


class CommonVideo(_Frozen):
    """A video of any platform. `statistics` is None where the listing has none (YouTube)."""

    external_video_id: NonEmptyText
    platform: Platform
    video_url: Text
    title: Text
    thumbnail_url: Text | None
    published_at: AwareDatetime | None
    statistics: VideoStatistics | None = None


class LiveState(StrEnum):
    """Whether a video is a broadcast. The date of an upcoming or live one still moves."""

    NONE = "none"
    UPCOMING = "upcoming"
    LIVE = "live"


class YouTubeVideo(CommonVideo):
    """A video as `videos.list` has it: with statistics, its true publication date, its length and its live state."""

    live_state: LiveState = LiveState.NONE
    duration_seconds: int | None = None


def newest_first(videos: Iterable[CommonVideo]) -> list[CommonVideo]:
    """Videos by publication date, newest first; those without a date keep their place at the end."""
    return sorted(videos, key=_publication_timestamp, reverse=True)


def _publication_timestamp(video: CommonVideo) -> float:
    published: datetime | None = video.published_at
    return published.timestamp() if published else float("-inf")

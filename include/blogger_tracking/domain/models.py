"""Models of the domain: platforms, accounts, videos and their statistics."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

MAX_COUNT = 2**63 - 1
"""Largest value of Postgres' bigint, in which counters are stored."""


def storable(text: str) -> str:
    """Return the text as Postgres can store it: without NUL characters and without unpaired surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


Text = Annotated[str, AfterValidator(storable)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
NonEmptyText = Annotated[Text, StringConstraints(min_length=1, strip_whitespace=True)]


class Platform(StrEnum):
    """A platform; its name is the same in code, database, messages and UI."""

    TIKTOK = "TikTok"
    INSTAGRAM = "Instagram"
    YOUTUBE = "YouTube"

    @property
    def slug(self) -> str:
        """The name as used in task ids, Connection ids and storage keys."""
        return self.value.lower()


class Role(StrEnum):
    """A member's role in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"

    @property
    def may_add(self) -> bool:
        """True if the role may add bloggers."""
        return self is not Role.VIEWER

    @property
    def may_manage(self) -> bool:
        """True if the role may pause a tracked account or change its count, as in the row level security policies."""
        return self in {Role.OWNER, Role.ADMIN}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class PostsHistory(_Frozen):
    """Findings of earlier readings of an Instagram account's list of posts.

    `read_at` is the time of the last complete reading. `newest_posts_only_at` is the publication date of the newest
    video that only the posts had, and not the clips; None if there never was one.
    """

    read_at: AwareDatetime
    newest_posts_only_at: AwareDatetime | None = None


class Account(_Frozen):
    """A blogger's ids on a platform. TikTok lists videos by `sec_id`; Instagram and YouTube list by `external_id`.

    `posts_history` is None unless an Instagram account's posts were read before.
    """

    platform: Platform
    external_id: NonEmptyText
    sec_id: Text | None = None
    username: Text
    posts_history: PostsHistory | None = None


class BloggerProfile(_Frozen):
    """A blogger's profile as the platform returned it. `subscribers` is None when hidden.

    `video_count` is the number of videos (YouTube, TikTok) or posts (Instagram) that the profile reports, if it does.
    """

    platform: Platform
    external_id: NonEmptyText
    sec_id: Text | None
    username: NonEmptyText
    channel_name: Text
    subscribers: Count | None
    thumbnail_url: Text | None
    is_private: bool = False
    video_count: Count | None = None


class VideoStatistics(_Frozen):
    """Counters of one video. None means that the platform hides or lacks the counter, never zero.

    Platforms write zero views for views that they did not count; beside likes, comments or reposts they are unknown.
    """

    external_video_id: NonEmptyText
    likes: Count | None = None
    comments: Count | None = None
    reposts: Count | None = None
    # Validated last, because the other counters may contradict the views.
    views: Count | None = None

    @field_validator("views")
    @classmethod
    def _without_contradicted_zero(cls, views: int | None, info: ValidationInfo) -> int | None:
        contradicted = any(info.data.get(counter) for counter in ("likes", "comments", "reposts"))
        return None if views == 0 and contradicted else views


class CommonVideo(_Frozen):
    """A video of any platform. `statistics` is None if the platform's listing has none (YouTube)."""

    external_video_id: NonEmptyText
    platform: Platform
    video_url: Text
    title: Text
    thumbnail_url: Text | None
    published_at: AwareDatetime | None
    statistics: VideoStatistics | None = None


class LiveState(StrEnum):
    """State of a video as a broadcast. The date of an upcoming or live broadcast may still change."""

    NONE = "none"
    UPCOMING = "upcoming"
    LIVE = "live"


class YouTubeVideo(CommonVideo):
    """A video as `videos.list` returns it, with statistics, true publication date, duration and live state."""

    live_state: LiveState = LiveState.NONE
    duration_seconds: int | None = None


def newest_first(videos: Iterable[CommonVideo]) -> list[CommonVideo]:
    """Sort videos by publication date, newest first; videos without a date keep their order at the end."""
    return sorted(videos, key=_publication_timestamp, reverse=True)


def _publication_timestamp(video: CommonVideo) -> float:
    published: datetime | None = video.published_at
    return published.timestamp() if published else float("-inf")

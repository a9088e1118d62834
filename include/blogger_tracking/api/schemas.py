"""The bodies of requests and answers, as they stand on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from blogger_tracking.domain.initial_fetch import InitialFetchState, VideosCount
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.usernames import LONGEST_INPUT

MAX_TAGS = 50
"""Tags that one request may set."""

# Postgres holds no NUL, and a tag of nothing but blanks says nothing.
Tag = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s\x00](?:[^\x00]*[^\s\x00])?$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Addition(_Request):
    organization_id: UUID = Field(alias="organizationId")
    campaign_id: UUID | None = Field(default=None, alias="campaignId")
    tags: list[Tag] = Field(default_factory=list, max_length=MAX_TAGS)
    daily_videos_count: VideosCount | None = Field(default=None, alias="dailyVideosCount")


class AddBlogger(_Addition):
    """Add a blogger by name, `@name` or profile address. `dailyVideosCount` null: the organization's."""

    username: Annotated[str, Field(min_length=1, max_length=LONGEST_INPUT)]
    platform: Platform


class AddFromTracking(_Addition):
    """Add a blogger that the organization knows already."""

    blogger_id: UUID = Field(alias="bloggerId")


class ChangeTracking(_Request):
    """Pause or resume a tracked account, change its count (null: the organization's). At least one of the two."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    is_active: bool = Field(default=True, alias="isActive", strict=True)
    daily_videos_count: VideosCount | None = Field(default=None, alias="dailyVideosCount")

    @model_validator(mode="after")
    def _says_something(self) -> ChangeTracking:
        if not self.model_fields_set:
            raise ValueError("neither isActive nor dailyVideosCount is given")
        return self


class Blogger(_Answer):
    """A tracked account and its blogger."""

    tracking_id: UUID
    blogger_id: UUID
    organization_id: UUID
    platform: Platform
    username: str
    external_id: str
    sec_uid: str | None
    channel_name: str | None
    subscribers: int | None
    thumbnail_url: str | None
    account_state: str
    is_active: bool
    daily_videos_count: int
    last_scraped_at: datetime | None


class InitialFetch(_Answer):
    """How far the initial fetch is, and which DAG run has it or will have it."""

    state: InitialFetchState
    dag_run_id: str | None
    reason: str | None = None


class LastFetch(_Answer):
    """The newest fetch for this account. `at` is when it last started; null: planned, not started."""

    state: str
    reason: str | None
    at: datetime | None


class Tracking(_Answer):
    """The answer to adding and changing."""

    success: Literal[True] = True
    blogger: Blogger
    initial_fetch: InitialFetch


class TrackingState(Tracking):
    """The answer to reading."""

    last_fetch: LastFetch | None
    videos_saved: int


class ErrorBody(_Answer):
    """What went wrong: a code for programs, a sentence for people."""

    code: str
    message: str


class ErrorResponse(_Answer):
    """Every answer that is not a success."""

    success: Literal[False] = False
    error: ErrorBody


class AlreadyTracked(ErrorResponse):
    """409: the blogger is tracked already; here it is. Other conflicts come without it."""

    blogger: Blogger | None = None
    initial_fetch: InitialFetch | None = None

"""Bodies of requests and responses."""

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
"""Maximum number of tags in a request."""

# No NUL, which Postgres cannot store, and no blank at either end.
Tag = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\s\x00](?:[^\x00]*[^\s\x00])?$")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Response(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class _Addition(_Request):
    organization_id: UUID = Field(alias="organizationId")
    campaign_id: UUID | None = Field(default=None, alias="campaignId")
    tags: list[Tag] = Field(default_factory=list, max_length=MAX_TAGS)
    daily_videos_count: VideosCount | None = Field(default=None, alias="dailyVideosCount")


class AddBlogger(_Addition):
    """Request to add a blogger by name, `@name` or profile URL. `dailyVideosCount` null: the organization's count."""

    username: Annotated[str, Field(min_length=1, max_length=LONGEST_INPUT)]
    platform: Platform


class AddFromTracking(_Addition):
    """Request to add a blogger that the organization already knows."""

    blogger_id: UUID = Field(alias="bloggerId")


class ChangeTracking(_Request):
    """Request to pause or resume a tracked account or to change its count (null: the organization's count)."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    is_active: bool = Field(default=True, alias="isActive", strict=True)
    daily_videos_count: VideosCount | None = Field(default=None, alias="dailyVideosCount")

    @model_validator(mode="after")
    def _require_a_change(self) -> ChangeTracking:
        if not self.model_fields_set:
            raise ValueError("isActive or dailyVideosCount is required")
        return self


class Blogger(_Response):
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


class InitialFetch(_Response):
    """State of the initial fetch, and the DAG run that executes it or will be triggered for it."""

    state: InitialFetchState
    dag_run_id: str | None
    reason: str | None = None


class AccountState(_Response):
    """State of the account on its platform, and its last rename.

    `since` is the first sighting; `reason` is null if the account was always active. `former_username` and `renamed_at`
    are null if the account was never renamed.
    """

    state: str
    since: datetime
    reason: str | None
    former_username: str | None
    renamed_at: datetime | None


class LastFetch(_Response):
    """Latest fetch for the account. `at` is the start of its latest attempt; null: planned, not started."""

    state: str
    reason: str | None
    at: datetime | None


class Tracking(_Response):
    """Response to an addition."""

    success: Literal[True] = True
    blogger: Blogger
    initial_fetch: InitialFetch


class TrackingState(Tracking):
    """Response to reading and to changing a tracked account."""

    account: AccountState
    last_fetch: LastFetch | None
    videos_saved: int


class ErrorBody(_Response):
    """An error: a code for programs and a message for people."""

    code: str
    message: str


class ErrorResponse(_Response):
    """Response to an error."""

    success: Literal[False] = False
    error: ErrorBody


class AlreadyTracked(ErrorResponse):
    """409 for a blogger that is tracked already. Other conflicts have neither `blogger` nor `initialFetch`."""

    blogger: Blogger | None = None
    initial_fetch: InitialFetch | None = None

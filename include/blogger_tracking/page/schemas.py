"""Bodies of the page's requests and responses. Times are UTC in ISO 8601; a null number is unknown."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from blogger_tracking.api.schemas import InitialFetch
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.quotas import QuotaDecision
from blogger_tracking.domain.usernames import LONGEST_INPUT


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(_in_utc)]
Text = Annotated[str, Field(coerce_numbers_to_str=True)]


class PageModel(BaseModel):
    """A part of a response, made from an object with attributes of the same names."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class Person(PageModel):
    """Rights of the person who sends the request."""

    may_act: bool


class Named(PageModel):
    """Id and name of an organization."""

    id: UUID
    name: str


class Progress(PageModel):
    """Fetches of a platform in a run: all, and those that are neither planned nor running."""

    done: int
    total: int


class LiveRun(PageModel):
    """An active run with its progress by platform."""

    dag_id: str
    dag_run_id: str
    planned_at: Time
    platforms: dict[str, Progress]


class Run(PageModel):
    """A batch run with its problems, and its fetches by platform and state."""

    run_id: int
    dag_run_id: str
    planned_at: Time
    ended_at: Time | None
    problems: list[str]
    platforms: dict[str, dict[str, int]]


class PlatformHealth(PageModel):
    """A platform with its active tracked accounts, its last conclusive fetch and its suspension."""

    platform: str
    accounts: int
    last_fetched_at: Time | None
    suspended_until: Time | None
    reason: str | None


class Units(PageModel):
    """Units of YouTube's daily quota."""

    spent: int
    budget: int
    resets_at: Time


class QueueDepth(PageModel):
    """Messages of a queue that wait for a consumer, parked messages, and the time since which the oldest one waits."""

    queue: str
    waiting: int
    parked: int
    oldest_at: Time | None


class Violation(PageModel):
    """A violated invariant with the rule in a sentence, and the number of violations."""

    name: str
    sentence: str
    count: int


class Invariants(PageModel):
    """Last check of the invariants: the number of those that were checked, and the violated ones."""

    checked_at: Time
    checked: int
    violations: list[Violation]


class Overview(PageModel):
    """State of the whole system.

    `requests_of_last_run` has the platforms that the newest ended run requested, `requests_today` those that any run
    has requested since midnight UTC.
    """

    runs: list[Run]
    live: list[LiveRun]
    platforms: list[PlatformHealth]
    youtube_units: Units
    requests_of_last_run: dict[str, int]
    requests_today: dict[str, int]
    queues: list[QueueDepth]
    invariants: Invariants | None


class Organization(PageModel):
    """An organization with its current subscription period, in videos; null without a current subscription.

    `used_up_at` is null unless the videos are used up within the period at the rate so far.
    """

    id: UUID
    name: str
    plan: str | None
    period_start: Time | None
    period_end: Time | None
    video_limit: int | None
    opening: int | None
    charged: int | None
    reserved: int | None
    remaining: int | None
    used_up_at: Time | None
    active_accounts: int
    paused_accounts: int
    pending_accounts: int
    blogger_limit: int | None


class OrganizationPage(PageModel):
    """A page of organizations, and the number of all."""

    total: int
    items: list[Organization]


class PlannedAccount(PageModel):
    """The planner's decision on one tracked account, if a run was planned now."""

    tracking_id: UUID
    blogger_id: UUID
    platform: str
    username: str
    decision: QuotaDecision
    asked: int
    videos: int
    reason: str | None


class Fetch(PageModel):
    """A fetch with the Airflow task instance that makes the fetch. `map_index` -1: the task is not mapped.

    `is_here` is false for a task instance of another Airflow with the same database.
    """

    fetch_id: int
    dag_id: str
    dag_run_id: str
    task_id: str
    map_index: int
    is_here: bool
    planned_at: Time
    finished_at: Time | None
    state: str
    reason: str | None


class Blogger(PageModel):
    """A blogger in the list.

    `views` has each of the last 30 days with the total of the newest videos; null on a day without statistics.
    `follower_counts` has those of the last 30 days on which a profile was saved.
    """

    id: UUID
    platform: Platform
    username: str
    channel_name: str | None
    followers: int | None
    account_state: str
    account_state_since: Time
    organizations: list[Named]
    is_active: bool
    is_pending: bool
    videos: int
    last_fetch: Fetch | None
    views: list[tuple[date, int | None]] = []
    follower_counts: list[tuple[date, int]] = []


class BloggerPage(PageModel):
    """A page of bloggers, and the number of all that match."""

    total: int
    items: list[Blogger]


class AccountChange(PageModel):
    """A change of the account's state, or a rename."""

    state: str
    since: Time
    reason: str | None
    old_username: str | None
    new_username: str | None


class TrackedBy(PageModel):
    """A tracked account of a blogger."""

    tracking_id: UUID
    organization: Named
    is_active: bool
    daily_videos_count: int
    is_pending: bool
    initial_reason: str | None


class BloggerDetails(Blogger):
    """A blogger with the history of the account and the tracked accounts.

    `follower_counts` has all days on which a profile was saved.
    """

    external_id: str
    url: str
    history: list[AccountChange] = []
    tracked: list[TrackedBy] = []


class Video(PageModel):
    """A video with its newest statistics."""

    id: Text
    title: str
    url: str
    published_at: Time | None
    has_thumbnail: bool
    removed_at: Time | None
    views: int | None
    likes: int | None
    comments: int | None
    reposts: int | None
    captured_at: Time | None


class VideoPage(PageModel):
    """A page of videos, and the number of all."""

    total: int
    items: list[Video]


class BloggerStatistics(PageModel):
    """Totals of all videos at the end of each day with statistics: day, views, likes, comments."""

    totals: list[tuple[date, int | None, int | None, int | None]]


class Capture(PageModel):
    """Statistics of a video at one time."""

    captured_at: Time
    views: int | None
    likes: int | None
    comments: int | None
    reposts: int | None


class Allocation(PageModel):
    """One organization's part in a fetch, in videos."""

    organization: Named
    asked: int
    granted: int
    charged: int
    decision: str
    reason: str | None


class FetchDetails(Fetch):
    """A fetch with its numbers and the parts of the organizations."""

    target: int
    videos_returned: int | None
    videos_new: int | None
    requests: dict[str, int]
    attempts: int
    allocations: list[Allocation]


class FetchPage(PageModel):
    """A page of fetches, and the number of all."""

    total: int
    items: list[FetchDetails]


class AddBlogger(BaseModel):
    """Request to add a blogger by name, `@name` or profile URL."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, Field(min_length=1, max_length=LONGEST_INPUT)]
    platform: Platform


class Addition(PageModel):
    """Response to an addition."""

    tracking_id: UUID
    blogger_id: UUID
    initial_fetch: InitialFetch

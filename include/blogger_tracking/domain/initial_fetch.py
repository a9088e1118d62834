"""Initial fetch of a tracked account: its message, and the rule for assigning it to a run. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from blogger_tracking.domain.errors import BloggerTrackingError
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.quotas import MAX_VIDEOS_COUNT

INITIAL_FETCH_DAG_ID = "blogger_initial_fetch"

# Airflow does not check `format: date-time`, so the schema has a pattern; the model parses the timestamp.
_ISO_8601 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})$"
_Timestamp = Annotated[AwareDatetime, WithJsonSchema({"type": "string", "pattern": _ISO_8601})]
_IDENTIFIER = r"^[!-~]{1,200}$"
_Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
_OptionalIdentifier = Annotated[
    _Identifier | None, WithJsonSchema({"type": ["string", "null"], "pattern": _IDENTIFIER})
]


def _require_number(value: object) -> object:
    """Reject strings of digits and booleans, which pydantic would convert. 30.0 passes: JSON treats it as 30."""
    if isinstance(value, str | bool):
        raise ValueError("a number is expected")  # noqa: TRY004 - pydantic reports ValueError as a fault of the input
    return value


VideosCount = Annotated[int, Field(ge=1, le=MAX_VIDEOS_COUNT), BeforeValidator(_require_number)]
"""Number of videos that a fetch may ask for, as an integer in JSON."""

_PlatformName = Annotated[
    Platform, WithJsonSchema({"type": "string", "enum": [platform.value for platform in Platform]})
]


class InitialFetchMessage(BaseModel):
    """Run conf of the DAG `blogger_initial_fetch`. Every key is required and unknown keys are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["blogger_initial_fetch"]
    blogger_id: UUID = Field(alias="bloggerId")
    sec_uid: _OptionalIdentifier = Field(alias="secUid")
    external_id: _Identifier = Field(alias="externalId")
    platform: _PlatformName
    video_count: VideosCount = Field(alias="videoCount")
    organization_id: UUID = Field(alias="organizationId")
    user_id: UUID = Field(alias="userId")
    request_id: str = Field(alias="requestId", min_length=1, max_length=200)
    video_status: Literal["tracking"] = Field(alias="videoStatus")
    timestamp: _Timestamp

    @model_validator(mode="after")
    def _only_tiktok_has_a_sec_uid(self) -> InitialFetchMessage:
        if self.sec_uid is not None and self.platform is not Platform.TIKTOK:
            raise ValueError(f"secUid is an id of TikTok, but the platform is {self.platform}")
        return self


def message_schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schema of each key of the message, without references to other schemas."""
    properties: dict[str, dict[str, Any]] = InitialFetchMessage.model_json_schema()["properties"]
    return {
        name: {key: value for key, value in schema.items() if key != "title"} for name, schema in properties.items()
    }


class MessageMismatchError(BloggerTrackingError):
    """A message that contradicts the database; the database takes precedence."""


class BloggerBusyError(BloggerTrackingError):
    """A blogger that another run is fetching now; a later attempt may succeed."""


@dataclass(frozen=True, slots=True)
class PendingInitialFetch:
    """State of a tracked account's initial fetch: an entry of the transactional outbox, and the run that owns it.

    `owner_id` is the `run_id` of the run to which the initial fetch was assigned last, `owner_dag_run_id` Airflow's id
    of that run; `owner_over` is True if that run has ended or expired. `attempt` is the number of the latest attempt:
    see `initial_dag_run_id`.
    """

    pending: bool
    fetched: bool
    attempt: int
    owner_id: int | None
    owner_over: bool
    owner_dag_run_id: str | None

    def rejection_reason(self, run_id: int | None) -> str | None:
        """Return the reason for not assigning the initial fetch to a run; None if the run may have it.

        `run_id` is None for a run that is not in the ledger yet. The run that owns the initial fetch may always
        continue: a retry after a crash is not a duplicate.
        """
        if self.owner_id is not None and self.owner_id == run_id:
            return None
        if self.fetched:
            return f"duplicate: {self.owner_dag_run_id or 'an earlier run'} has fetched the first videos already"
        if self.owner_id is not None and not self.owner_over:
            return f"duplicate: the initial fetch is assigned to the active run {self.owner_dag_run_id}"
        return None


def initial_dag_run_id(tracking_id: UUID, attempt: int) -> str:
    """Return the DAG run id of an attempt at a tracked account's initial fetch."""
    return f"initial__{tracking_id}__{attempt}"


class InitialFetchState(StrEnum):
    """State of a tracked account's initial fetch, as the HTTP API shows it.

    `none`: never requested. `waiting`: pending without a run. `started`: pending with a run that is queued, running or
    assigned. `fetched`: the first videos are saved. `ended`: closed without videos, for example for a private account.
    """

    NONE = "none"
    WAITING = "waiting"
    STARTED = "started"
    FETCHED = "fetched"
    ENDED = "ended"

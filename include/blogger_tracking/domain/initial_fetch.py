"""The initial fetch of a tracked account: its message, its wish, and which run may have it. Pure."""

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

# Airflow checks no `format: date-time`, so the form is a pattern; the model checks the moment itself.
_ISO_8601 = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})$"
_Timestamp = Annotated[AwareDatetime, WithJsonSchema({"type": "string", "pattern": _ISO_8601})]
_IDENTIFIER = r"^[!-~]{1,200}$"
_Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
_OptionalIdentifier = Annotated[
    _Identifier | None, WithJsonSchema({"type": ["string", "null"], "pattern": _IDENTIFIER})
]


def _refuse_lookalikes(value: object) -> object:
    """A text of digits or a truth value is no number; 30.0 is one, in JSON."""
    if isinstance(value, str | bool):
        raise ValueError("a number is expected")  # noqa: TRY004 - pydantic reports ValueError as a fault of the input
    return value


VideosCount = Annotated[int, Field(ge=1, le=MAX_VIDEOS_COUNT), BeforeValidator(_refuse_lookalikes)]
"""How many videos a fetch may ask for, as JSON has it."""

_PlatformName = Annotated[Platform, WithJsonSchema({"type": "string", "enum": [each.value for each in Platform]})]


class InitialFetchMessage(BaseModel):
    """The run conf of the DAG `blogger_initial_fetch`. Unknown keys are refused, none may be left out."""

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
    """The JSON Schema of each key of the message, complete in itself."""
    properties: dict[str, dict[str, Any]] = InitialFetchMessage.model_json_schema()["properties"]
    return {
        name: {key: value for key, value in schema.items() if key != "title"} for name, schema in properties.items()
    }


class MessageMismatchError(BloggerTrackingError):
    """The message does not fit what the database says, and the database wins."""


class BloggerBusyError(BloggerTrackingError):
    """Another run is fetching this blogger just now; asking again in a moment makes sense."""


@dataclass(frozen=True, slots=True)
class PendingInitialFetch:
    """The state of a tracked account's wish for its initial fetch.

    `owner_id` is the ledger run that took it last; `owner_over` says that this run has ended or expired.
    """

    pending: bool
    fetched: bool
    attempt: int
    owner_id: int | None
    owner_over: bool
    owner_dag_run_id: str | None

    def rejection_reason(self, run_id: int | None) -> str | None:
        """Why this run (None: one the ledger does not know yet) may not have the wish; None if it may.

        The owner may always go on: a retry after a crash is not a duplicate.
        """
        if self.owner_id is not None and self.owner_id == run_id:
            return None
        if self.fetched:
            return f"duplicate: the initial fetch was done by {self.owner_dag_run_id or 'an earlier run'}"
        if self.owner_id is not None and not self.owner_over:
            return f"duplicate: the initial fetch belongs to {self.owner_dag_run_id}"
        return None


def initial_dag_run_id(tracking_id: UUID, attempt: int) -> str:
    """The DAG run id of an attempt at a tracked account's initial fetch."""
    return f"initial__{tracking_id}__{attempt}"


class InitialFetchState(StrEnum):
    """How far a tracked account's initial fetch is, as people are told."""

    NONE = "none"
    WAITING = "waiting"
    STARTED = "started"
    FETCHED = "fetched"
    ENDED = "ended"

"""Message of the initial fetch, and the rule for assigning the initial fetch to a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import jsonschema
import pytest
from pydantic import ValidationError

from blogger_tracking.domain.initial_fetch import (
    InitialFetchMessage,
    PendingInitialFetch,
    initial_dag_run_id,
    message_schemas,
)

MESSAGE: Mapping[str, Any] = {
    "type": "blogger_initial_fetch",
    "bloggerId": str(uuid4()),
    "secUid": "MS4wLjAB",
    "externalId": "6800000000000000123",
    "platform": "TikTok",
    "videoCount": 30,
    "organizationId": str(uuid4()),
    "userId": str(uuid4()),
    "requestId": "request-1",
    "videoStatus": "tracking",
    "timestamp": "2026-01-02T03:04:05.678Z",
}

MALFORMED = [
    ("type", "video_batch"),
    ("bloggerId", "7"),
    ("secUid", 7),
    ("secUid", ""),
    ("externalId", ""),
    ("externalId", "a b"),
    ("externalId", 6800000000000000123),
    ("platform", "tiktok"),
    ("videoCount", 0),
    ("videoCount", 501),
    ("videoCount", "30"),
    ("videoCount", 1.5),
    ("videoCount", True),
    ("organizationId", None),
    ("userId", ""),
    ("requestId", ""),
    ("videoStatus", "done"),
    ("timestamp", "yesterday"),
    ("timestamp", "2026-01-02T03:04:05"),
]


def schema_accepts(key: str, value: object) -> bool:
    checker = jsonschema.Draft202012Validator(
        message_schemas()[key], format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    return bool(checker.is_valid(value))


def test_schemas_and_model_accept_the_message() -> None:
    assert InitialFetchMessage.model_validate(MESSAGE).video_count == 30
    assert set(message_schemas()) == set(MESSAGE)
    assert [key for key, value in MESSAGE.items() if not schema_accepts(key, value)] == []


def test_a_message_serialized_by_the_system_fits_the_schemas() -> None:
    sent = InitialFetchMessage.model_validate(MESSAGE).model_dump(mode="json", by_alias=True)
    assert [key for key, value in sent.items() if not schema_accepts(key, value)] == []
    assert InitialFetchMessage.model_validate(sent) == InitialFetchMessage.model_validate(MESSAGE)


@pytest.mark.parametrize(("key", "value"), MALFORMED)
def test_schemas_and_model_reject_the_same_values(key: str, value: object) -> None:
    assert not schema_accepts(key, value)
    with pytest.raises(ValidationError):
        InitialFetchMessage.model_validate({**MESSAGE, key: value})


@pytest.mark.parametrize("key", MESSAGE)
def test_every_key_is_required(key: str) -> None:
    with pytest.raises(ValidationError):
        InitialFetchMessage.model_validate({name: value for name, value in MESSAGE.items() if name != key})


@pytest.mark.parametrize("more", [{"unknown": 1}, {"blogger_id": str(uuid4())}, {"platform": "YouTube"}])
def test_unknown_keys_and_keys_that_contradict_each_other_are_rejected(more: Mapping[str, object]) -> None:
    with pytest.raises(ValidationError):
        InitialFetchMessage.model_validate({**MESSAGE, **more})


def initial_fetch(
    *, pending: bool = True, fetched: bool = False, owner_id: int | None = None, owner_over: bool = False
) -> PendingInitialFetch:
    owner_dag_run_id = None if owner_id is None else f"run_{owner_id}"
    return PendingInitialFetch(pending, fetched, 1, owner_id, owner_over, owner_dag_run_id)


@pytest.mark.parametrize(
    ("state", "run_id", "may"),
    [
        (initial_fetch(), None, True),
        (initial_fetch(pending=False), None, True),
        (initial_fetch(owner_id=7), 7, True),
        (initial_fetch(owner_id=7, fetched=True), 7, True),
        (initial_fetch(owner_id=7), None, False),
        (initial_fetch(owner_id=7), 8, False),
        (initial_fetch(owner_id=7, owner_over=True), 8, True),
        (initial_fetch(owner_id=7, owner_over=True, fetched=True), 8, False),
        (initial_fetch(fetched=True), None, False),
    ],
)
def test_the_owner_may_always_continue_and_another_run_only_after_the_owner_ended_without_videos(
    state: PendingInitialFetch,
    run_id: int | None,
    may: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    assert (state.rejection_reason(run_id) is None) is may


def test_a_dag_run_id_consists_of_the_tracked_account_and_the_attempt() -> None:
    tracking_id = uuid4()
    assert initial_dag_run_id(tracking_id, 2) == f"initial__{tracking_id}__2"

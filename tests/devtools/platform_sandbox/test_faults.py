from __future__ import annotations

from typing import Any

import pytest
import requests

from devtools.platform_sandbox import Fault, FaultKind, PlatformName
from tests.support.sandbox_client import SandboxClient


def profile(client: SandboxClient, index: int = 0) -> requests.Response:
    return client.tiktok("info", uniqueId=client.server.world.creator("TikTok", index).username)


def posts(client: SandboxClient, cursor: str = "0") -> dict[str, Any]:
    creator = client.server.world.creator("TikTok", 0)
    data: dict[str, Any] = client.tiktok("posts", secUid=creator.sec_id, cursor=cursor).json()["data"]
    return data


def test_a_fault_strikes_as_often_as_it_was_set(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.SERVER_ERROR, times=2))
    assert [profile(own).status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_without_a_number_strikes_until_it_is_taken_back(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.UNAVAILABLE))
    assert [profile(own).status_code for _ in range(3)] == [503, 503, 503]
    own.server.clear_faults()
    assert profile(own).status_code == 200


@pytest.mark.parametrize(
    "other", [Fault(FaultKind.SERVER_ERROR, platform="YouTube"), Fault(FaultKind.SERVER_ERROR, path="/posts")]
)
def test_a_fault_strikes_only_its_platform_and_path(own: SandboxClient, other: Fault) -> None:
    own.server.add_fault(other)
    assert profile(own).status_code == 200


def test_a_fault_strikes_only_its_creator_by_any_of_its_names(own: SandboxClient) -> None:
    creator = own.server.world.creator("TikTok", 0)
    for name in (creator.username, f"@{creator.username}", creator.external_id, creator.sec_id):
        own.server.clear_faults()
        own.server.add_fault(Fault(FaultKind.SERVER_ERROR, creator=name))
        assert [profile(own, 0).status_code, profile(own, 1).status_code] == [500, 200]


def test_a_fault_can_wait_for_the_second_page(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.EMPTY_BODY, page=2))
    cursor = posts(own)["cursor"]
    creator = own.server.world.creator("TikTok", 0)
    answer = own.tiktok("posts", secUid=creator.sec_id, cursor=cursor)
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_rate_limit_carries_retry_after_when_seconds_are_given(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.RATE_LIMIT, seconds=7, times=1))
    own.server.add_fault(Fault(FaultKind.RATE_LIMIT, times=1))
    answers = [profile(own) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [429, 429]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["7", None]


def test_a_reset_ends_the_connection_without_an_answer(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.RESET, times=1))
    with pytest.raises(requests.ConnectionError):
        profile(own)
    assert profile(own).status_code == 200


def test_a_hang_outlasts_an_impatient_client(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.HANG, times=1))
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{own.server.tiktok_url}/api/user/info", timeout=0.2)


def test_a_short_hang_is_followed_by_the_answer(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.HANG, seconds=0.05))
    assert profile(own).json()["statusCode"] == 0


def test_an_html_body_and_a_truncated_one_are_200_and_no_json(own: SandboxClient) -> None:
    for kind in (FaultKind.HTML_BODY, FaultKind.TRUNCATED_JSON):
        own.server.clear_faults()
        own.server.add_fault(Fault(kind))
        answer = profile(own)
        assert answer.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            answer.json()


def test_a_repeated_cursor_leads_to_the_same_page_again(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.REPEATED_CURSOR))
    first = posts(own)
    assert (first["hasMore"], first["cursor"]) == (True, "0")
    second = posts(own, first["cursor"])
    assert first["itemList"] == second["itemList"]


def test_a_lying_list_promises_more_for_ever(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.LYING_HAS_MORE))
    cursor, sizes = "0", []
    for _ in range(12):
        data = posts(own, cursor)
        cursor = data["cursor"]
        sizes.append(len(data["itemList"]))
        assert data["hasMore"]
    assert sizes[-2:] == [0, 0]


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        (FaultKind.QUOTA_EXCEEDED, 429, "MONTHLY quota"),
        (FaultKind.NOT_SUBSCRIBED, 403, "not subscribed"),
        (FaultKind.BLOCKED, 200, '"statusCode":-1'),
        (FaultKind.REGION, 200, '"statusCode":10231'),
        (FaultKind.NOT_FOUND, 200, '"statusCode":10202'),
    ],
)
def test_tiktok_says_it_in_its_own_words(own: SandboxClient, kind: FaultKind, status: int, text: str) -> None:
    own.server.add_fault(Fault(kind, platform="TikTok"))
    answer = profile(own)
    assert answer.status_code == status
    assert text in answer.text


@pytest.mark.parametrize(
    ("kind", "status", "reason"),
    [
        (FaultKind.QUOTA_EXCEEDED, 403, "quotaExceeded"),
        (FaultKind.CREDIT_GONE, 403, "dailyLimitExceeded"),
        (FaultKind.NOT_SUBSCRIBED, 403, "accessNotConfigured"),
        (FaultKind.KEY_INVALID, 400, "keyInvalid"),
        (FaultKind.INVALID_PAGE, 400, "invalidPageToken"),
        (FaultKind.SERVER_ERROR, 500, "backendError"),
        (FaultKind.RATE_LIMIT, 429, "rateLimitExceeded"),
    ],
)
def test_youtube_says_it_in_its_own_words(own: SandboxClient, kind: FaultKind, status: int, reason: str) -> None:
    own.server.add_fault(Fault(kind, platform="YouTube"))
    answer = own.youtube("channels", id="x")
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (status, reason)


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.CREDIT_GONE, 402), (FaultKind.INVALID_CREDENTIALS, 401), (FaultKind.RATE_LIMIT, 429)],
)
def test_instagram_says_it_in_its_own_words(own: SandboxClient, kind: FaultKind, status: int) -> None:
    own.server.add_fault(Fault(kind, platform="Instagram"))
    answer = own.instagram("by/username", username="x")
    assert answer.status_code == status
    assert set(answer.json()) == {"detail", "exc_type"}


def test_a_fault_that_a_platform_does_not_have_is_said_loudly(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.REGION, platform="YouTube"))
    assert own.youtube("channels", id="x").status_code == 501


@pytest.mark.parametrize("platform", PlatformName)
def test_a_key_in_the_url_is_refused_and_not_logged(own: SandboxClient, platform: PlatformName) -> None:
    answer = own.get(f"{own.server.base_url}/{platform.slug}/anything", key="a-secret")
    assert answer.status_code == 400
    assert "a-secret" not in str(own.server.log.as_json())


def test_after_a_reset_nothing_of_a_test_is_left(own: SandboxClient) -> None:
    own.server.add_fault(Fault(FaultKind.UNAVAILABLE))
    own.server.clock.advance(3600)
    own.youtube("channels", id="x")
    own.server.reset()
    assert (own.server.request_count(), own.server.youtube_units) == (0, 0)
    assert own.server.clock.now() == own.server.options.time
    assert profile(own).status_code == 200

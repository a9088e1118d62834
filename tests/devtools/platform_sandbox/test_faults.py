from __future__ import annotations

from typing import Any

import pytest
import requests

from devtools.platform_sandbox import Fault, FaultKind, PlatformName
from tests.support.sandbox_client import KEY, SandboxClient


def profile(client: SandboxClient, index: int = 0) -> requests.Response:
    return client.tiktok("info", uniqueId=client.server.world.creator("TikTok", index).username)


def posts(client: SandboxClient, cursor: str = "0") -> dict[str, Any]:
    creator = client.server.world.creator("TikTok", 0)
    data: dict[str, Any] = client.tiktok("posts", secUid=creator.sec_id, cursor=cursor).json()["data"]
    return data


def test_a_fault_affects_the_given_number_of_requests(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.SERVER_ERROR, times=2))
    assert [profile(fresh_sandbox).status_code for _ in range(3)] == [500, 500, 200]


def test_a_fault_without_times_affects_all_requests_until_it_is_removed(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.UNAVAILABLE))
    assert [profile(fresh_sandbox).status_code for _ in range(3)] == [503, 503, 503]
    fresh_sandbox.server.clear_faults()
    assert profile(fresh_sandbox).status_code == 200


@pytest.mark.parametrize(
    "other", [Fault(FaultKind.SERVER_ERROR, platform="YouTube"), Fault(FaultKind.SERVER_ERROR, path="/posts")]
)
def test_a_fault_does_not_affect_another_platform_or_path(fresh_sandbox: SandboxClient, other: Fault) -> None:
    fresh_sandbox.server.add_fault(other)
    assert profile(fresh_sandbox).status_code == 200


def test_a_fault_affects_only_its_creator_by_username_id_or_sec_uid(fresh_sandbox: SandboxClient) -> None:
    creator = fresh_sandbox.server.world.creator("TikTok", 0)
    for name in (creator.username, f"@{creator.username}", creator.external_id, creator.sec_id):
        fresh_sandbox.server.clear_faults()
        fresh_sandbox.server.add_fault(Fault(FaultKind.SERVER_ERROR, creator=name))
        assert [profile(fresh_sandbox, 0).status_code, profile(fresh_sandbox, 1).status_code] == [500, 200]


def test_a_fault_of_page_2_affects_the_second_page(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.EMPTY_BODY, page=2))
    cursor = posts(fresh_sandbox)["cursor"]
    creator = fresh_sandbox.server.world.creator("TikTok", 0)
    response = fresh_sandbox.tiktok("posts", secUid=creator.sec_id, cursor=cursor)
    assert (response.status_code, response.content) == (200, b"")


def test_a_revoked_key_is_refused_and_another_one_is_not(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.INVALID_CREDENTIALS, key="revoked"))
    assert profile(fresh_sandbox).status_code == 200
    fresh_sandbox.server.add_fault(Fault(FaultKind.INVALID_CREDENTIALS, key=KEY))
    assert profile(fresh_sandbox).status_code == 403


def test_a_rate_limit_has_retry_after_only_with_seconds(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.RATE_LIMIT, seconds=7, times=1))
    fresh_sandbox.server.add_fault(Fault(FaultKind.RATE_LIMIT, times=1))
    responses = [profile(fresh_sandbox) for _ in range(2)]
    assert [response.status_code for response in responses] == [429, 429]
    assert [response.headers.get("Retry-After") for response in responses] == ["7", None]


def test_a_reset_closes_the_connection_without_a_response(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.RESET, times=1))
    with pytest.raises(requests.ConnectionError):
        profile(fresh_sandbox)
    assert profile(fresh_sandbox).status_code == 200


def test_a_hang_outlasts_the_timeout_of_the_client(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.HANG, times=1))
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{fresh_sandbox.server.tiktok_url}/api/user/info", timeout=0.2)


def test_a_hang_is_followed_by_the_normal_response(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.HANG, seconds=0.05))
    assert profile(fresh_sandbox).json()["statusCode"] == 0


def test_html_and_truncated_bodies_are_200_but_not_json(fresh_sandbox: SandboxClient) -> None:
    for kind in (FaultKind.HTML_BODY, FaultKind.TRUNCATED_JSON):
        fresh_sandbox.server.clear_faults()
        fresh_sandbox.server.add_fault(Fault(kind))
        response = profile(fresh_sandbox)
        assert response.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            response.json()


def test_a_repeated_cursor_leads_to_the_same_page(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.REPEATED_CURSOR))
    first = posts(fresh_sandbox)
    assert (first["hasMore"], first["cursor"]) == (True, "0")
    second = posts(fresh_sandbox, first["cursor"])
    assert first["itemList"] == second["itemList"]


def test_lying_has_more_promises_further_pages_after_the_end(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.LYING_HAS_MORE))
    cursor, sizes = "0", []
    for _ in range(12):
        data = posts(fresh_sandbox, cursor)
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
def test_a_fault_on_tiktok_gives_tiktoks_error(
    fresh_sandbox: SandboxClient, kind: FaultKind, status: int, text: str
) -> None:
    fresh_sandbox.server.add_fault(Fault(kind, platform="TikTok"))
    response = profile(fresh_sandbox)
    assert response.status_code == status
    assert text in response.text


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
def test_a_fault_on_youtube_gives_youtubes_error(
    fresh_sandbox: SandboxClient, kind: FaultKind, status: int, reason: str
) -> None:
    fresh_sandbox.server.add_fault(Fault(kind, platform="YouTube"))
    response = fresh_sandbox.youtube("channels", id="x")
    assert (response.status_code, response.json()["error"]["errors"][0]["reason"]) == (status, reason)


@pytest.mark.parametrize(
    ("kind", "status"),
    [(FaultKind.CREDIT_GONE, 402), (FaultKind.INVALID_CREDENTIALS, 401), (FaultKind.RATE_LIMIT, 429)],
)
def test_a_fault_on_instagram_gives_hikerapis_error(fresh_sandbox: SandboxClient, kind: FaultKind, status: int) -> None:
    fresh_sandbox.server.add_fault(Fault(kind, platform="Instagram"))
    response = fresh_sandbox.instagram("by/username", username="x")
    assert response.status_code == status
    assert set(response.json()) == {"detail", "exc_type"}


def test_a_fault_that_a_platform_does_not_support_is_501(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.REGION, platform="YouTube"))
    assert fresh_sandbox.youtube("channels", id="x").status_code == 501


@pytest.mark.parametrize("platform", PlatformName)
def test_a_key_in_the_url_is_rejected_and_not_logged(fresh_sandbox: SandboxClient, platform: PlatformName) -> None:
    response = fresh_sandbox.get(f"{fresh_sandbox.server.base_url}/{platform.slug}/anything", key="a-secret")
    assert response.status_code == 400
    assert "a-secret" not in str(fresh_sandbox.server.log.as_json())


def test_a_reset_removes_faults_counts_units_and_clock_changes(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.server.add_fault(Fault(FaultKind.UNAVAILABLE))
    fresh_sandbox.server.clock.advance(3600)
    fresh_sandbox.youtube("channels", id="x")
    fresh_sandbox.server.reset()
    assert (fresh_sandbox.server.request_count(), fresh_sandbox.server.youtube_units) == (0, 0)
    assert fresh_sandbox.server.clock.now() == fresh_sandbox.server.options.time
    assert profile(fresh_sandbox).status_code == 200

from __future__ import annotations

from collections.abc import Callable

import pytest

from devtools.platform_sandbox import PlatformName, SandboxOptions
from tests.support.sandbox_client import NOON, SandboxClient


def test_the_same_request_at_the_same_time_gives_the_same_response(
    start_sandbox: Callable[[SandboxOptions], SandboxClient],
) -> None:
    bodies = set()
    for _ in range(2):
        client = start_sandbox(SandboxOptions(time=NOON))
        creator = client.server.world.creator("Instagram", 0)
        for _ in range(2):
            body = client.instagram("clips", user_id=creator.external_id).text
            bodies.add(body.replace(client.server.base_url, ""))
    assert len(bodies) == 1


def test_new_videos_appear_and_counters_grow_as_the_clock_advances(fresh_sandbox: SandboxClient) -> None:
    creator = fresh_sandbox.server.world.creator("TikTok", 0)

    def plays() -> dict[str, int]:
        items = fresh_sandbox.tiktok("posts", secUid=creator.sec_id, cursor=0).json()["data"]["itemList"]
        return {item["id"]: int(item["statsV2"]["playCount"]) for item in items if "id" in item}

    before = plays()
    response = fresh_sandbox.session.post(
        f"{fresh_sandbox.server.base_url}/_sandbox/clock", json={"advance_seconds": 30 * 86_400}, timeout=10
    )
    after = plays()
    assert response.json()["now"] == "2026-07-15T12:00:00+00:00"
    assert set(after) - set(before), "new videos"
    assert all(after[video_id] >= number for video_id, number in before.items() if video_id in after)


def test_requests_are_counted_by_platform_and_call(fresh_sandbox: SandboxClient) -> None:
    fresh_sandbox.youtube("videos", id="a,b,c")
    fresh_sandbox.tiktok("info", uniqueId="nobody")
    fresh_sandbox.tiktok("info", uniqueId="nobody")
    counted = fresh_sandbox.get(f"{fresh_sandbox.server.base_url}/_sandbox/requests").json()
    assert counted["total"] == 3
    assert counted["calls"] == {"YouTube": {"videos": 1}, "TikTok": {"info": 2}}
    assert counted["statuses"] == {"YouTube": {"200": 1}, "TikTok": {"200": 2}}
    assert (counted["max_video_ids"], counted["youtube_units"]) == (3, 1)
    assert fresh_sandbox.server.request_count("TikTok") == fresh_sandbox.server.request_count(call="info") == 2


def test_faults_are_injected_and_removed_over_http(fresh_sandbox: SandboxClient) -> None:
    url = f"{fresh_sandbox.server.base_url}/_sandbox/faults"
    fresh_sandbox.session.post(
        url, json=[{"kind": "server_error", "platform": "TikTok", "times": 1}, {"kind": "unavailable"}], timeout=10
    )
    assert [fresh_sandbox.tiktok("info").status_code for _ in range(2)] == [500, 503]
    fresh_sandbox.session.delete(url, timeout=10)
    assert fresh_sandbox.tiktok("info").status_code == 200


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"kind": "gremlins"}, "kind must be one of rate_limit, "),
        ({"kind": ["reset"]}, "kind must be one of rate_limit, "),
        ({"kind": "reset", "platform": "MySpace"}, "platform must be one of TikTok, Instagram, YouTube"),
        ({"kind": "reset", "colour": "red"}, "colour is not a field"),
        ({"kind": "reset", "times": "3"}, "times is not a field of a fault, or its value has the wrong type"),
        ("reset", "a fault is a JSON object"),
    ],
)
def test_an_invalid_fault_is_rejected_with_the_reason(
    fresh_sandbox: SandboxClient, document: object, reason: str
) -> None:
    response = fresh_sandbox.session.post(f"{fresh_sandbox.server.base_url}/_sandbox/faults", json=document, timeout=10)
    assert response.status_code == 400
    assert response.json()["error"].startswith(reason)
    assert fresh_sandbox.get(f"{fresh_sandbox.server.base_url}/_sandbox/faults").json() == {"pending": []}


def test_a_time_without_an_offset_is_rejected(fresh_sandbox: SandboxClient) -> None:
    response = fresh_sandbox.session.post(
        f"{fresh_sandbox.server.base_url}/_sandbox/clock", json={"now": "2026-01-01T00:00:00"}, timeout=10
    )
    assert response.status_code == 400


def test_health_shows_the_seed_and_the_time(sandbox: SandboxClient) -> None:
    health = sandbox.get(f"{sandbox.server.base_url}/_sandbox/health").json()
    assert (health["status"], health["seed"], health["now"]) == ("ok", 7, NOON.isoformat())


@pytest.mark.parametrize("platform", PlatformName)
def test_an_unknown_path_is_404(sandbox: SandboxClient, platform: PlatformName) -> None:
    assert sandbox.get(f"{sandbox.server.base_url}/{platform.slug}/v9/nothing").status_code == 404
    assert sandbox.get(f"{sandbox.server.base_url}/nowhere").status_code == 404


def test_page_sizes_and_video_counts_can_be_set(start_sandbox: Callable[[SandboxOptions], SandboxClient]) -> None:
    client = start_sandbox(SandboxOptions(time=NOON, video_count=25, page_sizes={"TikTok": 10}, traps=False))
    sizes = [len(page["itemList"]) for page in client.tiktok_pages(client.server.world.creator("TikTok", 1))]
    assert sizes == [10, 10, 5]


def test_without_traps_every_entry_has_an_id_and_none_is_repeated(
    start_sandbox: Callable[[SandboxOptions], SandboxClient],
) -> None:
    client = start_sandbox(SandboxOptions(time=NOON, traps=False))
    for index in range(6):
        items = [
            item
            for page in client.tiktok_pages(client.server.world.creator("TikTok", index))
            for item in page["itemList"]
        ]
        assert items
        assert len({item["id"] for item in items}) == len(items)

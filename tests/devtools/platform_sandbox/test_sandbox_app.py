from __future__ import annotations

from collections.abc import Callable

import pytest

from devtools.platform_sandbox import PlatformName, SandboxOptions
from tests.support.sandbox_client import NOON, SandboxClient


def test_the_same_request_at_the_same_time_gives_the_same_answer(
    start: Callable[[SandboxOptions], SandboxClient],
) -> None:
    bodies = set()
    for _ in range(2):
        client = start(SandboxOptions(time=NOON))
        creator = client.server.world.creator("Instagram", 0)
        for _ in range(2):
            body = client.instagram("clips", user_id=creator.external_id).text
            bodies.add(body.replace(client.server.base_url, ""))
    assert len(bodies) == 1


def test_counters_grow_when_the_clock_is_advanced(own: SandboxClient) -> None:
    creator = own.server.world.creator("TikTok", 0)

    def plays() -> dict[str, int]:
        items = own.tiktok("posts", secUid=creator.sec_id, cursor=0).json()["data"]["itemList"]
        return {item["id"]: int(item["statsV2"]["playCount"]) for item in items if "id" in item}

    before = plays()
    answer = own.session.post(
        f"{own.server.base_url}/_sandbox/clock", json={"advance_seconds": 30 * 86_400}, timeout=10
    )
    after = plays()
    assert answer.json()["now"] == "2026-07-15T12:00:00+00:00"
    assert set(after) - set(before), "new videos"
    assert all(after[video_id] >= number for video_id, number in before.items() if video_id in after)


def test_requests_are_counted_by_platform_and_call(own: SandboxClient) -> None:
    own.youtube("videos", id="a,b,c")
    own.tiktok("info", uniqueId="nobody")
    own.tiktok("info", uniqueId="nobody")
    counted = own.get(f"{own.server.base_url}/_sandbox/requests").json()
    assert counted["total"] == 3
    assert counted["calls"] == {"YouTube": {"videos": 1}, "TikTok": {"info": 2}}
    assert counted["statuses"] == {"YouTube": {"200": 1}, "TikTok": {"200": 2}}
    assert (counted["max_video_ids"], counted["youtube_units"]) == (3, 1)
    assert own.server.request_count("TikTok") == own.server.request_count(call="info") == 2


def test_faults_are_set_and_taken_back_over_http(own: SandboxClient) -> None:
    url = f"{own.server.base_url}/_sandbox/faults"
    own.session.post(
        url, json=[{"kind": "server_error", "platform": "TikTok", "times": 1}, {"kind": "unavailable"}], timeout=10
    )
    assert [own.tiktok("info").status_code for _ in range(2)] == [500, 503]
    own.session.delete(url, timeout=10)
    assert own.tiktok("info").status_code == 200


@pytest.mark.parametrize(
    "order", [{"kind": "gremlins"}, {"kind": "reset", "colour": "red"}, {"kind": "reset", "times": "3"}, "reset"]
)
def test_a_fault_that_is_not_understood_is_refused_with_the_reason(own: SandboxClient, order: object) -> None:
    answer = own.session.post(f"{own.server.base_url}/_sandbox/faults", json=order, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_clock_without_an_offset_is_refused(own: SandboxClient) -> None:
    answer = own.session.post(f"{own.server.base_url}/_sandbox/clock", json={"now": "2026-01-01T00:00:00"}, timeout=10)
    assert answer.status_code == 400


def test_health_tells_the_seed_and_the_time(shared: SandboxClient) -> None:
    health = shared.get(f"{shared.server.base_url}/_sandbox/health").json()
    assert (health["status"], health["seed"], health["now"]) == ("ok", 7, NOON.isoformat())


@pytest.mark.parametrize("platform", PlatformName)
def test_an_unknown_path_is_404(shared: SandboxClient, platform: PlatformName) -> None:
    assert shared.get(f"{shared.server.base_url}/{platform.slug}/v9/nothing").status_code == 404
    assert shared.get(f"{shared.server.base_url}/nowhere").status_code == 404


def test_page_sizes_and_video_counts_can_be_set(start: Callable[[SandboxOptions], SandboxClient]) -> None:
    client = start(SandboxOptions(time=NOON, video_count=25, page_sizes={"TikTok": 10}, traps=False))
    sizes = [len(page["itemList"]) for page in client.tiktok_pages(client.server.world.creator("TikTok", 1))]
    assert sizes == [10, 10, 5]


def test_without_traps_every_entry_can_be_read(start: Callable[[SandboxOptions], SandboxClient]) -> None:
    client = start(SandboxOptions(time=NOON, traps=False))
    for index in range(6):
        items = [
            item
            for page in client.tiktok_pages(client.server.world.creator("TikTok", index))
            for item in page["itemList"]
        ]
        assert len({item["id"] for item in items}) == len(items)

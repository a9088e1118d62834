"""Every independent check finds the violation that is planted, and finds nothing in sound rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from devtools.chaos.independent_checks import CHECKS, Evidence, Expectations, find_violations
from devtools.chaos.raw_rows import RawRows, Row
from devtools.chaos.world_oracle import WorldOracle
from devtools.platform_sandbox import Creator, PlatformName, World

NOW = datetime(2026, 6, 15, 12, 0, 30, tzinfo=UTC)
GRANTED = 10
FETCHES = {PlatformName.TIKTOK: 1, PlatformName.INSTAGRAM: 2, PlatformName.YOUTUBE: 3}

ORACLE = WorldOracle(World())


class SoundRows:
    """Rows of one organization with an ordinary blogger of each platform, fetched once, without a violation."""

    def __init__(self) -> None:
        self.organization = uuid4()
        self.creators: dict[UUID, Creator] = {}
        self.rows = RawRows(
            runs=[{"id": 1, "dag_run_id": "manual", "ended_at": NOW}],
            usages=[
                {
                    "organization_id": self.organization,
                    "period_start": NOW,
                    "videos_fetched": 3 * GRANTED,
                    "removed_charges": 0,
                    "reserved": 0,
                }
            ],
        )
        for platform, fetch in FETCHES.items():
            self._add(next(iter(ORACLE.plain_creators(platform, NOW))), fetch)

    def evidence(self) -> Evidence:
        return Evidence(self.rows, Expectations(creators=self.creators), ORACLE, {"TikTok posts": 3, "TikTok info": 9})

    def _add(self, creator: Creator, fetch: int) -> None:
        blogger, account = uuid4(), uuid4()
        self.creators[blogger] = creator
        self.rows.accounts.append({
            "id": account,
            "organization_id": self.organization,
            "blogger_id": blogger,
            "last_scraped_at": NOW,
        })
        self.rows.fetches.append({
            "id": fetch,
            "blogger_id": blogger,
            "state": "succeeded",
            "conclusive_state": "succeeded",
            "conclusive_attempt_id": fetch,
        })
        self.rows.attempts.append(attempt(fetch, fetch, NOW - timedelta(seconds=2)))
        self.rows.allocations.append({
            "fetch_id": fetch,
            "organization_id": self.organization,
            "tracked_account_id": account,
            "period_start": NOW,
            "granted": GRANTED,
            "reserved": 0,
            "charged": GRANTED,
        })
        for number, video_id in enumerate(ORACLE.newest(creator, NOW, GRANTED)):
            self._add_video(fetch * 100 + number, fetch, blogger, creator, video_id)

    def _add_video(self, video: int, fetch: int, blogger: UUID, creator: Creator, video_id: str) -> None:
        counters = ORACLE.counters(creator, video_id, NOW)
        assert counters is not None
        hidden = ORACLE.hides_views(creator, video_id, NOW)
        self.rows.videos.append({
            "id": video,
            "platform": str(creator.platform),
            "external_video_id": video_id,
            "blogger_id": blogger,
            "first_seen_at": NOW,
            "thumbnail_url": "http://127.0.0.1/1.jpg",
            "thumbnail_path": "1.jpg",
        })
        self.rows.links.append({"organization_id": self.organization, "video_id": video})
        self.rows.statistics.append({
            "video_id": video,
            "fetch_id": fetch,
            "captured_at": NOW,
            "views": None if hidden else counters.views,
        })
        self.rows.messages.append({
            "id": video,
            "queue": "thumbnail_queue",
            "video_id": video,
            "parked_at": None,
            "done_at": NOW,
            "attempts": 1,
            "last_error": None,
        })


def attempt(number: int, fetch: int, started: datetime, outcome: str | None = "succeeded") -> Row:
    return {
        "id": number,
        "fetch_id": fetch,
        "started_at": started,
        "finished_at": NOW,
        "outcome": outcome,
        "requests": {"listing": 1},
    }


@pytest.fixture
def sound() -> SoundRows:
    return SoundRows()


def test_sound_rows_have_no_violation(sound: SoundRows) -> None:
    assert find_violations(sound.evidence()) == []


def charge_too_much(rows: RawRows) -> None:
    rows.usages[0]["videos_fetched"] += 1


def keep_a_reservation(rows: RawRows) -> None:
    rows.allocations[0]["reserved"] = rows.usages[0]["reserved"] = 5


def leave_a_run_open(rows: RawRows) -> None:
    rows.runs[0]["ended_at"] = None


def leave_a_fetch_running(rows: RawRows) -> None:
    rows.fetches[0]["state"] = "running"


def leave_an_attempt_open(rows: RawRows) -> None:
    rows.attempts.append(attempt(9, 1, NOW - timedelta(seconds=9), outcome=None))


def forget_an_account(rows: RawRows) -> None:
    rows.accounts[0]["id"] = uuid4()


def forget_a_mark(rows: RawRows) -> None:
    rows.accounts[0]["last_scraped_at"] = None


def unlink_a_video(rows: RawRows) -> None:
    rows.links.pop()


def link_an_older_video(rows: RawRows) -> None:
    creator = next(iter(ORACLE.plain_creators(PlatformName.TIKTOK, NOW)))
    rows.videos[0]["external_video_id"] = ORACLE.newest(creator, NOW, GRANTED + 1)[-1]


def grant_more_than_was_charged(rows: RawRows) -> None:
    rows.allocations[0]["granted"] = GRANTED + 1


def store_a_video_twice(rows: RawRows) -> None:
    rows.videos.append(rows.videos[0] | {"id": 999})


def store_a_foreign_video(rows: RawRows) -> None:
    rows.videos.append(rows.videos[0] | {"id": 999, "external_video_id": "7000000000000000000"})


def measure_a_video_twice(rows: RawRows) -> None:
    rows.statistics.append(rows.statistics[0])


def lose_statistics(rows: RawRows) -> None:
    rows.statistics.pop()


def exaggerate_views(rows: RawRows) -> None:
    next(row for row in rows.statistics if row["views"])["views"] += 1_000_000


def take_old_views(rows: RawRows) -> None:
    # A video of some days, whose views have grown since.
    rows.statistics[GRANTED - 1]["views"] -= 1_000


def park_a_message(rows: RawRows) -> None:
    rows.messages[0] |= {"parked_at": NOW, "done_at": None, "last_error": "no image"}


def leave_a_message(rows: RawRows) -> None:
    rows.messages[0]["done_at"] = None


def lose_a_thumbnail(rows: RawRows) -> None:
    rows.videos[0]["thumbnail_path"] = None


def fetch_again(rows: RawRows) -> None:
    rows.attempts.append(attempt(9, 1, NOW - timedelta(seconds=1)))


def try_again_after_saving(rows: RawRows) -> None:
    rows.attempts.append(attempt(9, 1, NOW + timedelta(seconds=1), outcome="failed"))


def forget_a_request(rows: RawRows) -> None:
    rows.attempts[0]["requests"] = {}


PLANTED: dict[Callable[[RawRows], None], str] = {
    charge_too_much: "usage",
    keep_a_reservation: "reservations",
    leave_a_run_open: "unfinished",
    leave_a_fetch_running: "unfinished",
    leave_an_attempt_open: "unfinished",
    forget_an_account: "missing",
    forget_a_mark: "missing",
    unlink_a_video: "links",
    link_an_older_video: "links",
    grant_more_than_was_charged: "charges",
    store_a_video_twice: "videos",
    store_a_foreign_video: "videos",
    measure_a_video_twice: "statistics",
    lose_statistics: "statistics",
    exaggerate_views: "statistics",
    take_old_views: "statistics",
    park_a_message: "queues",
    leave_a_message: "queues",
    lose_a_thumbnail: "queues",
    fetch_again: "repeated",
    try_again_after_saving: "repeated",
    forget_a_request: "requests",
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_violation_is_found(sound: SoundRows, plant: Callable[[RawRows], None]) -> None:
    plant(sound.rows)
    assert PLANTED[plant] in {violation.partition(":")[0] for violation in find_violations(sound.evidence())}


def test_every_check_has_a_planted_violation() -> None:
    assert set(PLANTED.values()) == set(CHECKS)


def test_an_account_that_was_deleted_before_its_claim_gets_nothing(sound: SoundRows) -> None:
    grant_more_than_was_charged(sound.rows)
    account = sound.rows.allocations[0]["tracked_account_id"]
    sound.rows.accounts[:] = [each for each in sound.rows.accounts if each["id"] != account]
    assert "charges" not in {violation.partition(":")[0] for violation in find_violations(sound.evidence())}

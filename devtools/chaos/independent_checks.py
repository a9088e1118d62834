"""Checks of what a disturbed run left behind, written apart from the package: plain Python over stored rows.

The invariants (`make verify`) are queries that were written beside the code that they check. These checks share neither
a statement nor a function with that code: they add rows up, and compare them with the sandbox's world. Every check
yields one sentence per violation.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from devtools.chaos.raw_rows import RawRows, Row
from devtools.chaos.world_oracle import WorldOracle
from devtools.platform_sandbox import Creator

_CONCLUSIVE = frozenset({"succeeded", "partial", "empty", "private", "not_found"})
_LIVE = frozenset({"planned", "running"})
_LIST_CALLS = frozenset({"TikTok posts", "Instagram clips", "Instagram medias", "YouTube playlistItems"})
_MOST_REQUESTS = 9
"""Requests for lists that an attempt makes at most: three pages, each repeated twice."""

_Key: TypeAlias = tuple[UUID, UUID]
_RENDERED_BEFORE = timedelta(seconds=90)


@dataclass(kw_only=True)
class Expectations:
    """Expected result of one try.

    `creators` are the sandbox's creators by blogger id. `excused` are tracked accounts that need not be fetched,
    `planted_videos` external ids that the disturbance inserted, and whose messages may be parked. With `repeated`, a
    fetch may be made again although it was conclusive. With `less_granted`, a claim may be granted less than planning
    granted. With `ended_by_hand`, the ledger may have no end of a run, because its last task has not run.
    """

    creators: dict[UUID, Creator]
    excused: set[UUID] = field(default_factory=set)
    planted_videos: set[str] = field(default_factory=set)
    repeated: bool = False
    less_granted: bool = False
    ended_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Stored rows, the expected result, the sandbox's world, and the requests that the sandbox counted, by call."""

    rows: RawRows
    expected: Expectations
    oracle: WorldOracle
    requests: Mapping[str, int]


def charges_that_are_no_usage(evidence: Evidence) -> Iterator[str]:
    """Yield each period whose usage is not the sum of its allocations."""
    sums: dict[tuple[UUID, datetime], Counter[str]] = defaultdict(Counter)
    for row in evidence.rows.allocations:
        sums[row["organization_id"], row["period_start"]] += Counter(charged=row["charged"], reserved=row["reserved"])
    for usage in evidence.rows.usages:
        ledger = sums[usage["organization_id"], usage["period_start"]]
        charged = ledger["charged"] + usage["removed_charges"]
        if (usage["videos_fetched"], usage["reserved"]) != (charged, ledger["reserved"]):
            yield (
                f"organization {usage['organization_id']}: the usage counts {usage['videos_fetched']} charged and "
                f"{usage['reserved']} reserved videos, the allocations {charged} and {ledger['reserved']}"
            )


def leftover_reservations(evidence: Evidence) -> Iterator[str]:
    """Yield each reservation that is still held although nothing runs any more."""
    for row in evidence.rows.allocations:
        if row["reserved"]:
            yield f"fetch {row['fetch_id']}: organization {row['organization_id']} still reserves {row['reserved']}"
    for usage in evidence.rows.usages:
        if usage["reserved"]:
            yield f"organization {usage['organization_id']}: the usage still reserves {usage['reserved']}"


def unfinished_work(evidence: Evidence) -> Iterator[str]:
    """Yield each run, fetch and attempt that is open although nothing runs any more."""
    for run in evidence.rows.runs:
        if run["ended_at"] is None and not evidence.expected.ended_by_hand:
            yield f"run {run['id']} ({run['dag_run_id']}) has no end"
    for fetch in evidence.rows.fetches:
        if fetch["state"] in _LIVE:
            yield f"fetch {fetch['id']} is still {fetch['state']}"
    for attempt in evidence.rows.attempts:
        if attempt["outcome"] is None:
            yield f"attempt {attempt['id']} of fetch {attempt['fetch_id']} is still open"


def missing_fetches(evidence: Evidence) -> Iterator[str]:
    """Yield each tracked account that should have been fetched, and was not."""
    fetched = {
        row["tracked_account_id"]
        for row in evidence.rows.allocations
        if row["charged"] and row["tracked_account_id"] is not None
    }
    for account in evidence.rows.accounts:
        if account["id"] in evidence.expected.excused or account["blogger_id"] not in evidence.expected.creators:
            continue
        creator = evidence.expected.creators[account["blogger_id"]]
        if account["id"] not in fetched:
            yield f"@{creator.username} ({creator.platform}) was not fetched for {account['organization_id']}"
        elif account["last_scraped_at"] is None:
            yield f"@{creator.username} ({creator.platform}) was fetched, but has no last_scraped_at"


def wrong_links(evidence: Evidence) -> Iterator[str]:
    """Yield each account whose organization is not linked to exactly the newest videos that it paid for."""
    linked, paid = _linked_videos(evidence.rows), _paid_videos(evidence.rows)
    # The links and the payments of an account that was deleted have nothing to be compared with.
    for key in {(row["organization_id"], row["blogger_id"]) for row in evidence.rows.accounts}:
        creator = evidence.expected.creators.get(key[1])
        if creator is None:
            continue
        found = linked[key] - evidence.expected.planted_videos
        if not _is_union_of_newest(evidence.oracle, creator, paid[key], found):
            yield f"@{creator.username} ({creator.platform}): {len(found)} links of {key[0]} are not the newest videos"


def short_charges(evidence: Evidence) -> Iterator[str]:
    """Yield each complete fetch that gave an organization fewer videos than were granted and are listed.

    A claim gives nothing to an account that was deleted or paused since planning.
    """
    tracked = {account["id"] for account in evidence.rows.accounts} - evidence.expected.excused
    complete = {
        row["id"]
        for row in evidence.rows.fetches
        if row["conclusive_state"] == "succeeded" and row["blogger_id"] in evidence.expected.creators
    }
    for row in evidence.rows.allocations:
        is_due = row["fetch_id"] in complete and row["tracked_account_id"] in tracked
        if is_due and row["charged"] < row["granted"] and not evidence.expected.less_granted:
            yield (
                f"fetch {row['fetch_id']}: organization {row['organization_id']} got {row['charged']} of "
                f"{row['granted']} granted videos, although the creator lists more"
            )


def _linked_videos(rows: RawRows) -> dict[_Key, set[str]]:
    """Return the external ids of the linked videos by organization and blogger."""
    videos = {row["id"]: row for row in rows.videos}
    linked: dict[_Key, set[str]] = defaultdict(set)
    for link in rows.links:
        video = videos.get(link["video_id"])
        if video is not None:
            linked[link["organization_id"], video["blogger_id"]].add(video["external_video_id"])
    return linked


def _paid_videos(rows: RawRows) -> dict[_Key, list[tuple[datetime, datetime, int]]]:
    """Return begin and end of the conclusive attempts and the paid videos, by organization and blogger."""
    fetches = {row["id"]: row for row in rows.fetches}
    attempts = {row["id"]: row for row in rows.attempts}
    paid: dict[_Key, list[tuple[datetime, datetime, int]]] = defaultdict(list)
    for allocation in rows.allocations:
        fetch = fetches[allocation["fetch_id"]]
        attempt = attempts.get(fetch["conclusive_attempt_id"])
        if allocation["charged"] and attempt is not None:
            key = (allocation["organization_id"], fetch["blogger_id"])
            paid[key].append((attempt["started_at"], attempt["finished_at"], allocation["charged"]))
    return paid


def _is_union_of_newest(
    oracle: WorldOracle, creator: Creator, paid: list[tuple[datetime, datetime, int]], found: set[str]
) -> bool:
    # A video may be published between the response and the end of the attempt.
    at_begin = {video for begin, _, count in paid for video in oracle.newest(creator, begin, count)}
    at_end = {video for _, end, count in paid for video in oracle.newest(creator, end, count)}
    return found in (at_begin, at_end)


def foreign_videos(evidence: Evidence) -> Iterator[str]:
    """Yield each stored video that is stored twice, or that its creator does not list."""
    for key, number in Counter((row["platform"], row["external_video_id"]) for row in evidence.rows.videos).items():
        if number > 1:
            yield f"{key[0]} video {key[1]} is stored {number} times"
    for row in evidence.rows.videos:
        creator = evidence.expected.creators.get(row["blogger_id"])
        if creator is None or row["external_video_id"] in evidence.expected.planted_videos:
            continue
        if evidence.oracle.video(creator, row["external_video_id"], row["first_seen_at"]) is None:
            yield f"{row['platform']} video {row['external_video_id']} is not listed by @{creator.username}"


def wrong_statistics(evidence: Evidence) -> Iterator[str]:
    """Yield each video without statistics, with two rows of one fetch, or with views that it never had."""
    videos = {row["id"]: row for row in evidence.rows.videos}
    measured = Counter((row["video_id"], row["fetch_id"]) for row in evidence.rows.statistics)
    for (video_id, fetch_id), number in measured.items():
        if number > 1:
            yield f"video {video_id} has {number} rows of statistics of fetch {fetch_id}"
    for row in evidence.rows.statistics:
        yield from _wrong_views(evidence, videos[row["video_id"]], row)
    with_statistics = {row["video_id"] for row in evidence.rows.statistics}
    for video_id, video in videos.items():
        planted = video["external_video_id"] in evidence.expected.planted_videos
        if video_id not in with_statistics and not planted and video["blogger_id"] in evidence.expected.creators:
            yield f"{video['platform']} video {video['external_video_id']} has no statistics"


def _wrong_views(evidence: Evidence, video: Row, row: Row) -> Iterator[str]:
    creator = evidence.expected.creators.get(video["blogger_id"])
    video_id, captured, views = video["external_video_id"], row["captured_at"], row["views"]
    if creator is None or video_id in evidence.expected.planted_videos:
        return
    least = evidence.oracle.counters(creator, video_id, captured - _RENDERED_BEFORE)
    most = evidence.oracle.counters(creator, video_id, captured)
    if evidence.oracle.hides_views(creator, video_id, captured):
        if views is not None:
            yield f"{video['platform']} video {video_id} has {views} views, although the platform gave no number"
    elif most is None or views is None or not (least.views if least else 0) <= views <= most.views:
        yield f"{video['platform']} video {video_id} has {views} views, the platform said {most and most.views}"


def unprocessed_messages(evidence: Evidence) -> Iterator[str]:
    """Yield each message that waits or is parked, except for planted videos, and each video without a thumbnail."""
    videos = {row["id"]: row["external_video_id"] for row in evidence.rows.videos}
    planted = evidence.expected.planted_videos
    for message in evidence.rows.messages:
        ids = set(message["videos"]) if "videos" in message else {videos.get(message["video_id"])}
        if message["parked_at"] is not None and not ids & planted:
            yield f"message {message['id']} of {message['queue']} is parked: {message['last_error']}"
        elif message["parked_at"] is None and message["done_at"] is None:
            yield f"message {message['id']} of {message['queue']} still waits ({message['attempts']} attempts)"
    for row in evidence.rows.videos:
        if row["thumbnail_url"] and not row["thumbnail_path"] and row["external_video_id"] not in planted:
            yield f"{row['platform']} video {row['external_video_id']} has no stored thumbnail"


def repeated_fetches(evidence: Evidence) -> Iterator[str]:
    """Yield each fetch that asked the platform again although its videos were saved."""
    if evidence.expected.repeated:
        return
    conclusive = Counter(row["fetch_id"] for row in evidence.rows.attempts if row["outcome"] in _CONCLUSIVE)
    saved_at = {row["fetch_id"]: row["finished_at"] for row in evidence.rows.attempts if row["outcome"] in _CONCLUSIVE}
    for fetch_id, number in conclusive.items():
        if number > 1:
            yield f"fetch {fetch_id} was conclusive {number} times"
    for row in evidence.rows.attempts:
        if row["outcome"] not in _CONCLUSIVE and row["started_at"] > saved_at.get(row["fetch_id"], row["started_at"]):
            yield f"attempt {row['id']} of fetch {row['fetch_id']} began after the videos were saved"


def unrecorded_requests(evidence: Evidence) -> Iterator[str]:
    """Yield each excess of requests for lists: more than the attempts recorded, and interrupted attempts may have made.

    The sandbox counts the requests of everybody, the attempts those of this fleet: nothing else may run meanwhile.
    """
    counted = sum(number for call, number in evidence.requests.items() if call in _LIST_CALLS)
    recorded = sum(row["requests"].get(use, 0) for row in evidence.rows.attempts for use in ("listing", "retry"))
    interrupted = sum(row["outcome"] in {None, "released", "superseded"} for row in evidence.rows.attempts)
    if counted > recorded + interrupted * _MOST_REQUESTS:
        yield (
            f"the platforms counted {counted} requests for lists, the attempts recorded {recorded}, and {interrupted} "
            "attempts were interrupted"
        )


CHECKS: Mapping[str, Callable[[Evidence], Iterator[str]]] = {
    "usage": charges_that_are_no_usage,
    "reservations": leftover_reservations,
    "unfinished": unfinished_work,
    "missing": missing_fetches,
    "links": wrong_links,
    "charges": short_charges,
    "videos": foreign_videos,
    "statistics": wrong_statistics,
    "queues": unprocessed_messages,
    "repeated": repeated_fetches,
    "requests": unrecorded_requests,
}
"""The checks by the name that a violation is reported under."""


def find_violations(evidence: Evidence) -> list[str]:
    """Return the violations of all checks, each with the name of its check."""
    return [f"{name}: {violation}" for name, check in CHECKS.items() for violation in check(evidence)]

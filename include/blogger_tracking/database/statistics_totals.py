"""Totals of bloggers' statistics by day: the sums over their videos of the newest numbers up to each day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.rows import fetch_all


@dataclass(frozen=True, slots=True)
class DayTotals:
    """Totals at the end of a day with statistics; None if no video of the day has such a number."""

    day: date
    views: int | None = None
    likes: int | None = None
    comments: int | None = None


@dataclass(frozen=True, slots=True)
class _DayChange:
    """Change of one total of a blogger on one day, and what the total had on the first day already (`before`)."""

    blogger_id: UUID
    metric: str
    day: date
    change: int
    before: int


# A fetch lists only some of a blogger's videos, so the totals are sums of changes: a video that a fetch does not list,
# or lists without a number, keeps its number. A video that was known before the first day had its first numbers from
# the beginning.
_CHANGES = """
with newest as (
    select
        blogger.id as blogger_id,
        video.id as video_id,
        video.first_seen_at < %(since)s::timestamp at time zone 'UTC' as was_known
    from unnest(%(bloggers)s::uuid[]) as blogger (id)
    cross join lateral (
        select videos.id, videos.first_seen_at
        from blogger_tracking.videos
        where videos.blogger_id = blogger.id
        order by videos.published_at desc nulls last, videos.id
        limit %(videos)s
    ) as video
),
numbers as (
    select
        newest.blogger_id,
        newest.video_id,
        newest.was_known,
        statistics.fetched_on,
        statistics.captured_at,
        statistics.fetch_id,
        counted.metric,
        counted.number
    from newest
    join blogger_tracking.video_statistics as statistics on statistics.video_id = newest.video_id
    cross join lateral (
        values ('views', statistics.views), ('likes', statistics.likes), ('comments', statistics.comments)
    ) as counted (metric, number)
    where statistics.fetched_on >= %(since)s and counted.metric = any(%(metrics)s) and counted.number is not null
),
changes as (
    select
        numbers.*,
        lag(number) over (partition by video_id, metric order by fetched_on, captured_at, fetch_id) as previous
    from numbers
)
select
    blogger_id,
    metric,
    fetched_on as day,
    coalesce(sum(number - coalesce(previous, 0)) filter (where not is_before), 0)::bigint as change,
    coalesce(sum(number) filter (where is_before), 0)::bigint as before
from changes
cross join lateral (select was_known and previous is null as is_before) as place
group by blogger_id, metric, fetched_on
order by blogger_id, metric, fetched_on
"""


def read_day_totals(
    connection: Connection,
    bloggers: Sequence[UUID],
    since: date,
    videos: int | None = None,
    metrics: Sequence[str] = ("views", "likes", "comments"),
) -> Mapping[UUID, list[DayTotals]]:
    """Return the totals of each blogger on every day with statistics from `since` on, the oldest day first.

    `videos` restricts the totals to as many of each blogger's newest videos, `metrics` to these numbers. A blogger
    without statistics has none.
    """
    parameters = {"bloggers": list(bloggers), "since": since, "videos": videos, "metrics": list(metrics)}
    by_metric: dict[tuple[UUID, str], list[_DayChange]] = defaultdict(list)
    for change in fetch_all(connection, _DayChange, _CHANGES, parameters):
        by_metric[change.blogger_id, change.metric].append(change)
    totals: dict[UUID, dict[date, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for (blogger_id, metric), changes in by_metric.items():
        for day, total in _add_up(changes):
            totals[blogger_id][day][metric] = total
    return {
        blogger_id: [DayTotals(day, **by_day[day]) for day in sorted(by_day)] for blogger_id, by_day in totals.items()
    }


def _add_up(changes: Sequence[_DayChange]) -> Iterator[tuple[date, int]]:
    total = sum(change.before for change in changes)
    for change in changes:
        total += change.change
        yield change.day, total

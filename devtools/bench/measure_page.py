"""Measurement of the Bloggers page's queries, as the pipeline's role, on many rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.blogger_histories import list_fetches, list_videos, read_captures, read_follower_counts
from blogger_tracking.database.blogger_lists import BloggerFilter, BloggerOrder, BloggerState, list_bloggers
from blogger_tracking.database.organization_usage import list_organizations
from blogger_tracking.database.run_overviews import read_live_runs
from blogger_tracking.database.statistics_totals import read_day_totals
from blogger_tracking.domain.models import Platform
from blogger_tracking.page.routes import VIDEOS_OF_VIEWS
from blogger_tracking.usecases.preview_run import preview_run
from blogger_tracking.usecases.read_overview import read_overview

_REPETITIONS = 5
_DEPLOYMENT = "bench"
_DAG_ID = "blogger_batch_fetch"

# Every query looks at what a fleet has: failures, pauses, pending initial fetches, followers, and a live run.
_VARY = (
    """
    update blogger_tracking.blogger_information
    set
        subscribers = mod(external_id::integer * 7919, 1000003),
        channel_name = case when mod(external_id::integer, 3) > 0 then 'Channel ' || md5(external_id) end
    """,
    """
    insert into blogger_tracking.follower_counts (blogger_id, counted_on, followers)
    select blogger_information.id, current_date - age, 1000 - age
    from blogger_tracking.blogger_information
    cross join generate_series(1, 40) as age
    """,
    """
    update blogger_tracking.tracked_accounts
    set
        is_active = mod(blogger_information.external_id::integer, 20) <> 0,
        last_scraped_at = now() - mod(blogger_information.external_id::integer, 1000) * interval '1 minute'
    from blogger_tracking.blogger_information
    where blogger_information.id = tracked_accounts.blogger_id
    """,
    """
    update blogger_tracking.fetches
    set state = 'failed'
    where mod(map_index, 50) = 0 and run_id >= (select max(id) - 2 from blogger_tracking.runs)
    """,
    """
    insert into blogger_tracking.fetch_attempts (
        fetch_id, started_at, lease_expires_at, finished_at, executor, outcome, requests
    )
    select
        fetches.id,
        runs.planned_at,
        runs.planned_at,
        runs.planned_at,
        'bench',
        'succeeded',
        '{"listing": 2, "retry": 1}'
    from blogger_tracking.fetches
    join blogger_tracking.runs on runs.id = fetches.run_id
    order by fetches.id
    """,
    """
    insert into blogger_tracking.subscriptions (
        organization_id, period_start, period_end, plan, video_limit, blogger_limit
    )
    select id, '2020-01-01', '2100-01-01', 'team', 1000000000, 1000000
    from blogger_tracking.organizations
    """,
    """
    update blogger_tracking.runs
    set ended_at = null, expires_at = now() + interval '1 hour'
    where id = (select max(id) from blogger_tracking.runs)
    """,
)

_VACUUM = """
vacuum (analyze)
    blogger_tracking.blogger_information,
    blogger_tracking.follower_counts,
    blogger_tracking.tracked_accounts,
    blogger_tracking.fetches,
    blogger_tracking.fetch_attempts,
    blogger_tracking.runs,
    blogger_tracking.subscriptions
"""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Times of one query of the page: the median, and the longest."""

    milliseconds: float
    longest: float


def vary_history(connection: Connection) -> None:
    """Give the rows of `build_history` different states, so that filters and orders have something to do."""
    with connection.transaction():
        for statement in _VARY:
            connection.execute(statement.encode())
    connection.execute(_VACUUM)


def measure_page(pool: ConnectionPool) -> dict[str, PageQuery]:
    """Execute each query of the page several times, and return the figures by name."""
    with pool.connection() as connection:
        measured = {name: _measure(partial(query, connection)) for name, query in _queries(connection).items()}
        organization = list_organizations(connection, datetime.now(UTC), "", 1)[1][0].id
    measured["preview of an organization"] = _measure(partial(preview_run, pool, organization))
    return measured


def _queries(connection: Connection) -> Mapping[str, Callable[[Connection], object]]:
    moment = datetime.now(UTC)
    since = moment.date() - timedelta(days=29)
    _, listed = list_bloggers(connection, _DEPLOYMENT, BloggerFilter(), BloggerOrder.NAME, 1)
    blogger = listed[0].id
    organization = list_organizations(connection, moment, "", 1)[1][0].id
    video = list_videos(connection, blogger, 1)[1][0].id
    filters = {
        "all": BloggerFilter(),
        "search": BloggerFilter(search="blogger_4"),
        "organization": BloggerFilter(organization=organization),
        "platform": BloggerFilter(platform=Platform.TIKTOK),
        **{f"state {state.value}": BloggerFilter(state=state) for state in BloggerState},
    }
    return {
        **{f"bloggers, {name}": _list(restriction, BloggerOrder.NAME, 1) for name, restriction in filters.items()},
        **{f"bloggers, sort {order.value}": _list(BloggerFilter(), order, 1) for order in BloggerOrder},
        "bloggers, page 500": _list(BloggerFilter(), BloggerOrder.NAME, 500),
        "views of a list": lambda line: read_day_totals(
            line, [each.id for each in listed], since, VIDEOS_OF_VIEWS, ["views"]
        ),
        "followers of a list": lambda line: read_follower_counts(line, [each.id for each in listed], since),
        "organizations": lambda line: list_organizations(line, moment, "", 1),
        "organizations, search": lambda line: list_organizations(line, moment, "tion 4", 1),
        "videos of a blogger": lambda line: list_videos(line, blogger, 1),
        "statistics of a blogger": lambda line: read_day_totals(line, [blogger], since),
        "statistics of a video": lambda line: read_captures(line, video),
        "fetches of a blogger": lambda line: list_fetches(line, _DEPLOYMENT, blogger, 1),
        "live": lambda line: read_live_runs(line, _DEPLOYMENT, moment),
        "overview": lambda line: read_overview(line, _DEPLOYMENT, _DAG_ID, 0.2, moment),
    }


def _list(restriction: BloggerFilter, order: BloggerOrder, page: int) -> Callable[[Connection], object]:
    return lambda connection: list_bloggers(connection, _DEPLOYMENT, restriction, order, page)


def _measure(query: Callable[[], object]) -> PageQuery:
    milliseconds = []
    for _ in range(_REPETITIONS):
        begin = time.monotonic()
        query()
        milliseconds.append((time.monotonic() - begin) * 1000)
    return PageQuery(round(median(milliseconds), 1), round(max(milliseconds), 1))

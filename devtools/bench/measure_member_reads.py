"""Measurement of what a member reads: the queries of docs/supabase.md, under row level security, on many rows."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

from psycopg import Connection

from blogger_tracking.database.rows import fetch_value
from devtools.local_stack.config import PROJECT_ROOT

GUIDE = PROJECT_ROOT / "docs" / "supabase.md"

ACCOUNTS_PER_ORGANIZATION = 1_000

_REPETITIONS = 5
_LARGE_TABLE_ROWS = 10_000

_ORGANIZATION = UUID(hashlib.md5(b"organization 1").hexdigest())  # noqa: S324 - the ids of _BUILD
_BLOGGER = UUID(hashlib.md5(b"blogger 1").hexdigest())  # noqa: S324 - the ids of _BUILD
_IDS_OF_THE_GUIDE = {
    "00000000-0000-4000-8000-000000000001": _ORGANIZATION,
    "00000000-0000-4000-8000-000000000002": _BLOGGER,
}

_STATEMENT = re.compile(r"^```sql\n-- (?P<title>[^\n]+)\n(?P<sql>select [^;]+);\n```$", re.MULTILINE)

# Without triggers: the rows refer to each other correctly, and checking ten million foreign keys takes minutes.
WITHOUT_TRIGGERS = "set local session_replication_role = replica"

_CREATE_PARTITIONS = """
select blogger_tracking.create_statistics_partition((now() - number * interval '1 day')::date)
from generate_series(0, %(runs)s) as number
"""

INSERT_ORGANIZATIONS = """
with organization as (
    insert into blogger_tracking.organizations (id, name)
    select md5('organization ' || number)::uuid, 'Organization ' || number
    from generate_series(1, %(organizations)s) as number
    returning id
),
member as (
    insert into auth.users (id, email)
    select id, id || '@example.org'
    from organization
    returning id
)
insert into blogger_tracking.organization_members (organization_id, user_id, role)
select id, id, 'member'
from member
"""

INSERT_ACCOUNTS = """
with blogger as (
    insert into blogger_tracking.blogger_information (id, platform, username, external_id)
    select
        md5('blogger ' || number)::uuid,
        (array['TikTok', 'Instagram', 'YouTube'])[1 + mod(number, 3)],
        'blogger_' || number,
        number::text
    from generate_series(1, %(accounts)s) as number
    returning id, external_id::integer as number
)
insert into blogger_tracking.tracked_accounts (organization_id, blogger_id, initial_videos_fetched)
select md5('organization ' || (1 + (number - 1) / %(per_organization)s))::uuid, id, true
from blogger
"""

_INSERT_RUNS = """
insert into blogger_tracking.runs (
    id, deployment, dag_id, dag_run_id, planned_at, expires_at, ended_at, active_accounts
)
overriding system value
select
    number, 'bench', 'blogger_batch_fetch', 'run_' || number, planned_at, planned_at, planned_at, %(accounts)s
from generate_series(1, %(runs)s) as number
cross join lateral (select now() - (%(runs)s - number) * interval '1 day' as planned_at) as time
"""

_INSERT_FETCHES = """
insert into blogger_tracking.fetches (
    id, run_id, blogger_id, platform, fetched_on, target_count, task_id, map_index, state
)
overriding system value
select
    (runs.id - 1) * %(accounts)s + number,
    runs.id,
    md5('blogger ' || number)::uuid,
    (array['TikTok', 'Instagram', 'YouTube'])[1 + mod(number, 3)],
    runs.planned_at::date,
    %(videos)s,
    'fetch',
    number,
    'succeeded'
from blogger_tracking.runs
cross join generate_series(1, %(accounts)s) as number
"""

# The statistics of a fetch are read by the organizations that it charged.
_INSERT_USAGES = """
insert into blogger_tracking.subscription_usage (organization_id, period_start)
select id, '2020-01-01'
from blogger_tracking.organizations
"""

_INSERT_ALLOCATIONS = """
insert into blogger_tracking.fetch_allocations (
    fetch_id,
    organization_id,
    platform,
    fetched_on,
    tracked_account_id,
    period_start,
    period_end,
    asked,
    granted,
    reserved,
    charged,
    decision
)
select
    fetches.id,
    tracked_accounts.organization_id,
    fetches.platform,
    fetches.fetched_on,
    tracked_accounts.id,
    '2020-01-01',
    '2100-01-01',
    %(videos)s,
    %(videos)s,
    0,
    %(videos)s,
    'full'
from blogger_tracking.fetches
join blogger_tracking.tracked_accounts on tracked_accounts.blogger_id = fetches.blogger_id
"""

_INSERT_VIDEOS = """
with video as (
    insert into blogger_tracking.videos (
        id, platform, external_video_id, blogger_id, url, title, published_at
    )
    overriding system value
    select
        (video - 1) * %(accounts)s + number,
        (array['TikTok', 'Instagram', 'YouTube'])[1 + mod(number, 3)],
        number || '-' || video,
        md5('blogger ' || number)::uuid,
        'https://example.org/' || number || '/' || video,
        'A title of usual length, with a #hashtag or two',
        now() - (%(videos)s - video) * interval '1 day'
    from generate_series(1, %(videos)s) as video
    cross join generate_series(1, %(accounts)s) as number
    returning id
)
insert into blogger_tracking.organization_videos (organization_id, video_id, fetch_id)
select
    md5('organization ' || (1 + (number - 1) / %(per_organization)s))::uuid,
    id,
    number
from video
cross join lateral (select 1 + mod(id - 1, %(accounts)s) as number) as account
"""

_INSERT_STATISTICS = """
insert into blogger_tracking.video_statistics (
    video_id, fetch_id, fetched_on, captured_at, views, likes, comments, reposts
)
select
    videos.id,
    (runs.id - 1) * %(accounts)s + 1 + mod(videos.id - 1, %(accounts)s),
    runs.planned_at::date,
    runs.planned_at,
    1000 * runs.id,
    100 * runs.id,
    10,
    1
from blogger_tracking.runs
cross join blogger_tracking.videos
"""

_BUILD = (
    _CREATE_PARTITIONS,
    INSERT_ORGANIZATIONS,
    INSERT_ACCOUNTS,
    _INSERT_RUNS,
    _INSERT_FETCHES,
    _INSERT_USAGES,
    _INSERT_ALLOCATIONS,
    _INSERT_VIDEOS,
    _INSERT_STATISTICS,
)

_VACUUM = """
vacuum (analyze)
    blogger_tracking.organizations,
    blogger_tracking.organization_members,
    blogger_tracking.blogger_information,
    blogger_tracking.tracked_accounts,
    blogger_tracking.fetches,
    blogger_tracking.fetch_allocations,
    blogger_tracking.videos,
    blogger_tracking.organization_videos,
    blogger_tracking.video_statistics
"""

_LARGE_TABLES = """
select relname
from pg_class
where relnamespace = 'blogger_tracking'::regnamespace
  and relkind = 'r'
  and reltuples >= %s
"""

_SIGN_IN = "select set_config('request.jwt.claims', json_build_object('sub', %s::text)::text, true)"


@dataclass(frozen=True, slots=True)
class MemberRead:
    """One query: median time, rows, and the large tables that Postgres reads from end to end."""

    milliseconds: float
    rows: int
    scanned: tuple[str, ...]


def documented_queries() -> Mapping[str, str]:
    """Return the guide's queries by title, for the member of the first organization that `build_history` creates."""
    guide = GUIDE.read_text(encoding="utf-8")
    return {match["title"]: _with_built_ids(match["sql"]) for match in _STATEMENT.finditer(guide)}


def build_history(connection: Connection, accounts: int, videos: int, runs: int) -> None:
    """Insert tracked accounts with `videos` videos each, and statistics of every video in each of `runs` runs.

    The database must have no run yet, and the connection must be a superuser's.
    """
    sizes = {
        "accounts": accounts,
        "videos": videos,
        "runs": runs,
        "per_organization": ACCOUNTS_PER_ORGANIZATION,
        "organizations": 1 + (accounts - 1) // ACCOUNTS_PER_ORGANIZATION,
    }
    with connection.transaction():
        connection.execute(WITHOUT_TRIGGERS)
        for statement in _BUILD:
            connection.execute(statement, sizes)
    connection.execute(_VACUUM)


def measure_member_reads(connection: Connection) -> dict[str, MemberRead]:
    """Execute the guide's queries as a member of the first organization, and return the figures by title."""
    return {title: measure_query(connection, query) for title, query in documented_queries().items()}


def measure_query(connection: Connection, query: str, *, as_pipeline: bool = False) -> MemberRead:
    """Execute a query several times, as a member of the first organization or as the pipeline."""
    large = {name for (name,) in connection.execute(_LARGE_TABLES, (_LARGE_TABLE_ROWS,))}
    seconds, rows = [], 0
    for _ in range(_REPETITIONS):
        with connection.transaction():
            _sign_in(connection, as_pipeline=as_pipeline)
            begin = time.monotonic()
            rows = len(connection.execute(query.encode()).fetchall())
            seconds.append(time.monotonic() - begin)
    scanned = sorted(scanned_tables(connection, query, as_pipeline=as_pipeline) & large)
    return MemberRead(round(median(seconds) * 1000, 1), rows, tuple(scanned))


def scanned_tables(connection: Connection, query: str, *, as_pipeline: bool = False) -> set[str]:
    """Return the tables that the plan of a query reads from end to end, for the member of the first organization.

    An index that is read without a condition counts, too: with a limit it is only read until enough rows pass the
    policies, which may be at its end. A partition has its own name.
    """
    return set(_full_scans(_plan(connection, query, as_pipeline=as_pipeline)))


def read_partitions(connection: Connection, query: str, *, as_pipeline: bool = False) -> set[str]:
    """Return the partitions of the statistics that a query reads; Postgres prunes the others, some when it executes."""
    plan = _plan(connection, query, as_pipeline=as_pipeline)
    return {name for name in _relations(plan) if name.startswith("video_statistics_")}


def _plan(connection: Connection, query: str, *, as_pipeline: bool) -> Any:  # noqa: ANN401 - JSON
    with connection.transaction():
        _sign_in(connection, as_pipeline=as_pipeline)
        return fetch_value(connection, b"explain (format json) " + query.encode())


def _sign_in(connection: Connection, *, as_pipeline: bool = False) -> None:
    """Become a member until the end of the transaction, as Supabase's Data API does for a request; or the pipeline."""
    if as_pipeline:
        connection.execute("set local role blogger_pipeline")
        return
    connection.execute("set local role authenticated")
    # A member has the id of the organization.
    connection.execute(_SIGN_IN, (_ORGANIZATION,))


def _relations(plan: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(plan, list):
        for part in plan:
            yield from _relations(part)
    elif isinstance(plan, dict):
        if "Relation Name" in plan:
            yield str(plan["Relation Name"])
        for part in plan.values():
            yield from _relations(part)


def _full_scans(plan: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(plan, list):
        for part in plan:
            yield from _full_scans(part)
    elif isinstance(plan, dict):
        if "Relation Name" in plan and plan["Node Type"] != "Bitmap Heap Scan" and "Index Cond" not in plan:
            yield str(plan["Relation Name"])
        for part in plan.values():
            yield from _full_scans(part)


def _with_built_ids(query: str) -> str:
    for example, built in _IDS_OF_THE_GUIDE.items():
        query = query.replace(example, str(built))
    return query

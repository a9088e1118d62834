"""Statistics over the Data API: of two organizations with the same video, one took part in the fetch."""

from __future__ import annotations

from collections.abc import Iterator

from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Role
from devtools.attack.ledger_rows import insert_fetch
from devtools.attack.target import Target
from devtools.attack.tries import Try

_INSERT = """
with links as (
    insert into blogger_tracking.organization_videos (organization_id, video_id, fetch_id)
    select organization_id, %(video_id)s, %(fetch_id)s
    from unnest(%(organization_ids)s::uuid[]) as linked (organization_id)
),
readers as (
    insert into blogger_tracking.statistics_readers (fetch_id, organization_id, platform, fetched_on)
    select id, %(reader_id)s, platform, fetched_on from blogger_tracking.fetches where id = %(fetch_id)s
)
insert into blogger_tracking.video_statistics (video_id, fetch_id, fetched_on, captured_at, views)
values (%(video_id)s, %(fetch_id)s, (now() at time zone 'utc')::date, now(), 1)
"""
_COUNT = "select count(*) from blogger_tracking.video_statistics where fetch_id = %s"


def foreign_statistics(target: Target) -> Iterator[Try]:
    """Read the statistics of a fetch with every role of both organizations, and as a user of neither."""
    reader, other = target.tenant(), target.tenant()
    (video,) = insert_fetch(target, reader, ["https://thumbnail.example"])
    target.connection.execute(
        _INSERT,
        {
            "video_id": video.video_id,
            "fetch_id": video.fetch_id,
            "organization_ids": [reader.organization_id, other.organization_id],
            "reader_id": reader.organization_id,
        },
    )
    people = {f"{role} that took part": (target.member(reader, role), 1) for role in Role}
    people |= {f"{role} that has the video": (target.member(other, role), 0) for role in Role}
    people["outsider"] = target.user(), 0
    for name, (user, expected) in people.items():
        with target.signed_in("authenticated", user) as connection:
            found = fetch_value(connection, _COUNT, (video.fetch_id,))
        yield Try(f"{name} reads statistics", found == expected, f"{found} rows instead of {expected}")

"""Use case: end a run, release what it left unfinished, and judge it."""

from __future__ import annotations

import logging

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database import runs
from blogger_tracking.database.run_plans import serialize_planning
from blogger_tracking.database.run_summaries import (
    read_organization_summaries,
    read_platform_summaries,
    read_tallies,
)
from blogger_tracking.database.runs import RunKey, find_run, release_stale_fetches
from blogger_tracking.domain.run_outcome import run_problems

logger = logging.getLogger(__name__)


def finish_run(pool: ConnectionPool, key: RunKey, failed_share_limit: float) -> list[str]:
    """End a run and log its summary; return why it is red, or nothing when it is green.

    Running it again changes nothing but the verdict, should somebody have cleared instances meanwhile.
    """
    with pool.connection() as connection:
        with connection.transaction():
            moment = serialize_planning(connection)
            run_id = find_run(connection, key)
            if run_id is None:
                return ["it was never planned"]
            runs.finish_run(connection, run_id, moment)
            release_stale_fetches(connection, moment)
        _log_summary(connection, run_id)
        return run_problems(read_tallies(connection, run_id), failed_share_limit)


def _log_summary(connection: Connection, run_id: int) -> None:
    for platform in read_platform_summaries(connection, run_id):
        logger.info(
            "%s: %s; %s videos, %s of them new, in %.1f s.",
            platform.platform,
            ", ".join(f"{count} {state}" for state, count in platform.states.items()),
            platform.videos,
            platform.videos_new,
            platform.seconds,
        )
    for organization in read_organization_summaries(connection, run_id):
        logger.info(
            "%s: limit %s, used before %s, granted %s, fetched %s, charged %s%s.",
            organization.name,
            organization.video_limit,
            organization.used_before,
            organization.granted,
            organization.fetched,
            organization.charged,
            "".join(f"; skipped {count}: {reason}" for reason, count in organization.skipped.items()),
        )

"""Use case: finish a run, release its unfinished fetches, and report its problems."""

from __future__ import annotations

import logging

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database import runs
from blogger_tracking.database.connections import bounded_transaction
from blogger_tracking.database.run_plans import serialize_planning
from blogger_tracking.database.run_summaries import (
    OrganizationSummary,
    read_failures,
    read_organization_summaries,
    read_platform_summaries,
    read_tallies,
)
from blogger_tracking.database.runs import RunKey, find_run, release_stale_fetches
from blogger_tracking.domain.platform_errors import SUSPENDING_KINDS
from blogger_tracking.domain.run_outcome import left_out_problems, run_problems

logger = logging.getLogger(__name__)


def finish_run(pool: ConnectionPool, key: RunKey, failed_share_limit: float) -> list[str]:
    """Finish a run, log its summary and failures, and return its problems; a run without problems is green.

    Finishing a run again moves its end to the present. The problems may differ if instances were cleared in between.
    """
    with pool.connection() as connection:
        with bounded_transaction(connection):
            moment = serialize_planning(connection)
            run_id = find_run(connection, key)
            if run_id is None:
                return ["the run was never planned"]
            runs.finish_run(connection, run_id, moment)
            release_stale_fetches(connection, moment)
        _log_platforms(connection, run_id)
        for organization in read_organization_summaries(connection, run_id):
            _log_organization(organization)
        _log_failures(connection, key, run_id)
        tallies = read_tallies(connection, run_id)
        for cause, problem in left_out_problems(tallies).items():
            logger.error(
                "%s: %s.",
                key.dag_run_id,
                problem,
                extra={"fingerprint": (key.dag_id, "left_out", *cause), "run": key},
            )
        return run_problems(tallies, failed_share_limit)


def _log_platforms(connection: Connection, run_id: int) -> None:
    for summary in read_platform_summaries(connection, run_id):
        states = ", ".join(f"{count} {state}" for state, count in summary.states.items())
        logger.info("%s: %s.", summary.platform, states)
        logger.info(
            "%s: %s videos in %.1f s, %s of them new.",
            summary.platform,
            summary.videos,
            summary.seconds,
            summary.videos_new,
        )
        requests = ", ".join(f"{count} {use}" for use, count in summary.requests.items())
        logger.info(
            "%s: %.1f requests per fetched blogger (%s).", summary.platform, summary.requests_per_blogger, requests
        )


def _log_failures(connection: Connection, key: RunKey, run_id: int) -> None:
    # One ERROR record, and thus one event in Sentry, for each cause: fetches log their failures as warnings. A cause
    # that suspends the platform was an event when the suspension began.
    for failure in read_failures(connection, run_id):
        logger.log(
            logging.WARNING if failure.suspended_platform or failure.cause in SUSPENDING_KINDS else logging.ERROR,
            "%s: %s fetches of %s failed (%s). For example: %s",
            failure.platform,
            failure.fetches,
            key.dag_run_id,
            failure.cause,
            failure.example,
            extra={"fingerprint": (key.dag_id, failure.platform, failure.cause), "run": key},
        )


def _log_organization(summary: OrganizationSummary) -> None:
    logger.info(
        "%s: fetched %s of %s granted videos, charged %s.",
        summary.name,
        summary.fetched,
        summary.granted,
        summary.charged,
    )
    if summary.video_limit is None:
        logger.info("%s: no current subscription.", summary.name)
    else:
        logger.info(
            "%s: %s of %s videos of the period are used without this run's charges.",
            summary.name,
            summary.used_before,
            summary.video_limit,
        )
    for reason, count in summary.skipped.items():
        logger.info("%s: skipped %s tracked accounts: %s.", summary.name, count, reason)

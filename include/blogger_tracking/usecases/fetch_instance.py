"""Use case: fetch the bloggers of one task instance, several at once."""

from __future__ import annotations

import contextvars
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import CancelledError, Executor, Future
from threading import Event

from pydantic import JsonValue

from blogger_tracking.database.runs import InstanceTry, find_run, read_instance_fetches
from blogger_tracking.domain.errors import FetchRemovedError, UnplannedInstanceError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.metrics import MeasuredAttempt, Measurement, attempt_measurements
from blogger_tracking.usecases.fetch_blogger import FetchReport, FetchServices, fetch_blogger

logger = logging.getLogger(__name__)


def submit_fetches(
    executor: Executor, services: FetchServices, instance: InstanceTry, cancelled: Event | None = None
) -> list[Future[FetchReport | None]]:
    """Submit the fetches that this try of a task instance has to make; `collect_reports` returns their reports.

    There are none if an interrupted start has made them all, or if the bloggers were removed since planning. Each fetch
    runs in a copy of the caller's context, so that its log lines go to the log of the instance. A triggerer sets
    `cancelled` when the instance is ended (see `fetch_blogger`); a worker's process is ended with the instance.
    Raises UnplannedInstanceError if the ledger does not know the run.
    """
    with services.pool.connection() as connection:
        fetches = read_instance_fetches(connection, instance)
        if not fetches and find_run(connection, instance.run) is None:
            raise UnplannedInstanceError(
                f"The ledger has no run {instance.run.dag_run_id}. Nothing was fetched. Clear the run's `plan` "
                "tasks, or start a new run."
            )
    due = [fetch.id for fetch in fetches if fetch.is_due]
    if not due:
        logger.info(
            "Nothing is left to fetch: %s.",
            "this try has fetched all its bloggers before it was interrupted"
            if fetches
            else "the bloggers were removed",
        )
    return [
        executor.submit(
            contextvars.copy_context().run, _fetch_unless_cancelled, services, fetch_id, instance, cancelled
        )
        for fetch_id in due
    ]


def _fetch_unless_cancelled(
    services: FetchServices, fetch_id: int, instance: InstanceTry, cancelled: Event | None
) -> FetchReport | None:
    # The instance may be ended while its fetches are submitted, when the caller has no futures that it could cancel.
    if cancelled is not None and cancelled.is_set():
        raise CancelledError
    try:
        return fetch_blogger(services, fetch_id, instance.created_at, cancelled)
    except FetchRemovedError as error:
        # An error would fail the instance, and a retry would fetch again what its other bloggers have already saved.
        logger.info("%s", error)
        return None


def collect_reports(fetches: Iterable[Future[FetchReport | None]]) -> list[FetchReport]:
    """Wait for the fetches and return their reports, without those of bloggers who were removed meanwhile.

    Raises the exception of a fetch that has no report, for example one of the database.
    """
    reports = [fetch.result() for fetch in fetches]
    return [report for report in reports if report is not None]


def finished_reports(fetches: Iterable[Future[FetchReport | None]]) -> list[FetchReport]:
    """Return the reports of those of these ended fetches that raised no error."""
    return collect_reports(fetch for fetch in fetches if not fetch.cancelled() and fetch.exception() is None)


def summarize(reports: Sequence[FetchReport]) -> dict[str, JsonValue]:
    """Return the counts of an instance as JSON, small enough for an XCom."""
    return {
        "bloggers": len(reports),
        "states": {**Counter(str(report.state or "superseded") for report in reports)},
        "videos": sum(report.videos_returned for report in reports),
        "videos_new": sum(report.videos_new for report in reports),
        "charged": sum(report.charged for report in reports),
    }


def measure(reports: Sequence[FetchReport]) -> list[Measurement]:
    """Return the measurements of the attempts of an instance."""
    return attempt_measurements(
        MeasuredAttempt(
            platform=report.platform.value,
            state=report.state.value if report.state else "superseded",
            videos=report.videos_returned,
            videos_new=report.videos_new,
            requests=report.requests,
            seconds=None if report.state is FetchState.SKIPPED else report.seconds,
        )
        for report in reports
    )


def all_skipped(reports: Sequence[FetchReport]) -> bool:
    """Return True if the claims of all fetches were refused, so that nothing was fetched."""
    return bool(reports) and all(report.state is FetchState.SKIPPED for report in reports)

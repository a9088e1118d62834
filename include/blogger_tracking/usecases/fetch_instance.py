"""Use case: fetch the bloggers of one task instance, several at once."""

from __future__ import annotations

import contextvars
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, Future

from pydantic import JsonValue

from blogger_tracking.database.runs import RunKey, read_instance_fetches
from blogger_tracking.domain.errors import UnplannedInstanceError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.metrics import MeasuredAttempt, Measurement, attempt_measurements
from blogger_tracking.usecases.fetch_blogger import FetchReport, FetchServices, fetch_blogger


def submit_fetches(
    executor: Executor, services: FetchServices, key: RunKey, task_id: str, map_index: int
) -> list[Future[FetchReport]]:
    """Submit the fetches of this task instance: those without a conclusive state, or all if all have one.

    Each fetch runs in a copy of the caller's context, so that its log lines go to the log of the instance. Raises
    UnplannedInstanceError if the ledger has no fetch for this instance.
    """
    with services.pool.connection() as connection:
        fetch_ids = read_instance_fetches(connection, key, task_id, map_index)
    if not fetch_ids:
        raise UnplannedInstanceError(
            f"The ledger has no fetch for {task_id}[{map_index}] of {key.dag_run_id}. Nothing was fetched. "
            "If its bloggers were removed, there is nothing to do. Otherwise clear the platform's `plan` task, or "
            "start a new run."
        )
    return [
        executor.submit(contextvars.copy_context().run, fetch_blogger, services, fetch_id) for fetch_id in fetch_ids
    ]


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

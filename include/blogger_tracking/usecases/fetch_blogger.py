"""Use case: fetch a blogger's newest videos and save them.

The batch, the initial fetch and every retry fetch a blogger through `fetch_blogger`.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event

from psycopg import OperationalError
from psycopg_pool import ConnectionPool
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_exponential

from blogger_tracking.database.fetch_claims import ClaimRefused, NoAttempt, NoAttemptReason, claim_fetch
from blogger_tracking.database.fetch_settlement import (
    FetchOutcome,
    SettledFetch,
    find_settlement,
    record_requests,
    require_newest_attempt,
    settle_fetch,
)
from blogger_tracking.database.youtube_units import record_units
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.errors import ConfigurationError, StaleClaimError
from blogger_tracking.domain.ledger import FetchState, RequestUse
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError
from blogger_tracking.platforms import PlatformService
from blogger_tracking.platforms.listing import VideoBatch
from blogger_tracking.platforms.request_meter import RequestMeter, count_requests
from blogger_tracking.settings import get_settings
from blogger_tracking.usecases.suspend_platform import suspend_after

logger = logging.getLogger(__name__)

_SAVING_SECONDS = 10.0
"""Time for which saving is tried again. A database that stays away longer is left to the next attempt."""

# What ends one connection often ends others, a moment later.
_save_again = retry(
    retry=retry_if_exception_type(OperationalError),
    stop=stop_after_delay(_SAVING_SECONDS),
    wait=wait_exponential(multiplier=0.25, max=2),
    reraise=True,
)


@dataclass(frozen=True, slots=True)
class FetchServices:
    """The database and the platforms' clients, safe to share between threads."""

    pool: ConnectionPool
    platforms: Mapping[Platform, PlatformService]


@dataclass(frozen=True, slots=True)
class FetchReport:
    """Result of one attempt of a fetch.

    `state` is None if another attempt has fetched the blogger or has taken over the fetch. `reason` is None for
    a succeeded and an empty attempt. `charged` is the sum of the added charges. `requests` counts the requests to the
    platform by purpose.
    """

    fetch_id: int
    platform: Platform
    username: str
    state: FetchState | None
    reason: str | None = None
    videos_returned: int = 0
    videos_new: int = 0
    charged: int = 0
    seconds: float = 0
    requests: Mapping[RequestUse, int] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """True if the attempt failed and saved nothing, so that the task instance has to fail and retry."""
        return self.state is FetchState.FAILED


def fetch_blogger(
    services: FetchServices,
    fetch_id: int,
    try_created_at: datetime | None = None,
    cancelled: Event | None = None,
) -> FetchReport:
    """Claim a planned fetch, request the videos from the platform, and save them with their charges.

    `try_created_at` is the time at which Airflow created the try of the task instance; see `claim_fetch`. Once
    `cancelled` is set, each request is preceded by a check that the attempt may still save. It may not if its run was
    ended by hand, and it may if the triggerer stops.

    Errors of the platform are part of the report. Exceptions of the database propagate: then nothing was saved, and
    the next attempt or the next planning releases the reservation. Raises FetchRemovedError if the fetch is not in the
    ledger any more.
    """
    started = time.monotonic()
    with services.pool.connection() as connection:
        lease = timedelta(minutes=get_settings().lease_minutes)
        claim = claim_fetch(connection, fetch_id, lease, _executor(), try_created_at)
    if isinstance(claim, NoAttempt):
        logger.info("@%s: no attempt: %s. Nothing was requested or charged.", claim.username, claim.reason)
        return FetchReport(fetch_id, claim.platform, claim.username, _NO_ATTEMPT_STATES[claim.reason], claim.reason)
    if isinstance(claim, ClaimRefused):
        logger.info("@%s: skipped: %s. Nothing was requested or charged.", claim.username, claim.reason)
        return FetchReport(fetch_id, claim.platform, claim.username, FetchState.SKIPPED, claim.reason)
    with count_requests(partial(_require_claim, services, claim, cancelled)) as meter:
        return _request_and_save(services, claim, meter, started)


def _request_and_save(services: FetchServices, claim: Claim, meter: RequestMeter, started: float) -> FetchReport:
    try:
        outcome = _request_videos(services, claim, meter)
        settled = _save(services, claim, outcome)
    except StaleClaimError as error:
        logger.warning("@%s: %s", claim.account.username, error)
        with services.pool.connection() as connection:
            record_requests(connection, claim.attempt_id, meter.by_use)
        return FetchReport(
            claim.fetch_id,
            claim.account.platform,
            claim.account.username,
            None,
            str(error),
            seconds=time.monotonic() - started,
            requests=meter.by_use,
        )
    seconds = time.monotonic() - started
    _log_outcome(claim, outcome, settled, seconds)
    return FetchReport(
        claim.fetch_id,
        claim.account.platform,
        claim.account.username,
        outcome.state,
        outcome.reason,
        videos_returned=len(outcome.videos),
        videos_new=settled.videos_new,
        charged=sum(settled.charged.values()),
        seconds=seconds,
        requests=outcome.requests,
    )


def _require_claim(services: FetchServices, claim: Claim, cancelled: Event | None) -> None:
    if cancelled is not None and cancelled.is_set():
        with services.pool.connection() as connection:
            require_newest_attempt(connection, claim)


def _request_videos(services: FetchServices, claim: Claim, meter: RequestMeter) -> FetchOutcome:
    try:
        outcome = _request_batch(services, claim)
    finally:
        if claim.account.platform is Platform.YOUTUBE and meter.total:
            _record_units(services, claim, meter)
    return replace(outcome, requests=meter.by_use)


@_save_again
def _record_units(services: FetchServices, claim: Claim, meter: RequestMeter) -> None:
    """Record the units of YouTube that the attempt has spent. An error loses the platform's answer.

    Uses a transaction of its own: the units are spent even if a newer attempt has taken over the fetch. A line that
    fails after the units were saved records them twice: with too many units the daily quota is still kept.
    """
    with services.pool.connection() as connection:
        record_units(connection, datetime.now(UTC), meter.by_use, claim.fetch_id)


def _request_batch(services: FetchServices, claim: Claim) -> FetchOutcome:
    try:
        service = services.platforms[claim.account.platform]
        batch = service.get_user_videos_batch(claim.account, claim.target_count)
    except PlatformError as error:
        state = _CONCLUSIVE_ERRORS.get(error.kind, FetchState.FAILED)
        return FetchOutcome(state, error=error, reason=str(error))
    except ConfigurationError as error:
        return FetchOutcome(FetchState.FAILED, reason=str(error))
    return FetchOutcome(
        state=_state_of(batch),
        videos=batch,
        pages=batch.pages,
        skipped={reason.value: count for reason, count in batch.skipped.items()},
        error=batch.interrupted_by,
        reason=str(batch.interrupted_by) if batch.interrupted_by else None,
        sec_id=batch.sec_id,
        posts_history=batch.posts_history,
        username=batch.username,
    )


_NO_ATTEMPT_STATES = {NoAttemptReason.RUN_ENDED: FetchState.SKIPPED, NoAttemptReason.ALREADY_FETCHED: None}

_CONCLUSIVE_ERRORS = {ErrorKind.PRIVATE: FetchState.PRIVATE, ErrorKind.NOT_FOUND: FetchState.NOT_FOUND}


def _state_of(batch: VideoBatch) -> FetchState:
    if batch.interrupted_by is None:
        return FetchState.SUCCEEDED if batch else FetchState.EMPTY
    # Without a video nothing would be saved, and the initial fetch would be used up: the fetch is tried again, unless
    # the list was read as far as it is ever read, and no entry was a video.
    gave_up = batch.interrupted_by.kind is ErrorKind.INCOMPLETE_LIST and batch.only_non_videos
    return FetchState.PARTIAL if batch or gave_up else FetchState.FAILED


def _save(services: FetchServices, claim: Claim, outcome: FetchOutcome) -> SettledFetch:
    try:
        with services.pool.connection() as connection:
            if outcome.error:
                suspend_after(connection, outcome.error, datetime.now(UTC), get_settings())
            return settle_fetch(connection, claim, outcome)
    except OperationalError as error:
        logger.warning("@%s: saving failed (%s). Trying again.", claim.account.username, error)
    return _save_unless_saved(services, claim, outcome)


@_save_again
def _save_unless_saved(services: FetchServices, claim: Claim, outcome: FetchOutcome) -> SettledFetch:
    """Save what a line that failed did not save.

    A line that fails after COMMIT does not tell that the videos are saved, and the platform would be asked again.
    """
    with services.pool.connection() as connection:
        return find_settlement(connection, claim, outcome) or settle_fetch(connection, claim, outcome)


def _log_outcome(claim: Claim, outcome: FetchOutcome, settled: SettledFetch, seconds: float) -> None:
    # A failure is a WARNING record, which the triggerer writes at once, and no ERROR record: each of these becomes an
    # event in Sentry, to which the gate reports the failures of a run by cause.
    failed = outcome.state is FetchState.FAILED
    logger.log(
        logging.WARNING if failed else logging.INFO,
        "@%s (%s): %s in %.1f s%s.",
        claim.account.username,
        claim.account.external_id,
        outcome.state,
        seconds,
        f"; reason: {outcome.reason}" if outcome.reason else "",
    )
    if outcome.error and outcome.error.advice:
        logger.info("%s", outcome.error.advice)
    logger.info("Asked %s for the %s newest videos.", claim.account.platform, claim.target_count)
    logger.info(
        "Received %s videos, %s of them new (pages: %s, requests: %s).",
        len(outcome.videos),
        settled.videos_new,
        outcome.pages,
        ", ".join(f"{count} {use}" for use, count in outcome.requests.items()) or 0,
    )
    if outcome.skipped:
        skipped = ", ".join(f"{count} {reason}" for reason, count in outcome.skipped.items())
        logger.info("Skipped entries of the listing: %s.", skipped)
    if failed:
        logger.info("Saved nothing, charged nothing, released the reservation.")
        return
    for allocation in claim.allocations:
        charged = settled.charged.get(allocation.organization_id)
        if charged is None:
            logger.info("Organization %s was deleted meanwhile: nothing charged.", allocation.organization_id)
            continue
        logger.info(
            "Charged %s of %s granted videos to organization %s.",
            charged,
            allocation.videos,
            allocation.organization_id,
        )


def _executor() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"

"""Use case: fetch a blogger's newest videos and save them. The only one, whoever calls it."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import Connection
from psycopg_pool import ConnectionPool

from blogger_tracking.database.fetch_claims import ClaimRefused, claim_fetch
from blogger_tracking.database.fetch_settlement import FetchOutcome, settle_fetch, suspend_platform
from blogger_tracking.database.youtube_units import UnitUse, record_units
from blogger_tracking.domain.alerts import alerts
from blogger_tracking.domain.claims import Claim
from blogger_tracking.domain.errors import ConfigurationError, StaleClaimError
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.platform_errors import ErrorKind, PlatformError, suspended_until
from blogger_tracking.platforms import PlatformService
from blogger_tracking.platforms.listing import VideoBatch
from blogger_tracking.platforms.request_meter import count_requests
from blogger_tracking.settings import get_settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FetchServices:
    """What a fetch talks to. Safe to share between threads."""

    pool: ConnectionPool
    platforms: Mapping[Platform, PlatformService]


@dataclass(frozen=True, slots=True)
class FetchReport:
    """How one start of one fetch ended. `reason` says why it did not simply succeed."""

    fetch_id: int
    username: str
    state: FetchState | None
    reason: str | None = None
    videos_returned: int = 0
    videos_new: int = 0
    charged: int = 0
    seconds: float = 0

    @property
    def failed(self) -> bool:
        """Whether another start may give what this one did not."""
        return self.state is FetchState.FAILED


def fetch_blogger(services: FetchServices, fetch_id: int) -> FetchReport:
    """Claim a planned fetch, ask the platform, and save the answer with its charges.

    A platform that does not answer ends in the report, not in an exception. What the database raises is let through:
    then nothing was saved, and the reservation is released by the next start or the next planning.
    """
    started = time.monotonic()
    with services.pool.connection() as connection:
        claim = claim_fetch(connection, fetch_id, timedelta(minutes=get_settings().lease_minutes), _executor())
    if isinstance(claim, ClaimRefused):
        logger.info("Fetch %s (@%s) skipped: %s.", fetch_id, claim.username, claim.reason)
        return FetchReport(fetch_id, claim.username, FetchState.SKIPPED, claim.reason)
    with count_requests() as meter:
        outcome = _ask(services, claim)
    if claim.account.platform is Platform.YOUTUBE and meter.requests:
        # Apart from the saving: they are spent also when a newer start has taken over.
        with services.pool.connection() as connection:
            record_units(connection, datetime.now(UTC), UnitUse.LISTING, meter.requests, claim.fetch_id)
    return _settle(services, claim, outcome, started)


def _ask(services: FetchServices, claim: Claim) -> FetchOutcome:
    try:
        service = services.platforms[claim.account.platform]
        batch = service.get_user_videos_batch(claim.account, claim.target_count)
    except PlatformError as error:
        state = _STATES.get(error.kind, FetchState.FAILED)
        return FetchOutcome(state, error=error, reason=str(error))
    except ConfigurationError as error:
        return FetchOutcome(FetchState.FAILED, reason=str(error))
    return FetchOutcome(
        state=_state(batch),
        videos=batch,
        pages=batch.pages,
        skipped=batch.skipped,
        error=batch.interrupted_by,
        reason=str(batch.interrupted_by) if batch.interrupted_by else None,
        sec_id=batch.sec_id,
    )


_STATES = {ErrorKind.PRIVATE: FetchState.PRIVATE, ErrorKind.NOT_FOUND: FetchState.NOT_FOUND}


def _state(batch: VideoBatch) -> FetchState:
    if batch.interrupted_by:
        return FetchState.PARTIAL
    return FetchState.SUCCEEDED if batch else FetchState.EMPTY


def _settle(services: FetchServices, claim: Claim, outcome: FetchOutcome, started: float) -> FetchReport:
    username = claim.account.username
    with services.pool.connection() as connection:
        if outcome.error:
            _suspend(connection, outcome.error)
        try:
            settled = settle_fetch(connection, claim, outcome)
        except StaleClaimError as error:
            logger.warning("%s", error)
            return FetchReport(claim.fetch_id, username, None, str(error))
    report = FetchReport(
        claim.fetch_id,
        username,
        outcome.state,
        outcome.reason,
        videos_returned=len(outcome.videos),
        videos_new=settled.videos_new,
        charged=sum(settled.charged.values()),
        seconds=time.monotonic() - started,
    )
    _log_report(claim, report, outcome)
    return report


def _suspend(connection: Connection, error: PlatformError) -> None:
    until = suspended_until(error, datetime.now(UTC), get_settings())
    if until and suspend_platform(connection, error.platform, until, str(error)):
        alerts.warning("%s is left alone until %s: %s.", error.platform, until.isoformat(), error)


def _log_report(claim: Claim, report: FetchReport, outcome: FetchOutcome) -> None:
    level = logging.ERROR if report.failed else logging.INFO
    logger.log(
        level,
        "@%s (%s) %s in %.1f s: asked %s for the %s newest videos (granted: %s), %s came on %s pages, "
        "%s of them new, %s charged%s%s.",
        report.username,
        claim.account.external_id,
        report.state,
        report.seconds,
        claim.account.platform,
        claim.target_count,
        ", ".join(f"{share.videos} for {share.organization_id}" for share in claim.allocations),
        report.videos_returned,
        outcome.pages,
        report.videos_new,
        report.charged,
        f"; entries skipped: {outcome.skipped}" if outcome.skipped else "",
        f"; {report.reason}" if report.reason else "",
    )


def _executor() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"

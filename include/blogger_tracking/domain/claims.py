"""Rules of claiming and settling a fetch: the videos that an attempt may take, and the charge for them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from blogger_tracking.domain.ledger import SkipReason
from blogger_tracking.domain.models import Account
from blogger_tracking.domain.quotas import Grant, QuotaDecision, decide, remaining_for


@dataclass(frozen=True, slots=True)
class CurrentAllocation:
    """One organization's allocation in a fetch with the organization's usage, both as read at one time.

    `is_active` is None if the tracked account was deleted, `video_limit` and `period_end_now` if the subscription was.
    `period_end` is the end of the period as planning read it. `reserved_in_period` includes this allocation's own
    `reserved`.
    """

    organization_id: UUID
    tracked_account_id: UUID
    period_start: datetime
    period_end: datetime
    granted: int
    reserved: int
    charged: int
    is_active: bool | None
    video_limit: int | None
    period_end_now: datetime | None
    opening: int
    videos_fetched: int
    reserved_in_period: int

    @property
    def available(self) -> int:
        """The subscription's limit minus everything that other allocations used or reserve, in videos."""
        return self._available_at_no_usage - self._usage

    def usage_for(self, grant: Grant) -> tuple[int | None, int | None]:
        """Return the least and the largest usage of the period with which the rule gives this allocation this grant.

        The usage is the sum of `opening`, `videos_fetched` and `reserved_in_period`; everything else is unchanged.
        None: no bound.
        """
        least, most = remaining_for(self.granted, grant)
        return (
            None if most is None else self._available_at_no_usage - most,
            None if least is None else self._available_at_no_usage - least,
        )

    @property
    def _usage(self) -> int:
        return self.opening + self.videos_fetched + self.reserved_in_period

    @property
    def _available_at_no_usage(self) -> int:
        # The usage includes this allocation's own charge and reservation, which are available to this allocation.
        return (self.video_limit or 0) + self.charged + self.reserved

    def subscription_ended_early(self, moment: datetime) -> bool:
        """Return True if the subscription was ended before the end that planning read, also once that end has passed.

        Fetches that were planned in a period are charged to that period, also after the period has ended as planned.
        """
        if self.period_end_now is None:
            return True
        return self.period_end_now < self.period_end and self.period_end_now <= moment


@dataclass(frozen=True, slots=True)
class AllocationClaim:
    """One organization's part in an attempt.

    `videos` is the number of newest videos granted; `reserved` is the number of these that are not charged yet;
    `charged` is the charge of earlier attempts. `reason` is None unless the organization is skipped.
    """

    organization_id: UUID
    tracked_account_id: UUID
    decision: QuotaDecision
    videos: int
    reserved: int
    charged: int
    reason: SkipReason | None = None

    @property
    def depends_on_usage(self) -> bool:
        """True if another usage of the period could change the decision."""
        return self.reason in {None, SkipReason.SUBSCRIPTION_LIMIT}

    def charge_for(self, returned: int) -> int:
        """Return the charge after this attempt, to which the platform returned `returned` videos.

        The charges of several attempts are not added: the largest counts.
        """
        return max(self.charged, min(self.videos, returned))


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt at a fetch that holds its reservations.

    `attempt_id` is the token that saving must present: only the newest attempt of a fetch may save.
    """

    fetch_id: int
    attempt_id: int
    blogger_id: UUID
    account: Account
    allocations: Sequence[AllocationClaim]

    @property
    def target_count(self) -> int:
        """The largest number of videos that any organization gets."""
        return max(allocation.videos for allocation in self.allocations)


def claim_allocation(allocation: CurrentAllocation, moment: datetime) -> AllocationClaim:
    """Apply the subscription rule again, to the videos that are available to this allocation now."""
    if allocation.is_active is None:
        return skip_allocation(allocation, SkipReason.REMOVED)
    if not allocation.is_active:
        return skip_allocation(allocation, SkipReason.INACTIVE)
    if allocation.video_limit is None or allocation.subscription_ended_early(moment):
        return skip_allocation(allocation, SkipReason.NO_ACTIVE_SUBSCRIPTION)
    grant = decide(allocation.granted, allocation.available)
    if grant.decision is QuotaDecision.SKIP:
        return skip_allocation(allocation, SkipReason.SUBSCRIPTION_LIMIT)
    return AllocationClaim(
        allocation.organization_id,
        allocation.tracked_account_id,
        grant.decision,
        grant.videos,
        max(0, grant.videos - allocation.charged),
        allocation.charged,
    )


def skip_allocation(allocation: CurrentAllocation, reason: SkipReason) -> AllocationClaim:
    """Return a claim without videos, with the reason."""
    return AllocationClaim(
        allocation.organization_id,
        allocation.tracked_account_id,
        QuotaDecision.SKIP,
        0,
        0,
        allocation.charged,
        reason,
    )

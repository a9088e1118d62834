"""Claiming and settling a fetch: what a start may take, and what it charges. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from blogger_tracking.domain.ledger import SkipReason
from blogger_tracking.domain.models import Account
from blogger_tracking.domain.quotas import QuotaDecision, decide


@dataclass(frozen=True, slots=True)
class LockedAllocation:
    """One organization's allocation with its usage as it is now, both locked.

    `video_limit` and `period_end_now` are None when the subscription is gone. `period_end` is what planning saw.
    """

    organization_id: UUID
    tracked_account_id: UUID
    period_start: datetime
    period_end: datetime
    granted: int
    reserved: int
    charged: int
    is_active: bool
    video_limit: int | None
    period_end_now: datetime | None
    opening: int
    videos_fetched: int
    reserved_in_period: int

    @property
    def available(self) -> int:
        """The limit minus everything that other allocations used or hold."""
        used_by_others = self.opening + (self.videos_fetched - self.charged) + (self.reserved_in_period - self.reserved)
        return (self.video_limit or 0) - used_by_others

    def was_ended(self, moment: datetime) -> bool:
        """Whether the subscription was ended early. A period that ran out as planned still pays."""
        return self.period_end_now is None or self.period_end_now <= moment < self.period_end


@dataclass(frozen=True, slots=True)
class AllocationClaim:
    """What one organization gets of this start: the newest `videos`, of which `reserved` are not charged yet."""

    organization_id: UUID
    tracked_account_id: UUID
    decision: QuotaDecision
    videos: int
    reserved: int
    reason: SkipReason | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A start of a fetch that holds its reservations. `attempt_id` is the token that saving must show."""

    fetch_id: int
    attempt_id: int
    blogger_id: UUID
    account: Account
    allocations: Sequence[AllocationClaim]

    @property
    def target_count(self) -> int:
        """The largest count any organization gets."""
        return max(share.videos for share in self.allocations)


def claim_allocation(allocation: LockedAllocation, moment: datetime) -> AllocationClaim:
    """Apply the subscription rule again, to what is available to this allocation now."""
    if not allocation.is_active:
        return skip_allocation(allocation, SkipReason.INACTIVE)
    if allocation.video_limit is None or allocation.was_ended(moment):
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
    )


def charge_after(charged: int, share_videos: int, returned: int) -> int:
    """The charge of an allocation once `returned` videos came for a share of `share_videos`.

    Charges of one allocation do not add up: the larger count stands.
    """
    return max(charged, min(share_videos, returned))


def skip_allocation(allocation: LockedAllocation, reason: SkipReason) -> AllocationClaim:
    """A share that gets nothing, and why."""
    return AllocationClaim(allocation.organization_id, allocation.tracked_account_id, QuotaDecision.SKIP, 0, 0, reason)

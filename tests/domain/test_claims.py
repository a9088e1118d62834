"""Claiming and charging the allocations of a fetch."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.claims import CurrentAllocation, claim_allocation
from blogger_tracking.domain.ledger import SkipReason
from blogger_tracking.domain.quotas import Grant, QuotaDecision

PERIOD_START = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD_END = PERIOD_START + timedelta(days=30)
NOW = PERIOD_START + timedelta(days=3)

PLANNED = CurrentAllocation(
    organization_id=UUID(int=1),
    tracked_account_id=UUID(int=2),
    period_start=PERIOD_START,
    period_end=PERIOD_END,
    granted=30,
    reserved=30,
    charged=0,
    is_active=True,
    video_limit=100,
    period_end_now=PERIOD_END,
    opening=0,
    videos_fetched=0,
    reserved_in_period=30,
)


def test_a_claim_after_planning_gets_the_full_grant() -> None:
    claimed = claim_allocation(PLANNED, NOW)
    assert (claimed.decision, claimed.videos, claimed.reserved) == (QuotaDecision.FULL, 30, 30)


def test_a_lowered_subscription_gives_less_or_nothing() -> None:
    assert claim_allocation(replace(PLANNED, video_limit=12), NOW).videos == 12
    skipped = claim_allocation(replace(PLANNED, video_limit=9), NOW)
    assert (skipped.videos, skipped.reserved, skipped.reason) == (0, 0, SkipReason.SUBSCRIPTION_LIMIT)


def test_an_inactive_account_gets_nothing() -> None:
    assert claim_allocation(replace(PLANNED, is_active=False), NOW).reason is SkipReason.INACTIVE


def test_a_subscription_that_was_ended_early_gives_nothing() -> None:
    for ended in (replace(PLANNED, period_end_now=NOW), replace(PLANNED, video_limit=None, period_end_now=None)):
        assert claim_allocation(ended, NOW).reason is SkipReason.NO_ACTIVE_SUBSCRIPTION


def test_an_allocation_can_be_claimed_after_its_period_ended_as_planned() -> None:
    assert claim_allocation(PLANNED, PERIOD_END + timedelta(days=1)).decision is QuotaDecision.FULL


def test_a_rerun_reserves_only_the_videos_that_are_not_charged_yet() -> None:
    charged = replace(PLANNED, reserved=0, charged=20, videos_fetched=20, reserved_in_period=0, video_limit=30)
    claimed = claim_allocation(charged, NOW)
    assert (claimed.videos, claimed.reserved) == (30, 10)


@given(ended=st.integers(1, 59), claimed=st.integers(0, 90))
def test_a_subscription_that_ended_as_planned_pays_at_any_time_and_one_ended_early_never_after_its_end(
    ended: int, claimed: int
) -> None:
    end_now, moment = PERIOD_START + timedelta(days=ended), PERIOD_START + timedelta(days=claimed)
    pays = claim_allocation(replace(PLANNED, period_end_now=end_now), moment).decision is QuotaDecision.FULL
    assert pays == (end_now >= PERIOD_END or moment < end_now)


@st.composite
def charged_and_granted(draw: st.DrawFn) -> tuple[int, int]:
    granted = draw(st.integers(1, 500))
    return draw(st.integers(0, granted)), granted


@given(
    counts=charged_and_granted(),
    video_limit=st.integers(0, 2000),
    used_by_others=st.integers(0, 2000),
    returned=st.integers(0, 600),
)
def test_a_claim_and_its_charge_never_exceed_the_grant_or_the_limit(
    counts: tuple[int, int], video_limit: int, used_by_others: int, returned: int
) -> None:
    charged, granted = counts
    allocation = replace(
        PLANNED,
        granted=granted,
        reserved=0,
        charged=charged,
        video_limit=video_limit,
        opening=used_by_others,
        videos_fetched=charged,
        reserved_in_period=0,
    )
    claimed = claim_allocation(allocation, NOW)
    after = claimed.charge_for(returned)
    assert charged <= after <= granted
    assert charged + claimed.reserved <= granted
    if after > charged:
        assert used_by_others + after <= video_limit
    if claimed.reserved:
        assert used_by_others + charged + claimed.reserved <= video_limit


@given(
    counts=charged_and_granted(),
    reserved=st.integers(0, 40),
    video_limit=st.integers(0, 600),
    used_by_others=st.integers(0, 600),
    later_use=st.integers(0, 600),
)
def test_the_claim_stays_the_same_exactly_for_the_usages_that_the_grant_allows(
    counts: tuple[int, int], reserved: int, video_limit: int, used_by_others: int, later_use: int
) -> None:
    charged, granted = counts
    allocation = replace(
        PLANNED,
        granted=granted,
        reserved=reserved,
        charged=charged,
        video_limit=video_limit,
        opening=used_by_others,
        videos_fetched=charged,
        reserved_in_period=reserved,
    )
    claimed = claim_allocation(allocation, NOW)
    least, largest = allocation.usage_for(Grant(claimed.decision, claimed.videos))
    usage = later_use + charged + reserved
    same = claim_allocation(replace(allocation, opening=later_use), NOW) == claimed
    assert same == ((least is None or usage >= least) and (largest is None or usage <= largest))

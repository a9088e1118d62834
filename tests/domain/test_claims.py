"""Claiming and charging: contracts section 2."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.claims import LockedAllocation, charge_after, claim_allocation
from blogger_tracking.domain.ledger import SkipReason
from blogger_tracking.domain.quotas import QuotaDecision

START = datetime(2026, 11, 1, tzinfo=UTC)
END = START + timedelta(days=30)
NOW = START + timedelta(days=3)

PLANNED = LockedAllocation(
    organization_id=UUID(int=1),
    tracked_account_id=UUID(int=2),
    period_start=START,
    period_end=END,
    granted=30,
    reserved=30,
    charged=0,
    is_active=True,
    video_limit=100,
    period_end_now=END,
    opening=0,
    videos_fetched=0,
    reserved_in_period=30,
)


def test_a_claim_after_planning_gets_the_full_grant() -> None:
    share = claim_allocation(PLANNED, NOW)
    assert (share.decision, share.videos, share.reserved) == (QuotaDecision.FULL, 30, 30)


def test_a_lowered_subscription_gives_less_or_nothing() -> None:
    assert claim_allocation(replace(PLANNED, video_limit=12), NOW).videos == 12
    refused = claim_allocation(replace(PLANNED, video_limit=9), NOW)
    assert (refused.videos, refused.reserved, refused.reason) == (0, 0, SkipReason.SUBSCRIPTION_LIMIT)


def test_a_paused_account_gets_nothing() -> None:
    assert claim_allocation(replace(PLANNED, is_active=False), NOW).reason is SkipReason.INACTIVE


def test_a_subscription_that_was_ended_early_gives_nothing() -> None:
    for ended in (replace(PLANNED, period_end_now=NOW), replace(PLANNED, video_limit=None, period_end_now=None)):
        assert claim_allocation(ended, NOW).reason is SkipReason.NO_ACTIVE_SUBSCRIPTION


def test_a_period_that_ran_out_as_planned_still_pays() -> None:
    assert claim_allocation(PLANNED, END + timedelta(days=1)).decision is QuotaDecision.FULL


def test_a_rerun_holds_only_what_is_not_charged_yet() -> None:
    charged = replace(PLANNED, reserved=0, charged=20, videos_fetched=20, reserved_in_period=0, video_limit=30)
    share = claim_allocation(charged, NOW)
    assert (share.videos, share.reserved) == (30, 10)


@given(
    granted=st.integers(1, 500),
    charged=st.integers(0, 500),
    video_limit=st.integers(0, 2000),
    others=st.integers(0, 2000),
    returned=st.integers(0, 600),
)
def test_no_claim_and_charge_take_more_than_the_grant_or_the_limit(
    granted: int, charged: int, video_limit: int, others: int, returned: int
) -> None:
    charged = min(charged, granted)
    held = replace(
        PLANNED,
        granted=granted,
        reserved=0,
        charged=charged,
        video_limit=video_limit,
        opening=others,
        videos_fetched=charged,
        reserved_in_period=0,
    )
    share = claim_allocation(held, NOW)
    after = charge_after(charged, share.videos, returned)
    assert charged <= after <= granted
    assert charged + share.reserved <= granted
    if after > charged:
        assert others + after <= video_limit
    if share.reserved:
        assert others + charged + share.reserved <= video_limit

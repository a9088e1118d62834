"""Rules of planning, as properties of any plan and as examples."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.ledger import SkipReason
from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.planning import PlanningConstraints, Quota, TrackedAccount, plan
from blogger_tracking.domain.quotas import decide

START = datetime(2026, 11, 1, tzinfo=UTC)
ORGANIZATIONS = [UUID(int=number) for number in range(1, 5)]
BLOGGERS = [UUID(int=1000 + number) for number in range(8)]


def account(  # noqa: PLR0913 - one argument for each rule
    number: int = 1,
    *,
    organization: UUID = ORGANIZATIONS[0],
    blogger: UUID | None = None,
    platform: str = "TikTok",
    external_id: str | None = "external",
    videos_count: int | None = 10,
    is_active: bool = True,
    pending_initial_fetch: bool = False,
    last_attempt_at: datetime | None = None,
) -> TrackedAccount:
    return TrackedAccount(
        tracking_id=UUID(int=10_000 + number),
        organization_id=organization,
        blogger_id=blogger or UUID(int=20_000 + number),
        platform=platform,
        external_id=external_id,
        username=f"name_{number}",
        videos_count=videos_count,
        is_active=is_active,
        pending_initial_fetch=pending_initial_fetch,
        last_attempt_at=last_attempt_at,
    )


def with_quota(remaining: int, organization: UUID = ORGANIZATIONS[0], **others: object) -> PlanningConstraints:
    quota = Quota(organization, START, START + timedelta(days=30), remaining)
    return PlanningConstraints(quotas={organization: quota}, **others)  # type: ignore[arg-type]  # passed on by name


@st.composite
def fleets(draw: st.DrawFn) -> list[TrackedAccount]:
    pairs = draw(st.lists(st.tuples(st.sampled_from(ORGANIZATIONS), st.sampled_from(BLOGGERS)), unique=True))
    return [
        account(
            number,
            organization=organization,
            blogger=blogger,
            # A blogger is on one platform, whichever organizations track the blogger.
            platform=list(Platform)[blogger.int % 3],
            videos_count=draw(st.integers(1, 60)),
            is_active=draw(st.sampled_from([True, True, True, False])),
            pending_initial_fetch=draw(st.sampled_from([False, False, True])),
            last_attempt_at=draw(st.none() | st.integers(0, 3).map(lambda days: START + timedelta(days=days))),
        )
        for number, (organization, blogger) in enumerate(pairs)
    ]


@st.composite
def constraints(draw: st.DrawFn) -> PlanningConstraints:
    covered = draw(st.lists(st.sampled_from(ORGANIZATIONS), unique=True))
    return PlanningConstraints(
        quotas={
            organization: Quota(organization, START, START + timedelta(days=30), draw(st.integers(-5, 150)))
            for organization in covered
        },
        live_bloggers=frozenset(draw(st.lists(st.sampled_from(BLOGGERS), max_size=2))),
        suspended_platforms=draw(st.dictionaries(st.sampled_from(Platform), st.just("suspended"), max_size=1)),
    )


@given(fleets(), constraints())
def test_every_account_is_planned_or_skipped_with_a_reason_exactly_once(
    accounts: list[TrackedAccount], given_constraints: PlanningConstraints
) -> None:
    result = plan(accounts, given_constraints)
    planned = [allocation.account.tracking_id for fetch in result.fetches for allocation in fetch.allocations]
    skipped = [skip.account.tracking_id for skip in result.skips]
    assert Counter(planned + skipped) == Counter(each.tracking_id for each in accounts)


@given(fleets(), constraints())
def test_reservations_never_exceed_the_remaining_quota(
    accounts: list[TrackedAccount], given_constraints: PlanningConstraints
) -> None:
    reserved: Counter[UUID] = Counter()
    for fetch in plan(accounts, given_constraints).fetches:
        for allocation in fetch.allocations:
            reserved[allocation.account.organization_id] += allocation.grant.videos
    for organization, videos in reserved.items():
        assert videos <= given_constraints.quotas[organization].remaining


@given(fleets(), constraints())
def test_a_blogger_is_fetched_once_with_the_largest_grant(
    accounts: list[TrackedAccount], given_constraints: PlanningConstraints
) -> None:
    fetches = plan(accounts, given_constraints).fetches
    assert len({fetch.blogger_id for fetch in fetches}) == len(fetches)
    for fetch in fetches:
        assert fetch.target_count == max(allocation.grant.videos for allocation in fetch.allocations)


@given(fleets(), constraints())
def test_within_an_organization_the_rule_is_applied_least_recently_attempted_first(
    accounts: list[TrackedAccount], given_constraints: PlanningConstraints
) -> None:
    result = plan(accounts, given_constraints)
    granted = {
        allocation.account.tracking_id: allocation.grant.videos
        for fetch in result.fetches
        for allocation in fetch.allocations
    }
    limited = {skip.account.tracking_id for skip in result.skips if skip.reason is SkipReason.SUBSCRIPTION_LIMIT}
    considered = [each for each in accounts if each.tracking_id in granted or each.tracking_id in limited]
    never = datetime.min.replace(tzinfo=UTC)
    for organization in {each.organization_id for each in considered}:
        remaining = given_constraints.quotas[organization].remaining
        own = [each for each in considered if each.organization_id == organization]
        for each in sorted(own, key=lambda one: (one.last_attempt_at or never, one.tracking_id)):
            expected = decide(each.videos_count or 0, remaining).videos
            assert granted.get(each.tracking_id, 0) == expected
            remaining -= expected


@given(fleets(), constraints(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(
    accounts: list[TrackedAccount], given_constraints: PlanningConstraints, random: Random
) -> None:
    shuffled = list(accounts)
    random.shuffle(shuffled)
    assert plan(shuffled, given_constraints) == plan(accounts, given_constraints)


def reason_of(skipped: TrackedAccount, given_constraints: PlanningConstraints) -> str:
    (skip,) = plan([skipped], given_constraints).skips
    return str(skip)


def test_a_later_account_that_asks_for_less_still_fits() -> None:
    large, small = account(1, videos_count=30), account(2, videos_count=3)
    result = plan([large, small], with_quota(5))
    assert [skip.account for skip in result.skips] == [large]
    assert [fetch.target_count for fetch in result.fetches] == [3]


def test_an_organization_without_a_subscription_is_skipped() -> None:
    assert reason_of(account(), PlanningConstraints(quotas={})) == "no_active_subscription"


def test_an_account_with_a_pending_initial_fetch_is_skipped() -> None:
    assert reason_of(account(pending_initial_fetch=True), with_quota(100)) == "pending_initial_fetch"


def test_a_blogger_of_another_active_run_is_skipped() -> None:
    live = account()
    assert reason_of(live, with_quota(100, live_bloggers={live.blogger_id})) == "already_running"


def test_a_suspended_platform_is_skipped_with_its_reason() -> None:
    suspended = with_quota(100, suspended_platforms={Platform.TIKTOK: "quota exceeded"})
    assert reason_of(account(), suspended) == "platform_suspended: quota exceeded"


def test_an_inactive_account_is_skipped() -> None:
    assert reason_of(account(is_active=False), with_quota(100)) == "inactive"


def test_an_invalid_row_is_skipped_with_its_problem_and_costs_nothing() -> None:
    broken = [
        account(1, platform="MySpace"),
        account(2, external_id=None),
        account(3, external_id="  "),
        account(4, videos_count=None),
        account(5, videos_count=-1),
        account(6, videos_count=501),
    ]
    result = plan([*broken, account(7)], with_quota(10))
    assert {skip.reason for skip in result.skips} == {SkipReason.INVALID}
    assert [skip.detail for skip in sorted(result.skips, key=lambda skip: skip.account.tracking_id)] == [
        "unknown platform 'MySpace'",
        "no external id",
        "no external id",
        "videos count None, expected 1 to 500",
        "videos count -1, expected 1 to 500",
        "videos count 501, expected 1 to 500",
    ]
    assert len(result.fetches) == 1


def test_youtube_bloggers_beyond_the_units_left_are_skipped_and_tiktok_bloggers_are_not() -> None:
    accounts = [account(number, platform="YouTube", videos_count=50) for number in range(3)] + [account(9)]
    made = plan(accounts, with_quota(1000, youtube_units_left=4))
    assert Counter(fetch.platform for fetch in made.fetches) == {Platform.YOUTUBE: 2, Platform.TIKTOK: 1}
    assert [(skip.reason, skip.account.tracking_id) for skip in made.skips] == [
        (SkipReason.DAILY_UNITS, accounts[2].tracking_id)
    ]


def test_a_skip_for_lack_of_units_reserves_no_videos() -> None:
    accounts = [account(1, platform="YouTube", videos_count=50), account(2, videos_count=50)]
    made = plan(accounts, with_quota(50, youtube_units_left=0))
    assert [fetch.platform for fetch in made.fetches] == [Platform.TIKTOK]


def test_a_youtube_blogger_of_two_organizations_costs_the_units_of_one_listing() -> None:
    accounts = [
        account(number, organization=organization, blogger=BLOGGERS[0], platform="YouTube", videos_count=50)
        for number, organization in enumerate(ORGANIZATIONS[:2])
    ]
    quotas = {each: Quota(each, START, START + timedelta(days=30), 50) for each in ORGANIZATIONS[:2]}
    made = plan(accounts, PlanningConstraints(quotas=quotas, youtube_units_left=2))
    assert [len(fetch.allocations) for fetch in made.fetches] == [2]

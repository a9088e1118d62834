"""The rule for a red run."""

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.run_outcome import PlatformTally, run_problems


def tally(suspended: int = 0, **states: int) -> PlatformTally:
    return PlatformTally({FetchState(state): count for state, count in states.items()}, suspended)


def test_private_missing_empty_and_out_of_quota_do_not_count_as_failed() -> None:
    assert run_problems({"TikTok": tally(private=2, not_found=1, empty=1, skipped=4)}, 0.2) == []


def test_a_run_without_fetches_is_green() -> None:
    assert run_problems({}, 0.2) == []
    assert run_problems({"TikTok": tally(skipped=3)}, 0.2) == []


def test_a_run_is_red_if_every_fetch_of_a_platform_failed() -> None:
    tallies = {"TikTok": tally(failed=1), "YouTube": tally(succeeded=99)}
    assert run_problems(tallies, 0.2) == ["every fetch of TikTok failed (1)"]


def test_a_run_is_red_if_more_than_the_tolerated_share_failed() -> None:
    assert run_problems({"TikTok": tally(succeeded=8, failed=2)}, 0.2) == []
    assert run_problems({"TikTok": tally(succeeded=7, failed=3)}, 0.2) == ["3 of 10 fetches failed, more than 20%"]


def test_a_fetch_that_never_finished_counts_as_failed() -> None:
    assert run_problems({"TikTok": tally(released=1, planned=1, running=1)}, 0.2)


def test_a_fetch_skipped_for_a_suspended_platform_counts_as_failed() -> None:
    assert run_problems({"YouTube": tally(suspended=9, failed=1, skipped=9)}, 0.2)


def test_a_released_fetch_of_a_suspended_platform_counts_once() -> None:
    assert run_problems({"YouTube": tally(suspended=1, released=1, succeeded=9)}, 0.1) == []


@given(st.dictionaries(st.sampled_from(FetchState), st.integers(0, 1000)), st.integers(0, 1000))
def test_no_more_fetches_fail_than_there_are(states: dict[FetchState, int], suspended: int) -> None:
    counted = PlatformTally(states, suspended)
    assert 0 <= counted.failed <= counted.fetches <= sum(states.values())

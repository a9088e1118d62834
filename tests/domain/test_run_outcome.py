"""When a run is red: issue of the batch run, gate."""

from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.run_outcome import PlatformTally, run_problems


def tally(suspended: int = 0, **states: int) -> PlatformTally:
    return PlatformTally({FetchState(state): count for state, count in states.items()}, suspended)


def test_private_gone_empty_and_out_of_quota_are_outcomes() -> None:
    assert run_problems({"TikTok": tally(private=2, not_found=1, empty=1, skipped=4)}, 0.2) == []


def test_nothing_to_fetch_is_green() -> None:
    assert run_problems({}, 0.2) == []
    assert run_problems({"TikTok": tally(skipped=3)}, 0.2) == []


def test_a_platform_whose_every_fetch_failed_is_red() -> None:
    tallies = {"TikTok": tally(failed=1), "YouTube": tally(succeeded=99)}
    assert run_problems(tallies, 0.2) == ["every fetch of TikTok failed (1)"]


def test_more_failures_than_the_set_share_are_red() -> None:
    assert run_problems({"TikTok": tally(succeeded=8, failed=2)}, 0.2) == []
    assert run_problems({"TikTok": tally(succeeded=7, failed=3)}, 0.2) == ["3 of 10 fetches failed, more than 20%"]


def test_a_fetch_that_never_finished_counts_as_failed() -> None:
    assert run_problems({"TikTok": tally(released=1, planned=1, running=1)}, 0.2)


def test_a_fetch_left_out_because_its_platform_is_suspended_counts_as_failed() -> None:
    assert run_problems({"YouTube": tally(suspended=9, failed=1, skipped=9)}, 0.2)

"""The rule for a red run."""

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.run_outcome import LeftOut, PlatformTally, run_problems

STATES = st.dictionaries(st.sampled_from(FetchState), st.integers(1, 1000))


NONE_LEFT_OUT = LeftOut()


def tally(suspended: int = 0, left_out: LeftOut = NONE_LEFT_OUT, **states: int) -> PlatformTally:
    return PlatformTally({FetchState(state): count for state, count in states.items()}, suspended, left_out)


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


def test_a_run_is_red_if_planning_withheld_the_accounts_of_a_platform_and_none_was_fetched() -> None:
    withheld = LeftOut(22, "platform_suspended: invalid key")
    (problem,) = run_problems({"TikTok": tally(left_out=withheld), "YouTube": tally(succeeded=99)}, 1)
    assert problem == (
        "nothing of TikTok was fetched, because planning left out 22 accounts (platform_suspended: invalid key): "
        "remove the cause, then trigger a new run with platforms set to TikTok"
    )


def test_a_run_is_green_if_the_units_of_the_day_cover_a_part_of_a_platform() -> None:
    assert run_problems({"YouTube": tally(left_out=LeftOut(30, "daily_units"), succeeded=1)}, 0) == []


def test_a_run_is_red_if_accounts_were_left_out_for_another_run_that_fetched_nothing() -> None:
    tallies = {
        "TikTok": tally(succeeded=9, left_out=LeftOut(abandoned=1)),
        "YouTube": tally(left_out=LeftOut(abandoned=2)),
    }
    assert run_problems(tallies, 1) == [
        "3 accounts were left out for another run that ended without fetching them: trigger a new run"
    ]


def test_a_run_is_red_if_accounts_were_left_out_for_a_run_of_a_deployment_that_seems_dead() -> None:
    tallies = {"TikTok": tally(succeeded=9, left_out=LeftOut(held=2, held_by="old"))}
    (problem,) = run_problems(tallies, 1)
    assert "2 accounts of TikTok were left out for a run of the deployment old" in problem
    assert "`end-runs --deployment old`" in problem


@given(STATES, st.integers(0, 1000))
def test_no_more_fetches_fail_than_there_are(states: dict[FetchState, int], suspended: int) -> None:
    counted = PlatformTally(states, suspended)
    assert 0 <= counted.failed <= counted.fetches <= sum(states.values())


@given(STATES, st.integers(0, 1000), st.integers(1, 1000))
def test_a_platform_with_withheld_accounts_is_red_unless_it_answered_a_fetch(
    states: dict[FetchState, int], suspended: int, withheld: int
) -> None:
    counted = PlatformTally(states, suspended, LeftOut(withheld, "daily_units"))
    answered = any(state.conclusive for state in states)
    assert any("nothing of YouTube" in problem for problem in run_problems({"YouTube": counted}, 1)) is not answered


@given(st.lists(STATES, max_size=3), st.integers(1, 1000))
def test_no_outcome_of_other_fetches_hides_abandoned_accounts(
    states: list[dict[FetchState, int]], abandoned: int
) -> None:
    tallies = {str(number): PlatformTally(each) for number, each in enumerate(states)}
    before = run_problems(tallies, 0.2)
    tallies["TikTok"] = PlatformTally({}, left_out=LeftOut(abandoned=abandoned))
    assert len(run_problems(tallies, 0.2)) == len(before) + 1

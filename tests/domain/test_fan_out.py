"""Fan-out of a run's bloggers over mapped task instances."""

from hypothesis import given
from hypothesis import strategies as st

from blogger_tracking.domain.fan_out import LABEL_LIMIT, assign_instances, instance_label
from blogger_tracking.domain.models import Platform

fleets = st.integers(0, 30_000).map(range)


@given(fleets, st.integers(1, 1000))
def test_every_blogger_is_in_exactly_one_instance_in_order(fleet: range, max_instances: int) -> None:
    instances = assign_instances(fleet, max_instances=max_instances)
    assert [blogger for instance in instances for blogger in instance] == list(fleet)


@given(fleets, st.integers(1, 1000), st.none() | st.integers(1, 100))
def test_a_platform_never_has_more_instances_than_the_maximum(
    fleet: range, max_instances: int, fixed: int | None
) -> None:
    assert len(assign_instances(fleet, max_instances=max_instances, fixed=fixed)) <= max_instances


@given(fleets, st.integers(1, 1000))
def test_bloggers_share_instances_evenly(fleet: range, max_instances: int) -> None:
    sizes = [len(instance) for instance in assign_instances(fleet, max_instances=max_instances)]
    assert not sizes or (min(sizes) >= 1 and max(sizes) - min(sizes) <= 1)


@given(st.integers(1, 1000).map(range))
def test_each_blogger_has_an_instance_of_its_own_up_to_the_maximum(fleet: range) -> None:
    assert len(assign_instances(fleet, max_instances=1000)) == len(fleet)


def test_a_setting_fixes_the_bloggers_per_instance() -> None:
    assert [len(instance) for instance in assign_instances(range(100), max_instances=1000, fixed=50)] == [50, 50]


def test_a_label_names_the_platform_and_the_bloggers_of_an_instance() -> None:
    assert instance_label(Platform.YOUTUBE, ["name"]) == "YouTube · @name"
    assert instance_label(Platform.YOUTUBE, ["first", "x", "last"]) == "YouTube · 3 bloggers: @first … @last"


def test_a_label_fits_into_airflows_column() -> None:
    assert len(instance_label(Platform.TIKTOK, ["x" * 400])) == LABEL_LIMIT

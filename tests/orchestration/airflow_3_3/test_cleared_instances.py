"""Events of triggers whose instance was cleared at that moment, against the installed Airflow."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from airflow.jobs.triggerer_job_runner import TriggerRunnerSupervisor
from airflow.models.trigger import Trigger
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent
from sqlalchemy.orm.exc import StaleDataError

from blogger_tracking.orchestration.airflow_3_3 import cleared_instances
from blogger_tracking.settings import get_settings

EVENT = TaskSuccessEvent()


@pytest.fixture
def submit(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Return a function that makes the first so many transactions find a cleared instance; it returns all calls."""

    def install(stale: int) -> list[int]:
        calls: list[int] = []

        def submit_event(trigger_id: int, event: TriggerEvent) -> None:
            assert event is EVENT
            calls.append(trigger_id)
            if len(calls) <= stale:
                raise StaleDataError("UPDATE statement expected to update 1 row(s); 0 were matched.")

        monkeypatch.setattr(Trigger, "submit_event", staticmethod(submit_event))
        monkeypatch.setattr(Trigger, "submit_failure", staticmethod(lambda **_: None))
        cleared_instances.tolerate_cleared_instances()
        return calls

    return install


@pytest.mark.parametrize(("stale", "calls"), [(0, 1), (1, 2), (9, cleared_instances.TRIES)])
def test_the_transaction_is_repeated_and_the_triggerer_goes_on(
    submit: Callable[[int], list[int]], stale: int, calls: int
) -> None:
    made = submit(stale)
    Trigger.submit_event(trigger_id=7, event=EVENT)
    assert made == [7] * calls


def test_other_errors_are_raised(submit: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    submit(0)

    def fail(**_: Any) -> None:  # noqa: ANN401 - whatever the arguments are
        raise ConnectionError("the metadata database is gone")

    monkeypatch.setattr(Trigger, "submit_event", staticmethod(fail))
    cleared_instances.tolerate_cleared_instances()
    with pytest.raises(ConnectionError):
        Trigger.submit_event(trigger_id=7, event=EVENT)


def test_the_functions_are_wrapped_once(submit: Callable[[int], list[int]]) -> None:
    submit(0)
    once = (Trigger.submit_event, Trigger.submit_failure)
    assert all(hasattr(wrapped, "tolerates_cleared_instances") for wrapped in once)
    cleared_instances.tolerate_cleared_instances()
    assert (Trigger.submit_event, Trigger.submit_failure) == once


@pytest.mark.parametrize(("setting", "tolerates"), [("true", True), ("false", False)])
def test_the_setting_turns_it_off(
    submit: Callable[[int], list[int]],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    tolerates: bool,  # noqa: FBT001 - pytest's way
) -> None:
    submit(0)
    monkeypatch.setattr(Trigger, "submit_event", staticmethod(lambda **_: None))
    monkeypatch.setenv("BLOGGER_TRACKING_TOLERATE_CLEARED_INSTANCES", setting)
    get_settings.cache_clear()
    cleared_instances.on_starting(component=object())
    assert hasattr(Trigger.submit_event, "tolerates_cleared_instances") is tolerates


def test_the_installed_triggerer_hands_events_over_and_does_not_tolerate_cleared_instances() -> None:
    assert "Trigger.submit_event(trigger_id=trigger_id, event=event)" in inspect.getsource(
        TriggerRunnerSupervisor.on_trigger_event
    )
    assert "Trigger.submit_failure(trigger_id=trigger_id, exc=exc)" in inspect.getsource(
        TriggerRunnerSupervisor.on_trigger_failure
    )
    assert "StaleDataError" not in inspect.getsource(inspect.getmodule(Trigger) or Trigger), (
        "Airflow does so itself now"
    )

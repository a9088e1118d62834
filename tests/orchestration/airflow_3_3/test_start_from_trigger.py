"""Start of mapped fetch instances in the triggerer, against the installed Airflow."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.triggers.base import BaseTrigger

from blogger_tracking.orchestration.airflow_3_3.start_from_trigger import FETCH_TRIGGER, deferral_timeout
from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator
from blogger_tracking.settings import get_settings
from devtools.local_stack.config import PROJECT_ROOT


def mapped_instance(**partial: object) -> TaskInstance:
    """Return an instance of a mapped fetch task as the scheduler has it: from the serialized DAG."""
    with DAG("any", schedule=None) as dag:
        FetchBloggersOperator.partial(task_id="fetch", **partial).expand(instance_label=["first", "second"])
    task = DagSerialization.from_dict(DagSerialization.to_dict(dag)).get_task("fetch")
    instance = TaskInstance(task, dag_version_id=None, run_id="a run", map_index=1)
    instance.task = task
    return instance


def test_the_scheduler_defers_a_mapped_instance_to_the_fetch_trigger() -> None:
    session = MagicMock()
    instance = mapped_instance(start_from_trigger=True)
    assert instance.defer_task(session=session)
    trigger = session.add.call_args.args[0]
    assert isinstance(trigger, Trigger)
    assert trigger.classpath == FETCH_TRIGGER.trigger_cls
    assert instance.state == "deferred"


def test_a_deferral_ends_after_twelve_leases() -> None:
    before = datetime.now(UTC)
    instance = mapped_instance(start_from_trigger=True)
    instance.defer_task(session=MagicMock())
    assert instance.trigger_timeout is not None
    assert timedelta() <= instance.trigger_timeout - before - timedelta(minutes=12 * 15) < timedelta(minutes=1)


def test_the_bound_of_a_deferral_follows_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_LEASE_MINUTES", "20")
    monkeypatch.setenv("BLOGGER_TRACKING_DEFERRAL_LEASES", "3")
    get_settings.cache_clear()
    assert deferral_timeout() == timedelta(hours=1)


def test_the_scheduler_does_not_defer_a_mapped_instance_that_is_not_deferrable() -> None:
    session = MagicMock()
    instance = mapped_instance(start_from_trigger=False, deferrable=False)
    assert not instance.defer_task(session=session)
    session.add.assert_not_called()


def test_the_trigger_class_can_be_imported_by_its_path() -> None:
    assert issubclass(pkgutil.resolve_name(FETCH_TRIGGER.trigger_cls), BaseTrigger)


@pytest.mark.parametrize("deferrable", [True, False])
def test_deferrable_defaults_to_airflows_configuration(deferrable: bool, tmp_path: Path) -> None:  # noqa: FBT001 - pytest's way
    script = (
        "from blogger_tracking.orchestration.fetch_operator import FetchBloggersOperator as Operator;"
        "print(Operator.start_from_trigger, Operator(task_id='a').start_from_trigger,"
        "Operator(task_id='a', deferrable=False).start_from_trigger)"
    )
    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": str(deferrable),
        "PYTHONPATH": str(PROJECT_ROOT / "include"),
    }
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == f"{deferrable} {deferrable} False"

"""The time at which a try was created, from the id that the installed Airflow gives it."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from airflow.models.taskinstance import TaskInstance, uuid7

from blogger_tracking.orchestration.airflow_3_3.try_times import try_created_at


def test_the_id_of_an_instance_tells_when_its_try_was_created() -> None:
    before = datetime.now(UTC)
    found = try_created_at(uuid7())
    assert before - timedelta(milliseconds=2) <= found <= datetime.now(UTC) + timedelta(milliseconds=2)


def test_an_id_of_another_version_counts_as_created_now() -> None:
    before = datetime.now(UTC)
    assert before <= try_created_at(uuid4()) <= datetime.now(UTC)


def test_the_installed_airflow_gives_each_try_a_new_id() -> None:
    assert "self.id = uuid7()" in inspect.getsource(TaskInstance.prepare_db_for_next_try)

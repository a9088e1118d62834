"""Rules that every DAG follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, Asset, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables import trigger
from airflow.timetables.base import TimeRestriction

from blogger_tracking.domain.fan_out import fetch_task_id
from blogger_tracking.domain.initial_fetch import INITIAL_FETCH_DAG_ID
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.batch_tasks import BATCH_DAG_ID
from blogger_tracking.orchestration.maintenance_tasks import MAINTENANCE_DAG_ID
from blogger_tracking.orchestration.queue_tasks import HIGH_PRIORITY_QUEUE, THUMBNAIL_QUEUE

ROOT = Path(__file__).parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))
MAX_DAG_FILE_LINES = 80


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    bag = DagBag(ROOT / "dags")
    assert bag.import_errors == {}
    return bag.dags


def test_every_file_holds_the_dag_of_its_name(dags: dict[str, DAG]) -> None:
    assert sorted(dags) == [file.stem for file in DAG_FILES]


@pytest.mark.parametrize("name", [file.stem for file in DAG_FILES])
def test_every_dag_is_documented_tagged_running_when_new_and_never_catches_up(dags: dict[str, DAG], name: str) -> None:
    dag = dags[name]
    assert dag.doc_md, f"{name} needs a module docstring passed as doc_md"
    assert "bloggers" in dag.tags, f"{name} needs the tag 'bloggers'"
    assert dag.is_paused_upon_creation is False
    assert dag.catchup is False


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_DAG_FILE_LINES


def test_the_batch_runs_at_midnight_and_noon_utc(dags: dict[str, DAG]) -> None:
    timetable = dags[BATCH_DAG_ID].timetable
    assert isinstance(timetable, CronTriggerTimetable)
    assert timetable.expression == "0 0,12 * * *"


@pytest.mark.parametrize("minutes_past_noon", [1, 10, 200])
def test_the_first_run_of_the_batch_is_the_next_slot_and_none_that_was_missed(
    dags: dict[str, DAG], monkeypatch: pytest.MonkeyPatch, minutes_past_noon: int
) -> None:
    noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
    monkeypatch.setattr(trigger, "utcnow", lambda: noon + timedelta(minutes=minutes_past_noon))
    dag = DagSerialization.from_dict(DagSerialization.to_dict(dags[BATCH_DAG_ID]))
    assert dag.start_date is None
    restriction = TimeRestriction(earliest=None, latest=None, catchup=False)
    first = dag.timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    assert first is not None
    assert first.run_after == noon + timedelta(hours=12)


def test_each_platform_has_a_mapped_task_and_the_gate_comes_after_all_of_them(dags: dict[str, DAG]) -> None:
    batch = dags[BATCH_DAG_ID]
    fetches = {fetch_task_id(platform) for platform in Platform}
    assert all(batch.get_task(task_id).is_mapped for task_id in fetches)
    gate = batch.get_task("gate")
    assert fetches <= gate.upstream_task_ids
    assert gate.trigger_rule == "all_done"


@pytest.mark.parametrize(
    ("name", "queue"), [("youtube_video_batch", HIGH_PRIORITY_QUEUE), ("video_thumbnails", THUMBNAIL_QUEUE)]
)
def test_a_consumer_starts_when_its_queue_is_announced_or_due_and_every_hour_before_other_work(
    dags: dict[str, DAG], name: str, queue: Asset
) -> None:
    schedule = dags[name].timetable
    assert isinstance(schedule, AssetOrTimeSchedule)
    assert isinstance(schedule.asset_condition, AssetAny)
    announced, due = schedule.asset_condition.objects
    assert announced == queue
    assert isinstance(due, Asset)
    (watcher,) = due.watchers
    assert watcher.trigger.serialize()[1] == {"queue": queue.name}
    assert schedule.timetable == CronTriggerTimetable("30 * * * *", timezone="UTC")
    (task,) = dags[name].tasks
    others = [other for dag in dags.values() for other in dag.tasks if dag.dag_id == BATCH_DAG_ID]
    assert task.priority_weight > max(other.priority_weight for other in others)


def test_only_one_dag_file_has_the_watchers_of_an_asset(dags: dict[str, DAG]) -> None:
    # Airflow takes the watchers of an asset from each file that names the asset, and removes those of other files.
    named = [
        (asset, dag_id)
        for dag_id, dag in dags.items()
        for asset in {*_scheduled_by(dag), *(outlet for task in dag.tasks for outlet in task.outlets)}
    ]
    for asset, dag_id in named:
        if isinstance(asset, Asset) and asset.watchers:
            assert [other for same, other in named if same == asset] == [dag_id]


def _scheduled_by(dag: DAG) -> list[object]:
    schedule = dag.timetable
    if not isinstance(schedule, AssetOrTimeSchedule) or not isinstance(schedule.asset_condition, AssetAny):
        return []
    return list(schedule.asset_condition.objects)


@pytest.mark.parametrize(("name", "task_id"), [(BATCH_DAG_ID, "plan_tiktok"), (INITIAL_FETCH_DAG_ID, "fetch")])
def test_both_queues_are_announced_by_a_task_that_runs_in_a_worker(
    dags: dict[str, DAG], name: str, task_id: str
) -> None:
    task = dags[name].get_task(task_id)
    assert task.outlets == [HIGH_PRIORITY_QUEUE, THUMBNAIL_QUEUE]
    # An instance that starts in the triggerer emits no asset event.
    assert not task.start_from_trigger


def test_the_maintenance_runs_once_a_day_between_the_batch_runs(dags: dict[str, DAG]) -> None:
    timetable = dags[MAINTENANCE_DAG_ID].timetable
    assert isinstance(timetable, CronTriggerTimetable)
    assert timetable.expression == "0 6 * * *"
    assert dags[MAINTENANCE_DAG_ID].max_active_runs == 1


def test_a_failed_task_of_the_maintenance_keeps_no_other_from_its_work(dags: dict[str, DAG]) -> None:
    for task in dags[MAINTENANCE_DAG_ID].tasks:
        assert not task.upstream_task_ids or task.trigger_rule == "all_done"

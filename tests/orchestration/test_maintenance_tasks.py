"""Tasks of the maintenance, without any Airflow process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blogger_tracking.database.invariants import INVARIANTS
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.maintenance_tasks import (
    check_ledger,
    prepare_partitions,
    remove_old_dag_runs,
    remove_old_log_files,
    remove_old_messages,
    remove_old_runs,
    remove_old_statistics,
)
from blogger_tracking.orchestration.process_cache import clear_process_cache
from devtools.local_stack.config import PROJECT_ROOT
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn
from tests.support.database_builder import DatabaseBuilder

NOW = datetime.now(UTC)
PROJECT_DAGS = [file.stem for file in (PROJECT_ROOT / "dags").glob("*.py")]


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as server:
        monkeypatch.setenv(
            "AIRFLOW_CONN_AIRFLOW_API",
            f'{{"conn_type": "http", "host": "{server.url}", "login": "{LOGIN}", "password": "{PASSWORD}"}}',
        )
        clear_process_cache()
        yield server
        clear_process_cache()


@pytest.mark.usefixtures("connections", "build")
def test_every_task_of_the_database_returns_its_counts() -> None:
    assert prepare_partitions.function() == {"created": 0, "postponed": 0}
    assert remove_old_statistics.function() == {"months": 0, "postponed": 0, "rows": 0, "readers": 0}
    assert remove_old_messages.function() == {"high_priority_queue": 0, "thumbnail_queue": 0, "idempotency_keys": 0}
    assert remove_old_runs.function() == {"fetches": 0, "run_accounts": 0, "youtube_units": 0, "runs": 0}


@pytest.mark.usefixtures("connections")
def test_the_check_of_the_ledger_keeps_its_numbers_and_logs_violations(
    build: DatabaseBuilder, caplog: pytest.LogCaptureFixture
) -> None:
    assert check_ledger.function() == {invariant.name: 0 for invariant in INVARIANTS}
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    build.organization()
    build.run("update subscription_usage set videos_fetched = 5")
    assert check_ledger.function()["ledger_is_usage"] == 1
    assert build.value("select violations from invariant_checks where name = 'ledger_is_usage'") == 1
    (error,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "The invariant ledger_is_usage is violated 1 times" in error.getMessage()


@pytest.mark.usefixtures("connections")
def test_by_default_no_statistics_are_removed(build: DatabaseBuilder) -> None:
    for platform in Platform:
        build.run(
            """
            with video as (
                insert into videos (platform, external_video_id, blogger_id, url, title)
                values (%(platform)s, 'old', %(blogger)s, 'https://example.org', '')
                returning id
            )
            insert into video_statistics (video_id, fetch_id, fetched_on, captured_at)
            select id, 0, '2016-01-01', '2016-01-01' from video
            """,
            platform=platform.value,
            blogger=build.blogger(platform.value),
        )
    prepare_partitions.function()
    remove_old_statistics.function()
    assert build.value("select count(*) from video_statistics") == 3


def test_old_runs_of_every_dag_go_and_successful_runs_of_the_frequent_dags_after_a_day(airflow: AirflowStandIn) -> None:
    for dag_id in (*PROJECT_DAGS, "others"):
        for days in (0, 2, 31, 92):
            for state in ("success", "failed", "running"):
                dag_run_id = f"{dag_id} {days} {state}"
                airflow.states[dag_run_id] = state
                airflow.ended.setdefault(dag_id, {})[dag_run_id] = NOW - timedelta(days=days)
    assert remove_old_dag_runs.function() == {
        **dict.fromkeys(PROJECT_DAGS, 4),
        # A run id of an initial fetch must not be free before the ledger has forgotten the run.
        "blogger_initial_fetch": 2,
        **dict.fromkeys(["youtube_video_batch", "video_thumbnails", "health_watch"], 5),
    }
    assert "youtube_video_batch 2 failed" in airflow.ended["youtube_video_batch"]
    assert "youtube_video_batch 0 success" in airflow.ended["youtube_video_batch"]
    assert len(airflow.ended["others"]) == 12


def test_old_files_of_airflows_log_folder_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__LOGGING__BASE_LOG_FOLDER", str(tmp_path))
    for days in (29, 31):
        log = tmp_path / f"{days}.log"
        log.touch()
        os.utime(log, (time.time() - days * 86_400,) * 2)
    assert remove_old_log_files.function()["files"] == 1
    assert (tmp_path / "29.log").exists()

"""Old log files go, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path

from blogger_tracking.orchestration.log_files import remove_old_logs

DAY = 86_400


def write(file: Path, days_ago: float, text: str = "a line\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    moment = time.time() - days_ago * DAY
    os.utime(file, (moment, moment))
    return file


def test_old_logs_go_with_their_empty_folders_and_young_ones_stay(tmp_path: Path) -> None:
    old = write(tmp_path / "dag_id=batch/run_id=1/task_id=fetch/map_index=0/attempt=1.log", 31)
    young = write(tmp_path / "dag_id=batch/run_id=2/task_id=fetch/map_index=0/attempt=1.log", 29)
    assert remove_old_logs(tmp_path, 30) == {"files": 1, "folders": 3, "bytes": 7}
    assert not old.exists()
    assert not (tmp_path / "dag_id=batch/run_id=1").exists()
    assert young.exists()


def test_rotated_logs_are_logs(tmp_path: Path) -> None:
    write(tmp_path / "dag_processor_manager.log.3", 31)
    assert remove_old_logs(tmp_path, 30)["files"] == 1


def test_other_files_and_what_links_lead_to_stay(tmp_path: Path) -> None:
    elsewhere = write(tmp_path / "elsewhere" / "attempt=1.log", 99)
    logs = tmp_path / "logs"
    kept = [write(logs / name, 99) for name in ("airflow.cfg", "thumbnail.jpg", "notes.log.txt", "catalog")]
    (logs / "linked").symlink_to(elsewhere.parent, target_is_directory=True)
    assert remove_old_logs(logs, 30)["files"] == 0
    assert elsewhere.exists()
    assert all(file.exists() for file in kept)


def test_a_folder_that_was_just_made_for_a_log_stays(tmp_path: Path) -> None:
    (tmp_path / "run_id=new").mkdir()
    remove_old_logs(tmp_path, 30)
    assert (tmp_path / "run_id=new").exists()


def test_the_log_folder_itself_stays_and_may_be_missing(tmp_path: Path) -> None:
    write(tmp_path / "logs" / "old.log", 31)
    assert remove_old_logs(tmp_path / "logs", 30)["files"] == 1
    assert (tmp_path / "logs").exists()
    assert remove_old_logs(tmp_path / "missing", 30) == {"files": 0, "folders": 0, "bytes": 0}

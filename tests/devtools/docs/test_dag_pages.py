from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable

from devtools.docs import dag_pages

ROOT = Path(__file__).parents[3]


def made_up_dag() -> DAG:
    schedule = AssetOrTimeSchedule(timetable=CronTriggerTimetable("*/7 * * * *", timezone="UTC"), assets=Asset("beans"))
    with DAG("coffee", schedule=schedule, max_active_runs=3, tags=["kitchen"], doc_md="### Coffee\n\nHot.") as dag:
        grind = EmptyOperator(task_id="grind", retries=2, retry_delay=timedelta(seconds=90))
        grind >> EmptyOperator(task_id="brew")
    return dag


def test_the_page_in_docs_is_that_of_the_dag_files() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "devtools.docs.dag_pages", "--check"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT / "include"), "BLOGGER_TRACKING_SCHEDULE": "1 1 1 1 *"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_a_page_that_differs_fails_the_check_and_is_written_without_the_option(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "dags.md"
    page.write_text("# Something else\n")
    monkeypatch.setattr(dag_pages, "PAGE", page)
    monkeypatch.setattr(dag_pages, "read_dags", lambda _: [made_up_dag()])
    # The environment of the tests themselves stays as it is.
    monkeypatch.setattr(dag_pages, "_use_defaults", lambda _: None)
    assert dag_pages.main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().err
    assert dag_pages.main([]) == 0
    assert dag_pages.main(["--check"]) == 0


def test_a_dag_is_described_by_its_schedule_tasks_and_text() -> None:
    page = dag_pages.render_page([made_up_dag()])
    assert "## coffee" in page
    assert "| schedule | asset `beans`, or `*/7 * * * *`, UTC |" in page
    assert "| tags | `kitchen` |" in page
    assert "| active runs at most | 3 |" in page
    assert "| `grind` |  | 2, 90 s apart |" in page
    assert "| `brew` | `grind` | none |" in page
    assert "### Coffee\n\nHot." in page


def test_a_file_that_cannot_be_imported_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("from airflow.sdk import DAG\nraise ValueError('no beans')\n")
    with pytest.raises(RuntimeError, match="no beans"):
        dag_pages.read_dags(tmp_path)


def test_a_cron_schedule_and_a_missing_schedule_are_described() -> None:
    clock = DAG("clock", schedule=CronTriggerTimetable("0 5 * * *", timezone="UTC"))
    page = dag_pages.render_page([clock, DAG("bell", schedule=None)])
    assert "| schedule | `0 5 * * *`, UTC |" in page
    assert "| schedule | none: runs are triggered |" in page


def test_an_unknown_kind_of_schedule_is_an_error() -> None:
    with pytest.raises(ValueError, match="schedule of an unknown kind"):
        dag_pages.render_page([DAG("odd", schedule=timedelta(hours=1))])

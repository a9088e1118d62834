"""Airflow's log lines about every trigger, which are dropped, and all other lines, which are kept."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

import pytest
import structlog
import structlog.testing
from airflow.jobs import triggerer_job_runner

from blogger_tracking.orchestration.airflow_3_3.trigger_announcements import (
    ANNOUNCEMENT,
    drop_announcement,
    drop_trigger_announcements,
)
from blogger_tracking.settings import get_settings

ANNOUNCEMENTS = ("trigger %s starting", "Trigger fired event", "trigger completed")


@pytest.fixture(autouse=True)
def processors_of_this_process() -> Iterator[None]:
    processors = structlog.get_config()["processors"]
    before = list(processors)
    # A trigger that another test ran in this process has added the filter.
    processors[:] = [each for each in before if each is not drop_announcement]
    yield
    processors[:] = before


def logged_texts() -> list[str]:
    """Return the text of every log call at level INFO in Airflow's trigger runner."""
    tree = ast.parse(inspect.getsource(triggerer_job_runner.TriggerRunner))
    return [
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"info", "ainfo"}
        and call.args
        and isinstance(call.args[0], ast.Constant)
    ]


def test_the_installed_airflow_announces_each_trigger_with_exactly_these_three_texts() -> None:
    matching = [text for text in logged_texts() if ANNOUNCEMENT.match(text.replace("%s", "a name"))]
    assert sorted(matching) == sorted(ANNOUNCEMENTS)


def test_the_installed_airflows_trigger_runner_has_an_unnamed_logger() -> None:
    source = inspect.getsource(triggerer_job_runner.TriggerRunner)
    assert "log: FilteringBoundLogger = structlog.get_logger()\n" in source


def test_only_the_announcements_are_dropped() -> None:
    drop_trigger_announcements()
    with structlog.testing.capture_logs(structlog.get_config()["processors"][:1]) as written:
        log = structlog.get_logger()
        for text in ANNOUNCEMENTS:
            log.info(text.replace("%s", "blogger_batch_fetch/run/fetch_youtube/0/1 (ID 1)"))
        log.info("%i triggers currently running", 3)
        log.error("Trigger failed to load code")
    assert [line["event"] for line in written] == ["3 triggers currently running", "Trigger failed to load code"]


def test_the_filter_is_added_once_however_many_triggers_start() -> None:
    before = len(structlog.get_config()["processors"])
    drop_trigger_announcements()
    drop_trigger_announcements()
    assert len(structlog.get_config()["processors"]) == before + 1


def test_the_announcements_are_kept_if_the_setting_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLOGGER_TRACKING_DROP_TRIGGER_ANNOUNCEMENTS", "false")
    get_settings.cache_clear()
    before = list(structlog.get_config()["processors"])
    drop_trigger_announcements()
    assert structlog.get_config()["processors"] == before

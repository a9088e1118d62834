from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from uuid import UUID

from rich.console import Console

from blogger_tracking.database.message_queues import ParkedMessage, QueueCounts
from blogger_tracking.database.run_summaries import OrganizationSummary, PlatformSummary
from blogger_tracking.domain.queues import Queue
from blogger_tracking.usecases.manage_queues import QueueState
from devtools.local_stack.adding_over_http import TimedAddition
from devtools.local_stack.report import Report, print_report, run_result, write_report

_REPORT = Report(
    dag_run_state="success",
    organizations=[
        OrganizationSummary(
            organization_id=UUID(int=1),
            name="Lapsed Label",
            video_limit=None,
            used_before=None,
            granted=0,
            fetched=0,
            charged=0,
            skipped={"no_active_subscription": 3},
        )
    ],
    platforms=[
        PlatformSummary(
            platform="YouTube",
            states={"succeeded": 2},
            videos=40,
            videos_new=4,
            seconds=1.5,
            requests={"listing": 2, "statistics": 1},
        )
    ],
    fetches_by_state={"succeeded": 2},
    videos_saved=40,
    seconds=12.3,
    added=TimedAddition("TikTok", "mira", 30, 3.2),
    queues={"thumbnail_queue": QueueCounts(waiting=0, done=7, parked=1)},
    youtube_units={"listing": 2, "statistics": 1},
    requests_per_blogger={"YouTube": 1.5},
    invariants={"lost": 0, "duplicate_charges": 0},
    green=True,
)

_QUEUES = [
    QueueState(
        Queue.THUMBNAILS,
        QueueCounts(waiting=0, done=7, parked=1),
        [ParkedMessage(3, 1, 1, datetime(2026, 11, 23, tzinfo=UTC), "404: the thumbnail is gone")],
    )
]


def test_a_report_is_sound_if_the_run_succeeded_and_every_invariant_is_zero() -> None:
    assert _REPORT.is_sound
    assert not replace(_REPORT, green=False).is_sound
    assert not replace(_REPORT, invariants={"lost": 0, "duplicate_charges": 1}).is_sound


def test_the_last_line_of_a_run_says_if_the_run_is_sound_and_names_the_problems_otherwise() -> None:
    assert run_result(_REPORT) == "The run succeeded, and every invariant holds."
    failed = replace(_REPORT, green=False, dag_run_state="failed", invariants={"lost": 1, "over_limit": 0})
    assert run_result(failed) == (
        "The run ended as failed and violates the invariants lost: docs/operations.md has the remedies."
    )
    assert "ended as failed: docs" in run_result(replace(_REPORT, green=False, dag_run_state="failed"))


def test_a_written_report_has_the_documented_keys(tmp_path: Path) -> None:
    write_report(_REPORT, tmp_path / "report.json")

    written = json.loads((tmp_path / "report.json").read_text())
    assert written.keys() >= {
        "organizations",
        "platforms",
        "fetches_by_state",
        "videos_saved",
        "seconds",
        "invariants",
        "green",
    }
    assert written["invariants"] == {"lost": 0, "duplicate_charges": 0}


def test_a_printed_report_names_the_reasons_of_skipped_accounts() -> None:
    output = StringIO()

    print_report(_REPORT, _QUEUES, Console(file=output, width=120))

    assert "3 no_active_subscription" in output.getvalue()


def test_a_printed_report_names_the_reasons_of_parked_messages() -> None:
    output = StringIO()

    print_report(_REPORT, _QUEUES, Console(file=output, width=120))

    assert "404: the thumbnail is gone" in output.getvalue()

"""Every service of the Compose file, profile demo, run without a container engine: see native_trial.py."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blogger_tracking.domain.models import Platform
from devtools.bench.conditions import BENCH_SETTINGS
from devtools.local_stack.config import PROJECT_ROOT
from tests.docker import transaction_pooler
from tests.docker.native_trial import ORIGIN
from tests.docker.secret_rotation import with_values
from tests.support.containers import missing_programs
from tests.support.required_programs import skip_unless_required

TRIGGERERS = 3
"""Number of triggerers of the default profile in the trial."""

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def env_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write `.env` as the documentation says, in a copy of what its script reads."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(PROJECT_ROOT / "docker", folder / "docker")
    shutil.copy(PROJECT_ROOT / ".env.example", folder)
    command = ["/bin/sh", "docker/write-demo-env.sh"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / ".env"


@pytest.fixture(scope="module")
def result(env_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if os.geteuid() != 0 or missing_programs():
        skip_unless_required(f"needs root, and the programs {', '.join(missing_programs())}")
    folder = tmp_path_factory.mktemp("containers")
    # The messages that a killed worker had taken wait for another consumer for less than fifteen minutes.
    text = with_values(
        env_file.read_text(encoding="utf-8"),
        {
            "BLOGGER_TRACKING_QUEUE_VISIBILITY_MINUTES": "1",
            "BLOGGER_TRACKING_QUEUE_LOOK_SECONDS": "5",
            "BLOGGER_TRACKING_QUEUE_EVENT_SECONDS": "20",
        },
    )
    if os.environ.get("TRIAL_BLOGGERS"):
        # Otherwise the platforms' limits would determine the seconds of the runs.
        text = with_values(text, BENCH_SETTINGS)
    (folder / "env").write_text(text, encoding="utf-8")
    # The random passwords are the values of 64 characters.
    changed = re.sub(r"\b[0-9a-f]{64}\b", lambda match: match[0][::-1], text)
    # One of each to measure the runs, else as many triggerers as Postgres once had too few connections for.
    triggerers = 1 if os.environ.get("TRIAL_BLOGGERS") else TRIGGERERS
    changed = with_values(changed, {"AIRFLOW_WORKERS": "1", "AIRFLOW_TRIGGERERS": str(triggerers)})
    # Another database on the same server stands for Supabase.
    pooler = f"{transaction_pooler.ADDRESS}:{transaction_pooler.PORT}"
    changed = changed.replace("/bloggers\n", "/supabase\n")
    changed = re.sub(
        r"^(BLOGGER_DB_CONNECTION=postgresql://)pipeline:(\w+)@demo-database:5432/",
        rf"\1pipeline_login:\2@{pooler}/",
        changed,
        flags=re.MULTILINE,
    )
    (folder / "changed-env").write_text(changed, encoding="utf-8")
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable]
    process = subprocess.Popen(
        [*command, "-m", "tests.docker.native_trial", str(folder)],
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": f"{PROJECT_ROOT}/include:{PROJECT_ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        output, errors = process.communicate(timeout=1100)
    finally:
        # All processes of the trial end with the first one of their namespace.
        process.send_signal(signal.SIGKILL)
    assert process.returncode == 0, errors[-10_000:]
    sys.stdout.write(output)
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def test_one_worker_and_one_triggerer_were_killed_at_work_in_the_middle_of_the_run_and_started_again(
    result: dict[str, Any],
) -> None:
    assert 5 <= result["fetched_before_kills"] < sum(result["states"].values())
    assert [name.partition("-")[0] for name in result["killed"]] == ["triggerer", "worker"]
    assert sorted(name for name, starts in result["starts"].items() if starts > 1) == result["killed"]


def test_the_run_is_green_and_every_fetch_has_ended(result: dict[str, Any]) -> None:
    assert result["run_state"] == "success"
    assert result["states"].keys() <= {"succeeded", "partial", "empty", "private", "not_found", "failed", "skipped"}
    assert result["states"]["succeeded"] >= 20


def test_every_thumbnail_is_stored(result: dict[str, Any]) -> None:
    assert result["without_thumbnail"] == 0
    assert result["thumbnails"] == result["videos"] > 500


def test_the_invariants_are_zero(result: dict[str, Any]) -> None:
    assert result["violations"]
    assert set(result["violations"].values()) == {0}


def test_no_service_has_a_secret_among_its_arguments(result: dict[str, Any]) -> None:
    assert result["arguments"]["shown"] == []
    assert result["arguments"]["processes"] > 20
    assert result["arguments"]["secrets"] > 5


def test_the_log_files_are_readable_by_their_owner_alone(result: dict[str, Any]) -> None:
    assert result["log_files"]["shown"] == []
    # Each of them writes files of its own. Their number depends on what a killed triggerer had not written yet.
    assert result["log_files"]["writers"] == ["dag-processor", "triggerer", "worker"]


def test_the_steps_of_the_deployment_page_lead_to_a_ready_default_profile_with_other_passwords(
    result: dict[str, Any],
) -> None:
    assert not {"demo-database", "sandbox", "demo-organizations"} & set(result["default_profile"])
    found = {name: status for name, status in result["doctor"].items() if status != "ok"}
    # The sandbox stands for the platforms: its address is a private one, without encryption.
    assert found == {f"{platform.slug}_api": "fault" for platform in Platform} | {"thumbnail_addresses": "warning"}
    assert result["doctor"]["pooler"] == "ok"
    assert result["allowed_origin"] == ORIGIN


def test_the_service_account_may_trigger_initial_fetches_and_nothing_else(result: dict[str, Any]) -> None:
    statuses = result["service_account"]

    # Without a message the run is refused for its conf, and not for the account.
    assert statuses.pop("blogger_initial_fetch") in {400, 422}
    assert statuses.pop("dags/blogger_initial_fetch/dagRuns") == 200
    assert set(statuses.values()) == {403}


def test_every_secret_is_rotated_in_the_middle_of_a_run_that_ends_green(result: dict[str, Any]) -> None:
    rotation = result["rotation"]

    assert 5 <= result["fetched_before_rotation"] < sum(rotation["states"].values())
    assert rotation["accepted_before"] == rotation["accepted_after"]
    assert len(rotation["accepted_after"]) == 9
    assert rotation["still_accepted"] == []
    assert rotation["fernet"] == 0
    assert rotation["run_state"] == "success"
    assert set(rotation["violations"].values()) == {0}


def test_thumbnails_are_in_the_object_storage_of_the_environment_file(result: dict[str, Any]) -> None:
    rotation = result["rotation"]

    assert rotation["data"]["without_thumbnail"] == 0
    assert rotation["thumbnails"] == rotation["data"]["videos"] > 500


def test_events_and_alerts_go_where_the_new_secrets_lead(result: dict[str, Any]) -> None:
    assert result["signals"]["with_old_secrets"] == [0, 0]


def test_fifty_additions_at_once_all_start_their_initial_fetch(result: dict[str, Any]) -> None:
    assert result["additions"]["statuses"] == [200]
    assert result["additions"]["runs"] == 50
    # The slowest of Airflow's own answers took 0.3 s on a quiet machine with two cores. With an event loop that waits
    # for a connection there is no answer for 30 seconds.
    seconds = result["additions"]["route_seconds"]
    within_a_second = sum(each < 1 for each in seconds)
    assert within_a_second >= 0.9 * len(seconds)
    assert seconds[-1] < 5
    # What docker-compose.yml counts for Airflow's processes, one worker and the triggerers.
    assert result["additions"]["most_connections"] < 150 + 20 * (1 + TRIGGERERS)

from __future__ import annotations

import re

import psycopg
import pytest
import requests

from devtools.local_stack.cli import main
from devtools.local_stack.stack import Stack
from tests.support.waiting import wait_until


def test_every_process_of_a_started_stack_runs(stack: Stack) -> None:
    expected = {"postgres", "sandbox", "api-server", "scheduler", "dag-processor", "triggerer"}

    assert {name for name, state in stack.states().items() if state.pid > 0} == expected


def test_airflow_answers_its_administrator_and_refuses_requests_without_a_token(stack: Stack) -> None:
    without_token = requests.get(f"{stack.api_url}/api/v2/dags", timeout=10)

    assert without_token.status_code == requests.codes.unauthorized
    assert stack.client().import_errors() == []


def test_doctor_finds_nothing_wrong_with_a_started_stack(stack: Stack, capfd: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--folder", str(stack.config.folder)])

    printed = capfd.readouterr().out
    assert code == 0, printed
    assert not re.search(r"^(fault|warning|not checked)", printed, re.MULTILINE), printed
    assert re.search(r"^ok +blogger_batch_fetch", printed, re.MULTILINE), printed


def test_a_killed_process_is_started_again(stack: Stack) -> None:
    killed = stack.pid("triggerer")

    stack.kill("triggerer")

    wait_until(lambda: stack.states()["triggerer"].pid not in {0, killed})


def test_airflows_database_ends_idle_transactions_after_a_minute(stack: Stack) -> None:
    metadata = stack.environment()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg", "")
    with psycopg.connect(metadata) as connection:
        timeout = connection.execute("show idle_in_transaction_session_timeout").fetchone()

    assert timeout == ("1min",)

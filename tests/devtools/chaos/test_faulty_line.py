"""The faulty line fails at the moment that it says: what was committed, and what the client learns of it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from devtools.chaos.faulty_line import FaultyLine, LineFailure, LineFault
from tests.support.database_server import DatabaseServer
from tests.support.waiting import wait_until

INSERT = "insert into organizations (name) values ('disturbed')"


@pytest.fixture
def line(server: DatabaseServer) -> Iterator[FaultyLine]:
    with tempfile.TemporaryDirectory(prefix="bt-") as folder, FaultyLine(Path(folder), server.socket) as faulty:
        yield faulty


@pytest.fixture
def client(line: FaultyLine, server: DatabaseServer, database: str) -> Iterator[psycopg.Connection]:
    dsn = server.conninfo(database)
    with psycopg.connect(f"{dsn} host={line.folder}", options="-c search_path=blogger_tracking") as connection:
        yield connection


def saved(admin: psycopg.Connection) -> int:
    return len(admin.execute("select from organizations where name = 'disturbed'").fetchall())


def test_a_line_without_a_fault_commits(client: psycopg.Connection, admin: psycopg.Connection) -> None:
    client.execute(INSERT)
    client.commit()
    assert saved(admin) == 1


@pytest.mark.parametrize(("failure", "rows"), [(LineFailure.BEFORE_COMMIT, 0), (LineFailure.AFTER_COMMIT, 1)])
def test_a_line_that_is_cut_at_commit_saves_nothing_or_what_the_client_takes_for_lost(
    line: FaultyLine, client: psycopg.Connection, admin: psycopg.Connection, failure: LineFailure, rows: int
) -> None:
    line.inject(LineFault(failure, b"organizations", 1))
    client.execute(INSERT)
    with pytest.raises(psycopg.OperationalError):
        client.commit()
    assert (saved(admin), line.failed) == (rows, 1)


def test_a_silent_line_ends_only_when_it_is_healed(
    line: FaultyLine, client: psycopg.Connection, admin: psycopg.Connection
) -> None:
    line.inject(LineFault(LineFailure.SILENT, b"organizations", 1))
    client.execute(INSERT)
    with ThreadPoolExecutor(1) as executor:
        committing = executor.submit(client.commit)
        wait_until(lambda: line.failed == 1)
        with pytest.raises(TimeoutError):
            committing.result(timeout=0.5)
        line.heal()
        with pytest.raises(psycopg.OperationalError):
            committing.result()
    assert saved(admin) == 0


def test_another_transaction_is_not_disturbed(line: FaultyLine, client: psycopg.Connection) -> None:
    line.inject(LineFault(LineFailure.BEFORE_COMMIT, b"no such statement", 1))
    client.execute(INSERT)
    client.commit()
    assert line.failed == 0


def test_all_lines_are_cut_at_once(line: FaultyLine, client: psycopg.Connection) -> None:
    assert line.cut_all() == 1
    with pytest.raises(psycopg.OperationalError):
        client.execute("select 1")

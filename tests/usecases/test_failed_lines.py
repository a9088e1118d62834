"""Saving a fetch over a line to the database that is cut before or after COMMIT."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import Connection, OperationalError
from psycopg_pool import ConnectionPool

from blogger_tracking.database.connections import open_pool
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.ledger import FetchState
from blogger_tracking.domain.models import Platform
from blogger_tracking.usecases.fetch_blogger import FetchServices, fetch_blogger
from devtools.chaos.faulty_line import FaultyLine, LineFailure, LineFault
from devtools.platform_sandbox import CreatorKind, SandboxServer
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.ledger_steps import fetch_ids, plan

SAVING = b"last_scraped_at = now()"
"""Part of a statement that only the transaction that saves a fetch has."""


@pytest.fixture
def line(server: DatabaseServer) -> Iterator[FaultyLine]:
    with tempfile.TemporaryDirectory(prefix="bt-") as folder, FaultyLine(Path(folder), server.socket) as faulty:
        yield faulty


@pytest.fixture
def pool(line: FaultyLine, database: str) -> Iterator[ConnectionPool]:
    """A pool of connections that leads through the line."""
    opened = open_pool(f"host={line.folder} user=pipeline_login dbname={database}", connections=2)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    "fault",
    [
        LineFault(LineFailure.BEFORE_COMMIT, SAVING, 1),
        LineFault(LineFailure.AFTER_COMMIT, SAVING, 1),
        LineFault(LineFailure.BEFORE_COMMIT, SAVING, 4),
    ],
    ids=["before COMMIT", "after COMMIT", "four times"],
)
def test_a_fetch_whose_line_is_cut_while_it_saves_is_saved_once_and_asks_the_platform_once(
    admin: Connection,
    build: DatabaseBuilder,
    services: FetchServices,
    sandbox: SandboxServer,
    line: FaultyLine,
    fault: LineFault,
) -> None:
    build.track(build.organization(daily=10), build.creator(next(iter(sandbox.world.creators(Platform.TIKTOK)))))
    (fetch_id,) = fetch_ids(services.pool, plan(services.pool))
    line.inject(replace(fault))

    report = fetch_blogger(services, fetch_id)

    assert line.failed == fault.times
    assert (report.state, report.videos_new, report.charged) == (FetchState.SUCCEEDED, 10, 10)
    assert build.rows("select outcome, videos_new from fetch_attempts") == [("succeeded", 10)]
    assert build.rows("select videos_fetched, reserved from subscription_usage") == [(10, 0)]
    assert sandbox.request_count() == 1
    assert not any(check_invariants(admin).values())


def test_a_fetch_whose_line_is_cut_while_it_records_its_units_is_saved_and_records_them_once(
    build: DatabaseBuilder, services: FetchServices, sandbox: SandboxServer
) -> None:
    creator = next(iter(sandbox.world.creators(Platform.YOUTUBE, CreatorKind.NORMAL)))
    build.track(build.organization(daily=10), build.creator(creator))
    (fetch_id,) = fetch_ids(services.pool, plan(services.pool))
    build.run("create sequence blogger_tracking.recordings")
    build.run("""
        create function blogger_tracking.cut_first() returns trigger language plpgsql security definer as $$
        begin
            if nextval('blogger_tracking.recordings') = 1 then
                perform pg_terminate_backend(pg_backend_pid());
            end if;
            return null;
        end
        $$
    """)
    build.run(
        "create trigger cut_first before insert on youtube_units "
        "for each statement execute function blogger_tracking.cut_first()"
    )

    report = fetch_blogger(services, fetch_id)

    assert (report.state, report.videos_new) == (FetchState.SUCCEEDED, 10)
    assert build.value("select last_value from blogger_tracking.recordings") == 2
    assert dict(build.rows("select call, units from youtube_units")) == report.requests
    assert sandbox.request_count() == sum(report.requests.values())


@pytest.mark.long
def test_a_line_that_stays_cut_is_an_error_of_the_attempt(
    admin: Connection, build: DatabaseBuilder, services: FetchServices, sandbox: SandboxServer, line: FaultyLine
) -> None:
    build.track(build.organization(daily=10), build.creator(next(iter(sandbox.world.creators(Platform.TIKTOK)))))
    (fetch_id,) = fetch_ids(services.pool, plan(services.pool))
    line.inject(LineFault(LineFailure.BEFORE_COMMIT, SAVING, 100))

    with pytest.raises(OperationalError):
        fetch_blogger(services, fetch_id)

    assert build.rows("select outcome from fetch_attempts") == [(None,)]
    assert not any(check_invariants(admin).values())

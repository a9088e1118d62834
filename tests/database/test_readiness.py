"""Readiness checks of the database: faults are planted, the printed commands are run, and the lines are ok again."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo

from blogger_tracking.database import migrate
from blogger_tracking.database.connections import connect
from blogger_tracking.database.login_checks import check_clock, check_encryption, check_server, read_login
from blogger_tracking.database.migrate import Migration, apply_migrations, known_migrations
from blogger_tracking.database.readiness import check_database, check_owner
from blogger_tracking.domain.checks import Status, to_do
from blogger_tracking.domain.errors import DatabaseStateError
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.doctor_output import DoctorOutput, printed
from tests.support.pgbouncer import MISSING, PROGRAM, PgBouncer, PoolMode

POOL_SIZE = 16

_numbers = itertools.count()


@dataclass(frozen=True)
class Patient:
    """A database with the login that the doctor examines, and its owner."""

    conninfo: str
    login: str
    database: str
    owner: Connection

    def examine(self) -> DoctorOutput:
        return printed(check_database(self.conninfo, POOL_SIZE))

    def run(self, statement: str) -> None:
        self.owner.execute(statement.replace("LOGIN", self.login).replace("DATABASE", self.database).encode())


@pytest.fixture
def patient(server: DatabaseServer, database: str) -> Iterator[Patient]:
    login = f"patient_{next(_numbers)}"
    server.execute(f"create role {login} login in role blogger_pipeline")
    with psycopg.connect(server.conninfo(database), autocommit=True) as owner:
        yield Patient(server.conninfo(database, user=login), login, database, owner)
        owner.execute(f"drop owned by {login}".encode())
        owner.execute(f"drop role {login}".encode())


SQL_FAULTS = {
    "the login lacks the role": ("role", "revoke blogger_pipeline from LOGIN"),
    "the login does not inherit the role": ("role", "grant blogger_pipeline to LOGIN with inherit false"),
    "the login bypasses row level security": ("login", "alter role LOGIN bypassrls"),
    "the login may have few connections": ("capacity", "alter role LOGIN connection limit 5"),
    "the database accepts few connections": ("capacity", "alter database DATABASE connection limit 9"),
    "short statement time-out": ("statement_timeout", "alter role LOGIN set statement_timeout = '8s'"),
    "short statement time-out in the database": (
        "statement_timeout",
        "alter role LOGIN in database DATABASE set statement_timeout = '8s'",
    ),
    "short lock time-out": ("lock_timeout", "alter database DATABASE set lock_timeout = '1s'"),
    "short idle transactions": (
        "idle_in_transaction_session_timeout",
        "alter role LOGIN set idle_in_transaction_session_timeout = '5s'",
    ),
    "short idle sessions": ("idle_session_timeout", "alter role LOGIN set idle_session_timeout = '1min'"),
    "read-only transactions": (
        "default_transaction_read_only",
        "alter database DATABASE set default_transaction_read_only = on",
    ),
    "serializable transactions": (
        "default_transaction_isolation",
        "alter role LOGIN set default_transaction_isolation = 'serializable'",
    ),
    "sessions without triggers": (
        "session_replication_role",
        "alter role LOGIN set session_replication_role = replica",
    ),
    "row security is refused": ("row_security", "alter role LOGIN set row_security = off"),
    "the role may not use the schema": (
        "schema_usage",
        "revoke usage on schema blogger_tracking from blogger_pipeline",
    ),
    "the role may not write a table": (
        "privileges",
        "revoke insert, delete on blogger_tracking.videos from blogger_pipeline",
    ),
    "the role may not read a view": (
        "privileges",
        "revoke select on blogger_tracking.tracked_bloggers_view from blogger_pipeline",
    ),
    "row level security is off": (
        "row_level_security",
        "alter table blogger_tracking.videos disable row level security",
    ),
    "row level security is forced": (
        "row_level_security",
        "alter table blogger_tracking.organization_members force row level security",
    ),
    "a policy of the pipeline is gone": ("pipeline_policies", "drop policy pipeline on blogger_tracking.fetches"),
    "a policy of the pipeline hides rows": (
        "pipeline_policies",
        "alter policy pipeline on blogger_tracking.videos using (false)",
    ),
    "the canary is deleted": ("canary", "delete from blogger_tracking.pipeline_canary"),
    "a policy of members is gone": ("member_policies", "drop policy members_read on blogger_tracking.videos"),
    "members may not use the schema": ("members_read", "revoke usage on schema blogger_tracking from authenticated"),
    "members may not read a table": (
        "members_read",
        "revoke select on blogger_tracking.video_statistics from authenticated",
    ),
    "members may write everything": (
        "members_write",
        "grant all on all tables in schema blogger_tracking to authenticated",
    ),
    "anon may read a table": ("outsiders", "grant select on blogger_tracking.videos to anon"),
    "anon may read a column": ("outsiders", "grant select (name) on blogger_tracking.organizations to anon"),
    "everybody may execute a function": (
        "outsiders",
        "grant execute on function blogger_tracking.own_organizations() to public",
    ),
    "triggers are disabled": ("triggers", "alter table blogger_tracking.subscriptions disable trigger all"),
    "auth.uid() is gone": ("auth", "alter function auth.uid() rename to whoever"),
    "a migration was changed": (
        "migrations",
        "update blogger_tracking.schema_migrations set sha256 = 'another' where name = 'videos'",
    ),
}
"""The name of the check, and the statement that plants the fault."""


def test_a_ready_database_has_no_line_that_is_not_ok(patient: Patient) -> None:
    found = patient.examine()
    assert found.not_ok == []
    assert found.code == 0


@pytest.mark.parametrize(("check", "plant"), SQL_FAULTS.values(), ids=SQL_FAULTS)
def test_the_printed_sql_mends_the_fault(patient: Patient, check: str, plant: str) -> None:
    patient.run(plant)
    broken = patient.examine()
    assert broken.checks[check].status in {"fault", "warning"}, broken.text
    remedies = broken.checks[check].commands("SQL")
    assert remedies

    for remedy in remedies:
        patient.owner.execute(remedy.encode())

    mended = patient.examine()
    assert mended.checks[check].status == "ok", mended.text
    assert mended.not_ok == []


def test_faults_that_keep_the_pipeline_from_working_have_exit_code_1(patient: Patient) -> None:
    patient.run("revoke blogger_pipeline from LOGIN")
    assert patient.examine().code == 1


def test_a_risk_is_a_warning_with_exit_code_0(patient: Patient) -> None:
    patient.run("alter role LOGIN bypassrls")
    found = patient.examine()
    assert (found.checks["login"].status, found.code) == ("warning", 0)


def test_checks_write_nothing(patient: Patient) -> None:
    # In read-only transactions every statement that writes fails, and its check would not be made.
    patient.run("alter role LOGIN set default_transaction_read_only = on")
    assert patient.examine().not_ok == ["default_transaction_read_only"]


def test_without_the_schema_the_printed_command_installs_it(server: DatabaseServer, patient: Patient) -> None:
    name = f"bare_{next(_numbers)}"
    server.execute(f"create database {name}")
    try:
        conninfo = server.conninfo(name, user=patient.login)
        found = printed(check_database(conninfo, POOL_SIZE))
        assert found.checks["schema"].commands("shell")[0].startswith("make migrate")
        with connect(server.conninfo(name)) as owner:
            apply_migrations(owner)
        assert printed(check_database(conninfo, POOL_SIZE)).not_ok == []
    finally:
        server.execute(f"drop database {name} with (force)")


def test_missing_migrations_are_named_with_the_command_that_applies_them(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = Migration("29990101000000", "later", "comment on schema blogger_tracking is 'later';")
    both = (*known_migrations(), later)
    monkeypatch.setattr(migrate, "known_migrations", lambda: both)
    monkeypatch.setattr("blogger_tracking.database.schema_checks.known_migrations", lambda: both)
    found = patient.examine()
    assert found.checks["migrations"].status == "fault"
    assert "29990101000000" in found.text
    assert found.checks["migrations"].commands("shell")[0].startswith("make migrate")
    apply_migrations(patient.owner)
    assert patient.examine().not_ok == []


def test_migrations_of_a_newer_version_are_named(patient: Patient) -> None:
    patient.run("insert into blogger_tracking.schema_migrations values ('29990101000000', 'later', 'a checksum')")
    found = patient.examine()
    assert found.checks["migrations"].status == "fault"
    assert "29990101000000" in found.text


def test_a_time_out_of_the_connection_itself_is_not_mended_on_the_server(patient: Patient) -> None:
    conninfo = make_conninfo(patient.conninfo, options="-c statement_timeout=5s")
    found = printed(check_database(conninfo, POOL_SIZE)).checks["statement_timeout"]
    assert found.status == "fault"
    assert [kind for kind, _ in found.remedies] == ["to do"]


def test_a_superuser_and_the_owner_are_reported(server: DatabaseServer, patient: Patient) -> None:
    assert printed(check_database(server.conninfo(patient.database), POOL_SIZE)).checks["login"].status == "warning"
    patient.run("alter schema blogger_tracking owner to LOGIN")
    assert patient.examine().checks["login"].status == "warning"
    patient.run("alter schema blogger_tracking owner to postgres")


def test_another_encoding_than_utf8_is_a_fault(server: DatabaseServer) -> None:
    server.execute("create database latin encoding 'LATIN1' locale 'C' template template0")
    try:
        with connect(server.conninfo("latin")) as connection:
            found = check_server(read_login(connection))
    finally:
        server.execute("drop database latin")
    assert found.status is Status.FAULT
    assert "LATIN1" in found.finding


@pytest.mark.parametrize(("difference", "status"), [(1, Status.OK), (3, Status.FAULT), (-3600, Status.FAULT)])
def test_a_difference_of_more_than_two_seconds_between_the_clocks_is_a_fault(
    admin: Connection, difference: int, status: Status
) -> None:
    assert check_clock(admin, lambda: datetime.now(UTC) + timedelta(seconds=difference)).status is status


@pytest.mark.parametrize(
    ("host", "address", "sslmode", "encrypted", "status"),
    [
        ("db.example.org", "93.184.216.34", "require", True, Status.OK),
        ("db.example.org", "93.184.216.34", "prefer", True, Status.WARNING),
        ("db.example.org", "93.184.216.34", "prefer", False, Status.FAULT),
        ("db.example.org", "2606:2800:220:1::1", "disable", False, Status.FAULT),
        ("db.example.org", "", "prefer", False, Status.FAULT),
        ("postgres", "172.18.0.2", "prefer", False, Status.OK),
        ("127.0.0.1", "127.0.0.1", "prefer", False, Status.OK),
        ("/var/run/postgresql", "", "prefer", False, Status.OK),
    ],
)
def test_a_connection_over_the_internet_must_be_encrypted(
    host: str, address: str, sslmode: str, *, encrypted: bool, status: Status
) -> None:
    assert check_encryption(host, address, sslmode, encrypted=encrypted).status is status


def test_the_owner_must_lead_to_the_same_database(server: DatabaseServer, patient: Patient) -> None:
    def found(owner: str) -> Status:
        return check_owner(patient.conninfo, owner, name="blogger_db_admin", remedy=to_do("")).status

    assert found(server.conninfo(patient.database)) is Status.OK
    assert found(server.conninfo("postgres")) is Status.FAULT
    assert found(patient.conninfo) is Status.FAULT


def test_a_server_that_refuses_the_login_is_an_error(server: DatabaseServer, patient: Patient) -> None:
    with pytest.raises(DatabaseStateError, match="Cannot connect"):
        check_database(server.conninfo(patient.database, user="nobody_knows"), POOL_SIZE)


@pytest.mark.skipif(PROGRAM is None, reason=MISSING)
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_the_mode_of_a_pooler_is_recognised_and_every_check_is_made(
    server: DatabaseServer, patient: Patient, mode: PoolMode
) -> None:
    with PgBouncer(server, mode, patient.login) as pooler:
        found = printed(check_database(pooler.conninfo(patient.database, patient.login), POOL_SIZE))
    assert f"A {mode}-mode pooler is in between" in found.text
    assert found.not_ok == []


def test_without_a_pooler_none_is_reported(patient: Patient, build: DatabaseBuilder) -> None:
    del build
    assert "No pooler is in between" in patient.examine().text

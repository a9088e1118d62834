"""Readiness checks of Connections, settings and Airflow: planted faults, and the printed commands that mend them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.conninfo import conninfo_to_dict

from blogger_tracking import cli
from blogger_tracking.domain.models import Platform
from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from blogger_tracking.orchestration.doctor import check_airflow_version, check_everything
from blogger_tracking.orchestration.process_cache import clear_process_cache
from blogger_tracking.settings import get_settings
from devtools.local_stack.config import PROJECT_ROOT
from tests.support.access_tokens import SECRET, key_set
from tests.support.airflow_stand_in import LOGIN, PASSWORD, AirflowStandIn
from tests.support.database_builder import DatabaseBuilder
from tests.support.database_server import DatabaseServer
from tests.support.doctor_output import DoctorOutput, environment_after, printed
from tests.support.scripted_server import Scripted, ScriptedServer

DAG_IDS = (
    "blogger_batch_fetch",
    "blogger_initial_fetch",
    "youtube_video_batch",
    "video_thumbnails",
    "health_watch",
    "maintenance",
)


@pytest.fixture
def airflow() -> Iterator[AirflowStandIn]:
    with AirflowStandIn() as stand_in:
        stand_in.paused = dict.fromkeys(DAG_IDS, False)
        yield stand_in


@pytest.fixture
def issuer() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.play(key_set(one=ec.generate_private_key(ec.SECP256R1())))
        yield server


class Deployment:
    """The environment of a process of Airflow, in which everything is ready."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def set(self, name: str, value: str) -> None:
        self._monkeypatch.setenv(name, value)

    def connect(self, connection_id: str, **fields: object) -> None:
        self.set(f"AIRFLOW_CONN_{connection_id.upper()}", json.dumps(fields))

    def unset(self, name: str) -> None:
        self._monkeypatch.delenv(name, raising=False)

    def run(self, command: str) -> None:
        """Run a printed shell command and take over the variables that the shell has afterwards."""
        after = environment_after(command)
        for name in ("AIRFLOW_", "BLOGGER_TRACKING_"):
            for variable in [each for each in os.environ if each.startswith(name) and each not in after]:
                self.unset(variable)
            for variable, value in after.items():
                if variable.startswith(name):
                    self.set(variable, value)

    def examine(self) -> DoctorOutput:
        clear_process_cache()
        get_settings.cache_clear()
        return printed(check_everything())


@pytest.fixture
def deployment(
    monkeypatch: pytest.MonkeyPatch,
    pipeline_conninfo: str,
    server: DatabaseServer,
    database: str,
    airflow: AirflowStandIn,
    issuer: ScriptedServer,
) -> Iterator[Deployment]:
    ready = Deployment(monkeypatch)
    for connection_id, conninfo in (
        ("blogger_db", pipeline_conninfo),
        ("blogger_db_admin", server.conninfo(database)),
    ):
        parts = conninfo_to_dict(conninfo)
        ready.connect(
            connection_id, conn_type="postgres", host=parts["host"], login=parts["user"], schema=parts["dbname"]
        )
    for platform in Platform:
        ready.connect(f"{platform.slug}_api", conn_type="http", host="https://platform.example", password="key")  # noqa: S106 - invented
    ready.connect("airflow_api", conn_type="http", host=airflow.url, login=LOGIN, password=PASSWORD)
    ready.connect("supabase_auth", conn_type="http", host=f"{issuer.url}/auth/v1")
    ready.unset("AIRFLOW_CONN_SENTRY")
    ready.set("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    yield ready
    clear_process_cache()


def test_a_connection_that_compose_leaves_empty_is_no_fault(deployment: Deployment) -> None:
    deployment.set("AIRFLOW_CONN_SENTRY", "")
    deployment.set("AIRFLOW_CONN_ALERT_WEBHOOK", "")
    output = deployment.examine()
    assert output.not_ok == []


def test_a_ready_deployment_has_no_line_that_is_not_ok(deployment: Deployment) -> None:
    found = deployment.examine()
    assert found.not_ok == [], found.text
    assert found.code == 0
    assert {"airflow", "settings", "blogger_db", "canary", "tiktok_api", "supabase_auth", *DAG_IDS} <= set(found.checks)


def test_the_page_about_the_checks_has_every_check(deployment: Deployment) -> None:
    page = (PROJECT_ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    assert [name for name in deployment.examine().checks if f"`{name}`" not in page] == []


FAULTS = {
    "a value of the wrong type": (
        "BLOGGER_TRACKING_FETCH_RETRIES",
        {"BLOGGER_TRACKING_FETCH_RETRIES": "many"},
    ),
    "a list that is not JSON": (
        "BLOGGER_TRACKING_ALLOWED_ORIGINS",
        {"BLOGGER_TRACKING_ALLOWED_ORIGINS": "https://app.example"},
    ),
    "a misspelt setting": ("BLOGGER_TRACKING_FETCH_RETRY", {"BLOGGER_TRACKING_FETCH_RETRY": "3"}),
    "an invalid schedule": ("schedule", {"BLOGGER_TRACKING_SCHEDULE": "0 25 * * *"}),
    "an invalid schedule of the maintenance": (
        "maintenance_schedule",
        {"BLOGGER_TRACKING_MAINTENANCE_SCHEDULE": "at night"},
    ),
    "thumbnails from this host": ("thumbnail_addresses", {"BLOGGER_TRACKING_THUMBNAIL_ALLOW_PRIVATE": "true"}),
    "fetches in workers": ("default_deferrable", {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False"}),
    "a DSN of another kind": ("sentry", {"AIRFLOW_CONN_SENTRY": '{"conn_type": "generic", "password": "a word"}'}),
    "a notifier that does not exist": (
        "alert_notifiers",
        {"BLOGGER_TRACKING_ALERT_NOTIFIERS": '[{"classpath": "no.such.Notifier"}]'},
    ),
    "a class that is no notifier": (
        "alert_notifiers",
        {"BLOGGER_TRACKING_ALERT_NOTIFIERS": '[{"classpath": "collections.Counter"}]'},
    ),
    "a platform without a key": (
        "tiktok_api",
        {"AIRFLOW_CONN_TIKTOK_API": '{"conn_type": "http", "host": "https://platform.example"}'},
    ),
    "a platform without an address": (
        "instagram_api",
        {"AIRFLOW_CONN_INSTAGRAM_API": '{"conn_type": "http", "password": "KEY"}'},
    ),
    "a Connection that Airflow cannot read": ("AIRFLOW_CONN_SENTRY", {"AIRFLOW_CONN_SENTRY": '{"conn_type": '}),
    "a key in plain text": (
        "youtube_api",
        {"AIRFLOW_CONN_YOUTUBE_API": '{"conn_type": "http", "host": "http://platform.example", "password": "KEY"}'},
    ),
}
"""The name of the check, and the variables that plant the fault."""


@pytest.mark.parametrize(("check", "variables"), FAULTS.values(), ids=FAULTS)
def test_the_printed_shell_command_mends_the_fault(
    deployment: Deployment, check: str, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        deployment.set(name, value)
    broken = deployment.examine()
    assert broken.checks[check].status in {"fault", "warning"}, broken.text

    for command in broken.checks[check].commands("shell"):
        deployment.run(command)

    mended = deployment.examine()
    # A variable that is wrong as such has no line any more.
    assert check not in mended.checks or mended.checks[check].status == "ok", mended.text
    assert mended.not_ok == [], mended.text


def test_a_missing_connection_is_mended_by_the_printed_command_if_the_platform_is_tracked(
    deployment: Deployment, build: DatabaseBuilder
) -> None:
    deployment.unset("AIRFLOW_CONN_TIKTOK_API")
    assert deployment.examine().checks["tiktok_api"].status == "ok"
    build.track(build.organization())
    broken = deployment.examine()
    assert broken.checks["tiktok_api"].status == "fault"
    for command in broken.checks["tiktok_api"].commands("shell"):
        deployment.run(command)
    assert deployment.examine().not_ok == []


@pytest.mark.parametrize(
    ("connection_id", "placeholders"), [("blogger_db", "LOGIN:PASSWORD"), ("airflow_api", "LOGIN")]
)
def test_a_missing_connection_is_named_with_its_variable(
    deployment: Deployment, connection_id: str, placeholders: str
) -> None:
    variable = f"AIRFLOW_CONN_{connection_id.upper()}"
    deployment.unset(variable)
    found = deployment.examine()
    (command,) = found.checks[connection_id].commands("shell")
    assert command.startswith(f"export {variable}='")
    assert placeholders in command
    assert found.code == 1


def test_an_owner_of_another_database_is_named(deployment: Deployment, server: DatabaseServer) -> None:
    host = str(server.socket.parent)
    deployment.connect("blogger_db_admin", conn_type="postgres", host=host, login="postgres", schema="postgres")
    assert deployment.examine().not_ok == ["blogger_db_admin"]
    deployment.unset("AIRFLOW_CONN_BLOGGER_DB_ADMIN")
    assert deployment.examine().not_ok == []


def test_a_paused_dag_is_mended_by_the_printed_command(deployment: Deployment, airflow: AirflowStandIn) -> None:
    airflow.paused["video_thumbnails"] = True
    (command,) = deployment.examine().checks["video_thumbnails"].commands("shell")
    program, *words, dag_id = command.split()
    assert (program, words) == ("airflow", ["dags", "unpause"])
    airflow.paused[dag_id] = False
    assert deployment.examine().not_ok == []


def test_a_missing_dag_is_named(deployment: Deployment, airflow: AirflowStandIn) -> None:
    del airflow.paused["youtube_video_batch"]
    found = deployment.examine()
    assert found.not_ok == ["youtube_video_batch"]
    assert found.checks["youtube_video_batch"].commands("shell") == ["airflow dags list-import-errors"]


def test_a_process_that_does_not_run_is_named_with_the_command_that_starts_it(
    deployment: Deployment, airflow: AirflowStandIn
) -> None:
    airflow.running = {"scheduler"}
    assert deployment.examine().checks["airflow_processes"].commands("shell") == [
        "airflow triggerer",
        "airflow dag-processor",
    ]


@pytest.mark.parametrize("status", [HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE])
def test_a_plugin_that_is_not_loaded_or_not_configured_is_a_fault(
    deployment: Deployment, airflow: AirflowStandIn, status: HTTPStatus
) -> None:
    airflow.plugin_status = status
    assert deployment.examine().not_ok == ["plugin"]


def test_another_version_of_airflow_is_named_with_the_command_that_installs_the_right_one(
    deployment: Deployment, airflow: AirflowStandIn
) -> None:
    airflow.version = "3.4.0"
    assert deployment.examine().not_ok == ["airflow_api"]
    found = printed([check_airflow_version("3.4.0")])
    (command,) = found.checks["airflow"].commands("shell")
    lock = command.split()[-1]
    assert lock == "requirements-image.lock"
    assert f"\napache-airflow=={AIRFLOW_VERSION} " in (PROJECT_ROOT / lock).read_text()


def test_a_rejected_service_account_and_an_unreachable_server_are_faults(
    deployment: Deployment, airflow: AirflowStandIn
) -> None:
    deployment.connect("airflow_api", conn_type="http", host=airflow.url, login=LOGIN, password="another")  # noqa: S106 - invented
    assert deployment.examine().not_ok == ["airflow_api"]
    deployment.connect("airflow_api", conn_type="http", host="http://127.0.0.1:1", login=LOGIN, password=PASSWORD)
    assert deployment.examine().not_ok == ["airflow_api"]


@pytest.mark.parametrize(
    "key", ["sb_secret_abcdefghijklmnopqrstuvwxyz0123", "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl"]
)
def test_an_api_key_in_the_place_of_the_jwt_secret_is_a_fault(
    deployment: Deployment, issuer: ScriptedServer, key: str
) -> None:
    deployment.connect("supabase_auth", conn_type="http", host=f"{issuer.url}/auth/v1", password=key)
    found = deployment.examine()
    assert found.not_ok == ["supabase_auth"]
    assert key not in found.text


def test_the_printed_command_adds_the_path_of_the_issuer(deployment: Deployment) -> None:
    deployment.connect("supabase_auth", conn_type="http", host="https://abc.supabase.co")
    (command,) = deployment.examine().checks["supabase_auth"].commands("shell")
    assert '"https://abc.supabase.co/auth/v1"' in command


def test_a_project_without_published_keys_needs_its_secret(deployment: Deployment, issuer: ScriptedServer) -> None:
    issuer.play({"keys": []})
    (command,) = deployment.examine().checks["supabase_auth"].commands("shell")
    deployment.run(command.replace("JWT SECRET", SECRET))
    assert deployment.examine().not_ok == []


def test_unreachable_keys_are_a_fault(deployment: Deployment) -> None:
    deployment.connect("supabase_auth", conn_type="http", host="http://127.0.0.1:1/auth/v1")
    assert deployment.examine().not_ok == ["supabase_auth"]


@pytest.mark.parametrize(
    "published",
    [Scripted(drip_headers=True), Scripted(b" " * 1000, drip=True), Scripted(b"<html>"), Scripted({"keys": 7})],
    ids=["dripping headers", "dripping body", "page", "no list"],
)
def test_published_keys_that_cannot_be_read_are_a_fault_within_the_timeout(
    deployment: Deployment, issuer: ScriptedServer, published: Scripted
) -> None:
    deployment.set("BLOGGER_TRACKING_AUTH_TIMEOUT_SECONDS", "0.5")
    issuer.play(published)
    assert deployment.examine().not_ok == ["supabase_auth"]


def test_a_storage_of_an_unknown_kind_is_a_fault(deployment: Deployment) -> None:
    deployment.set("BLOGGER_TRACKING_THUMBNAIL_STORAGE", "teapot://bucket/thumbnails")
    assert deployment.examine().not_ok == ["thumbnail_storage"]


def test_no_secret_is_printed(deployment: Deployment) -> None:
    deployment.connect("tiktok_api", conn_type="http", host="not an address", password="very-secret")  # noqa: S106 - invented
    deployment.set("AIRFLOW_CONN_BLOGGER_DB", "postgresql://x:very-secret@127.0.0.1:1/x")
    found = deployment.examine()
    assert found.code == 1
    assert "very-secret" not in found.text


@pytest.mark.usefixtures("deployment")
def test_the_command_prints_every_check_and_has_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clear_process_cache()
    assert cli.main(["doctor"]) == 0
    assert "canary" in capsys.readouterr().out
    monkeypatch.setenv("BLOGGER_TRACKING_SCHEDULE", "never")
    assert cli.main(["doctor"]) == 1


def test_the_retention_of_youtubes_statistics_is_to_be_decided_once_youtube_is_tracked(
    deployment: Deployment, build: DatabaseBuilder
) -> None:
    assert deployment.examine().checks["youtube_statistics_days"].status == "ok"
    build.track(build.organization(), platform="YouTube")
    found = deployment.examine()
    assert (found.not_ok, found.code) == (["youtube_statistics_days"], 0)
    (command,) = found.checks["youtube_statistics_days"].commands("shell")
    deployment.run(command)
    assert deployment.examine().not_ok == []

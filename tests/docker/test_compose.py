from __future__ import annotations

import json
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from airflow.providers.celery.get_provider_info import get_provider_info

from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from blogger_tracking.settings import Settings
from devtools.local_stack.config import PROJECT_ROOT
from tests.support.airflow_options import options_of_the_scheduler

_TEXT = (PROJECT_ROOT / "docker-compose.yml").read_text()
_COMPOSE: dict[str, Any] = yaml.safe_load(_TEXT)
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_AIRFLOW_SERVICES = {
    name: service for name, service in _SERVICES.items() if service.get("build", {}).get("target") == "airflow"
}
_DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text()
_COPIED = {
    path for line in re.findall(r"^COPY (?:--\S+ )?(.+) \S+$", _DOCKERFILE, re.MULTILINE) for path in line.split()
}
_EXAMPLE = (PROJECT_ROOT / ".env.example").read_text()
_VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)(?:(:[-?])([^}]*))?\}")
_SECRET = re.compile(r"^(?!BLOGGER_TRACKING_).*(PASSWORD|KEY|SECRET|CONNECTION$)")
_OPTIONAL_SECRETS = {
    "ALERT_WEBHOOK_CONNECTION",
    "SENTRY_CONNECTION",
    "THUMBNAIL_STORAGE_CONNECTION",
    "PIPELINE_DATABASE_PASSWORD",
}
_EXAMPLE_LINE = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)


def _variables() -> dict[str, set[tuple[str, str]]]:
    found: dict[str, set[tuple[str, str]]] = {}
    for name, operator, operand in _VARIABLE.findall(_TEXT):
        found.setdefault(name, set()).add((operator, operand))
    return found


def _airflow_options() -> set[str]:
    spec = find_spec("airflow")
    if spec is None or spec.origin is None:
        raise AssertionError("Airflow is not installed")
    file = Path(spec.origin).parent / "config_templates" / "config.yml"
    sections = {**yaml.safe_load(file.read_text()), **get_provider_info()["config"]}  # type: ignore[no-untyped-call]  # published without types
    listed = {(name, option) for name, section in sections.items() for option in section["options"]}
    return {f"AIRFLOW__{name.upper()}__{option.upper()}" for name, option in listed | options_of_the_scheduler().keys()}


def test_the_file_is_valid_by_the_compose_specification() -> None:
    schema = json.loads((files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())

    jsonschema.validate(_COMPOSE, schema)


def test_the_default_profile_has_no_database_of_the_application_and_no_sandbox() -> None:
    default = {name for name, service in _SERVICES.items() if not service.get("profiles")}

    assert _SERVICES.keys() - default == {"demo-database", "demo-logins", "sandbox", "demo-organizations"}
    assert default == {
        "postgres",
        "airflow-logins",
        "redis",
        "init",
        "api-server",
        "scheduler",
        "dag-processor",
        "triggerer",
        "worker",
    }


def test_every_service_that_stays_up_has_a_health_check() -> None:
    staying = {name for name, service in _SERVICES.items() if service["restart"] == "unless-stopped"}

    assert {name for name, service in _SERVICES.items() if "test" in service.get("healthcheck", {})} == staying


@pytest.mark.parametrize("service", ["api-server", "scheduler", "dag-processor", "triggerer", "worker"])
def test_a_hanging_process_of_airflow_is_ended_and_so_restarted(service: str) -> None:
    test = " ".join(_SERVICES[service]["healthcheck"]["test"])

    assert re.match(r"(CMD|CMD-SHELL) end-if-hung\.sh 5 ", test)
    assert _SERVICES[service]["restart"] == "unless-stopped"


def test_a_stopped_worker_has_the_time_of_a_consumer_and_of_its_last_request() -> None:
    settings = Settings()
    usual = settings.queue_seconds_per_run + settings.request_timeout_seconds + settings.thumbnail_timeout_seconds

    assert _seconds(_SERVICES["worker"]["stop_grace_period"]) >= usual


def test_every_service_that_stays_up_has_more_time_to_stop_than_the_ten_seconds_of_docker() -> None:
    quick = {"redis", "sandbox"}
    staying = {name for name, service in _SERVICES.items() if service["restart"] == "unless-stopped"} - quick

    assert all(_seconds(_SERVICES[name]["stop_grace_period"]) >= 60 for name in staying)


def _seconds(duration: str) -> int:
    return 60 * int(duration.removesuffix("m"))


@pytest.mark.parametrize("service", ["triggerer", "worker"])
def test_a_service_can_be_scaled(service: str) -> None:
    assert not _SERVICES[service].keys() & {"container_name", "ports", "hostname"}
    assert _SERVICES[service]["deploy"]["replicas"] == f"${{AIRFLOW_{service.upper()}S:-2}}"


def test_the_connections_of_postgres_suffice_for_its_clients_at_the_default_scale() -> None:
    [connections] = re.findall(
        r"max_connections=\$\{POSTGRES_CONNECTIONS:-(\d+)\}", " ".join(_SERVICES["postgres"]["command"])
    )

    assert int(connections) >= 150 + 20 * (2 + 2)


def test_each_thread_of_the_api_server_and_its_event_loop_find_a_connection() -> None:
    overflow = int(_SERVICES["api-server"]["environment"]["AIRFLOW__DATABASE__SQL_ALCHEMY_MAX_OVERFLOW"])

    # Five is Airflow's pool, and forty the number of threads in which the API server answers.
    assert 5 + overflow > 40


@pytest.mark.parametrize("name", sorted(_variables()))
def test_a_secret_has_no_default_and_every_other_variable_has_one(name: str) -> None:
    if _SECRET.search(name) and name not in _OPTIONAL_SECRETS:
        assert {operator for operator, _ in _variables()[name]} == {":?"}
    else:
        assert {operator for operator, _ in _variables()[name]} == {":-"}


def test_the_example_file_lists_exactly_the_used_variables() -> None:
    assert {name for name, _ in _EXAMPLE_LINE.findall(_EXAMPLE)} == _variables().keys()


def test_the_example_file_has_the_same_defaults_and_no_secret() -> None:
    defaults = {name: operand for name, uses in _variables().items() for operator, operand in uses if operator == ":-"}
    defaults = {name: operand for name, operand in defaults.items() if not _SECRET.search(name)}

    assert {name: value for name, value in _EXAMPLE_LINE.findall(_EXAMPLE) if not _SECRET.search(name)} == defaults
    assert {value for name, value in _EXAMPLE_LINE.findall(_EXAMPLE) if _SECRET.search(name)} == {""}


def test_the_example_file_has_a_comment_for_each_variable() -> None:
    for block in _EXAMPLE.strip().split("\n\n")[1:]:
        *comment, assignment = block.splitlines()
        assert comment, assignment
        assert all(line.startswith("# ") for line in comment), assignment
        assert _EXAMPLE_LINE.match(assignment), assignment


@pytest.mark.parametrize("service", _AIRFLOW_SERVICES)
def test_every_setting_of_airflow_exists(service: str) -> None:
    named = {name for name in _SERVICES[service]["environment"] if name.startswith("AIRFLOW__")}

    assert named
    assert named <= _airflow_options()


def test_a_task_that_finds_no_worker_slot_is_queued_again_for_an_hour_before_it_fails() -> None:
    environment = _SERVICES["scheduler"]["environment"]
    names = ("TASK_QUEUED_TIMEOUT", "NUM_STUCK_IN_QUEUED_RETRIES")
    seconds, retries = (float(environment[f"AIRFLOW__SCHEDULER__{name}"]) for name in names)

    assert seconds * (retries + 1) >= 3600


def test_every_path_that_is_mounted_or_copied_exists() -> None:
    mounted = [
        volume.split(":")[0]
        for service in _SERVICES.values()
        for volume in service.get("volumes", [])
        if volume.startswith(".")
    ]

    assert _COPIED
    assert mounted
    assert [path for path in (*_COPIED, *mounted) if not (PROJECT_ROOT / path).exists()] == []


def test_every_copied_path_is_in_the_build_context() -> None:
    admitted = re.findall(r"^!(.+)$", (PROJECT_ROOT / ".dockerignore").read_text(), re.MULTILINE)

    assert set(admitted) == _COPIED


def test_every_setting_is_passed_on_from_the_environment_file() -> None:
    environment = _SERVICES["scheduler"]["environment"]
    passed = {name: value for name, value in environment.items() if name.startswith("BLOGGER_TRACKING_")}

    assert passed.keys() == {f"BLOGGER_TRACKING_{name.upper()}" for name in Settings.model_fields}
    assert [name for name, value in passed.items() if not value.startswith(f"${{{name}:-")] == []


def test_an_empty_setting_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"BLOGGER_TRACKING_{name.upper()}", "")

    assert Settings() == Settings.model_construct()


def test_every_mounted_volume_belongs_to_the_user_of_the_image() -> None:
    [(owner, folders)] = re.findall(r"^RUN install --directory --owner=(\w+) .*?(/.*)$", _DOCKERFILE, re.MULTILINE)
    mounted = {volume.split(":")[1] for service in _AIRFLOW_SERVICES.values() for volume in service["volumes"]}

    assert owner == "airflow"
    assert mounted == set(folders.split())
    assert re.findall(r"^USER (\w+)$", _DOCKERFILE, re.MULTILINE)[-1] == "airflow"


def test_nothing_is_published_beyond_this_machine_by_default() -> None:
    published = [port for service in _SERVICES.values() for port in service.get("ports", [])]

    assert published == ["${AIRFLOW_ADDRESS:-127.0.0.1}:${AIRFLOW_PORT:-8080}:8080"]


@pytest.mark.parametrize("service", _SERVICES)
def test_a_service_has_no_privileges_and_a_bound_of_memory(service: str) -> None:
    limits = _SERVICES[service]

    assert limits["cap_drop"] == ["ALL"]
    assert limits["security_opt"] == ["no-new-privileges:true"]
    assert limits["mem_limit"]


@pytest.mark.parametrize("service", _SERVICES)
def test_the_output_of_a_container_is_kept_up_to_a_size(service: str) -> None:
    logging = _SERVICES[service]["logging"]

    assert logging["driver"] == "json-file"
    assert logging["options"] == {"max-size": "20m", "max-file": "5"}


@pytest.mark.parametrize("name", _SERVICES)
def test_only_the_servers_of_postgres_have_capabilities(name: str) -> None:
    service = _SERVICES[name]
    servers = {"postgres", "demo-database"}

    assert not service.keys() & {"privileged", "pid", "ipc", "network_mode", "devices", "group_add"}
    assert service.get("user") != "root"
    assert set(service.get("cap_add", ())) == (
        {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"} if name in servers else set()
    )


@pytest.mark.parametrize("name", _SERVICES)
def test_no_secret_is_in_the_arguments_of_a_command_or_of_a_health_check(name: str) -> None:
    service = _SERVICES[name]
    arguments = json.dumps([service["command"], service.get("healthcheck", {}).get("test", [])])

    assert [variable for variable in re.findall(r"\$\{(\w+)", arguments) if _SECRET.search(variable)] == []


def test_every_volume_that_is_used_is_declared() -> None:
    used = {
        volume.split(":")[0]
        for service in _SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }

    assert used == _COMPOSE["volumes"].keys()


def test_the_image_has_the_airflow_version_that_the_code_was_written_for() -> None:
    assert _DOCKERFILE.startswith(f"FROM apache/airflow:{AIRFLOW_VERSION}-python")

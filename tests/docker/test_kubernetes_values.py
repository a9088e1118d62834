"""The values of the Helm chart have the topology and the options of the Compose file, and keys that the chart knows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from devtools.local_stack.config import PROJECT_ROOT

_VALUES: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docs/kubernetes/values.yaml").read_text())
_SERVICES: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())["services"]
_SET_BY_THE_CHART = {
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__METRICS__OTEL_HOST",
    "AIRFLOW__METRICS__OTEL_ON",
    "AIRFLOW__METRICS__OTEL_PORT",
    "AIRFLOW__METRICS__STATSD_HOST",
    "AIRFLOW__METRICS__STATSD_ON",
}
"""Options that chart 1.22 sets from its own values and secrets."""

_OF_COMPOSE = {"AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK"}
"""Compose asks the scheduler over HTTP; the chart's probe asks the database."""

_CHART_SCHEMA = os.environ.get("TEST_CHART_SCHEMA")


def test_the_version_and_the_executor_are_those_of_compose() -> None:
    assert _VALUES["airflowVersion"] == AIRFLOW_VERSION
    assert _VALUES["executor"] == _SERVICES["scheduler"]["environment"]["AIRFLOW__CORE__EXECUTOR"]


def test_the_options_of_airflow_are_those_of_compose() -> None:
    environment = _SERVICES["scheduler"]["environment"]
    options = {
        f"AIRFLOW__{section.upper()}__{option.upper()}": value
        for section, values in _VALUES["config"].items()
        for option, value in values.items()
    }

    assert options == {
        name: _default(value)
        for name, value in environment.items()
        if name.startswith("AIRFLOW__") and name not in _SET_BY_THE_CHART | _OF_COMPOSE
    }


def _default(value: str) -> str:
    """Return what a value of Compose is without a line in `.env`."""
    return value.removesuffix("}").partition(":-")[2] if value.startswith("${") else value


def test_there_are_as_many_workers_and_triggerers_as_in_compose() -> None:
    for values, service in ((_VALUES["workers"]["celery"], "worker"), (_VALUES["triggerer"], "triggerer")):
        assert _default(_SERVICES[service]["deploy"]["replicas"]) == str(values["replicas"])


def test_triggerers_are_scaled_by_what_is_deferred_and_never_fewer_than_in_compose() -> None:
    keda = _VALUES["triggerer"]["keda"]

    assert keda["enabled"]
    assert keda["minReplicaCount"] == _VALUES["triggerer"]["replicas"]
    assert keda["query"] == "select greatest(2, ceil(count(*) / 300.0)) from trigger"


def test_the_cluster_policy_of_the_image_is_not_hidden() -> None:
    assert _VALUES["airflowLocalSettings"] is None
    assert (PROJECT_ROOT / "plugins" / "airflow_local_settings.py").exists()


def test_the_exporter_of_metrics_has_the_mappings_of_the_dashboards() -> None:
    mapping = yaml.safe_load((PROJECT_ROOT / "docs/grafana/statsd-mapping.yml").read_text())

    assert _VALUES["statsd"]["enabled"]
    assert _VALUES["statsd"]["extraMappings"] == mapping["mappings"]


def test_no_value_is_a_secret() -> None:
    assert not {"fernetKey", "apiSecretKey", "jwtSecret"} & _VALUES.keys()
    assert _VALUES["data"].keys() == {"metadataSecretName"}


needs_schema = pytest.mark.skipif(
    _CHART_SCHEMA is None,
    reason="TEST_CHART_SCHEMA is not set: the chart's values.schema.json is not part of the project",
)


@needs_schema
def test_the_schema_of_the_chart_accepts_the_values() -> None:
    jsonschema.Draft7Validator(_chart_schema()).validate(_VALUES)


@needs_schema
def test_the_chart_knows_every_key_and_none_is_deprecated() -> None:
    assert list(_unknown(_VALUES, _chart_schema(), "")) == []


def _chart_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(Path(str(_CHART_SCHEMA)).read_text(encoding="utf-8"))
    return schema


def _unknown(values: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
    known: Mapping[str, Any] = schema.get("properties", {})
    # An object without properties in the schema is free.
    for key, value in values.items() if known else ():
        if key not in known or "deprecated" in known[key].get("description", "").lower():
            yield f"{path}{key}"
        elif isinstance(value, dict):
            yield from _unknown(value, known[key], f"{path}{key}.")

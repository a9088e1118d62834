"""The values of the Helm chart have the topology and the options of the Compose file."""

from __future__ import annotations

from typing import Any

import yaml

from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from devtools.local_stack.config import PROJECT_ROOT

_VALUES: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docs/kubernetes/values.yaml").read_text())
_SERVICES: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text())["services"]
_SET_BY_THE_CHART = {
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__METRICS__STATSD_HOST",
    "AIRFLOW__METRICS__STATSD_ON",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
}


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
        name: value
        for name, value in environment.items()
        if name.startswith("AIRFLOW__") and name not in _SET_BY_THE_CHART
    }


def test_there_are_as_many_workers_and_triggerers_as_in_compose() -> None:
    for chart, service in (("workers", "worker"), ("triggerer", "triggerer")):
        replicas = _SERVICES[service]["deploy"]["replicas"]
        assert replicas.endswith(f":-{_VALUES[chart]['replicas']}}}")


def test_the_cluster_policy_of_the_image_is_not_hidden() -> None:
    assert _VALUES["airflowLocalSettings"] is None
    assert (PROJECT_ROOT / "plugins" / "airflow_local_settings.py").exists()


def test_no_value_is_a_secret() -> None:
    assert not {"fernetKey", "apiSecretKey", "jwtSecret"} & _VALUES.keys()
    assert _VALUES["data"].keys() == {"metadataSecretName"}

"""Each expression of the dashboard over metrics, evaluated by Prometheus on what Airflow's client sends."""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import yaml

from devtools.local_stack.config import PROJECT_ROOT
from tests.support.required_programs import skip_unless_required
from tests.support.statsd_exporter import StatsdExporter
from tests.support.statsd_listener import StatsdListener
from tests.support.waiting import wait_until

FOLDER = PROJECT_ROOT / "docs" / "grafana"
PANELS = json.loads((FOLDER / "metrics.json").read_text(encoding="utf-8"))["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]

EMITTED = """
from blogger_tracking.domain.metrics import *
from blogger_tracking.orchestration.airflow_3_3.metrics import emit

for platform in ("TikTok", "YouTube"):
    attempts = [
        MeasuredAttempt(platform, state, 10, 2, {RequestUse.LISTING: 1}, 0.5) for state in ("succeeded", "failed")
    ]
    emit(attempt_measurements(attempts))
for metric in METRICS:
    if metric.kind is MetricKind.GAUGE:
        emit([Measurement(metric, 3, dict.fromkeys(metric.tags, "any"))])
"""

Query = Callable[[str], list[float]]


@pytest.fixture(scope="module")
def prometheus() -> str:
    """Return the path of Prometheus."""
    program = shutil.which("prometheus")
    if program is None:
        skip_unless_required("Prometheus is not installed; on Debian: apt install prometheus")
    return program


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Lines that Airflow's client sends to StatsD."""
    listener = StatsdListener()
    options = {"STATSD_ON": "True", "STATSD_HOST": "127.0.0.1", "STATSD_PORT": str(listener.port)}
    environment = {f"AIRFLOW__METRICS__{name}": value for name, value in options.items()}
    environment |= {"AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")), "PYTHONPATH": f"{PROJECT_ROOT}/include"}
    subprocess.run([sys.executable, "-c", EMITTED], env={**os.environ, **environment}, check=True)
    return [line for line in listener.stop() if "blogger_tracking" in line]


@pytest.fixture(scope="module")
def query(prometheus: str, lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Query]:
    """A function that evaluates an expression, once Prometheus has read the metrics and their growth."""
    mappings = yaml.safe_load((FOLDER / "statsd-mapping.yml").read_text(encoding="utf-8"))["mappings"]
    with StatsdExporter(mappings) as exporter:
        exporter.feed(lines)
        folder = tmp_path_factory.mktemp("prometheus")
        process, url = start_prometheus(prometheus, folder, exporter.address)

        def evaluate(expression: str) -> list[float]:
            answer = requests.get(f"{url}/api/v1/query", params={"query": expression}, timeout=10).json()
            assert answer["status"] == "success", answer
            return [float(each["value"][1]) for each in answer["data"]["result"]]

        def has_read(times: int) -> bool:
            try:
                return evaluate("sum(count_over_time(airflow_blogger_tracking_alerts_open[1m]))") >= [times]
            except requests.RequestException:
                # Prometheus does not listen yet, or answers without JSON while it starts.
                return False

        try:
            wait_until(lambda: has_read(2), 60)
            exporter.feed(lines)
            time.sleep(1)
            wait_until(lambda: has_read(5), 60)
            yield evaluate
        finally:
            process.terminate()
            process.wait()


def start_prometheus(program: str, folder: Path, target: str) -> tuple[subprocess.Popen[bytes], str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    scrape = {"job_name": "airflow", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [scrape]}), encoding="utf-8")
    arguments = [
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        "--log.level=error",
    ]
    return subprocess.Popen([program, *arguments]), f"http://{address}"


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_has_a_number_for_what_was_emitted(query: Query, expression: str) -> None:
    found = query(expression)
    assert found
    assert all(math.isfinite(value) and value > 0 for value in found)

"""What was measured, kept in one file, and the figures that are compared from one time to the next."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from devtools.bench.batch import BatchRun
from devtools.bench.script import ScriptRun
from devtools.local_stack.airflow_environment import AIRFLOW_VERSION

Measurements = dict[str, dict[str, Any]]
"""By scenario, then by what was varied in it: a number of bloggers, accounts, threads or milliseconds, as text."""

_PLANNED = "100000"
_DISTANT_MS = "20"


def batch_figures(run: BatchRun) -> dict[str, Any]:
    """A batch run as it is written down."""
    return asdict(run) | {"per_second": run.per_second, "cpu_seconds": run.cpu_seconds}


def script_figures(runs: list[ScriptRun]) -> dict[str, Any]:
    """The fastest run of the script, and the others beside it."""
    return asdict(runs[0]) | {
        "per_second": runs[0].per_second,
        "seconds_by_threads": {str(run.threads): run.seconds for run in runs},
    }


def read_measurements(file: Path) -> Measurements:
    """What was measured before, so that a part can be measured again."""
    if not file.exists():
        return {}
    measurements: Measurements = json.loads(file.read_text(encoding="utf-8"))["measurements"]
    return measurements


def write_figures(file: Path, measurements: Measurements, settings: Mapping[str, str]) -> None:
    """Write headline figures, settings, machine and everything that was measured as JSON."""
    content = {
        **headline(measurements),
        "settings": dict(settings),
        "machine": {
            "cpus": os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "airflow": AIRFLOW_VERSION,
        },
        "measurements": measurements,
    }
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")


def headline(measurements: Measurements) -> dict[str, Any]:
    """The figures that promises are made about; None for what was not measured."""
    batch, shared, script = (measurements.get(name, {}) for name in ("batch", "shared", "script"))
    saving, planning = measurements.get("saving", {}), measurements.get("planning", {})
    runs = {**batch, **measurements.get("large", {})}
    return {
        "per_second": {bloggers: run["per_second"] for bloggers, run in runs.items()},
        "per_second_shared": {bloggers: run["per_second"] for bloggers, run in shared.items()},
        "ratio_workers": _ratio_workers(measurements),
        "ratio_script": _ratios(script, batch),
        "ratio_script_shared": next(iter(_ratios(script, shared).values()), None),
        "save_ratio_20ms": saving.get(_DISTANT_MS, {}).get("ratio"),
        "plan_100k_seconds": planning.get(_PLANNED, {}).get("seconds"),
        "plan_100k_mb": planning.get(_PLANNED, {}).get("peak_mb"),
        "initial_fetch_median_seconds": measurements.get("initial", {}).get("median_seconds"),
    }


def _ratio_workers(measurements: Measurements) -> float | None:
    """The same fleet in workers, with the parallelism that suits them best."""
    workers = measurements.get("workers", {}).values()
    batch = measurements.get("batch", {})
    ratios = [
        run["seconds"] / batch[str(run["bloggers"])]["seconds"] for run in workers if str(run["bloggers"]) in batch
    ]
    return round(min(ratios), 2) if ratios else None


def _ratios(script: Mapping[str, Any], runs: Mapping[str, Any]) -> dict[str, float]:
    return {
        bloggers: round(script[bloggers]["seconds"] / run["seconds"], 3)
        for bloggers, run in runs.items()
        if bloggers in script
    }

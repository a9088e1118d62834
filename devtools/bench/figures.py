"""Measurements, kept in one file, and the headline figures derived from them."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from devtools.bench.measure_batch import BatchRun
from devtools.bench.measure_requests import RequestFigures
from devtools.bench.measure_script import ScriptRun

Measurements = dict[str, dict[str, Any]]
"""Figures by scenario, then by the varied number as text (bloggers, accounts, threads or milliseconds).

The figures of `line` are by milliseconds, then by the number of organizations; those of `requests` by kind of account,
then by target; those of `initial`, `pairs`, `fairness`, `member_reads` and `history` have names instead.
"""

REQUEST_KINDS: Mapping[str, str] = {
    "tiktok": "TikTok",
    "instagram_reels": "Instagram, accounts of reels",
    "instagram_mixed": "Instagram, mixed accounts",
    "instagram_always": "Instagram, posts always read",
    "youtube": "YouTube",
}
"""Titles of the kinds of accounts in the figures of `requests`."""

_PLANNED = "100000"
_DISTANT_MS = "20"


def batch_figures(run: BatchRun) -> dict[str, Any]:
    """Return the figures of a batch run."""
    return asdict(run) | {"per_second": run.per_second, "cpu_seconds": run.cpu_seconds}


def script_figures(runs: list[ScriptRun]) -> dict[str, Any]:
    """Return the figures of the fastest run of the script, and the seconds of each number of threads."""
    return asdict(runs[0]) | {
        "per_second": runs[0].per_second,
        "seconds_by_threads": {str(run.threads): run.seconds for run in runs},
    }


def request_figures(by_target: Mapping[int, RequestFigures]) -> dict[str, Any]:
    """Return the requests per fetch of one kind of account, by target."""
    return {str(target): asdict(figures) | {"total": figures.total} for target, figures in by_target.items()}


def read_measurements(file: Path) -> Measurements:
    """Return the earlier measurements, so that one scenario can be measured again."""
    if not file.exists():
        return {}
    measurements: Measurements = json.loads(file.read_text(encoding="utf-8"))["measurements"]
    return measurements


def write_figures(file: Path, measurements: Measurements, settings: Mapping[str, str]) -> None:
    """Write headline figures, settings, machine and all measurements as JSON."""
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
    """Return the figures that the documentation states; None for a figure that was not measured."""
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
        **_line_ratios(measurements.get("line", {})),
        "plan_100k_seconds": planning.get(_PLANNED, {}).get("seconds"),
        "plan_100k_mb": planning.get(_PLANNED, {}).get("peak_mb"),
        "initial_fetch_median_seconds": measurements.get("initial", {}).get("median_seconds"),
        **{f"requests_{kind}": _request_totals(measurements, kind) for kind in REQUEST_KINDS},
    }


def _request_totals(measurements: Measurements, kind: str) -> dict[str, float]:
    by_target = measurements.get("requests", {}).get(kind, {})
    return {target: figures["total"] for target, figures in by_target.items()}


def _line_ratios(line: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the ratios of the rates over a line: one organization to many, and both to many without a line."""
    if not line:
        return dict.fromkeys(("ratio_one_organization", "ratio_line_one", "ratio_line_many"))
    near, distant = (
        {int(organizations): run["per_second"] for organizations, run in line[delay].items()}
        for delay in ("0", _DISTANT_MS)
    )
    many = max(near)
    return {
        "ratio_one_organization": round(distant[1] / distant[many], 2),
        "ratio_line_one": round(distant[1] / near[many], 2),
        "ratio_line_many": round(distant[many] / near[many], 2),
    }


def _ratio_workers(measurements: Measurements) -> float | None:
    """Return the time in workers divided by the time as shipped, for the same fleet.

    The median of `pairs` is preferred, because both runs of a pair see the same load of the machine. Otherwise the
    fastest parallelism of `workers` is compared with `batch`, which was measured at another time.
    """
    if pairs := measurements.get("pairs"):
        median_ratio: float = pairs["median_ratio"]
        return median_ratio
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

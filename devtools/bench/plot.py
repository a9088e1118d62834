"""Plot of the README: bloggers per second, by the size of the fleet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from devtools.bench.conditions import SHARED_BLOGGERS
from devtools.bench.figures import Measurements

_INCHES = (7.5, 4.2)


def draw_plot(measurements: Measurements, file: Path) -> None:
    """Draw the plot as SVG, with the same bytes for the same figures."""
    import matplotlib as mpl  # noqa: PLC0415 - a heavy import that only this function needs
    from matplotlib.figure import Figure  # noqa: PLC0415 - a heavy import that only this function needs

    file.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "bench", "font.size": 10}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        axes = figure.add_subplot()
        for label, runs in _lines(measurements):
            points = sorted((run["bloggers"], run["per_second"]) for run in runs)
            axes.plot([each for each, _ in points], [each for _, each in points], marker="o", label=label)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xlabel("bloggers in the run")
        axes.set_ylabel("bloggers per second")
        axes.grid(visible=True, alpha=0.3)
        if axes.get_lines():
            axes.legend()
        figure.savefig(file, format="svg", metadata={"Date": None})


def _lines(measurements: Measurements) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    lines: Mapping[str, list[Mapping[str, Any]]] = {
        "bare script, no Airflow": list(measurements.get("script", {}).values()),
        f"{SHARED_BLOGGERS} bloggers per instance": list(measurements.get("shared", {}).values()),
        "as shipped": [run for scenario in ("batch", "large") for run in measurements.get(scenario, {}).values()],
        "mapped tasks in workers": _best(list(measurements.get("workers", {}).values())),
    }
    for label, runs in lines.items():
        if runs:
            yield label, runs


def _best(runs: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(runs, key=lambda run: float(run["seconds"]))[:1]

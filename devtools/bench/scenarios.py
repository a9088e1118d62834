"""Everything that can be measured, by name. Each scenario brings up what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from devtools.bench.batch import batch_bench
from devtools.bench.conditions import SHARED_BLOGGERS, Conditions
from devtools.bench.figures import batch_figures, script_figures
from devtools.bench.fleet import Fleets
from devtools.bench.initial import measure_additions, median_seconds
from devtools.bench.planning import measure_planning
from devtools.bench.repetition import median_run
from devtools.bench.saving import measure_saving
from devtools.bench.script import Places, best_script
from devtools.local_stack.stack import Progress, Stack
from devtools.platform_sandbox import SandboxServer

_DELAYS_MS = (0, 20)


@dataclass(frozen=True, slots=True)
class Bench:
    """What scenarios share: the conditions, the creators nobody tracks yet, somebody to tell."""

    conditions: Conditions
    fleets: Fleets
    say: Progress


def saving(bench: Bench) -> dict[str, Any]:
    """Saving a fetch over lines to Postgres, by their round-trip time in milliseconds."""
    sizes = bench.conditions.sizes
    measured = {}
    with Stack(bench.conditions.databases()) as stack:
        for delay in _DELAYS_MS:
            saved = measure_saving(stack, bench.fleets, delay, videos=sizes.saved_videos, saves=sizes.saves)
            bench.say(
                f"{saved.videos} videos at {delay} ms: {saved.round_trips} round trips, {saved.ratio} times faster"
            )
            measured[str(delay)] = asdict(saved) | {"ratio": saved.ratio}
    return measured


def planning(bench: Bench) -> dict[str, Any]:
    """Planning, by the number of tracked accounts."""
    sizes = bench.conditions.sizes
    measured = {}
    with Stack(bench.conditions.databases()) as stack:
        for accounts in sizes.planned_accounts:
            planned = measure_planning(stack, bench.fleets, accounts, sizes.runs)
            bench.say(f"{accounts} tracked accounts planned in {planned.seconds} s and {planned.peak_mb} MB")
            measured[str(accounts)] = asdict(planned)
    return measured


def script(bench: Bench) -> dict[str, Any]:
    """The bare script, by the number of bloggers."""
    sizes = bench.conditions.sizes
    measured = {}
    options = bench.conditions.sandbox_options()
    with Stack(bench.conditions.databases()) as stack, SandboxServer(options) as sandbox:
        places = Places(stack.admin_dsn, stack.pipeline_dsn, sandbox.base_url)
        for bloggers in sizes.script_fleets:
            runs = best_script(places, bench.fleets, bloggers, sizes.script_threads, sizes.runs)
            bench.say(f"{bloggers} bloggers, bare script: {runs[0].seconds} s with {runs[0].threads} threads")
            measured[str(bloggers)] = script_figures(runs)
    return measured


def batch(bench: Bench) -> dict[str, Any]:
    """The batch as shipped, by the number of bloggers; somebody watches the largest."""
    sizes = bench.conditions.sizes
    with batch_bench(bench.conditions.stack(), bench.fleets, bench.say) as runs:
        return {
            str(bloggers): batch_figures(
                median_run(partial(runs.run, bloggers, watch_ui=bloggers == max(sizes.fleets)), sizes.runs)
            )
            for bloggers in sizes.fleets
        }


def queues(bench: Bench) -> dict[str, Any]:
    """The batch as shipped while the queues are consumed as well."""
    sizes = bench.conditions.sizes
    with batch_bench(bench.conditions.stack(), bench.fleets, bench.say, queues=True) as runs:
        run = median_run(partial(runs.run, sizes.workers_fleet), sizes.runs)
        return {str(sizes.workers_fleet): batch_figures(run)}


def shared(bench: Bench) -> dict[str, Any]:
    """The batch with many bloggers in an instance, by the number of bloggers."""
    sizes = bench.conditions.sizes
    config = bench.conditions.stack(environment={"BLOGGER_TRACKING_BLOGGERS_PER_INSTANCE": str(SHARED_BLOGGERS)})
    with batch_bench(config, bench.fleets, bench.say) as runs:
        run = median_run(partial(runs.run, sizes.shared_fleet), sizes.runs)
        return {str(sizes.shared_fleet): batch_figures(run)}


def killed(bench: Bench) -> dict[str, Any]:
    """The batch as shipped with its triggerer killed in the middle."""
    sizes = bench.conditions.sizes
    with batch_bench(bench.conditions.stack(), bench.fleets, bench.say) as runs:
        run = median_run(partial(runs.run_killed, sizes.workers_fleet), sizes.runs)
        return {str(sizes.workers_fleet): batch_figures(run)}


def workers(bench: Bench) -> dict[str, Any]:
    """The batch as stock mapped tasks in workers, by their parallelism."""
    sizes = bench.conditions.sizes
    measured = {}
    for parallelism in sizes.parallelism:
        environment = {
            "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(parallelism),
        }
        config = bench.conditions.stack(parallelism=parallelism, environment=environment)
        with batch_bench(config, bench.fleets, bench.say) as runs:
            run = median_run(partial(runs.run, sizes.workers_fleet), sizes.runs)
        measured[str(parallelism)] = batch_figures(run)
    return measured


def initial(bench: Bench) -> dict[str, Any]:
    """Initial fetches, one after the other."""
    with Stack(bench.conditions.stack(), bench.say) as stack:
        waits = measure_additions(stack, bench.fleets, bench.conditions.sizes.additions)
    bench.say(f"First videos {median_seconds(waits)} s after the addition")
    return {"median_seconds": median_seconds(waits), "seconds": waits}


def large(bench: Bench) -> dict[str, Any]:
    """The batch as shipped with a fleet that takes long."""
    sizes = bench.conditions.sizes
    with batch_bench(bench.conditions.stack(), bench.fleets, bench.say) as runs:
        return {str(sizes.large_fleet): batch_figures(runs.run(sizes.large_fleet, watch_ui=True))}


SCENARIOS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "saving": saving,
    "planning": planning,
    "script": script,
    "batch": batch,
    "queues": queues,
    "shared": shared,
    "killed": killed,
    "workers": workers,
    "initial": initial,
    "large": large,
}

USUAL_SCENARIOS = tuple(name for name in SCENARIOS if name != "large")

"""Scenarios of the benchmark, by name. Each scenario starts the stack that it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

from blogger_tracking.database.connections import connect, open_pool
from blogger_tracking.database.invariants import check_invariants
from blogger_tracking.domain.models import Platform
from devtools.bench.bench_fleets import Fleets
from devtools.bench.conditions import SHARED_BLOGGERS, Conditions
from devtools.bench.figures import REQUEST_KINDS, batch_figures, request_figures, script_figures
from devtools.bench.measure_batch import batch_bench
from devtools.bench.measure_fairness import measure_fairness
from devtools.bench.measure_history import build_year, measure_history
from devtools.bench.measure_member_reads import build_history, measure_member_reads
from devtools.bench.measure_page import measure_page, vary_history
from devtools.bench.measure_planning import measure_planning
from devtools.bench.measure_requests import measure_listings, measure_youtube
from devtools.bench.measure_saving import measure_saving
from devtools.bench.measure_script import ScriptRun, ScriptTargets, best_script, run_script
from devtools.bench.measurement import median_of, median_run
from devtools.bench.wire_proxy import proxied
from devtools.local_stack.adding_over_http import SignedInMember
from devtools.local_stack.config import StackError
from devtools.local_stack.stack import Progress, Stack
from devtools.platform_sandbox import SandboxServer

_DELAYS_MS = (0, 20)


@dataclass(frozen=True, slots=True)
class Bench:
    """Shared parts of all scenarios: the conditions, the creators without a tracked account, the progress."""

    conditions: Conditions
    fleets: Fleets
    progress: Progress


def saving(bench: Bench) -> dict[str, Any]:
    """Measure saving a fetch, by the round-trip time to Postgres in milliseconds."""
    sizes = bench.conditions.sizes
    measured = {}
    with Stack(bench.conditions.databases()) as stack:
        for delay in _DELAYS_MS:
            saved = measure_saving(stack, bench.fleets, delay, videos=sizes.saved_videos, saves=sizes.saves)
            bench.progress(
                f"{saved.videos} videos at {delay} ms: {saved.round_trips} round trips, "
                f"{saved.ratio} times as fast as row by row"
            )
            measured[str(delay)] = asdict(saved) | {"ratio": saved.ratio}
    return measured


def planning(bench: Bench) -> dict[str, Any]:
    """Measure planning, by the number of tracked accounts."""
    sizes = bench.conditions.sizes
    measured = {}
    with Stack(bench.conditions.databases()) as stack:
        for accounts in sizes.planned_accounts:
            planned = measure_planning(stack, bench.fleets, accounts, sizes.runs)
            bench.progress(f"{accounts} tracked accounts planned in {planned.seconds} s with {planned.peak_mb} MB")
            measured[str(accounts)] = asdict(planned)
    return measured


def fairness(bench: Bench) -> dict[str, Any]:
    """Measure planning, claiming and adding of a small organization beside one large organization."""
    sizes = bench.conditions.sizes
    with Stack(bench.conditions.databases()) as stack:
        measured = measure_fairness(stack, bench.fleets, sizes.fair_accounts, sizes.fair_samples)
    for load, ratios in measured.ratios().items():
        slower = ", ".join(f"{operation} {ratio} times" for operation, ratio in ratios.items())
        bench.progress(f"While the large organization is {load}: {slower} the time without a load")
    return asdict(measured) | {"ratios": measured.ratios()}


def member_reads(bench: Bench) -> dict[str, Any]:
    """Measure what a member reads under row level security. Fails if a query reads a large table from end to end."""
    sizes = bench.conditions.sizes
    with Stack(bench.conditions.databases()) as stack, connect(stack.admin_dsn) as connection:
        build_history(connection, sizes.read_accounts, sizes.read_videos, sizes.read_runs)
        bench.progress(
            f"{sizes.read_accounts} tracked accounts, "
            f"{sizes.read_accounts * sizes.read_videos * sizes.read_runs} rows of statistics"
        )
        reads = measure_member_reads(connection)
    for title, read in reads.items():
        bench.progress(f"{title}: {read.rows} rows in {read.milliseconds} ms")
    scanned = [f"{title}: {', '.join(read.scanned)}" for title, read in reads.items() if read.scanned]
    if scanned:
        raise StackError(f"A member's queries read large tables from end to end. Correct the policies: {scanned}.")
    return {title: asdict(read) for title, read in reads.items()}


def page(bench: Bench) -> dict[str, Any]:
    """Measure the queries of the Bloggers page, as the pipeline's role."""
    sizes = bench.conditions.sizes
    with Stack(bench.conditions.databases()) as stack, connect(stack.admin_dsn) as connection:
        build_history(connection, sizes.read_accounts, sizes.read_videos, sizes.read_runs)
        vary_history(connection)
        bench.progress(
            f"{sizes.read_accounts} tracked accounts, "
            f"{sizes.read_accounts * sizes.read_videos * sizes.read_runs} rows of statistics"
        )
        with open_pool(stack.pipeline_dsn, connections=2) as pool:
            queries = measure_page(pool)
    for name, query in queries.items():
        bench.progress(f"{name}: {query.milliseconds} ms")
    return {name: asdict(query) for name, query in queries.items()}


def history(bench: Bench) -> dict[str, Any]:
    """Measure reading and removing a year of statistics, as a member and as the pipeline."""
    sizes = bench.conditions.sizes
    with Stack(bench.conditions.databases()) as stack, connect(stack.admin_dsn) as connection:
        rows = build_year(connection, sizes.year_accounts, sizes.year_videos, sizes.year_days)
        bench.progress(f"{sizes.year_accounts} tracked accounts, {rows} rows of statistics")
        with open_pool(stack.pipeline_dsn, connections=1) as pool:
            measured = measure_history(connection, pool, rows)
    for title, readers in measured.milliseconds.items():
        bench.progress(f"{title}: {', '.join(f'{each} ms as {reader}' for reader, each in readers.items())}")
    bench.progress(f"A month of {measured.dropped_rows} rows dropped in {measured.drop_milliseconds} ms")
    return asdict(measured) | {"accounts": sizes.year_accounts}


def requests(bench: Bench) -> dict[str, Any]:
    """Measure the requests per fetch in simulated weeks of two runs a day, by kind of account and target."""
    sizes = bench.conditions.sizes
    with SandboxServer(bench.conditions.request_options()) as sandbox:
        measured = measure_listings(sandbox, sizes.requested_accounts, sizes.requested_targets, sizes.requested_runs)
        with Stack(bench.conditions.databases()) as stack:
            youtube = partial(measure_youtube, stack.admin_dsn, stack.pipeline_dsn, sandbox, bench.fleets)
            measured["youtube"] = {
                target: youtube(sizes.requested_channels, target) for target in sizes.requested_targets
            }
    for kind, by_target in measured.items():
        totals = ", ".join(f"{figures.total} for {target} videos" for target, figures in by_target.items())
        bench.progress(f"{REQUEST_KINDS[kind]}: requests per fetch {totals}")
    return {kind: request_figures(by_target) for kind, by_target in measured.items()}


def script(bench: Bench) -> dict[str, Any]:
    """Measure the bare script, by the number of bloggers."""
    sizes = bench.conditions.sizes
    measured = {}
    options = bench.conditions.sandbox_options()
    with Stack(bench.conditions.databases()) as stack, SandboxServer(options) as sandbox:
        targets = ScriptTargets(stack.admin_dsn, stack.pipeline_dsn, sandbox.base_url)
        for bloggers in sizes.script_fleets:
            runs = best_script(targets, bench.fleets, bloggers, sizes.script_threads, sizes.runs)
            bench.progress(f"{bloggers} bloggers, bare script: {runs[0].seconds} s with {runs[0].threads} threads")
            measured[str(bloggers)] = script_figures(runs)
    return measured


def line(bench: Bench) -> dict[str, Any]:
    """Measure the bare script, by the round-trip time to Postgres in milliseconds and the number of organizations."""
    sizes = bench.conditions.sizes
    cases = [(delay, organizations) for delay in _DELAYS_MS for organizations in (1, sizes.line_organizations)]
    runs: dict[tuple[int, int], list[ScriptRun]] = {case: [] for case in cases}
    with Stack(bench.conditions.databases()) as stack, SandboxServer(bench.conditions.sandbox_options()) as sandbox:
        # In turn, so that the machine's load is the same for all cases.
        for delay, organizations in cases * sizes.runs:
            with proxied(stack.pipeline_dsn, delay) as (_, dsn):
                targets = ScriptTargets(stack.admin_dsn, dsn, sandbox.base_url)
                run = run_script(targets, bench.fleets, sizes.line_fleet, sizes.line_threads, organizations)
            bench.progress(f"{organizations} organizations at {delay} ms: {run.per_second} bloggers per second")
            runs[delay, organizations].append(run)
        with connect(stack.admin_dsn) as connection:
            violations = sum(check_invariants(connection).values())
    measured: dict[str, Any] = {str(delay): {} for delay in _DELAYS_MS}
    for (delay, organizations), each in runs.items():
        run = median_of(each)
        measured[str(delay)][str(organizations)] = asdict(run) | {
            "per_second": run.per_second,
            "violations": violations,
        }
    return measured


def batch(bench: Bench) -> dict[str, Any]:
    """Measure the batch as shipped, by the number of bloggers; Airflow's UI is probed during the largest run."""
    sizes = bench.conditions.sizes
    with batch_bench(bench.conditions.stack(), sizes, bench.fleets, bench.progress) as runs:
        return {
            str(bloggers): batch_figures(
                median_run(partial(runs.run, bloggers, watch_ui=bloggers == max(sizes.fleets)), sizes.runs)
            )
            for bloggers in sizes.fleets
        }


def queues(bench: Bench) -> dict[str, Any]:
    """Measure the batch as shipped while the consumers of the queues run as well."""
    sizes = bench.conditions.sizes
    with batch_bench(bench.conditions.stack(), sizes, bench.fleets, bench.progress, queues=True) as runs:
        run = median_run(partial(runs.run, sizes.workers_fleet), sizes.runs)
        return {str(sizes.workers_fleet): batch_figures(run)}


def shared(bench: Bench) -> dict[str, Any]:
    """Measure the batch with many bloggers in an instance, by the number of bloggers."""
    sizes = bench.conditions.sizes
    config = bench.conditions.stack(environment={"BLOGGER_TRACKING_BLOGGERS_PER_INSTANCE": str(SHARED_BLOGGERS)})
    with batch_bench(config, sizes, bench.fleets, bench.progress) as runs:
        run = median_run(partial(runs.run, sizes.shared_fleet), sizes.runs)
        return {str(sizes.shared_fleet): batch_figures(run)}


def killed(bench: Bench) -> dict[str, Any]:
    """Measure the batch as shipped with its triggerer killed in the middle."""
    sizes = bench.conditions.sizes
    with batch_bench(bench.conditions.stack(), sizes, bench.fleets, bench.progress) as runs:
        run = median_run(partial(runs.run_killed, sizes.workers_fleet), sizes.runs)
        return {str(sizes.workers_fleet): batch_figures(run)}


def workers(bench: Bench) -> dict[str, Any]:
    """Measure the batch with fetches in workers, as ordinary mapped tasks, by the parallelism."""
    sizes = bench.conditions.sizes
    measured = {}
    for parallelism in sizes.parallelism:
        with batch_bench(bench.conditions.workers_stack(parallelism), sizes, bench.fleets, bench.progress) as runs:
            run = median_run(partial(runs.run, sizes.workers_fleet), sizes.runs)
        measured[str(parallelism)] = batch_figures(run)
    return measured


def pairs(bench: Bench) -> dict[str, Any]:
    """Measure batch runs as shipped and in workers, in turn, so that the machine's load is the same for both."""
    sizes = bench.conditions.sizes
    shipped = bench.conditions.stack(name="shipped")
    in_workers = bench.conditions.workers_stack(sizes.pairs_parallelism, name="workers")
    measured = []
    for number in range(1, sizes.pairs + 1):
        seconds = []
        for config in (shipped, in_workers):
            with batch_bench(config, sizes, bench.fleets, bench.progress) as runs:
                seconds.append(runs.run(sizes.pairs_fleet).seconds)
        ratio = round(seconds[1] / seconds[0], 2)
        bench.progress(f"Pair {number}: {seconds[0]} s as shipped, {seconds[1]} s in workers, ratio {ratio}")
        measured.append({"shipped_seconds": seconds[0], "workers_seconds": seconds[1], "ratio": ratio})
    return {
        "bloggers": sizes.pairs_fleet,
        "parallelism": sizes.pairs_parallelism,
        "pairs": measured,
        "median_ratio": median(pair["ratio"] for pair in measured),
    }


def initial(bench: Bench) -> dict[str, Any]:
    """Measure additions over HTTP, one after the other, from the request until the first videos are saved."""
    platforms = list(Platform)
    with Stack(bench.conditions.stack(), bench.progress) as stack, connect(stack.admin_dsn) as connection:
        organization = bench.fleets.organization(connection, "Additions")
        member = SignedInMember(stack, bench.fleets.owner(connection, organization), organization)
        seconds = []
        # The first addition of a stack is left out, because it is slower than later additions.
        for number in range(1 + bench.conditions.sizes.additions):
            platform = platforms[number % len(platforms)]
            creator = bench.fleets.untracked(platform)
            seconds.append(member.add(connection, platform, creator.username).seconds)
    median_seconds = round(median(seconds[1:]), 2)
    bench.progress(f"First videos {median_seconds} s after the request")
    return {"median_seconds": median_seconds, "seconds": seconds[1:]}


def large(bench: Bench) -> dict[str, Any]:
    """Measure the batch as shipped with a fleet that takes an hour or longer."""
    sizes = bench.conditions.sizes
    with batch_bench(bench.conditions.stack(), sizes, bench.fleets, bench.progress) as runs:
        return {str(sizes.large_fleet): batch_figures(runs.run(sizes.large_fleet, watch_ui=True))}


SCENARIOS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "saving": saving,
    "planning": planning,
    "fairness": fairness,
    "member_reads": member_reads,
    "page": page,
    "history": history,
    "requests": requests,
    "script": script,
    "line": line,
    "batch": batch,
    "queues": queues,
    "shared": shared,
    "killed": killed,
    "workers": workers,
    "pairs": pairs,
    "initial": initial,
    "large": large,
}

USUAL_SCENARIOS = tuple(name for name in SCENARIOS if name != "large")

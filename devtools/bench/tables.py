"""Tables of the figures for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from blogger_tracking.domain.ledger import RequestUse
from blogger_tracking.terminal_tables import titled_table
from devtools.bench.figures import REQUEST_KINDS, Measurements, headline

_SPECIAL = {
    "batch": "as shipped",
    "large": "as shipped",
    "queues": "with the queues consumed",
    "killed": "with its triggerer killed",
}


def bench_tables(measurements: Measurements, settings: Sequence[tuple[str, str, str]]) -> Iterator[Table]:
    """Yield a table for each kind of measurement, the headline figures, and the settings."""
    yield from _run_tables(measurements)
    if saving := measurements.get("saving"):
        columns = ("seconds", "round_trips", "row_by_row_seconds", "row_by_row_round_trips", "ratio")
        yield _plain_table("Saving one fetch, by round-trip time in ms", saving, columns)
    if line := measurements.get("line"):
        yield from _line_tables(line)
    if planning := measurements.get("planning"):
        yield _plain_table("Planning, by tracked accounts", planning, ("seconds", "peak_mb"))
    for scenario, table in _TABLES.items():
        if measured := measurements.get(scenario):
            yield table(measured)
    yield _headline_table(measurements)
    yield _settings_table(settings)


def batch_runs(measurements: Measurements) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every batch run with its special condition."""
    for scenario, special in _SPECIAL.items():
        for run in measurements.get(scenario, {}).values():
            yield special, run
    for run in measurements.get("shared", {}).values():
        yield "50 per instance", run
    for parallelism, run in measurements.get("workers", {}).items():
        yield f"workers, parallelism {parallelism}", run


def _run_tables(measurements: Measurements) -> Iterator[Table]:
    runs = list(batch_runs(measurements))
    speed = titled_table("Bloggers per second, from the trigger to success", "run")
    for column in ("bloggers", "seconds", "per second", "CPU seconds", "violations"):
        speed.add_column(column, justify="right")
    for special, run in runs:
        speed.add_row(special, *_figures(run, ("bloggers", "seconds", "per_second", "cpu_seconds", "violations")))
    for run in measurements.get("script", {}).values():
        name = f"bare script, {run['threads']} threads"
        speed.add_row(name, *_figures(run, ("bloggers", "seconds", "per_second", "cpu_seconds")), "")
    if speed.row_count:
        yield speed
    if runs:
        yield _programs_table(runs)
    yield from _ui_tables(runs)


def _programs_table(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    names = list(dict.fromkeys(name for _, run in runs for name in run["programs"]))
    table = titled_table("CPU seconds and peak MB of each program, its children included", "run")
    for name in names:
        table.add_column(name, justify="right")
    for special, run in runs:
        used = [run["programs"].get(name) for name in names]
        cells = [f"{each['cpu_seconds']:.0f} s\n{each['peak_mb']:.0f} MB" if each else "" for each in used]
        table.add_row(f"{special}, {run['bloggers']:,}", *cells)
    return table


def _ui_tables(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Table]:
    for special, run in runs:
        if run["ui"]:
            table = titled_table(f"Airflow's UI during the run ({special}, {run['bloggers']:,} bloggers)", "request")
            table.add_column("95th percentile, s", justify="right")
            for name, seconds in run["ui"].items():
                table.add_row(name, f"{seconds:.2f}")
            yield table


def _plain_table(title: str, measured: Mapping[str, Any], columns: Sequence[str]) -> Table:
    table = titled_table(title, "")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for varied, figures in measured.items():
        table.add_row(f"{int(varied):,}", *_figures(figures, columns))
    return table


def _fairness_table(fairness: Mapping[str, Any]) -> Table:
    table = titled_table(
        f"A small organization beside one of {fairness['accounts']:,} accounts, whose planning takes "
        f"{fairness['planning_ms']:,.0f} ms",
        "load of the large organization",
    )
    for column in ("operation", "median ms", "longest ms", "ratio of medians"):
        table.add_column(column, justify="right")
    for load, waits in fairness["waits"].items():
        for operation, wait in waits.items():
            ratio = fairness["ratios"].get(load, {}).get(operation, "")
            table.add_row(load, operation, *_figures(wait, ("median_ms", "longest_ms")), str(ratio))
    return table


def _reads_table(reads: Mapping[str, Any]) -> Table:
    table = titled_table("What a member reads", "query")
    for column in ("rows", "ms", "large tables read from end to end"):
        table.add_column(column, justify="right")
    for title, read in reads.items():
        table.add_row(title, f"{read['rows']:,}", f"{read['milliseconds']:,}", ", ".join(read["scanned"]) or "none")
    return table


def _page_table(queries: Mapping[str, Any]) -> Table:
    table = titled_table("The Bloggers page", "query")
    for column in ("median ms", "longest ms"):
        table.add_column(column, justify="right")
    for name, query in queries.items():
        table.add_row(name, f"{query['milliseconds']:,}", f"{query['longest']:,}")
    return table


def _history_table(history: Mapping[str, Any]) -> Table:
    table = titled_table(
        f"A year of statistics: {history['rows']:,} rows of {history['accounts']:,} accounts, "
        f"{history['megabytes']:,} MB in {history['partitions']} partitions",
        "",
    )
    table.add_column("ms", justify="right")
    for title, readers in history["milliseconds"].items():
        for reader, milliseconds in readers.items():
            table.add_row(f"{title}, {reader}", f"{milliseconds:,}")
    table.add_row(f"dropping a month of {history['dropped_rows']:,} rows", f"{history['drop_milliseconds']:,}")
    table.add_row(
        f"removing {history['removed_rows']:,} rows of a platform in steps",
        f"{round(history['removal_seconds'] * 1000):,}",
    )
    return table


def _requests_table(requests: Mapping[str, Any]) -> Table:
    table = titled_table("Requests per fetched blogger, over simulated weeks of two runs a day", "accounts")
    for column in ("videos", "requests", *RequestUse):
        table.add_column(column, justify="right")
    for kind, by_target in requests.items():
        for target, figures in by_target.items():
            uses = [str(figures["by_use"].get(use, "")) for use in RequestUse]
            table.add_row(REQUEST_KINDS[kind], target, str(figures["total"]), *uses)
    return table


def _line_tables(line: Mapping[str, Any]) -> Iterator[Table]:
    for delay, runs in line.items():
        columns = ("bloggers", "threads", "seconds", "per_second", "violations")
        yield _plain_table(f"Bare script at a round-trip time of {delay} ms, by organizations", runs, columns)


def _pair_table(pairs: Mapping[str, Any]) -> Table:
    table = titled_table(f"Pairs of runs, median ratio {pairs['median_ratio']}", "pair")
    for column in ("as shipped, s", "in workers, s", "ratio"):
        table.add_column(column, justify="right")
    for number, pair in enumerate(pairs["pairs"], start=1):
        table.add_row(str(number), *_figures(pair, ("shipped_seconds", "workers_seconds", "ratio")))
    return table


def _headline_table(measurements: Measurements) -> Table:
    table = titled_table("Figures", "figure")
    table.add_column("value")
    for name, value in headline(measurements).items():
        if value not in (None, {}):
            table.add_row(name, _by_number(value) if isinstance(value, dict) else str(value))
    return table


def _settings_table(settings: Sequence[tuple[str, str, str]]) -> Table:
    table = titled_table("Settings that differ from the defaults", "setting")
    table.add_column("value", overflow="fold")
    table.add_column("reason")
    for row in settings:
        # Text, because rich would take a section in brackets for markup.
        table.add_row(*map(Text, row))
    return table


def _figures(figures: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    return [f"{figures[column]:,}" for column in columns]


def _by_number(values: Mapping[str, float]) -> str:
    return ", ".join(f"{int(number):,}: {value}" for number, value in values.items())


_TABLES: Mapping[str, Callable[[Mapping[str, Any]], Table]] = {
    "fairness": _fairness_table,
    "member_reads": _reads_table,
    "page": _page_table,
    "history": _history_table,
    "requests": _requests_table,
    "pairs": _pair_table,
}
"""Tables of scenarios that have one table each."""

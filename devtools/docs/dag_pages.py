"""Generate docs/dags.md from the DAG files: `python -m devtools.docs.dag_pages [--check]`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "dags.md"

_INTRODUCTION = """# DAGs

Generated from the files in `dags/` with default settings by `make docs`. Airflow's UI shows the same text for each DAG.
"""


def render_page(dags: Sequence[DAG]) -> str:
    """Return the page of all DAGs."""
    return "\n".join([_INTRODUCTION, *(_section(dag) for dag in dags)])


def read_dags(folder: Path) -> list[DAG]:
    """Return the DAGs of a folder by name. Raises RuntimeError if a file cannot be imported."""
    from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - importing Airflow reads its environment

    bag = DagBag(folder)
    if bag.import_errors:
        raise RuntimeError(f"DAG files cannot be imported: {bag.import_errors}")
    return [bag.dags[name] for name in sorted(bag.dags)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page; with `--check` only compare, and return 1 if the page differs."""
    parser = argparse.ArgumentParser(prog="python -m devtools.docs.dag_pages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if docs/dags.md differs from the DAG files")
    check = parser.parse_args(arguments).check
    with tempfile.TemporaryDirectory(prefix="bt-airflow-") as home:
        _use_defaults(home)
        page = render_page(read_dags(ROOT / "dags"))
    if not check:
        PAGE.write_text(page, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page:
        return 0
    print("docs/dags.md differs from the DAG files. Run `make docs` and commit the page.", file=sys.stderr)
    return 1


def _use_defaults(airflow_home: str) -> None:
    """Keep Airflow's files and the developer's own settings out of the page."""
    for name in [name for name in os.environ if name.startswith(("AIRFLOW__", "BLOGGER_TRACKING_"))]:
        del os.environ[name]
    os.environ["AIRFLOW_HOME"] = airflow_home
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    # The cluster policy and the plugin belong to running instances.
    os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = airflow_home


def _section(dag: DAG) -> str:
    facts = [
        ("schedule", _schedule(dag)),
        ("tags", ", ".join(f"`{tag}`" for tag in sorted(dag.tags))),
        ("active runs at most", str(dag.max_active_runs)),
        ("a run fails after", _duration(dag.dagrun_timeout)),
    ]
    return "\n".join([
        f"## {dag.dag_id}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in facts),
        "",
        "| task | after | retries |",
        "|---|---|---|",
        *_tasks(dag),
        "",
        (dag.doc_md or "").strip(),
        "",
    ])


def _tasks(dag: DAG) -> Iterator[str]:
    for task in dag.topological_sort():  # type: ignore[no-untyped-call]  # published without types
        name = f"`{task.task_id}`" + (", mapped" if task.is_mapped else "")
        after = ", ".join(f"`{task_id}`" for task_id in sorted(task.upstream_task_ids))
        retries = f"{task.retries}, {_duration(task.retry_delay)} apart" if task.retries else "none"
        yield f"| {name} | {after} | {retries} |"


def _schedule(dag: DAG) -> str:
    from airflow.sdk import Asset, AssetAny, AssetOrTimeSchedule, CronTriggerTimetable  # noqa: PLC0415 - importing Airflow reads its environment

    timetable = dag.timetable
    if isinstance(timetable, CronTriggerTimetable):
        return f"`{timetable.expression}`, {timetable.timezone}"
    if isinstance(timetable, AssetOrTimeSchedule):
        cron, asset = timetable.timetable, timetable.asset_condition
        assets = asset.objects if isinstance(asset, AssetAny) else [asset]
        if isinstance(cron, CronTriggerTimetable) and all(isinstance(each, Asset) for each in assets):
            names = " or ".join(f"asset `{each.name}`" for each in assets if isinstance(each, Asset))
            return f"{names}, or `{cron.expression}`, {cron.timezone}"
    if not timetable.can_be_scheduled:
        return "none: runs are triggered"
    raise ValueError(f"{dag.dag_id} has a schedule of an unknown kind: {timetable!r}.")


def _duration(duration: timedelta | float | None) -> str:
    if duration is None:
        return "never"
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:g} min" if minutes and not rest else f"{seconds:g} s"


if __name__ == "__main__":
    sys.exit(main())

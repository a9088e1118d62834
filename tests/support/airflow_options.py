"""Options of the installed Airflow that its reference does not list."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

_READ = re.compile(r'conf\.getint\(\s*section="(\w+)",\s*key="(\w+)",\s*fallback=(\d+),?\s*\)')


def options_of_the_scheduler() -> dict[tuple[str, str], str]:
    """Return the defaults, by section and option, of options that the scheduler reads with a default of its own."""
    spec = find_spec("airflow.jobs.scheduler_job_runner")
    if spec is None or spec.origin is None:
        raise AssertionError("Airflow is not installed")
    source = Path(spec.origin).read_text(encoding="utf-8")
    return {(section, option): default for section, option, default in _READ.findall(source)}

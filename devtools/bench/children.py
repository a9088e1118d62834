"""Measuring in a process of its own, with settings and memory that nothing else has touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from devtools.bench.conditions import BENCH_SETTINGS
from devtools.local_stack.config import PROJECT_ROOT
from devtools.local_stack.errors import StackError


def measure_in_child(
    module: str, order: Mapping[str, object], environment: Mapping[str, str], timeout_seconds: float | None = None
) -> dict[str, Any]:
    """Run a module that reads an order and writes its figures, both as JSON.

    Raises StackError with its last words, or TimeoutExpired once it has been ended.
    """
    done = subprocess.run(
        [sys.executable, "-m", module],
        # Python finds `devtools` in the working directory.
        cwd=PROJECT_ROOT,
        env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT / "include"), **BENCH_SETTINGS, **environment},
        input=json.dumps(order, default=str),
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode != 0:
        raise StackError(f"{module} failed with {done.returncode}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures

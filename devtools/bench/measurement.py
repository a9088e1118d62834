"""Ways of measuring: repeated, in a process of its own, and with the CPU time and memory of a stack's processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import psutil

from devtools.bench.conditions import BENCH_SETTINGS
from devtools.local_stack.config import PROJECT_ROOT, StackError

_TOO_LONG_TO_REPEAT_SECONDS = 120.0
_SAMPLE_SECONDS = 2.0
_MEGABYTE = 1_000_000


class Timed(Protocol):
    """A measurement with a duration."""

    @property
    def seconds(self) -> float:
        """Duration of the measured operation."""


T = TypeVar("T", bound=Timed)


def median_run(measure: Callable[[], T], runs: int) -> T:
    """Return the median of `runs` measurements, or the only one if the first takes two minutes or longer."""
    measured = [measure()]
    if measured[0].seconds < _TOO_LONG_TO_REPEAT_SECONDS:
        measured += [measure() for _ in range(runs - 1)]
    return median_of(measured)


def median_of(measured: Sequence[T]) -> T:
    """Return the median of measurements by their duration."""
    return sorted(measured, key=lambda each: each.seconds)[len(measured) // 2]


def measure_in_child(
    module: str, order: Mapping[str, object], environment: Mapping[str, str], timeout_seconds: float | None = None
) -> dict[str, Any]:
    """Run a module in a process of its own, with fresh memory and settings, and return its figures.

    The module reads its arguments from the standard input and writes its figures to the standard output, both as JSON.
    Raises StackError with the end of the process's error output, or TimeoutExpired after the process was killed.
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
        raise StackError(f"{module} failed with exit code {done.returncode}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU time and memory of one program and its children.

    `peak_mb` counts memory that the processes share once, and is sampled every two seconds.
    """

    cpu_seconds: float
    peak_mb: float


class UsageMeter:
    """Context manager that measures programs, given by their process ids, from the entry of the context on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._programs = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._before = dict.fromkeys(pids, 0.0)
        self._peaks = dict.fromkeys(pids, 0.0)
        self._ended = threading.Event()
        self._sampler = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._before = {name: _cpu_seconds(program) for name, program in self._programs.items()}
        self._sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._sampler.join()

    def usage(self) -> dict[str, Usage]:
        """Return the usage of each program."""
        return {
            name: Usage(round(_cpu_seconds(program) - self._before[name], 1), round(self._peaks[name], 1))
            for name, program in self._programs.items()
        }

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            for name, program in self._programs.items():
                self._peaks[name] = max(self._peaks[name], sum(map(_megabytes, _with_children(program))))


def _with_children(program: psutil.Process) -> Iterable[psutil.Process]:
    return [program, *program.children(recursive=True)]


def _cpu_seconds(program: psutil.Process) -> float:
    return sum(map(_own_cpu_seconds, _with_children(program)))


def _own_cpu_seconds(process: psutil.Process) -> float:
    # The CPU time of a child that has ended is part of its parent's `children_user` and `children_system`.
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system + times.children_user + times.children_system


def _megabytes(process: psutil.Process) -> float:
    try:
        memory = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0.0
    # Only Linux reports each process' part of shared memory (pss).
    return getattr(memory, "pss", memory.uss) / _MEGABYTE

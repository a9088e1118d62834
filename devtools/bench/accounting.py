"""What the processes of a stack use: CPU seconds and memory, of each program with all its children."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

_SAMPLE_SECONDS = 2.0
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one program. `peak_mb` counts memory that its processes share once, and is sampled every two seconds."""

    cpu_seconds: float
    peak_mb: float


class Accounting:
    """Measures the programs with these process ids while its context lasts; `usage()` is of the time since then."""

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
        """By program."""
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
    # What children used that have ended is in the account of the parent that waited for them.
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
    # Only Linux says how much of the shared memory is a process' own part.
    return getattr(memory, "pss", memory.uss) / _MEGABYTE

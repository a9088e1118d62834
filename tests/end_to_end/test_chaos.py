"""A short part of `make chaos`: kinds of several themes on a stack of their own, each try with a small fleet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from blogger_tracking.database.connections import connect
from blogger_tracking.database.rows import fetch_value
from devtools.chaos.chaos_stack import ChaosStack
from devtools.chaos.conditions import Sizes, chaos_stack
from devtools.chaos.harness import Harness, TryResult
from devtools.chaos.kinds.table import KINDS
from devtools.chaos.world_oracle import WorldOracle
from devtools.local_stack.batch_run import BATCH_DAG
from devtools.platform_sandbox import World
from tests.support.running_stack import thrown_away

SEED = "a short part"


@dataclass(frozen=True)
class Traces:
    """The processes of the stack and the number of planned batch runs, at one moment."""

    pids: Mapping[str, int]
    runs: int


@dataclass(frozen=True)
class Try:
    """A try, and the traces before and after it."""

    before: Traces
    result: TryResult
    after: Traces

    def replaced(self, program: str) -> bool:
        return self.before.pids[program] != self.after.pids[program]

    def failed_lines(self) -> bool:
        return any(note.startswith("failed lines: ") and note != "failed lines: 0" for note in self.result.notes)


EFFECTS: Mapping[str, Callable[[Try], bool]] = {
    "api-server-killed": lambda tried: tried.replaced("api-server"),
    "triggerer-killed": lambda tried: tried.replaced("triggerer"),
    "saving-line-cut-before-commit": Try.failed_lines,
    "saving-line-cut-after-commit": Try.failed_lines,
    "run-marked-failed": lambda tried: tried.result.state == "failed",
    # Beside the run and its follow-up.
    "manual-run-during-a-run": lambda tried: tried.after.runs - tried.before.runs > 2,
}
"""The kinds that are tried, each with the check that its disturbance took effect."""


@pytest.fixture(scope="module")
def stack() -> Iterator[ChaosStack]:
    with (
        tempfile.TemporaryDirectory(prefix="bt-chaos-") as folder,
        thrown_away(ChaosStack(chaos_stack(Path(folder)), print)) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def harness(stack: ChaosStack) -> Harness:
    sandbox = stack.config.sandbox
    oracle = WorldOracle(World(sandbox.seed, sandbox.creators or 0))
    measured = Harness(stack, oracle, SEED, Sizes(per_platform=4), print)
    measured.measure_undisturbed(1, warm_up=False)
    return measured


def traces(stack: ChaosStack) -> Traces:
    with connect(stack.admin_dsn) as connection:
        runs = fetch_value(connection, "select count(*) from blogger_tracking.runs where dag_id = %s", (BATCH_DAG,))
    return Traces(stack.pids, runs)


@pytest.mark.parametrize("kind", EFFECTS)
def test_a_disturbed_run_fetches_everybody_once(stack: ChaosStack, harness: Harness, kind: str) -> None:
    before = traces(stack)
    result = harness.disturb(KINDS[kind])
    assert result.violations == []
    assert EFFECTS[kind](Try(before, result, traces(stack)))

"""A short part of `make chaos`: kinds of several themes on a stack of their own, each try with a small fleet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.chaos.chaos_stack import ChaosStack
from devtools.chaos.conditions import Sizes, chaos_stack
from devtools.chaos.harness import Harness
from devtools.chaos.kinds.table import KINDS
from devtools.chaos.world_oracle import WorldOracle
from devtools.platform_sandbox import World
from tests.support.running_stack import thrown_away

SEED = "a short part"


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    with tempfile.TemporaryDirectory(prefix="bt-chaos-") as folder:
        config = chaos_stack(Path(folder))
        with thrown_away(ChaosStack(config, print)) as stack:
            oracle = WorldOracle(World(config.sandbox.seed, config.sandbox.creators or 0))
            measured = Harness(stack, oracle, SEED, Sizes(per_platform=4), print)
            measured.measure_undisturbed(1, warm_up=False)
            yield measured


@pytest.mark.parametrize(
    "kind",
    [
        "api-server-killed",
        "triggerer-killed",
        "saving-line-cut-before-commit",
        "saving-line-cut-after-commit",
        "run-marked-failed",
        "manual-run-during-a-run",
    ],
)
def test_a_disturbed_run_fetches_everybody_once(harness: Harness, kind: str) -> None:
    assert harness.disturb(KINDS[kind]).violations == []

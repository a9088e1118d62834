"""Tries of an attack, and their results by area."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from devtools.attack.target import Target


@dataclass(frozen=True, slots=True)
class Try:
    """One try. `held` is True if the system repelled the try; `found` is what happened."""

    name: str
    held: bool
    found: str


Area = Callable[[Target], Iterator[Try]]
"""A function that makes the tries of one area."""


@dataclass(frozen=True, slots=True)
class AreaResult:
    """Number of tries of an area, and those that were not repelled."""

    tries: int
    failed: tuple[Try, ...]

    @property
    def held(self) -> int:
        """Number of tries that were repelled."""
        return self.tries - len(self.failed)


def attack(
    target: Target, areas: Mapping[str, Area], progress: Callable[[str], None] = lambda _: None
) -> dict[str, AreaResult]:
    """Make all tries of these areas, and return the results by area. An error in an area counts as a failed try."""
    results = {}
    for name, area in areas.items():
        tries: list[Try] = []
        try:
            for each in area(target):
                tries.append(each)  # noqa: PERF402 - the tries before an error count
        except Exception as error:  # noqa: BLE001 - whatever an attack raises must not hide the other areas
            tries.append(Try("the whole area", held=False, found=repr(error)))
        progress(f"{name}: {len(tries)} tries")
        results[name] = AreaResult(len(tries), tuple(each for each in tries if not each.held))
    return results


def as_json(results: Mapping[str, AreaResult]) -> dict[str, Any]:
    """Return the results as they are written to `var/attack.json`."""
    return {
        name: {"tries": result.tries, "held": result.held, "failed": [asdict(each) for each in result.failed]}
        for name, result in results.items()
    }

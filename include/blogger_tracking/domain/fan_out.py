"""Fan-out: the assignment of a run's bloggers to mapped task instances. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.planning import PlannedFetch

T = TypeVar("T")

LABEL_LIMIT = 250
"""Length in characters of the column with an instance's label (Airflow's `task_instance.rendered_map_index`)."""


def bloggers_per_instance(bloggers: int, *, max_instances: int, fixed: int | None = None) -> int:
    """Return the number of bloggers per task instance, so that a platform has at most `max_instances` instances.

    `fixed` is the number from the settings; a number that would need more instances is raised to the smallest that does
    not.
    """
    needed = max(1, ceil(bloggers / max_instances))
    return max(needed, fixed or 1)


def split_evenly(items: Sequence[T], parts: int) -> list[Sequence[T]]:
    """Cut `items` into consecutive parts whose sizes differ by at most one."""
    size, larger = divmod(len(items), parts)
    cut: list[Sequence[T]] = []
    start = 0
    for index in range(parts):
        end = start + size + (index < larger)
        cut.append(items[start:end])
        start = end
    return cut


def assign_instances(items: Sequence[T], *, max_instances: int, fixed: int | None = None) -> list[Sequence[T]]:
    """Return the bloggers of each task instance, by map index; no instance is empty."""
    if not items:
        return []
    per_instance = bloggers_per_instance(len(items), max_instances=max_instances, fixed=fixed)
    return split_evenly(items, ceil(len(items) / per_instance))


@dataclass(frozen=True, slots=True)
class Placement:
    """A planned fetch with the Airflow task instance that executes it."""

    fetch: PlannedFetch
    task_id: str
    map_index: int


def fetch_task_id(platform: Platform) -> str:
    """Return the id of the mapped task that fetches a platform's bloggers in the batch run."""
    return f"fetch_{platform.slug}"


def place_by_platform(
    fetches: Sequence[PlannedFetch], *, max_instances: int, fixed: int | None = None
) -> list[Placement]:
    """Distribute the fetches of a run over the mapped instances of one task per platform."""
    return [
        Placement(fetch, fetch_task_id(platform), map_index)
        for platform in Platform
        for map_index, instance in enumerate(
            assign_instances(
                [fetch for fetch in fetches if fetch.platform is platform], max_instances=max_instances, fixed=fixed
            )
        )
        for fetch in instance
    ]


def instance_label(platform: Platform, usernames: Sequence[str]) -> str:
    """Return the label of a task instance: `YouTube · @name`, or `YouTube · 12 bloggers: @first … @last`."""
    if len(usernames) == 1:
        return f"{platform} · @{usernames[0]}"[:LABEL_LIMIT]
    return f"{platform} · {len(usernames)} bloggers: @{usernames[0]} … @{usernames[-1]}"[:LABEL_LIMIT]

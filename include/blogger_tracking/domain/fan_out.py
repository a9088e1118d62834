"""Fan-out: which task instance carries which bloggers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

from blogger_tracking.domain.models import Platform
from blogger_tracking.domain.planning import PlannedFetch

T = TypeVar("T")

LABEL_LIMIT = 250
"""Characters that Airflow keeps of an instance's label (`task_instance.rendered_map_index`)."""


def bloggers_per_instance(bloggers: int, *, max_instances: int, fixed: int | None = None) -> int:
    """How many bloggers share an instance, so that no platform has more than `max_instances` of them.

    `fixed` is the operator's own choice; it gives way where it would need more instances than that.
    """
    needed = max(1, ceil(bloggers / max_instances))
    return max(needed, fixed or 1)


def share_evenly(items: Sequence[T], instances: int) -> list[Sequence[T]]:
    """Cut `items` into `instances` consecutive parts whose sizes differ by at most one."""
    size, larger = divmod(len(items), instances)
    parts: list[Sequence[T]] = []
    start = 0
    for index in range(instances):
        end = start + size + (index < larger)
        parts.append(items[start:end])
        start = end
    return parts


def assign_instances(items: Sequence[T], *, max_instances: int, fixed: int | None = None) -> list[Sequence[T]]:
    """The bloggers of each task instance, by map index; no instance is empty."""
    if not items:
        return []
    per_instance = bloggers_per_instance(len(items), max_instances=max_instances, fixed=fixed)
    return share_evenly(items, ceil(len(items) / per_instance))


@dataclass(frozen=True, slots=True)
class Placement:
    """The Airflow task instance that carries a planned fetch."""

    fetch: PlannedFetch
    task_id: str
    map_index: int


def fetch_task_id(platform: Platform) -> str:
    """The id of the mapped task that fetches a platform's bloggers in the batch run."""
    return f"fetch_{platform.slug}"


def place_by_platform(
    fetches: Sequence[PlannedFetch], *, max_instances: int, fixed: int | None = None
) -> list[Placement]:
    """Spread the fetches of a run over the mapped instances of one task per platform."""
    return [
        Placement(fetch, fetch_task_id(platform), map_index)
        for platform in Platform
        for map_index, shared in enumerate(
            assign_instances(
                [fetch for fetch in fetches if fetch.platform is platform], max_instances=max_instances, fixed=fixed
            )
        )
        for fetch in shared
    ]


def instance_label(platform: Platform, usernames: Sequence[str]) -> str:
    """Who an instance is for: `YouTube · @name`, or `YouTube · 12 bloggers: @first … @last`."""
    if len(usernames) == 1:
        return f"{platform} · @{usernames[0]}"[:LABEL_LIMIT]
    return f"{platform} · {len(usernames)} bloggers: @{usernames[0]} … @{usernames[-1]}"[:LABEL_LIMIT]

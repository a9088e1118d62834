"""How long somebody waits for a blogger's first videos: from `POST /blogger/add` until they are saved."""

from __future__ import annotations

from statistics import median

from blogger_tracking.database.connections import connect
from blogger_tracking.domain.models import Platform
from devtools.bench.fleet import Fleets
from devtools.local_stack.adding import Person
from devtools.local_stack.stack import Stack


def measure_additions(stack: Stack, fleets: Fleets, additions: int) -> list[float]:
    """The seconds of so many additions, one after the other, the first of a stack left out."""
    platforms = list(Platform)
    with connect(stack.admin_dsn) as connection:
        organization = fleets.organization(connection, "Additions")
        person = Person(stack, fleets.owner(connection, organization), organization)
        added = [
            person.add(connection, platform, fleets.untracked(platform).username)
            for platform in (platforms[number % len(platforms)] for number in range(1 + additions))
        ]
    return [addition.seconds for addition in added[1:]]


def median_seconds(waits: list[float]) -> float:
    """The one in the middle."""
    return round(median(waits), 2)

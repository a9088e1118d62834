"""Rendered answers, the least recently used ones dropped first, bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from devtools.platform_sandbox.messages import Response


class BodyCache:
    """Keeps answers up to a total weight of their bodies."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._weight = 0
        self._kept: OrderedDict[Hashable, Response] = OrderedDict()

    def get(self, key: Hashable) -> Response | None:
        """The answer kept under a key."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, response: Response) -> None:
        """Keep an answer under a key that holds none yet."""
        self._kept[key] = response
        self._weight += len(response.body)
        while self._weight > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self._weight -= len(dropped.body)

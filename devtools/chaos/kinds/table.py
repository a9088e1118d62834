"""All kinds of disturbances, by theme, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Mapping

from devtools.chaos.kinds import clock, data, hands, lines, platforms, processes, runs
from devtools.chaos.kinds.kind import Kind

_THEMES = (processes, lines, runs, hands, data, platforms, clock)

KINDS: Mapping[str, Kind] = {kind.name: kind for theme in _THEMES for kind in theme.KINDS}

"""Cache of values that are created once per process."""

from __future__ import annotations

from typing import Any

import pytest

from blogger_tracking.orchestration.process_cache import cached_in_process


def test_a_value_is_created_once_for_each_argument_and_every_argument_has_to_be_positional() -> None:
    made: list[str] = []

    @cached_in_process
    def make(name: str) -> str:
        made.append(name)
        return name

    assert [make(name) for name in ("one", "two", "one")] == ["one", "two", "one"]
    assert made == ["one", "two"]
    by_name: Any = make
    with pytest.raises(TypeError):
        by_name(name="three")

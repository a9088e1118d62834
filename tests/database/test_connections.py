"""Errors of connection strings that cannot be used: they name no part of a password."""

from __future__ import annotations

import re

import pytest

from blogger_tracking.database.connections import connect
from blogger_tracking.domain.errors import DatabaseStateError

UNESCAPED = {
    "one @": "firstpart@secondpart",
    "two @": "firstpart@secondpart@thirdpart",
    "@ and :": "firstpart@secondpart:thirdpart",
    "a space": "firstpart secondpart",
    "@ and a space": "firstpart@secondpart thirdpart",
    "@ and a question mark": "firstpart@secondpart?thirdpart",
    "@ and a parameter": "firstpart@secondpart?dbname=thirdpart",
}


@pytest.mark.parametrize("case", UNESCAPED)
def test_no_part_of_an_unescaped_password_is_in_the_error(case: str) -> None:
    with (
        pytest.raises(DatabaseStateError, match="Cannot connect") as raised,
        connect(f"postgresql://login:{UNESCAPED[case]}@127.0.0.1:1/db"),
    ):
        pass
    assert not [part for part in re.split(r"[@: ?=]", UNESCAPED[case]) if part in str(raised.value)]


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(DatabaseStateError, match=r"host\.invalid"), connect("postgresql://login@host.invalid/db"):
        pass

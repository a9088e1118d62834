"""Tests that need programs that not every machine has."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_unless_required(reason: str) -> NoReturn:
    """Skip the test, or fail it if `TEST_TRIAL_REQUIRED` is set.

    `.ci/run` installs the programs and sets the variable: a skipped test would go unnoticed there.
    """
    (pytest.fail if "TEST_TRIAL_REQUIRED" in os.environ else pytest.skip)(reason)

"""docs/security.md: every promise names a test that exists, and the page is linked."""

from __future__ import annotations

import re

import pytest

from devtools.attack.areas import AREAS
from devtools.local_stack.config import PROJECT_ROOT

_PAGE = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")
_PROMISES = re.findall(r"^\| (?!promise |-)(.+?) \| (.+) \|$", _PAGE, re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)`")


def test_organizations_people_and_operators_have_promises_and_limits_are_named() -> None:
    headings = re.findall(r"^## (.+)$", _PAGE, re.MULTILINE)
    assert headings == [
        "Promised to organizations",
        "Promised to people",
        "Promised to operators",
        "Not promised",
    ]
    assert len(_PROMISES) > 20
    assert "](../SECURITY.md) says how to report a hole" in _PAGE


@pytest.mark.parametrize(("promise", "tests"), _PROMISES)
def test_every_promise_names_tests_that_exist(promise: str, tests: str) -> None:
    named = _TEST.findall(tests)
    assert named, promise
    for file in named:
        assert "\ndef test_" in (PROJECT_ROOT / file).read_text(encoding="utf-8"), file


def test_the_page_is_linked_from_the_readme_and_the_index() -> None:
    assert "](docs/security.md)" in (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
    assert "](security.md)" in (PROJECT_ROOT / "docs" / "README.md").read_text(encoding="utf-8")


def test_the_attack_searches_for_secrets_last() -> None:
    assert [*AREAS][-1] == "secrets"

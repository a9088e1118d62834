"""Imports of the image and of the development code, compared with the requirements of each."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions

import pytest

from devtools.local_stack.config import PROJECT_ROOT

IMAGE = ("include", "dags", "plugins")
DEVELOPMENT = ("devtools", "tests")
_OWN = {"blogger_tracking", "devtools", "tests", "dags"}

_COMES_WITH = {"psycopg_pool": "psycopg", "cryptography": "pyjwt", "urllib3": "requests"}
"""Modules of extras (`psycopg[pool]`, `PyJWT[crypto]`) and of a library whose errors and adapters requests exposes."""

_distributions_of_modules = cache(packages_distributions)


def _imported(*folders: str) -> set[str]:
    """Return the top-level modules that files below the folders import at any place in the file."""
    return {
        module
        for folder in folders
        for file in (PROJECT_ROOT / folder).rglob("*.py")
        for module in _modules(ast.parse(file.read_text(encoding="utf-8")))
    }


def _modules(tree: ast.Module) -> Iterator[str]:
    """Yield the top-level modules that running the code imports, without imports for type checkers."""
    for_types = {
        statement
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for statement in node.body
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _required(file: str) -> set[str]:
    lines = (PROJECT_ROOT / file).read_text(encoding="utf-8").splitlines()
    return {_normal(re.split(r"[=\[]", line)[0]) for line in lines if line and not line.startswith("#")}


def _distributions(module: str) -> set[str]:
    # All distributions of Airflow share one module; apache-airflow itself only requires the other distributions.
    named = {_normal(name) for name in _distributions_of_modules().get(module, [])}
    named |= {_COMES_WITH[module]} if module in _COMES_WITH else set()
    return named | {"apache-airflow"} if module == "airflow" else named


def _third_party(*folders: str) -> set[str]:
    return _imported(*folders) - set(sys.stdlib_module_names) - _OWN


@pytest.mark.parametrize("folder", IMAGE)
def test_the_image_imports_no_development_tool(folder: str) -> None:
    assert _imported(folder) & {"devtools", "tests"} == set()


def test_every_import_of_the_image_is_in_its_requirements() -> None:
    required = _required("requirements.txt")
    assert {module for module in _third_party(*IMAGE) if not _distributions(module) & required} == set()


def test_the_images_requirements_have_no_library_that_only_development_imports() -> None:
    needed = {name for module in _third_party(*IMAGE) for name in _distributions(module)}
    developed = {name for module in _third_party(*DEVELOPMENT) for name in _distributions(module)}
    assert (_required("requirements.txt") & developed) - needed == set()


def test_every_import_of_development_code_is_in_some_requirements() -> None:
    required = {
        name
        for file in ("requirements.txt", "requirements-dev.txt", "devtools/requirements.txt")
        for name in _required(file)
    }
    assert {module for module in _third_party(*DEVELOPMENT) if not _distributions(module) & required} == set()


def test_the_local_stack_needs_no_library_that_only_tests_need() -> None:
    only_tests = _required("requirements-dev.txt") - _required("devtools/requirements.txt")
    used = {name for module in _third_party("devtools/local_stack") for name in _distributions(module)}
    assert used & only_tests == set()


def test_imports_are_found_at_any_level_of_the_code() -> None:
    tree = ast.parse(
        "import a.b\nfrom c.d import e\nfrom . import f\ndef g():\n    import h\nif TYPE_CHECKING:\n    import t\n"
    )
    assert sorted(_modules(tree)) == ["a", "c", "h"]

"""The built files of the Bloggers page, which are in the repository."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.local_stack.config import PROJECT_ROOT
from tests.support.page_sources import MISSING, NPM, SOURCES, installed_sources, npm

BUILT = PROJECT_ROOT / "include" / "blogger_tracking" / "page" / "static"

needs_npm = pytest.mark.skipif(NPM is None, reason=MISSING)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a copy of the sources with their packages."""
    copy = installed_sources(tmp_path_factory.mktemp("page"))
    yield copy
    shutil.rmtree(copy)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@needs_npm
@pytest.mark.long
def test_the_built_files_are_what_the_sources_give(installed: Path, tmp_path: Path) -> None:
    npm(installed, "run", "build", "--", "--outDir", str(tmp_path / "built"))
    built = contents(tmp_path / "built")
    assert built.keys() == {"bloggers.js", "icon.svg", "icon-dark.svg"}
    assert contents(BUILT) == built, "run make page and commit the files"


@needs_npm
@pytest.mark.long
def test_the_tests_of_the_sources_pass(installed: Path) -> None:
    npm(installed, "test")


def test_the_lock_file_names_no_registry() -> None:
    """Every mirror of the registry can serve the packages, which the lock file names by version and hash."""
    lock = (SOURCES / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert '"resolved"' not in lock


def test_the_page_uses_the_react_of_airflow_and_no_markup_from_texts() -> None:
    script = (BUILT / "bloggers.js").read_text(encoding="utf-8")
    for name in ("React", "ReactJSXRuntime", "ReactRouterDOM", "ChakraUI"):
        assert re.search(rf"\b{name}\b", script[-200:]), name
    for forbidden in ("dangerouslySetInnerHTML", "innerHTML", "eval(", "new Function", "document.write"):
        assert forbidden not in script, forbidden


def test_the_page_names_no_outside_host() -> None:
    """Namespaces of SVG and placeholders of the form are no addresses that the page requests."""
    hosts = set(re.findall(r"https?://([\w.-]+)", (BUILT / "bloggers.js").read_text(encoding="utf-8")))
    assert hosts <= {"www.youtube.com", "www.w3.org"}

"""Claims of the documents that a program can check: links, paths and make targets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.local_stack.config import PROJECT_ROOT

DOCUMENTS = [
    *(PROJECT_ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    *sorted((PROJECT_ROOT / "docs").rglob("*.md")),
]
PACKAGE = PROJECT_ROOT / "include" / "blogger_tracking"

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)\s]*)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"\.?[\w-][\w.-]*(?:/[\w.-]+)*(?:/|\.(?:py|sql|md|toml|yml|yaml|svg|sh|txt|lock|cfg))")
_PASSWORD_ARGUMENT = re.compile(
    r"^.*\b(?:psql|pg_dump|pg_restore) [^`\n]*(?:\$\{?\w*(?:URL|CONN)|://|password=).*$", re.MULTILINE
)
_TARGET = re.compile(r"(?:`|^)make ([a-z][a-z-]*)", re.MULTILINE)

# Written by `make run` and `make bench`, never committed.
_GENERATED = ("var/",)
# CONTRIBUTING.md's example of a platform that does not exist.
_EXAMPLE = "vidly"


def _name(document: Path) -> str:
    return document.relative_to(PROJECT_ROOT).as_posix()


def _links(document: Path) -> Iterator[tuple[Path, str]]:
    for link in _LINK.findall(_FENCE.sub("", document.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        yield (document.parent / path).resolve() if path else document, anchor


def _anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    headings = _HEADING.findall(_FENCE.sub("", document.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def _named_paths(document: Path) -> Iterator[str]:
    for code in _CODE.findall(_FENCE.sub("", document.read_text(encoding="utf-8"))):
        if _PATH.fullmatch(code) and not code.startswith(_GENERATED) and _EXAMPLE not in code:
            yield code


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading(document: Path) -> None:
    dead = [
        f"{path}#{anchor}"
        for path, anchor in _links(document)
        if not path.exists() or (anchor and anchor not in _anchors(path))
    ]
    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_path_that_is_named_exists(document: Path) -> None:
    places = (PROJECT_ROOT, PACKAGE, document.parent)
    # A page about one folder may name modules without the folder.
    modules = [f"/{file.relative_to(PACKAGE).as_posix()}" for file in PACKAGE.rglob("*.py")]
    assert [
        path
        for path in _named_paths(document)
        if not any((place / path).exists() for place in places)
        and not any(module.endswith(f"/{path}") for module in modules)
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_every_target_of_make_that_is_named_exists(document: Path) -> None:
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    assert set(_TARGET.findall(document.read_text(encoding="utf-8"))) - targets == set()


def test_the_index_names_every_document_of_the_folder() -> None:
    index = PROJECT_ROOT / "docs" / "README.md"
    linked = {path for path, _ in _links(index)}
    assert [_name(page) for page in sorted(index.parent.rglob("*.md")) if page != index and page not in linked] == []


def test_decisions_are_numbered_without_a_gap_and_have_the_same_sections() -> None:
    decisions = sorted((PROJECT_ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(decision.name[:4]) for decision in decisions] == list(range(1, len(decisions) + 1))
    for decision in decisions:
        sections = re.findall(r"^## (.+)$", decision.read_text(encoding="utf-8"), re.MULTILINE)
        assert sections == ["Context", "Decision", "Measured"], decision.name


def test_code_that_refers_to_a_document_names_one_that_exists() -> None:
    dead = []
    for folder in ("include", "dags", "plugins", "devtools", "tests"):
        for file in (PROJECT_ROOT / folder).rglob("*"):
            if file.suffix not in {".py", ".sql"} or file == Path(__file__):
                continue
            for path, anchor in re.findall(r"\b(docs/[\w./-]+\.md)(?:#([\w-]+))?", file.read_text(encoding="utf-8")):
                document = PROJECT_ROOT / path
                if not document.exists() or (anchor and anchor not in _anchors(document)):
                    dead.append(f"{file.relative_to(PROJECT_ROOT)}: {path}#{anchor}")
    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_no_command_has_a_connection_string_among_its_arguments(document: Path) -> None:
    # Other users of the machine see the arguments, and in a connection string the password.
    assert _PASSWORD_ARGUMENT.findall(document.read_text(encoding="utf-8")) == []

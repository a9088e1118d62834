"""The check of the project's language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from devtools.checks.prose import QUESTION_WORDS, REPLACED_WORDS, check_paths, main, replaced_words

GLOSSARY = Path(__file__).parents[3] / "docs" / "glossary.md"


def messages(file: Path, text: str) -> list[str]:
    file.write_text(text, encoding="utf-8")
    return [f"{finding.line}: {finding.message}" for finding in check_paths([file])]


def replacements_in_the_glossary() -> list[tuple[str, str]]:
    """Return each replaced word of the glossary's last table with the word to use."""
    rows = GLOSSARY.read_text(encoding="utf-8").split("## Replaced words")[1].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("| `")]
    return [(word, better) for old, better in cells for word in re.findall(r"`([^`]+)`", old)]


@pytest.mark.parametrize("word", sorted(QUESTION_WORDS))
def test_a_docstring_must_not_begin_with_a_question_word(tmp_path: Path, word: str) -> None:
    found = messages(tmp_path / "module.py", f'def f():\n    """{word.title()} is returned."""\n')
    assert found == [f"2: a docstring begins with {word.title()!r}; begin with a verb or a noun"]


def test_the_description_of_a_constant_must_not_begin_with_a_question_word(tmp_path: Path) -> None:
    assert len(messages(tmp_path / "module.py", 'LIMIT = 1\n"""How many."""\n')) == 1


def test_a_question_word_inside_a_docstring_is_allowed(tmp_path: Path) -> None:
    assert messages(tmp_path / "module.py", '"""Return the reason why."""\nquestion = "Why?"\n') == []


@pytest.mark.parametrize("name", ["module.py", "page.md", "statement.sql", "project.toml", "compose.yml"])
def test_a_replaced_word_is_found_in_every_kind_of_text(tmp_path: Path, name: str) -> None:
    text = "# \n# the Wishes\n" if name != "statement.sql" else "--\n-- the Wishes\n"
    assert messages(tmp_path / name, text) == ["2: say 'pending initial fetch' instead of 'Wishes'"]


def test_a_longer_word_is_not_a_replaced_word() -> None:
    assert list(replaced_words("misunderstood, wishful, space, surfaced, spent_until_now")) == []


def test_a_file_of_another_kind_is_not_checked(tmp_path: Path) -> None:
    assert messages(tmp_path / "data.json", '{"verdict": 1}') == []


def test_an_installed_package_of_npm_is_not_checked(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "package"
    package.mkdir(parents=True)
    (package / "README.md").write_text("left alone", encoding="utf-8")
    assert check_paths([tmp_path]) == []


def test_the_exit_code_is_1_if_there_are_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "page.md"
    file.write_text("left alone", encoding="utf-8")
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{file}:1: say 'suspended' instead of 'left alone'\n"
    file.write_text("suspended", encoding="utf-8")
    assert main([str(tmp_path)]) == 0


def test_the_glossary_and_the_check_agree_on_every_replaced_word() -> None:
    listed = replacements_in_the_glossary()
    assert [list(replaced_words(word)) for word, _ in listed] == [[pair] for pair in listed]
    not_listed = [
        pattern
        for pattern in REPLACED_WORDS
        if not any(re.fullmatch(pattern, word, re.IGNORECASE) for word, _ in listed)
    ]
    assert not_listed == []


def test_the_glossary_itself_is_exempt() -> None:
    assert check_paths([GLOSSARY]) == []

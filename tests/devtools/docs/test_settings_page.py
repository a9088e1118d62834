"""The generated reference of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from blogger_tracking.settings import Settings
from devtools.docs import settings_page


def test_the_page_agrees_with_the_settings() -> None:
    assert settings_page.main(["--check"]) == 0, "run make docs"


def test_every_setting_is_on_the_page_once_below_a_heading() -> None:
    groups = settings_page.read_groups()
    assert "" not in groups
    assert [name for names in groups.values() for name in names] == list(Settings.model_fields)


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_description_consists_of_sentences(name: str) -> None:
    description = Settings.model_fields[name].description or ""
    assert description[:1].isupper()
    assert description.endswith(".")


@pytest.mark.parametrize("unit", ["seconds", "minutes", "hours", "bytes"])
def test_a_setting_with_a_unit_in_its_name_names_the_unit_in_its_description(unit: str) -> None:
    named = {name: field for name, field in Settings.model_fields.items() if unit in name.split("_")}
    assert named
    assert [name for name, field in named.items() if f"in {unit}" not in str(field.description)] == []


def test_a_page_that_differs_fails_the_check_until_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings_page, "PAGE", tmp_path / "settings.md")
    assert settings_page.main(["--check"]) == 1
    assert "run make docs" in capsys.readouterr().out
    assert settings_page.main([]) == 0
    assert settings_page.main(["--check"]) == 0
    assert "| `BLOGGER_TRACKING_LEASE_MINUTES` | `15` | Lease of a fetch attempt, in minutes." in render_of(tmp_path)


def render_of(folder: Path) -> str:
    return (folder / "settings.md").read_text(encoding="utf-8")

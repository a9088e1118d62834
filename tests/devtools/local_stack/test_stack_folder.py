from __future__ import annotations

import stat
from dataclasses import asdict
from pathlib import Path

import pytest

from devtools.local_stack.config import StackError
from devtools.local_stack.stack_folder import StackSecrets, load_secrets


def test_secrets_are_generated_once_for_a_folder(tmp_path: Path) -> None:
    assert load_secrets(tmp_path) == load_secrets(tmp_path)


def test_no_two_stacks_share_a_secret_or_a_name() -> None:
    one, other = asdict(StackSecrets()), asdict(StackSecrets())

    assert not set(one.values()) & set(other.values())


def test_only_the_owner_can_read_the_secrets_file(tmp_path: Path) -> None:
    load_secrets(tmp_path)

    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_no_secret_shows_in_a_repr() -> None:
    generated = StackSecrets()
    secret = [value for name, value in asdict(generated).items() if name != "deployment"]

    assert not [value for value in secret if value in repr(generated)]


def test_a_damaged_secrets_file_is_reported_and_kept(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")

    with pytest.raises(StackError, match=r"secrets\.json"):
        load_secrets(tmp_path)

    assert (tmp_path / "secrets.json").read_text() == "{"

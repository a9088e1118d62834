"""The steps and commands of docs/deployment.md that need no container, executed as the page prints them."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from devtools.local_stack.config import PROJECT_ROOT
from tests.support.compose_file import MissingValueError, read_services

_PAGE = (PROJECT_ROOT / "docs" / "deployment.md").read_text()
_SECTION = _PAGE.partition("## From a fresh machine")[2].partition("\n## ")[0]
_STEPS = dict(re.findall(r"^(\d+)\. (.+?)(?=^\d+\. |^Then )", _SECTION, re.MULTILINE | re.DOTALL))
_NAME = re.compile(r"`([A-Z]+(?:_[A-Z]+)+)`")
_COMPOSE_FILE = PROJECT_ROOT / "docker-compose.yml"

_CONNECTION = """
from airflow.models import Connection
from airflow.utils.session import create_session
with create_session() as session:
    {statement}
"""
_ADD = "session.add(Connection(conn_id='kept', conn_type='http', password='a password'))"
_READ = "print('read', session.query(Connection).filter_by(conn_id='kept').one().password)"


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    """The file `.env` of step 2."""
    shutil.copy(PROJECT_ROOT / ".env.example", tmp_path)
    [commands] = re.findall(r"```sh\n(.+?)```", _STEPS["2"], re.DOTALL)
    subprocess.run(["/bin/sh", "-euc", commands], cwd=tmp_path, check=True)
    return tmp_path / ".env"


def _filled_by_the_steps(env_file: Path) -> set[str]:
    """Fill the file in as the steps 3 to 5 say, and return the names of the variables."""
    before, _, fernet = _STEPS["3"].partition("`AIRFLOW_FERNET_KEY`")
    values = dict.fromkeys(_NAME.findall(before), _output_of(before))
    values["AIRFLOW_FERNET_KEY"] = _output_of(fernet)
    values |= dict.fromkeys(_NAME.findall(_STEPS["4"] + _STEPS["5"]), "filled")
    text = env_file.read_text(encoding="utf-8")
    for name, value in values.items():
        text, count = re.subn(rf"^{name}=$", f"{name}={value}", text, flags=re.MULTILINE)
        assert count == 1, name
    env_file.write_text(text, encoding="utf-8")
    return set(values)


def _output_of(step: str) -> str:
    """Execute the first command of openssl in a text."""
    command = re.findall(r"`(openssl [^`]+)`", step)[0]
    return subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()


def test_nobody_else_may_read_the_file_of_step_2(env_file: Path) -> None:
    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600


def test_the_steps_name_exactly_the_variables_that_the_default_profile_demands(env_file: Path) -> None:
    with pytest.raises(MissingValueError):
        read_services(_COMPOSE_FILE, env_file)
    names = _filled_by_the_steps(env_file)
    assert read_services(_COMPOSE_FILE, env_file)
    filled = env_file.read_text(encoding="utf-8")
    for name in names:
        env_file.write_text(re.sub(rf"^{name}=.*$", f"{name}=", filled, flags=re.MULTILINE), encoding="utf-8")
        with pytest.raises(MissingValueError, match=name):
            read_services(_COMPOSE_FILE, env_file)


def test_the_fernet_key_of_step_3_is_one(env_file: Path) -> None:
    _filled_by_the_steps(env_file)
    [key] = re.findall(r"^AIRFLOW_FERNET_KEY=(.+)$", env_file.read_text(encoding="utf-8"), re.MULTILINE)
    assert Fernet(key).decrypt(Fernet(key).encrypt(b"a password")) == b"a password"


@pytest.mark.long
def test_what_the_old_fernet_key_encrypted_is_read_with_the_new_one_after_the_rotation(tmp_path: Path) -> None:
    [command] = re.findall(r"run `docker compose exec scheduler airflow (.+?)`", _PAGE)
    old, new = (Fernet.generate_key().decode() for _ in range(2))

    def run(key: str, *program: str) -> str:
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
            "AIRFLOW__CORE__FERNET_KEY": key,
        }
        done = subprocess.run(
            [sys.executable, *program], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
        )
        return done.stdout

    run(old, "-m", "airflow", "db", "migrate")
    run(old, "-c", _CONNECTION.format(statement=_ADD))
    run(f"{new},{old}", "-m", "airflow", *command.split())
    assert "read a password" in run(new, "-c", _CONNECTION.format(statement=_READ))

from __future__ import annotations

import re

import pytest

from blogger_tracking.orchestration.airflow_3_3.verified_version import AIRFLOW_VERSION
from devtools.local_stack.config import PROJECT_ROOT

REQUIREMENTS = ["requirements.txt", "requirements-dev.txt", "devtools/requirements.txt"]
LOCKS = ["requirements.lock", "requirements-image.lock"]
INSTALLING = ["Makefile", "Dockerfile", ".ci/run", ".github/workflows/ci.yml"]
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}\b")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z0-9,]+\])?==(\S+)", re.MULTILINE)


def _pins(file: str) -> dict[str, str]:
    return {_normal(name): version for name, version in _PIN.findall((PROJECT_ROOT / file).read_text())}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_direct_dependency_is_pinned_to_the_version_that_is_locked(file: str) -> None:
    locked = _pins("requirements.lock")
    lines = [line for line in (PROJECT_ROOT / file).read_text().splitlines() if line and not line.startswith("#")]

    assert len(_pins(file)) == len(lines)
    assert {name: locked.get(name) for name in _pins(file)} == _pins(file)


def test_the_required_airflow_is_the_version_that_the_code_was_written_for() -> None:
    assert _pins("requirements.txt")["apache-airflow"] == AIRFLOW_VERSION


@pytest.mark.parametrize("file", LOCKS)
def test_every_locked_requirement_has_hashes(file: str) -> None:
    # From a line that begins with a name up to the next one.
    entries = re.split(r"^(?=[a-z0-9])", (PROJECT_ROOT / file).read_text(), flags=re.MULTILINE)[1:]

    assert len(entries) > 200
    assert [entry for entry in entries if not _HASH.search(entry)] == []


def test_the_image_gets_the_versions_that_the_tests_run_with() -> None:
    assert _pins("requirements-image.lock").items() <= _pins("requirements.lock").items()
    assert _pins("requirements.txt").items() <= _pins("requirements-image.lock").items()


def test_every_command_that_installs_a_package_demands_hashes() -> None:
    installing = {
        f"{file}: {command}"
        for file in INSTALLING
        for command in (PROJECT_ROOT / file).read_text().replace("\\\n", " ").splitlines()
        if re.search(r"\bpip install\b", command)
    }

    assert len(installing) == 3
    assert [command for command in installing if "--require-hashes" not in command] == []
    assert not [command for command in installing if "--requirement" not in command]


@pytest.mark.parametrize("file", [*REQUIREMENTS, *LOCKS, "Makefile"])
def test_no_requirements_file_and_no_target_names_a_package_index(file: str) -> None:
    text = (PROJECT_ROOT / file).read_text()

    assert "://" not in text
    assert "index-url" not in text.replace("--no-emit-index-url", "")

"""The packages of the image: its lock has what requirements.txt needs, for the image's version of Python.

The image is built from the lock's versions; this test follows the requirements of each installed package as the
installer would, with the markers of the image.
"""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from devtools.local_stack.config import PROJECT_ROOT

_DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8")
_LINES = [
    line.removesuffix("\\").rstrip()
    for line in (PROJECT_ROOT / "requirements-image.lock").read_text(encoding="utf-8").splitlines()
]
_OF_THE_SANDBOX = ("httptools", "uvicorn")


def _image_environment() -> dict[str, str]:
    [version] = re.findall(r"^FROM apache/airflow:\S+-python(\d+\.\d+) AS airflow$", _DOCKERFILE, re.MULTILINE)
    environment = {name: str(value) for name, value in default_environment().items()}
    return environment | {"python_version": version, "python_full_version": f"{version}.0"}


def _locked(environment: dict[str, str]) -> dict[str, str]:
    """Return the locked versions by name, as far as they apply to the image."""
    requirements = [Requirement(line) for line in _LINES if re.match(r"[a-z0-9]", line)]
    return {
        canonicalize_name(requirement.name): str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }


def test_the_lock_has_everything_that_the_image_needs_for_its_version_of_python() -> None:
    environment = _image_environment()
    locked = _locked(environment)
    text = (PROJECT_ROOT / "requirements.txt").read_text(encoding="utf-8")
    waiting = [(Requirement(line), "requirements.txt") for line in text.splitlines() if re.match(r"[A-Za-z]", line)]
    seen: set[tuple[str, frozenset[str]]] = set()
    faults = []
    while waiting:
        requirement, asked_by = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        version = locked.get(name)
        if version is None or version not in requirement.specifier:
            faults.append(f"{asked_by} needs {requirement}, locked is {version}")
            continue
        try:
            metadata = distribution(name)
        except PackageNotFoundError:
            # A package that only the image's version of Python needs is not installed here.
            continue
        [pythons] = metadata.metadata.get_all("Requires-Python") or [""]
        if environment["python_full_version"] not in SpecifierSet(pythons):
            faults.append(f"{name} {version} is not for the image's Python")
        waiting += [
            (dependency, name)
            for dependency in map(Requirement, metadata.requires or [])
            if _applies(dependency, requirement.extras, environment)
        ]

    assert len(seen) > 100
    assert faults == []


def test_the_image_of_the_demo_has_the_packages_of_the_sandbox() -> None:
    assert {*_OF_THE_SANDBOX} <= _locked(_image_environment()).keys()


def _applies(dependency: Requirement, extras: set[str], environment: dict[str, str]) -> bool:
    marker = dependency.marker
    return marker is None or any(marker.evaluate(environment | {"extra": extra}) for extra in ("", *extras))

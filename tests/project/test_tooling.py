"""The same checks with make, in the pre-commit hooks and in CI."""

from __future__ import annotations

import re
from typing import Any

import yaml

from devtools.local_stack.config import PROJECT_ROOT

MAKEFILE = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOW: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / ".github" / "workflows" / "ci.yml").read_text())


def _recipe(target: str) -> list[str]:
    """Return the commands of a target, each on one line."""
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert found
    joined = re.sub(r"\\\n\s*", "", found[1])
    return [line.strip().replace("$(BIN)/", ".venv/bin/") for line in joined.splitlines()]


def test_a_commit_runs_exactly_the_checks_of_make_check() -> None:
    config = yaml.safe_load((PROJECT_ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["entry"].removeprefix("env PYTHONPATH=include ") for hook in hooks] == _recipe("check")
    # make exports PYTHONPATH for its commands; the hooks set the variable themselves.
    assert "export PYTHONPATH := $(CURDIR)/include" in MAKEFILE
    assert all({"system"} == {hook["language"]} and hook["pass_filenames"] is False for hook in hooks)


def test_the_workflow_runs_the_ci_script_on_every_supported_python() -> None:
    job = WORKFLOW["jobs"]["ci"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert [command.split()[-1] for command in commands] == [".ci/run"]
    assert commands[0].startswith("sudo ")
    assert 'requires-python = ">=3.11"' in (PROJECT_ROOT / "pyproject.toml").read_text()


def test_every_target_of_make_is_explained_by_make_help() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
    explained = set(re.findall(r"^([a-z][a-z-]*):.*?## \S", MAKEFILE, re.MULTILINE))
    assert targets == explained
    phony = set(" ".join(re.findall(r"^\.PHONY: (.+)$", MAKEFILE, re.MULTILINE)).split())
    assert phony == targets

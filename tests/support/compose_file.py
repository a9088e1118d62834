"""Reading of a Compose file: variables of `.env`, profiles, replicas, dependencies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?])([^}]*))?\})")
_ASSIGNMENT = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)


class MissingValueError(Exception):
    """A variable that the Compose file demands has no value."""


@dataclass(frozen=True)
class ComposeService:
    """One service. `dependencies` maps other services to the condition to wait for, as far as these are active."""

    name: str
    image: str
    target: str | None
    command: Sequence[str]
    environment: Mapping[str, str]
    volumes: Sequence[str]
    user: str | None
    restarts: bool
    replicas: int
    dependencies: Mapping[str, str]
    health: Sequence[str] | None


def read_services(compose_file: Path, env_file: Path, profiles: Sequence[str] = ()) -> dict[str, ComposeService]:
    """Return the active services by name. Raises MissingValueError for a `${NAME:?…}` without a value in `env_file`."""
    variables = {name: value.strip("'") for name, value in _ASSIGNMENT.findall(env_file.read_text(encoding="utf-8"))}
    document = _interpolated(yaml.safe_load(compose_file.read_text(encoding="utf-8")), variables)
    active = {
        name: service
        for name, service in document["services"].items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }
    return {name: _service(name, service, active) for name, service in active.items()}


def _service(name: str, service: Mapping[str, Any], active: Mapping[str, Any]) -> ComposeService:
    health = service.get("healthcheck", {})
    return ComposeService(
        name=name,
        image=service["image"],
        target=service.get("build", {}).get("target"),
        command=service["command"],
        environment={key: str(value) for key, value in service.get("environment", {}).items()},
        volumes=service.get("volumes", []),
        user=service.get("user"),
        restarts=service.get("restart") == "unless-stopped",
        replicas=int(service.get("deploy", {}).get("replicas", 1)),
        dependencies={
            other: dependency["condition"]
            for other, dependency in service.get("depends_on", {}).items()
            if other in active
        },
        health=_health_command(health["test"]) if "test" in health and not health.get("disable") else None,
    )


def _health_command(test: Sequence[str]) -> list[str]:
    kind, *command = test
    return command if kind == "CMD" else ["sh", "-c", *command]


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:  # noqa: ANN401 - any value of YAML
    if isinstance(value, dict):
        return {key: _interpolated(each, variables) for key, each in value.items()}
    if isinstance(value, list):
        return [_interpolated(each, variables) for each in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: _value(match, variables), value)
    return value


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    escaped, name, operator, operand = match.groups()
    if escaped:
        return "$"
    if value := variables.get(name):
        return value
    if operator == ":?":
        raise MissingValueError(f"{name}: {operand}")
    return operand or ""

"""Results of readiness checks: a status, a finding, and the commands that mend a fault."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The result of one check. Only a fault keeps the system from working as promised."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    NOT_CHECKED = "not checked"


class RemedyKind(StrEnum):
    """The way to carry a remedy out.

    SQL is executed as the owner of the schema or as a superuser, a SHELL command where Airflow's processes get their
    environment from. TO_DO is a remedy for which no command exists.
    """

    SQL = "SQL"
    SHELL = "shell"
    TO_DO = "to do"


@dataclass(frozen=True, slots=True)
class Remedy:
    """A command (or, for TO_DO, a sentence) that mends a fault. Capital words such as PASSWORD stand for secrets."""

    kind: RemedyKind
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `finding` is a sentence, and `remedies` are carried out in their order."""

    name: str
    status: Status
    finding: str
    remedies: tuple[Remedy, ...] = ()


def ok(name: str, finding: str) -> Check:
    """Return a passed check."""
    return Check(name, Status.OK, finding)


def warning(name: str, finding: str, *remedies: Remedy) -> Check:
    """Return a check that found a risk or a loss of speed."""
    return Check(name, Status.WARNING, finding, remedies)


def fault(name: str, finding: str, *remedies: Remedy) -> Check:
    """Return a failed check."""
    return Check(name, Status.FAULT, finding, remedies)


def not_checked(name: str, reason: str) -> Check:
    """Return a check that another fault made impossible."""
    return Check(name, Status.NOT_CHECKED, reason)


def sql(text: str) -> Remedy:
    """Return a remedy in SQL."""
    return Remedy(RemedyKind.SQL, text)


def shell(text: str) -> Remedy:
    """Return a remedy in the shell."""
    return Remedy(RemedyKind.SHELL, text)


def to_do(text: str) -> Remedy:
    """Return a remedy for which no command exists."""
    return Remedy(RemedyKind.TO_DO, text)


def export(variable: str, value: str) -> Remedy:
    """Return the shell command that sets an environment variable."""
    return shell(f"export {variable}='{value}'")

"""Printed output of the command `doctor`: the lines of the checks, and the remedies as a person copies them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import StringIO

from rich.console import Console

from blogger_tracking import cli
from blogger_tracking.domain.checks import Check

_LINE = re.compile(r"^(ok|warning|fault|not checked) +(\S+)")
_REMEDY = re.compile(r"^ +(SQL|shell|to do): +(.+)$")


@dataclass
class PrintedCheck:
    """One printed check: its status, and its remedies as pairs of kind and text."""

    status: str
    remedies: list[tuple[str, str]] = field(default_factory=list)

    def commands(self, kind: str) -> list[str]:
        """Return the printed commands of a kind."""
        return [text for each, text in self.remedies if each == kind]


@dataclass(frozen=True)
class DoctorOutput:
    """The printed checks by name, the exit code, and the whole text."""

    checks: Mapping[str, PrintedCheck]
    code: int
    text: str

    @property
    def not_ok(self) -> list[str]:
        """The names of all checks that are not ok."""
        return [name for name, check in self.checks.items() if check.status != "ok"]


def printed(checks: Iterable[Check]) -> DoctorOutput:
    """Print the checks on 120 columns and read them back from the text."""
    output = StringIO()
    code = cli.print_checks(checks, Console(file=output, width=120))
    found: dict[str, PrintedCheck] = {}
    last = PrintedCheck("")
    for line in output.getvalue().splitlines():
        if match := _LINE.match(line):
            last = found[match[2]] = PrintedCheck(match[1])
        elif match := _REMEDY.match(line):
            last.remedies.append((match[1], match[2]))
    return DoctorOutput(found, code, output.getvalue())


def environment_after(command: str) -> dict[str, str]:
    """Run a printed shell command and return the environment that the shell has afterwards."""
    done = subprocess.run(["/bin/bash", "-euc", f"{command}\nenv -0"], env=os.environ, capture_output=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if "=" in line)

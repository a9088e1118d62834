"""Write `docs/settings.md` from the settings: `python -m devtools.docs.settings_page [--check]`.

`--check` writes nothing and exits with 1 if the file differs from the settings.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import starmap
from pathlib import Path

from blogger_tracking.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

_INTRODUCTION = """\
# Settings

<!-- Generated from include/blogger_tracking/settings.py by `make docs`; change the descriptions there. -->

Each setting is an environment variable of Airflow's processes: scheduler, DAG processor, triggerer, workers and API
server. A process reads its settings once, so restart the processes after a change. Lists are written in JSON, switches
as `true` or `false`. Secrets are not settings: they live in Airflow Connections.
"""

_HEADING = re.compile(r" {4}# (?P<heading>.+)")
_FIELD = re.compile(r" {4}(?P<name>\w+): ")


def read_groups() -> Mapping[str, Sequence[str]]:
    """Return the names of the settings by heading, in the order of the source code.

    Headings are the comments in the class `Settings`, which only its source code has.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    current = ""
    for line in inspect.getsource(Settings).splitlines():
        if heading := _HEADING.fullmatch(line):
            current = heading["heading"]
        elif field := _FIELD.match(line):
            groups[current].append(field["name"])
    return groups


def render() -> str:
    """Return the page as Markdown."""
    return "\n".join([_INTRODUCTION, *starmap(_section, read_groups().items())])


def _section(heading: str, names: Sequence[str]) -> str:
    rows = "".join(f"{_row(name)}\n" for name in names)
    return f"## {heading}\n\n| environment variable | default | meaning |\n|---|---|---|\n{rows}"


def _row(name: str) -> str:
    variable = f"{Settings.model_config['env_prefix']}{name}".upper()
    field = Settings.model_fields[name]
    return f"| `{variable}` | {_default(field.default)} | {field.description} |"


def _default(value: object) -> str:
    if value is None:
        return "not set"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or compare the page with `--check`; return the exit code."""
    parser = argparse.ArgumentParser(description="Write docs/settings.md from the settings.")
    parser.add_argument("--check", action="store_true", help="only compare the page with the settings")
    check = parser.parse_args(arguments).check
    page = render()
    if not check:
        PAGE.write_text(page, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
        print("docs/settings.md differs from include/blogger_tracking/settings.py: run make docs.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

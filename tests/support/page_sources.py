"""The sources of the Bloggers page with the packages that their lock file names, for tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from devtools.local_stack.config import PROJECT_ROOT

SOURCES = PROJECT_ROOT / "devtools" / "bloggers_page"

NPM = shutil.which("npm")

MISSING = "npm is not installed; on Debian: apt install npm"
"""Reason for skipping tests, if NPM is None."""

_SECONDS = 240


def installed_sources(folder: Path) -> Path:
    """Return a copy of the sources below `folder`, with their packages."""
    copy = folder / "sources"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("node_modules"))
    npm(copy, "ci")
    return copy


def npm(folder: Path, *arguments: str) -> None:
    """Run npm in a folder. Raises AssertionError with the output if npm fails."""
    if NPM is None:
        raise FileNotFoundError(MISSING)
    done = subprocess.run([NPM, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != 0:
        raise AssertionError(f"npm {' '.join(arguments)}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")

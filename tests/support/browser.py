"""A browser without a window, by which tests measure a page as people see it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from devtools.browser import MISSING, PROGRAM

_SECONDS = 60


def evaluate(page: Path, expression: str, folder: Path, *, width: int) -> str:
    """Return the value of a JavaScript expression in a page, in a window of `width` pixels.

    A copy of the page with the expression is written into `folder`.
    """
    if PROGRAM is None:
        raise FileNotFoundError(MISSING)
    copy = folder / f"measured_{page.name}"
    script = f"<script>document.title = `value=${{{expression}}}`</script></body>"
    copy.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    # Tests run as root in CI, where Chromium's sandbox cannot start; the page is one of the project.
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},900"]
    browser = subprocess.run(
        [PROGRAM, *options, "--dump-dom", copy.as_uri()], capture_output=True, text=True, check=True, timeout=_SECONDS
    )
    title = re.search(r"<title>value=(.*?)</title>", browser.stdout, re.DOTALL)
    if title is None:
        raise AssertionError(f"The page has no value: {browser.stdout[:2000]}{browser.stderr[-2000:]}")
    return title[1]

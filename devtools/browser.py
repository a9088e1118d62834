"""Debian's Chromium without a window, and the login to Airflow's UI in it: for screenshots and browser tests."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

PROGRAM = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium"))), None)

MISSING = "Chromium is not installed; on Debian: apt install chromium-headless-shell"

_START_MILLISECONDS = 30_000


@contextmanager
def open_browser() -> Generator[Browser]:
    """Yield the browser. Raises FileNotFoundError if PROGRAM is None."""
    if PROGRAM is None:
        raise FileNotFoundError(MISSING)
    with sync_playwright() as playwright:
        # Chromium's sandbox cannot start as root, which containers and CI are; every page is one of the project.
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, url: str, login: str, password: str) -> None:
    """Log in to Airflow's UI, and return once its navigation shows the Bloggers page."""
    page.goto(url)
    page.locator("input[name=username]").fill(login)
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Bloggers")).to_be_visible(timeout=_START_MILLISECONDS)


def open_view(page: Page, url: str, heading: str) -> None:
    """Open a view of the Bloggers page by its address, and return once the view has its data."""
    page.goto(url)
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible(timeout=_START_MILLISECONDS)
    expect(page.get_by_role("status", name="Loading")).to_have_count(0)

"""Screenshots of every view of the Bloggers page, for docs/bloggers-page.md: `make screenshots`.

A stack in a temporary folder has the demo data and a week of runs. The screenshots are in docs/bloggers-page/: each
view in light and dark colours, in a wide window and on a phone.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, expect

from blogger_tracking.database.connections import connect
from blogger_tracking.database.rows import fetch_value
from blogger_tracking.domain.models import Platform
from devtools.browser import open_browser, open_view, sign_in
from devtools.docs.demo_week import run_a_week
from devtools.local_stack.cli import run_interruptible
from devtools.local_stack.config import BLOGGERS_PAGE, PROJECT_ROOT, SandboxConfig, StackConfig
from devtools.local_stack.demo_data import DEMO_ORGANIZATIONS, load_demo, next_creator, organization_with_room
from devtools.local_stack.stack import Stack

FOLDER = PROJECT_ROOT / "docs" / "bloggers-page"

_SEED = SandboxConfig().seed
_THEMES = ("light", "dark")
_SIZES = {"wide": ViewportSize(width=1280, height=1000), "phone": ViewportSize(width=390, height=844)}
_ORGANIZATION = DEMO_ORGANIZATIONS[0].name
_LOOK_UPS_MILLISECONDS = 30_000
_SETTLE_MILLISECONDS = 500
"""Time for thumbnails and transitions after the data is there."""

# The blogger of the organization with room that has the most views.
_BLOGGER = """
select videos.blogger_id
from blogger_tracking.videos
join blogger_tracking.video_statistics on video_statistics.video_id = videos.id
join blogger_tracking.organization_videos on organization_videos.video_id = videos.id
where organization_videos.organization_id = %(organization)s
group by videos.blogger_id
having count(distinct video_statistics.fetched_on) >= 7
order by max(video_statistics.views) desc
limit 1
"""
_NAME = "select channel_name from blogger_tracking.blogger_information where id = %(blogger)s"


def main() -> int:
    """Make all screenshots and return 0."""
    # Not in the project's folder, whose stack may run.
    with tempfile.TemporaryDirectory(prefix="bt-screenshots-") as folder:
        config = StackConfig(folder=Path(folder), sandbox=SandboxConfig(latency_ms=20))
        with Stack(config, _print) as stack:
            with connect(stack.admin_dsn) as connection:
                load_demo(connection, _SEED)
                run_a_week(stack, connection, _print)
            FOLDER.mkdir(exist_ok=True)
            with open_browser() as browser:
                _take_all(browser, stack)
    return 0


def _take_all(browser: Browser, stack: Stack) -> None:
    # Added bloggers have no past: their view comes last.
    for take, theme, size in product((_take_views, _take_additions), _THEMES, _SIZES):
        with _window(browser, stack, theme, size) as page:
            take(page, stack, f"{theme}-{size}")


def _take_views(page: Page, stack: Stack, variant: str) -> None:
    organization, _ = organization_with_room()
    with connect(stack.admin_dsn) as connection:
        blogger = fetch_value(connection, _BLOGGER, {"organization": organization})
        name = str(fetch_value(connection, _NAME, {"blogger": blogger}))
    open_view(page, stack.api_url + BLOGGERS_PAGE, "Overview")
    _take(page, f"overview-{variant}")
    open_view(page, f"{stack.api_url}{BLOGGERS_PAGE}/organizations", "Organizations")
    page.get_by_role("button", name="Show the next run").first.click()
    expect(page.get_by_text("videos for").first).to_be_visible()
    _take(page, f"organizations-{variant}")
    open_view(page, f"{stack.api_url}{BLOGGERS_PAGE}/bloggers?sort=-followers&state=active", "Bloggers")
    _take(page, f"bloggers-{variant}")
    open_view(page, f"{stack.api_url}{BLOGGERS_PAGE}/bloggers/{blogger}", name)
    _take(page, f"blogger-{variant}")


def _take_additions(page: Page, stack: Stack, variant: str) -> None:
    with connect(stack.admin_dsn) as connection:
        lines = [f"{platform} {next_creator(connection, _SEED, platform).username}" for platform in Platform]
    open_view(page, f"{stack.api_url}{BLOGGERS_PAGE}/add", "Add bloggers")
    page.get_by_label("Organization").select_option(label=_ORGANIZATION)
    page.get_by_label("Bloggers, one a line").fill("\n".join([*lines, "Instagram nobody.has.this.name"]))
    page.get_by_role("button", name="Add 4 bloggers").click()
    results = page.get_by_role("region", name="Results", exact=True)
    expect(results.get_by_text("Not added", exact=True)).to_be_visible(timeout=_LOOK_UPS_MILLISECONDS)
    expect(results.get_by_text("Added", exact=True)).to_have_count(3)
    _take(page, f"add-{variant}")


def _take(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(_SETTLE_MILLISECONDS)
    file = FOLDER / f"{name}.png"
    page.screenshot(path=file, animations="disabled")
    _print(str(file.relative_to(PROJECT_ROOT)))


@contextmanager
def _window(browser: Browser, stack: Stack, theme: str, size: str) -> Generator[Page]:
    context = browser.new_context(viewport=_SIZES[size], device_scale_factor=1 if size == "wide" else 2)
    try:
        page = context.new_page()
        sign_in(page, stack.api_url, stack.login, stack.password)
        page.evaluate(f"localStorage.setItem('theme', '{theme}')")
        yield page
    finally:
        context.close()


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(run_interruptible(main))

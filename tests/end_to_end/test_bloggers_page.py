"""The Bloggers page in Airflow's UI, as a person sees it in a browser, with the demo data."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import psycopg
import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from blogger_tracking.domain.models import Platform
from devtools.browser import MISSING, PROGRAM, open_browser, open_view, sign_in
from devtools.local_stack.config import BLOGGERS_PAGE, SandboxConfig
from devtools.local_stack.demo_data import load_demo, next_creator
from devtools.local_stack.stack import Stack
from tests.support import page_sources
from tests.support.airflow_below_a_prefix import served_below
from tests.support.running_stack import running_stack
from tests.support.waiting import wait_until

VIEWER = "visitor"
SECONDS = 1000
WIDE = (1280, 900)
PHONE = (390, 844)
SEED = SandboxConfig().seed
ROOM = "Northlight Media (has room)"

_FOLLOWED = """
select blogger_information.username
from blogger_tracking.tracked_accounts
join blogger_tracking.organizations on organizations.id = tracked_accounts.organization_id
join blogger_tracking.blogger_information on blogger_information.id = tracked_accounts.blogger_id
where organizations.name = %s
  and blogger_information.platform = %s
  and blogger_information.account_state = 'active'
order by blogger_information.username
limit 1
"""

_WITH_THUMBNAIL = """
select blogger_information.id, blogger_information.channel_name
from blogger_tracking.videos
join blogger_tracking.blogger_information on blogger_information.id = videos.blogger_id
where videos.thumbnail_path is not null
order by videos.id
limit 1
"""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason=MISSING)


@pytest.fixture(scope="module")
def demo_stack() -> Iterator[Stack]:
    """A stack with the demo data after one batch run, an administrator, and a person who may only look."""
    users = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"admin:admin,{VIEWER}:viewer"}
    with running_stack(latency_ms=20, environment=users) as stack:
        with psycopg.connect(stack.admin_dsn) as connection:
            load_demo(connection, SEED)
        client = stack.client()
        client.wait_for_run("blogger_batch_fetch", client.trigger("blogger_batch_fetch").dag_run_id, 120)
        yield stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as started:
        yield started


@pytest.fixture(scope="module")
def axe_script(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Source of axe-core, in the version that the page's lock file names."""
    sources = page_sources.installed_sources(tmp_path_factory.mktemp("axe"))
    yield (sources / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    shutil.rmtree(sources)


class Visit:
    """A logged-in person's browser window, with the faults that the browser noticed.

    The UI is served with the policy `script-src 'self'`. Airflow's own UI starts workers from blobs, which the policy
    therefore allows; a request to any other host than Airflow's is a fault.
    """

    def __init__(self, context: BrowserContext, stack: Stack, login: str, password: str) -> None:
        self.faults: list[str] = []
        self._url = stack.api_url
        self._page_url = f"{stack.api_url}{BLOGGERS_PAGE}"
        self.page: Page = context.new_page()
        self.page.set_default_timeout(20 * SECONDS)
        sign_in(self.page, self._url, login, password)
        context.route(re.compile(r"/plugin/"), _with_policy)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", lambda request: self._check_host(request.url))
        self.page.on("console", lambda message: self._check_policy(message.text))

    def open(self, path: str, heading: str) -> Page:
        """Open a view by its address, and return the page once the view has its data."""
        open_view(self.page, f"{self._page_url}{path}", heading)
        return self.page

    def _check_host(self, url: str) -> None:
        if not url.startswith((self._url, "data:", "blob:")):
            self.faults.append(f"request to {url}")

    def _check_policy(self, text: str) -> None:
        if "Content Security Policy" in text:
            self.faults.append(text)


def _with_policy(route: Route) -> None:
    response = route.fetch()
    policy = "script-src 'self'; worker-src 'self' blob:"
    route.fulfill(response=response, headers={**response.headers, "content-security-policy": policy})


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    width, height = WIDE
    context = browser.new_context(viewport={"width": width, "height": height})
    yield context
    context.close()


@pytest.fixture
def admin(context: BrowserContext, demo_stack: Stack) -> Iterator[Visit]:
    """The window of a person who may do everything; the browser must have noticed no fault in it."""
    visit = Visit(context, demo_stack, demo_stack.login, demo_stack.password)
    yield visit
    assert visit.faults == []


@pytest.fixture
def viewer(context: BrowserContext, demo_stack: Stack) -> Iterator[Visit]:
    """The window of a person who may only look."""
    file = Path(demo_stack.environment()["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    visit = Visit(context, demo_stack, VIEWER, json.loads(file.read_text(encoding="utf-8"))[VIEWER])
    yield visit
    assert visit.faults == []


def first_blogger(visit: Visit) -> Page:
    """Open the view of a blogger of the organization with room whose videos were fetched."""
    page = visit.open("/bloggers?sort=-followers&platform=TikTok&state=active", "Bloggers")
    page.get_by_role("row").filter(has_text=ROOM).filter(has_text="Succeeded").get_by_role("link").first.click()
    expect(page.get_by_role("region", name="Table: Fetches")).to_be_visible()
    return page


def test_the_navigation_of_airflow_leads_to_the_overview_of_runs_and_platforms(admin: Visit) -> None:
    admin.page.get_by_role("link", name="Bloggers").click()
    expect(admin.page.get_by_role("timer")).to_be_visible()
    runs = admin.page.get_by_role("region", name="Last runs")
    expect(runs.get_by_role("img", name=re.compile(r"TikTok, outcomes: Succeeded \d+"))).to_be_visible()
    expect(admin.page.get_by_role("region", name="Platforms")).to_contain_text("22 active accounts")


def test_the_views_are_linked_and_the_present_one_is_marked(admin: Visit) -> None:
    page = admin.open("", "Overview")
    views = page.get_by_role("navigation", name="Views of the Bloggers page")
    for name, heading in (("Organizations", "Organizations"), ("Bloggers", "Bloggers"), ("Add", "Add bloggers")):
        views.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_focused()
        expect(views.get_by_role("link", name=name)).to_have_attribute("aria-current", "page")


def test_an_organization_shows_its_usage_and_what_the_next_run_would_do(admin: Visit) -> None:
    page = admin.open("/organizations?search=Tapped", "Organizations")
    organization = page.get_by_role("region", name="Tapped Out Talent (no quota left)", exact=True)
    expect(organization.get_by_role("img", name=re.compile(r"Used before the import 495"))).to_be_visible()
    organization.get_by_role("button", name="Show the next run").click()
    expect(organization).to_contain_text("0 videos for 0 accounts of 3")
    expect(page.get_by_role("region", name="Northlight")).to_have_count(0)


def test_filters_are_in_the_address_and_the_last_fetch_leads_to_its_task_instance(admin: Visit) -> None:
    page = admin.open("/bloggers", "Bloggers")
    page.get_by_label("Platform").select_option("Instagram")
    page.get_by_label("State").select_option("active")
    expect(page).to_have_url(re.compile(r"platform=Instagram&state=active"))
    expect(page.get_by_role("row").filter(has_text="TikTok ·")).to_have_count(0)
    expect(page.get_by_role("row").filter(has_text="Instagram ·")).not_to_have_count(0)
    page.get_by_role("row").filter(has_text="Succeeded").get_by_role("link", name=re.compile(r"ago|now")).first.click()
    expect(page).to_have_url(re.compile(r"/dags/blogger_batch_fetch/runs/[^/]+/tasks/fetch_instagram/mapped/\d+"))


def test_a_search_follows_the_address_and_stays_cleared(admin: Visit) -> None:
    page = admin.open("/bloggers?search=no.such.name", "Bloggers")
    search = page.get_by_label("Search", exact=True)
    expect(search).to_have_value("no.such.name")
    page.get_by_role("navigation", name="Views of the Bloggers page").get_by_role("link", name="Bloggers").click()
    expect(search).to_have_value("")
    expect(page.get_by_role("row").filter(has_text="Instagram ·")).not_to_have_count(0)
    # A text takes effect 300 ms after it was typed.
    page.wait_for_timeout(1 * SECONDS)
    expect(page).to_have_url(re.compile(r"/bloggers$"))
    page.go_back()
    expect(search).to_have_value("no.such.name")


def test_one_blogger_has_videos_statistics_and_fetches(admin: Visit) -> None:
    page = first_blogger(admin)
    page.get_by_role("button", name="Statistics").first.click()
    expect(page.get_by_role("img", name=re.compile(r"^Views of .+From "))).not_to_have_count(0)
    expect(page.get_by_role("region", name="Table: Fetches")).to_contain_text(ROOM)
    for link in page.get_by_role("listitem").get_by_role("link").all():
        assert (link.get_attribute("href") or "").startswith("https://")
        assert link.get_attribute("rel") == "noreferrer"


def test_the_stored_thumbnails_of_videos_are_shown(admin: Visit, demo_stack: Stack) -> None:
    with psycopg.connect(demo_stack.admin_dsn, autocommit=True) as connection:
        wait_until(lambda: connection.execute(_WITH_THUMBNAIL).fetchone() is not None)
        blogger, name = connection.execute(_WITH_THUMBNAIL).fetchall()[0]
    page = admin.open(f"/bloggers/{blogger}", name)
    image = page.get_by_role("listitem").locator("img").first
    image.scroll_into_view_if_needed()
    wait_until(lambda: image.evaluate("image => image.naturalWidth") > 0, timeout_seconds=20)


def test_a_blogger_is_fetched_again_and_the_new_fetch_appears(admin: Visit) -> None:
    page = first_blogger(admin)
    before = page.get_by_role("region", name="Table: Fetches").get_by_role("row").count()
    page.get_by_role("button", name="Fetch now").click()
    expect(page.get_by_text("has ended. Its fetch is the newest below.")).to_be_visible(timeout=120 * SECONDS)
    rows = page.get_by_role("region", name="Table: Fetches").get_by_role("row")
    expect(rows).to_have_count(before + 1)


def test_a_pasted_list_gives_each_line_a_result_and_the_videos_of_the_added_blogger_arrive(
    admin: Visit, demo_stack: Stack
) -> None:
    with psycopg.connect(demo_stack.admin_dsn) as connection:
        creator = next_creator(connection, SEED, Platform.INSTAGRAM)
        [(followed,)] = connection.execute(_FOLLOWED, (ROOM, Platform.INSTAGRAM)).fetchall()
    page = admin.open("/add", "Add bloggers")
    page.get_by_label("Organization").select_option(label=ROOM)
    page.get_by_label("Bloggers, one a line").fill(
        f"Instagram {creator.username}\nInstagram nobody.has.this.name\nInstagram {creator.username}\n"
        f"Instagram {followed}"
    )
    page.get_by_role("button", name="Add 3 bloggers").click()
    results = page.get_by_role("region", name="Table: Results")
    rows = results.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Added")
    expect(rows.nth(2)).to_contain_text("Not added")
    expect(rows.nth(2).get_by_role("cell").last).to_have_text("Instagram has no account of this name.")
    expect(rows.nth(3)).to_contain_text("The same as a line above.")
    expect(rows.nth(4)).to_contain_text("Followed already")
    expect(rows.nth(4).get_by_role("cell").last).to_have_text("This organization already tracks this blogger.")
    results.get_by_role("link", name=creator.username).click()
    expect(page.get_by_role("button", name="Statistics").first).to_be_visible(timeout=120 * SECONDS)
    fetches = page.get_by_role("region", name="Table: Fetches")
    fetches.get_by_role("link", name=re.compile(r"ago|now")).first.click()
    expect(page).to_have_url(re.compile(r"/dags/blogger_initial_fetch/runs/initial__[^/]+/tasks/fetch$"))
    expect(page.get_by_text("fetch").first).to_be_visible()


def test_the_progress_of_a_run_and_then_its_outcome_appear_without_reloading(admin: Visit, demo_stack: Stack) -> None:
    # One answer that takes its time, so that the run is seen.
    fault = {"kind": "hang", "platform": "Instagram", "times": 1, "seconds": 20}
    requests.post(f"{demo_stack.sandbox_url}/_sandbox/faults", json=fault, timeout=10).raise_for_status()
    page = admin.open("", "Overview")
    run = demo_stack.client().trigger("blogger_batch_fetch").dag_run_id
    progress = page.get_by_role("region", name="Running now")
    expect(progress).to_contain_text(run, timeout=60 * SECONDS)
    expect(progress.get_by_role("progressbar", name="TikTok, fetched bloggers")).to_be_visible()
    expect(progress).to_contain_text(re.compile(r"Instagram: \d+ of \d+ bloggers"))
    expect(progress).to_have_count(0, timeout=90 * SECONDS)
    runs = page.get_by_role("region", name="Last runs").get_by_role("listitem")
    outcome = runs.filter(has=page.get_by_title(run, exact=True))
    expect(outcome).to_contain_text("ended")


def test_a_pasted_list_stops_at_a_refusal_of_all_further_lines_and_goes_on_from_there(
    admin: Visit, demo_stack: Stack
) -> None:
    with psycopg.connect(demo_stack.admin_dsn) as connection:
        creators = [
            next_creator(connection, SEED, platform).username for platform in (Platform.TIKTOK, Platform.YOUTUBE)
        ]
    page = admin.open("/add", "Add bloggers")
    refusal = json.dumps({"success": False, "error": {"code": "rate_limited", "message": "Too many requests."}})
    page.route(
        re.compile(r"/bloggers$"),
        lambda route: (
            route.fulfill(status=429, headers={"Retry-After": "2"}, body=refusal)
            if route.request.method == "POST"
            else route.fallback()
        ),
        times=1,
    )
    page.get_by_label("Organization").select_option(label=ROOM)
    page.get_by_label("Bloggers, one a line").fill(f"TikTok {creators[0]}\nYouTube {creators[1]}")
    page.get_by_role("button", name="Add 2 bloggers").click()
    expect(page.get_by_role("alert")).to_contain_text("Stopped before the end: 2 lines not sent yet")
    page.get_by_role("button", name="Continue", exact=True).click()
    results = page.get_by_role("region", name="Table: Results")
    expect(results.get_by_text("Added", exact=True)).to_have_count(2)


def test_the_page_works_where_airflow_is_served_below_a_prefix(context: BrowserContext, demo_stack: Stack) -> None:
    with served_below("/team/airflow", demo_stack) as url:
        page = context.new_page()
        failed: list[str] = []
        page.on(
            "response",
            lambda response: failed.append(response.url) if response.status >= HTTPStatus.BAD_REQUEST else None,
        )
        sign_in(page, f"{url}/", demo_stack.login, demo_stack.password)
        failed.clear()
        open_view(page, f"{url}{BLOGGERS_PAGE}", "Overview")
        expect(page.get_by_role("region", name="Last runs").get_by_role("listitem")).not_to_have_count(0)
        page.get_by_role("navigation", name="Views of the Bloggers page").get_by_role("link", name="Bloggers").click()
        page.get_by_role("row").filter(has_text="Succeeded").get_by_role("link").first.click()
        expect(page.get_by_role("button", name="Statistics").first).to_be_visible()
        assert page.url.startswith(f"{url}{BLOGGERS_PAGE}/bloggers/")
        assert failed == []


def test_the_page_changes_its_colours_with_the_ui_around_it(admin: Visit) -> None:
    page = admin.open("", "Overview")
    colours = []
    for theme, name in (("light", "Light Mode"), ("dark", "Dark Mode")):
        page.get_by_role("button", name="User").click()
        page.get_by_role("menuitem", name="Appearance").click()
        page.get_by_role("menuitem", name=name).or_(page.get_by_role("menuitemradio", name=name)).click()
        page.keyboard.press("Escape")
        expect(page.locator("html")).to_have_class(re.compile(theme))
        colours.append(page.get_by_role("heading", level=1).evaluate("heading => getComputedStyle(heading).color"))
    assert colours[0] != colours[1]


def test_a_person_who_may_only_look_sees_the_page_and_is_refused_by_it_and_by_the_server(viewer: Visit) -> None:
    page = first_blogger(viewer)
    expect(page.get_by_role("button", name="Fetch now")).to_be_disabled()
    expect(page.get_by_text("Your Airflow role may look, but not trigger runs.")).to_be_visible()
    statuses = page.evaluate("""async () => {
        const send = (path, body) => fetch(new URL(path, document.baseURI), {
            method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body),
        }).then((response) => response.status);
        const list = await (await fetch(new URL("bloggers/api/organizations", document.baseURI))).json();
        const adding = `bloggers/api/organizations/${list.items[0].id}/bloggers`;
        return [
            await send(adding, {username: "anyone", platform: "TikTok"}),
            await send("api/v2/dags/blogger_batch_fetch/dagRuns", {logical_date: null, conf: {}}),
        ];
    }""")
    assert statuses == [403, 403]


@pytest.mark.skipif(page_sources.NPM is None, reason=page_sources.MISSING)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_views_are_accessible_and_fit_the_window(
    admin: Visit, axe_script: str, theme: str, size: tuple[int, int]
) -> None:
    admin.page.evaluate(f"localStorage.setItem('theme', '{theme}')")
    admin.page.set_viewport_size({"width": size[0], "height": size[1]})
    blogger = admin.page.evaluate("""async () => {
        const list = await fetch(new URL("bloggers/api/bloggers?sort=-lastFetch", document.baseURI));
        return (await list.json()).items[0];
    }""")
    for path, heading in (
        ("", "Overview"),
        ("/organizations", "Organizations"),
        ("/bloggers", "Bloggers"),
        (f"/bloggers/{blogger['id']}", blogger["channelName"]),
        ("/add", "Add bloggers"),
    ):
        page = admin.open(path, heading)
        assert page.evaluate("document.documentElement.className").split()[0] == theme
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        page.evaluate(axe_script)
        found = page.evaluate("axe.run('main', {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']})")
        assert [(item["id"], item["nodes"][0]["html"]) for item in found["violations"]] == [], path

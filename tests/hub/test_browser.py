"""A person's way through the hub in a real browser, with the keyboard's and the screen reader's needs checked on every page."""

from __future__ import annotations

import csv
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.conftest import PASSWORD, build_book

_AXE = importlib.util.find_spec("axe_playwright_python")
AXE = Path(_AXE.origin).with_name("axe.min.js") if _AXE and _AXE.origin else None
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: apt-get install chromium)")
# What a person stumbles over first; axe-core looks for the rest where it is installed (`pip install axe-playwright-python`).
OWN_CHECKS = """() => {
  const faults = [];
  const named = (e) => (e.getAttribute('aria-label') || e.textContent || e.title || '').trim() ||
    (e.querySelector && e.querySelector('img[alt]:not([alt=""])'));
  if (!document.documentElement.lang) faults.push('no language');
  if (!document.title) faults.push('no title');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  for (const e of document.querySelectorAll('input:not([type=hidden]), select')) if (!e.labels.length) faults.push('no label: ' + e.name);
  for (const e of document.querySelectorAll('a, button')) if (!named(e)) faults.push('no name: ' + e.outerHTML.slice(0, 80));
  for (const e of document.querySelectorAll('img:not([alt])')) faults.push('no alt');
  for (const e of document.querySelectorAll('th:not([scope])')) faults.push('th without scope');
  const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
  if (new Set(ids).size !== ids.length) faults.push('an id twice');
  if (document.documentElement.scrollWidth > innerWidth) faults.push('wider than the screen');
  return faults;
}"""


@pytest.fixture(scope="module")
def hub_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hub served by the command, with one executive."""
    folder = tmp_path_factory.mktemp("served")
    build_book(folder / "bellwether.db")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "BELLWETHER_DB": str(folder / "bellwether.db")}
    command = [sys.executable, "-m", "bellwether"]
    subprocess.run([*command, "hub-user", "add", "chief"], input=PASSWORD + "\n", text=True, cwd=folder, env=environment, check=True)
    subprocess.run([*command, "hub-user", "grant", "chief", "--executive"], cwd=folder, env=environment, check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([*command, "serve", "--port", str(port)], cwd=folder, env=environment)
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as player:
        opened = player.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visit:
    """A page that remembers what its console complained of, and is looked over at each stop."""

    def __init__(self, context: Any) -> None:
        context.set_default_timeout(90_000)
        self.page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def look(self) -> None:
        """Fails on what a keyboard or a screen reader would stumble over."""
        assert self.page.evaluate(OWN_CHECKS) == [], self.page.url
        if AXE is not None:
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
            found = self.page.evaluate(
                "async () => (await axe.run()).violations.map((v) => [v.impact, v.id, v.nodes[0].html.slice(0, 120)])"
            )
            assert [fault for fault in found if fault[0] in ("serious", "critical")] == [], self.page.url

    def follow(self, to_click: Any) -> None:
        """Clicks what leads to another page, waits until it is there, and looks it over."""
        with self.page.expect_navigation():
            to_click.click()
        self.look()

    def sign_in(self, url: str) -> None:
        """From the first page to the overview."""
        self.page.goto(url)
        self.look()
        self.page.get_by_label("Name").fill("chief")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.follow(self.page.get_by_role("button", name="Sign in"))
        assert self.page.url.endswith("/overview")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_from_sign_in_to_a_scheduled_report_and_a_reasons_archived_page(
    browser: Any, hub_url: str, tmp_path: Path, scheme: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    visit = Visit(context)
    page = visit.page
    visit.sign_in(hub_url)
    visit.follow(page.get_by_role("link", name="Reports", exact=True))
    visit.follow(page.get_by_role("link", name="Create a report"))
    visit.follow(page.get_by_role("link", name="Cloud & AI Platform propensity"))
    page.get_by_label("Name", exact=True).fill(f"Mondays in {scheme}")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Small").check()
    visit.look()
    visit.follow(page.get_by_role("button", name="Preview"))
    assert page.locator(".preview tbody tr").count() > 0
    page.get_by_role("button", name="Make the CSV file").click()
    page.wait_for_selector(".state-ready")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    waiting.value.save_as(tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row["SubSegment"] for row in rows} == {"Small"}
    visit.follow(page.get_by_role("button", name="Keep this schedule"))
    visit.follow(page.get_by_role("link", name="My reports"))
    row = page.locator("tbody tr", has_text=f"Mondays in {scheme}")
    assert "Monthly on the 25" in row.inner_text()
    assert "ready" in row.inner_text()

    visit.follow(page.get_by_role("link", name="Accounts", exact=True))
    page.get_by_label("Name or domain").fill("MarkerP1")
    visit.follow(page.get_by_role("button", name="Show"))
    reason = page.locator("details[open] .reasons a", has_text="Archived page")
    for i in range(page.locator("tbody a").count()):
        visit.follow(page.locator("tbody a").nth(i))
        if reason.count():
            break
        page.go_back()
    folded = page.locator("details.product:not([open]) > summary").first
    folded.click()
    visit.look()
    quote = page.locator("details[open] .reasons blockquote").first.inner_text()
    visit.follow(reason.first)
    assert "MarkerP1" in quote
    assert quote.removesuffix(" grows") in page.locator("main").inner_text()
    visit.follow(page.get_by_role("link", name="Plays"))
    visit.follow(page.get_by_role("link", name="Audit", exact=True))
    page.get_by_label("Action").select_option("download")
    visit.follow(page.get_by_role("button", name="Show"))
    assert set(page.locator("tbody td[data-name=Action]").all_inner_texts()) == {"download"}
    page.get_by_role("searchbox", name="Person").fill("nobody of this name")
    visit.follow(page.get_by_role("button", name="Show"))
    assert page.get_by_role("heading", name="No entry").is_visible()
    visit.follow(page.get_by_role("link", name="chief: change the password"))
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill("a sentence that I keep")
    page.get_by_label("New password again").fill("a sentence that I keep, or not")
    visit.follow(page.get_by_role("button", name="Change it"))
    assert "not written the same twice" in page.get_by_role("alert").inner_text()
    # Chromium reports a refused form as a failed load; it is the only complaint there may be.
    assert [text for text in visit.complaints if "422" not in text] == []
    context.close()


def test_pages_that_cannot_be_shown_say_what_to_do(browser: Any, hub_url: str) -> None:
    context = browser.new_context(color_scheme="dark", viewport={"width": 390, "height": 844})
    visit = Visit(context)
    visit.sign_in(hub_url)
    for address, words in (
        ("/nothing", "Check the address"), ("/accounts?text=no+such+name", "Take one away"), ("/accounts/0123456789abcdef", "choose a page from the menu"),
        ("/reports/999", "choose a page from the menu"),
    ):  # fmt: skip
        visit.page.goto(hub_url + address)
        assert words in visit.page.locator("main").inner_text()
        visit.look()
    context.close()


def test_the_keyboard_alone_reaches_the_page_and_signs_in(browser: Any, hub_url: str) -> None:
    context = browser.new_context()
    page = Visit(context).page
    page.goto(hub_url)
    page.wait_for_function("document.activeElement.name === 'username'")
    page.keyboard.type("chief")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/overview")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    context.close()

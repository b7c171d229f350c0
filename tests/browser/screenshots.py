"""Take a picture of every kind of plot, to be looked at: light and dark, wide and narrow.

It starts nothing by itself. With a site that runs (``make demo``) and the packages of the test environment::

    export LAGPDB_URL=http://127.0.0.1:8000 LAGPDB_USER=demo LAGPDB_PASSWORD=…
    python tests/browser/screenshots.py FOLDER [KIND …]    # default: all kinds of measurements

Every figure of the newest measurement of each kind and configuration is taken: `FOLDER/kind-figure-theme-width.png`.
Options of its switches are taken too, one after the other, under their names.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.programs import chromium_path  # noqa: E402

URL = os.environ.get("LAGPDB_URL", "http://127.0.0.1:8000").rstrip("/")
WIDTHS = {"wide": 1400, "narrow": 390}
THEMES = ("light", "dark")
SETTLE_MS = 400


def sign_in(page: Page) -> None:
    page.goto(f"{URL}/login/")
    page.get_by_label("Name").fill(os.environ["LAGPDB_USER"])
    page.get_by_label("Password").fill(os.environ["LAGPDB_PASSWORD"])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "/login/" not in address)


def targets(page: Page, kinds: list[str]) -> dict[str, str]:
    """Name and address of one page per kind of measurement and kind of sample, and of the cells with figures."""
    rows = page.request.get(f"{URL}/api/v1/measurements/?ordering=-id&limit=500&fields=code,kind,subject").json()
    found: dict[str, str] = {}
    for row in rows["results"]:
        cell = page.request.get(f"{URL}/api/v1/cells/{row['subject']}/").json() if row["subject"] else {}
        name = f"{row['kind']}-{cell.get('configuration', 'other')}"
        if not kinds or row["kind"] in kinds:
            found.setdefault(name, f"/measurements/{row['code']}/")
        if not kinds or "cell" in kinds:
            found.setdefault(f"cell-{cell.get('configuration', 'other')}", f"/cells/{row['subject']}/")
    if not kinds or "results" in kinds:
        found["results"] = "/results/?quantity=ionic_conductivity_S_cm"
    return found


def settled(page: Page) -> None:
    """Wait until no figure is being fetched or drawn."""
    while page.locator("figure.plot .is-waiting").count():
        page.wait_for_timeout(50)
    page.wait_for_timeout(SETTLE_MS)


def take_all(page: Page, name: str, ending: str, folder: Path) -> int:
    """One picture per figure of a page, and per option of its switches."""
    count = 0
    figures = page.locator("figure.plot")
    for place in range(figures.count()):
        figure = figures.nth(place)
        kind = figure.get_attribute("data-kind")
        count += _take(page, figure, folder / f"{name}-{kind}-{ending}.png")
        if ending != "light-wide":
            continue
        options = figure.locator("[data-switch], [data-frame]")
        for number in range(options.count()):
            option = options.nth(number)
            if option.get_attribute("aria-pressed") == "true":
                continue
            group = option.get_attribute("data-switch") or "frame"
            value = option.get_attribute("data-value") or option.get_attribute("data-frame")
            option.click()
            settled(page)
            count += _take(page, figure, folder / f"{name}-{kind}-{group}-{value}.png")
            _reset(page, figure, group)
    return count


def _reset(page: Page, figure: Locator, group: str) -> None:
    """Back to the first option of a group."""
    which = "[data-frame]" if group == "frame" else f'[data-switch="{group}"]'
    figure.locator(which).first.click()
    settled(page)


def _take(page: Page, figure: Locator, path: Path) -> int:
    figure.scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    page.wait_for_timeout(SETTLE_MS // 4)
    figure.screenshot(path=path)
    return 1


def run(browser: Browser, folder: Path, kinds: list[str]) -> int:
    """Take all pictures; returns how many."""
    count = 0
    state: Any = None
    for ending, options in {
        f"{theme}-{words}": {"color_scheme": theme, "viewport": {"width": width, "height": 900}}
        for theme in THEMES
        for words, width in WIDTHS.items()
    }.items():
        context = browser.new_context(storage_state=state, reduced_motion="reduce", **options)
        page = context.new_page()
        if state is None:
            sign_in(page)
            state = context.storage_state()
        for name, address in targets(page, kinds).items():
            page.goto(f"{URL}{address}")
            settled(page)
            count += take_all(page, name, ending, folder)
        context.close()
    return count


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit("Name a folder for the pictures.")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        options = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=options)
        print(f"{run(browser, folder, sys.argv[2:])} pictures in {folder}")
        browser.close()


if __name__ == "__main__":
    main()

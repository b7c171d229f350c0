"""Logging six pellets through the batch form: interactions that the batch takes, and the time at a person's pace.

    python tests/benchmarks/batch_form.py

A real browser is driven at the pace of the keystroke-level model (Card, Moran, Newell 1980, doi:10.1145/358886.358895):
each key 0.50 s (the model's rate for text that is read off, not known by heart), pointing 1.1 s, one hand from keys to
pointer or back 0.4 s, and 1.35 s of thought before each value and each press. A scan, a click, a typed field and a
paste count as one interaction each; signing in is not counted.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from playwright.sync_api import Page, expect, sync_playwright

from tests.benchmarks.installation import Installation, api, installation, report
from tests.programs import chromium_path

KEY_S, POINT_S, HAND_S, THINK_S, SCAN_S = 0.50, 1.1, 0.4, 1.35, 1.0
MASSES = ("478,2", "476,9", "477,5", "479,1", "476,0", "477,0")
DIAMETERS = ("15,80", "15,78", "15,81", "15,83", "15,79", "15,79")
THICKNESSES = ("801", "798", "803", "805", "799", "800")


class Person:
    """Somebody at the bench, who counts what they do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.interactions = 0

    def click(self, target) -> None:
        """Think, move the hand, point, press."""
        self.interactions += 1
        time.sleep(THINK_S + HAND_S + POINT_S)
        target.click()

    def scan(self, code: str) -> None:
        """A hand-held scanner: the whole code at once, ended by Enter."""
        self.interactions += 1
        time.sleep(SCAN_S)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(f"{code}\n")

    def type(self, text: str, then: str = "") -> None:
        """Read a value, type it into the field that has the focus, and go on with a key."""
        self.interactions += 1
        time.sleep(THINK_S)
        self.page.keyboard.press("Control+A")
        self.page.keyboard.type(text, delay=KEY_S * 1000)
        if then:
            time.sleep(KEY_S)
            self.page.keyboard.press(then)


def signed_in(page: Page, site: Installation) -> None:
    """Through the door, as everybody."""
    page.goto(f"{site.url}/login/")
    page.get_by_label("Name").fill("bench")
    page.get_by_label("Password").fill("only for this benchmark")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")


def log_batch(page: Page, lot: str, *, measured: bool) -> tuple[int, float]:
    """From the dashboard to the saved batch; returns interactions and seconds."""
    page.goto(page.url.split("/", 3)[0] + "//" + page.url.split("/", 3)[2] + "/")
    person, began = Person(page), time.perf_counter()
    person.click(page.get_by_role("link", name="New pellets"))
    expect(page.locator("#id_powder_lot")).to_be_focused()
    person.scan(lot)
    person.type("6", "Enter")
    expect(page.locator("#id_sinter_temperature_degC")).to_have_value("900")
    expect(page.locator("table.rows tr[data-row]")).to_have_count(6)
    if measured:
        expect(page.locator("#id_row1-mass_mg")).to_be_focused()  # from how many to the first row, column by column
        for text in (*MASSES, *DIAMETERS, *THICKNESSES):
            person.type(text, "Enter")
    person.click(page.locator(".save-bar .btn.main"))
    expect(page.locator(".msg.ok")).to_contain_text("is saved: PEL-")
    return person.interactions, time.perf_counter() - began


def main() -> int:
    """Once for the batch alone, once with everything measured."""
    with installation(is_full=False) as site, sync_playwright() as playwright:
        site.serve()
        token = site.run("create_token", "bench", "--scope", "write", "--days", "1")
        lot = api(site, token, "powder-lots/", {"material": "LAGP", "amount_g": 500})["code"]
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        page = browser.new_page(viewport={"width": 1180, "height": 820}, locale="en-GB")
        signed_in(page, site)
        batch_interactions, batch_s = log_batch(page, lot, measured=False)
        all_interactions, all_s = log_batch(page, lot, measured=True)
        found = api(site, token, "pellets/?ordering=id")["results"][-6:]
        browser.close()
    measured = [(row["mass_mg"], row["diameter_mm"], row["thickness_um"]) for row in found]
    typed = [
        tuple(float(text.replace(",", ".")) for text in row) for row in zip(MASSES, DIAMETERS, THICKNESSES, strict=True)
    ]
    assert measured == typed, measured
    print(f"\nbatch alone {batch_s:.1f} s; with 18 values {all_interactions} interactions")
    rows = [
        ("batch of six, recipe filled", f"{batch_interactions} interactions", "≤ 14", batch_interactions <= 14),
        ("six pellets with all values", f"{all_s:.1f} s", "< 90 s", all_s < 90),
    ]
    return report("Batch form at a person’s pace", rows)


if __name__ == "__main__":
    sys.exit(main())

"""Take the README's picture: the page of one measurement, as it looks in a browser.

It starts nothing by itself. With a site that runs (``make demo``) and the packages of the test environment::

    export LAGPDB_URL=http://127.0.0.1:8000 LAGPDB_USER=demo LAGPDB_PASSWORD=…
    python docs/make_picture.py [CODE] [FILE]    # default: the newest spectrum at 25 °C, docs/measurement.png

Chromium is found as the tests find it (``LAGPDB_TEST_CHROMIUM`` names another one).
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.programs import chromium_path  # noqa: E402

URL = os.environ.get("LAGPDB_URL", "http://127.0.0.1:8000").rstrip("/")
SIZE = {"width": 1400, "height": 900}
COLOURS = 256  # a page of few colours: nothing is seen to be missing, and the file is a third


def sign_in(page: Page) -> None:
    page.goto(f"{URL}/login/")
    page.get_by_label("Name").fill(os.environ["LAGPDB_USER"])
    page.get_by_label("Password").fill(os.environ["LAGPDB_PASSWORD"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def newest_spectrum(page: Page) -> str:
    """The code of the newest impedance measurement at 25 °C."""
    query = "kind=eis&temperature_degC__range=24.5,25.5&ordering=-id&limit=1&fields=code"
    rows = page.request.get(f"{URL}/api/v1/measurements/?{query}").json()["results"]
    if not rows:
        raise SystemExit("This site has no impedance measurement at 25 °C. Load the demo, or name a measurement.")
    return rows[0]["code"]


def picture(code: str = "") -> bytes:
    """PNG of the page, in the light theme."""
    with sync_playwright() as playwright:
        options = ["--headless", "--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=options)
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        sign_in(page)
        page.goto(f"{URL}/measurements/{code or newest_spectrum(page)}/")
        expect(page.locator("figure.plot .is-waiting")).to_have_count(0)
        expect(page.locator("figure.plot .main-svg").first).to_be_attached()
        page.wait_for_timeout(500)
        taken = page.screenshot()
        browser.close()
    return taken


def main() -> None:
    code = sys.argv[1] if len(sys.argv) > 1 else ""
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "measurement.png"
    image = Image.open(io.BytesIO(picture(code))).convert("RGB")
    image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(target, optimize=True)
    print(f"{target}: {image.width} × {image.height}, {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()

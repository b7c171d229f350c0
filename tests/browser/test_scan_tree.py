"""Hand scanners on every page, the page that scans, labels, and the genealogy by keyboard."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests import builders
from tests.browser.test_pages import look_at

SLOW_MS = 150  # between two letters of a hand


def scan(page: Page, text: str) -> None:
    """Type as a scanner does: all letters at once, then Enter."""
    page.keyboard.type(text)
    page.keyboard.press("Enter")


@pytest.fixture
def story(site: Any) -> dict[str, Any]:
    """A lot of five pellets; one coated, converted, in a cell, measured."""
    pellet = builders.pellet()
    siblings = [builders.pellet(batch=pellet.batch) for _ in range(4)]
    run = builders.sputter_run(pellet, siblings[0])
    builders.film_thickness(builders.witness_plate(run))
    conversion = builders.conversion(pellet)
    cell = builders.symmetric_cell(pellet=pellet)
    builders.result(builders.measurement(cell))
    return {"pellet": pellet, "siblings": siblings, "run": run, "conversion": conversion, "cell": cell}


# -- scanners ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    ["PEL-0001", "pel1xx", "http://127.0.0.1:8000/s/PEL-0001", "http>&&lagpdb.example&s&PEL/0001"],
    ids=["code", "no code", "address", "address on another keyboard"],
)
def test_a_scan_opens_the_record_from_any_page(site, story, text):
    page = site.open("/measurements/")
    scan(page, text)
    if text == "pel1xx":
        page.wait_for_timeout(300)
        expect(page).to_have_url(f"{site.address}/measurements/")
    else:
        expect(page).to_have_url(f"{site.address}/pellets/PEL-0001/")


def test_letters_of_a_scan_are_no_shortcuts(site, story):
    """'gp' in the name of a server would lead to the pellets, and its slashes into the search field."""
    page = site.open("/glossary/")
    scan(page, "https://lagpdb.lab/s/CEL-0001")
    expect(page).to_have_url(f"{site.address}/cells/CEL-0001/")


def test_slow_typing_is_left_alone(site, story):
    page = site.open("/pellets/PEL-0001/")
    page.locator("#find").focus()
    page.keyboard.type("CEL-0001", delay=SLOW_MS)
    expect(page.locator("#find")).to_have_value("CEL-0001")
    page.locator("h1").click()
    page.keyboard.type("pel-0002", delay=SLOW_MS)
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    expect(page).to_have_url(f"{site.address}/pellets/PEL-0001/")


def test_a_scan_in_the_search_field_leaves_no_letters_behind(site, story):
    page = site.open("/pellets/PEL-0002/")
    page.locator("#find").fill("sint")
    page.locator("#find").focus()
    scan(page, "http://x/s/PEL-0001")
    expect(page).to_have_url(f"{site.address}/pellets/PEL-0001/")


def test_a_scan_fills_the_picker_that_has_the_focus(site, story):
    page = site.open("/cells/new/")
    page.locator("#id_pellet").focus()
    scan(page, "http://127.0.0.1:8000/s/PEL-0002")
    scan(page, "PEL-0003")
    expect(page.locator("#id_pellet")).to_have_value("PEL-0002 PEL-0003 ")
    expect(page).to_have_url(f"{site.address}/cells/new/")


def test_scans_add_lines_to_a_list_of_pickers(site, story):
    page = site.open("/sputter-runs/new/")
    expect(page.locator("#coated-rows li").first).to_be_visible()
    page.locator("h1").click()
    for code in ("PEL-0002", "PEL-0003", "PEL-0003", "PEL-0004"):
        scan(page, f"http://127.0.0.1:8000/s/{code}")
    values = [
        value for value in page.locator("#coated-rows input[type=text], #coated-rows input[list]").evaluate_all(
            "inputs => inputs.map((input) => input.value)"
        ) if value
    ]  # fmt: skip
    assert values == ["PEL-0002", "PEL-0003", "PEL-0004"]


def test_scans_collect_on_the_page_of_labels(site, story):
    page = site.open("/labels/")
    scan(page, "http://127.0.0.1:8000/s/PEL-0002")
    page.locator("#codes").focus()
    scan(page, "PEL-0003")
    scan(page, "PEL-0003")
    expect(page.locator("#codes")).to_have_value("PEL-0002\nPEL-0003")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("img", name="Label PEL-0003")).to_be_visible()
    address = "/labels/labels.pdf?codes=PEL-0002%2CPEL-0003&size=38x19&copies=1&start=1&dpi=203"
    expect(page.get_by_role("link", name="Print", exact=True)).to_have_attribute("href", address)


def test_a_scan_does_not_throw_away_a_form_that_was_begun(site, story):
    page = site.open("/lots/new/")
    page.locator("#id_supplier").fill("A supplier")
    page.locator("#id_supplier").focus()
    scan(page, "PEL-0001")
    expect(page.locator("#scanned")).to_contain_text("PEL-0001 was scanned.")
    expect(page.locator("#id_supplier")).to_have_value("A supplier")
    page.get_by_role("link", name="Open PEL-0001").click()
    expect(page).to_have_url(f"{site.address}/pellets/PEL-0001/")


def test_in_rows_a_scan_jumps_to_its_pellet(site):
    pellet = builders.pellet(thickness_um=None, mass_mg=None, diameter_mm=None)
    other = builders.pellet(batch=pellet.batch, thickness_um=None, mass_mg=None, diameter_mm=None)
    page = site.open(f"/pellet-batches/{pellet.batch.code}/edit/")
    first = page.locator(f"tr[data-row={pellet.code}] input:not([type=hidden])").first
    first.fill("290")
    first.focus()
    scan(page, f"http://127.0.0.1:8000/s/{other.code}")
    expect(first).to_have_value("290")
    focused = page.evaluate("document.activeElement.closest('tr')?.dataset.row")
    assert focused == other.code


def test_an_unknown_code_says_so(site):
    page = site.open("/scan/")
    scan(page, "http://127.0.0.1:8000/s/PEL-0999")
    expect(page.get_by_role("heading", name="PEL-0999 is not in lagpdb.")).to_be_visible()
    expect(page.get_by_role("link", name="New pellets")).to_be_visible()


def test_the_page_that_scans_remembers_the_last_ones(site, story):
    page = site.open("/pellets/")
    scan(page, "PEL-0001")
    expect(page).to_have_url(f"{site.address}/pellets/PEL-0001/")
    page.goto("/scan/")
    expect(page.locator("#last-scans a")).to_have_text(["PEL-0001"])
    page.locator("#scan-code").fill("cel 1")
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page).to_have_url(f"{site.address}/cells/CEL-0001/")
    page.goto("/scan/")
    expect(page.locator("#last-scans a")).to_have_text(["CEL-0001", "PEL-0001"])


# A browser that can read codes, with a camera that is refused, or that sees one label.
DETECTOR = """
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return [{ rawValue: "http://127.0.0.1:8000/s/PEL-0001" }]; }
  };
"""
REFUSED = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); };"
SEEING = """
  navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 9, 9);
    setInterval(() => canvas.getContext("2d").fillRect(0, 0, 9, 9), 40);
    return canvas.captureStream();
  };
"""


def test_a_camera_that_is_blocked_is_said(site):
    page = site.page()
    page.add_init_script(DETECTOR + REFUSED)
    page.goto("/scan/")
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator("#camera-words")).to_have_text("Camera blocked by the browser. Type the code instead.")
    expect(page.locator("#scan-code")).to_be_focused()


def test_a_label_before_the_camera_opens_its_record(site, story):
    page = site.page()
    page.add_init_script(DETECTOR + SEEING)
    page.goto("/scan/")
    page.get_by_role("button", name="Start camera").click()
    expect(page).to_have_url(f"{site.address}/pellets/PEL-0001/")


# -- genealogy ---------------------------------------------------------------------------------------------------------
def focused_code(page: Page) -> str:
    return page.evaluate("document.activeElement.querySelector('text.code')?.textContent ?? ''")


def test_the_tree_by_keyboard(site, story):
    page = site.open("/pellets/PEL-0001/tree/")
    assert page.locator("svg.tree a[tabindex='0']").count() == 1
    page.locator("svg.tree a[tabindex='0']").focus()
    assert focused_code(page) == "PEL-0001"
    for key, code in (
        ("ArrowLeft", "PBT-0001"), ("ArrowLeft", "LOT-0001"), ("ArrowLeft", "LOT-0001"), ("ArrowRight", "PBT-0001"),
        ("ArrowRight", "PEL-0001"), ("ArrowDown", "4 more pellets"), ("ArrowUp", "PEL-0001"),
        ("ArrowRight", "SPT-0001"), ("ArrowRight", "WIT-0001"), ("ArrowDown", "CNV-0001"), ("ArrowRight", "CEL-0001"),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert focused_code(page) == code, key
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.address}/cells/CEL-0001/")


def test_the_tree_is_saved_as_picture_and_table(site, story):
    page = site.open("/pellets/PEL-0001/tree/")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "PEL-0001_tree.png"
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    for name in ("SVG", "CSV of edges"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert "PEL-0001" in download.value.path().read_text("utf-8")


def test_views_and_filters_of_the_tree(site, story):
    page = site.open("/pellets/PEL-0001/")
    page.locator("#path").get_by_role("link", name="Whole lot").click()
    expect(page.locator("svg.tree").get_by_role("link", name="Pellet PEL-0005")).to_be_visible()
    page.get_by_role("link", name="only with results").click()
    expect(page.locator("svg.tree").get_by_role("link", name="Pellet PEL-0005")).to_have_count(0)
    page.get_by_role("navigation", name="View").get_by_role("link", name="List").click()
    expect(page.locator("svg.tree")).to_have_count(0)
    expect(page.locator("#list").get_by_role("link", name="MEA-00001", exact=True)).to_be_visible()


def test_pages_are_accessible(site, story):
    page = site.page(role="viewer", reduced_motion="reduce")
    addresses = [
        reverse("scan"), f"{reverse('labels')}?codes=PEL-0001,CEL-0001&size=25x10",
        *(f"{reverse('pellet_tree', args=['PEL-0001'])}?view={view}" for view in ("path", "lot", "list")),
        reverse("lot_tree", args=["LOT-0001"]), reverse("pellet_detail", args=["PEL-0001"]),
    ]  # fmt: skip
    problems = [problem for address in addresses for problem in look_at(page, address)]
    assert not problems, "\n".join(problems)

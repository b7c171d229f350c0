"""J1, J4 and J5 without a mouse: Tab, Enter, space, arrows and what is typed. J2 and J3 stand with their journeys."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from samples.models import Cell, Conversion, PowderLot
from tests import builders
from tests.browser.test_bench import press_until

SAVE = ".save-bar .btn.main"


def write(page: Page, field: str, text: str) -> None:
    """Go to a field by Tab and write into it, over what stands there."""
    press_until(page, "Tab", field)
    page.keyboard.press("Control+A")
    page.keyboard.type(text, delay=60)  # a person, not a scanner


def test_a_lot_is_received(site):
    page = site.open("/lots/")
    press_until(page, "Tab", 'a.btn.main[href="/lots/new/"]')
    page.keyboard.press("Enter")
    page.wait_for_url("**/lots/new/")
    write(page, "#id_supplier", "Example Powders")
    write(page, "#id_supplier_lot", "22-118")
    write(page, "#id_amount_g", "0,5 kg")
    press_until(page, "Tab", SAVE)
    page.keyboard.press("Enter")
    expect(page.get_by_text("LOT-0001 is saved.")).to_be_visible()
    lot = PowderLot.objects.get()
    assert (lot.supplier, lot.supplier_lot, lot.amount_g) == ("Example Powders", "22-118", 500.0)


def test_the_same_suppliers_lot_is_asked_about_and_saved(site):
    builders.lot(supplier="Example Powders", supplier_lot="22-118")
    page = site.open("/lots/new/")
    write(page, "#id_supplier", "Example Powders")
    write(page, "#id_supplier_lot", "22-118")
    write(page, "#id_amount_g", "500")
    press_until(page, "Tab", SAVE)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("LOT-0001 already has supplier lot 22-118.")
    press_until(page, "Tab", 'button[name="confirm"]')
    page.keyboard.press("Enter")
    expect(page.get_by_text("LOT-0002 is saved.")).to_be_visible()


def test_a_pellet_is_converted_and_built_into_a_cell(site):
    pellet = builders.pellet()
    builders.sputter_run((pellet, "AB"))
    page = site.open("/conversions/new/")
    write(page, "#id_pellet", pellet.code)
    press_until(page, "Tab", ".save-bar button")
    buttons = page.locator(".save-bar button")
    timer = buttons.filter(has_text="Start timer")
    for _ in range(6):
        if timer.evaluate("node => node === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".timer")).to_be_visible()
    press_until(page, "Tab", "#record-form button.main, .timer button.main, button.btn.main.big")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Li₂S/Cu@LAGP@Li₂S/Cu")
    assert Conversion.objects.get().performed_at is not None

    page.goto(f"/cells/new/?pellet={pellet.code}")
    press_until(page, "Tab", 'input[name="configuration"]')
    for _ in range(3):
        if page.evaluate("document.activeElement.value") == "symmetric":
            break
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    press_until(page, "Tab", SAVE)
    page.keyboard.press("Enter")
    expect(page.get_by_text("CEL-0001 is saved.")).to_be_visible()
    cell = Cell.objects.get()
    assert (cell.configuration, cell.notation) == ("symmetric", "Li|Li₂S/Cu@LAGP@Li₂S/Cu|Li")

"""J2 and J5: pellets in a batch, a cell on one of them, and two people at one record."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from samples.models import Cell, Pellet, PelletBatch
from tests import builders


def row(page: Page, number: int, field: str):
    return page.locator(f"#id_row{number}-{field}")


def press_until(page: Page, key: str, selector: str) -> None:
    """Press a key until the focus is where it should be."""
    for _ in range(60):
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{key} never leads to {selector}")


# -- J2: a batch of pellets --------------------------------------------------------------------------------------------
def test_a_batch_of_six(site):
    lot = builders.lot()
    page = site.open("/pellets/")
    page.get_by_role("link", name="New pellets").first.click()
    expect(page.locator("#id_powder_lot")).to_have_value(lot.code)
    expect(page.locator("#stock-hint")).to_contain_text("enough for 1000 pellets of 500 mg")
    expect(page.locator("#code-hint")).to_have_text("Codes PEL-0001 to PEL-0006, reserved when you save")

    powder = page.locator(".inp", has=page.locator("#id_powder_mass_mg"))
    expect(page.locator("#id_powder_mass_mg")).to_have_value("500")
    expect(page.locator("#id_sinter_temperature_degC")).to_have_value("900")
    expect(page.locator("#id_sinter_time_h")).to_have_value("8")
    assert_is_grey(page, "#id_powder_mass_mg")
    page.locator("#id_powder_mass_mg").fill("480")
    assert_is_grey(page, "#id_powder_mass_mg", is_grey=False)
    powder.get_by_role("button", name="Back to 500 of the recipe").click()
    expect(page.locator("#id_powder_mass_mg")).to_have_value("500")
    assert_is_grey(page, "#id_powder_mass_mg")

    row(page, 1, "mass_mg").fill("290,4")
    row(page, 1, "diameter_mm").fill("12.0")
    row(page, 1, "thickness_um").fill("801 803 799")
    expect(page.locator("#say-row1")).to_contain_text("ok")
    expect(page.locator("#say-row1")).to_contain_text("mean 801 ± 2 µm, n = 3")
    expect(page.locator("#density-row1")).to_have_text("94.0 %")

    page.locator(".save-bar .btn.main").click()
    expect(page.get_by_text("PBT-0001 is saved: PEL-0001 to PEL-0006.")).to_be_visible()
    for number in range(1, 7):
        expect(page.get_by_role("link", name=f"PEL-000{number}", exact=True).first).to_be_visible()
    first = Pellet.objects.get(code="PEL-0001")
    assert (first.mass_mg, first.thickness_um, first.thickness_readings_um) == (290.4, 801.0, [801.0, 803.0, 799.0])
    assert first.thickness_uncertainty_um == pytest.approx(2.0)
    assert PelletBatch.objects.get().sinter_temperature_degC == 900.0


def assert_is_grey(page: Page, selector: str, is_grey: bool = True) -> None:
    colour = "selector => getComputedStyle(document.querySelector(selector)).color"
    plain = page.evaluate("getComputedStyle(document.body).color")
    assert (page.evaluate(colour, selector) != plain) is is_grey


def test_what_was_typed_before_the_scripts_came_is_heard(site):
    pellet = builders.pellet(mass_mg=None, thickness_um=None, thickness_uncertainty_um=None)
    page = site.page()
    held: list[Route] = []
    page.route("**/htmx*.js", lambda route: held.append(route))
    page.goto(f"/pellets/{pellet.code}/edit/", wait_until="commit")
    page.locator("#id_thickness_um").fill("801")
    for route in held:
        route.continue_()
    expect(page.locator("#id_thickness_um_echo")).to_contain_text("801 µm")
    expect(page.locator("[data-draft-state]")).to_contain_text("draft saved")


def test_a_slip_of_ten(site):
    builders.lot()
    page = site.open("/pellets/new/")
    row(page, 2, "thickness_um").fill("8010")
    say = page.locator("#say-row2")
    expect(say).to_contain_text("8010 µm is 8.0 mm. Did you mean 801?")
    expect(page.locator("[data-save-words]")).to_have_text("Save 5, keep PEL-0002 as draft")
    say.get_by_role("button", name="Use 801").click()
    expect(row(page, 2, "thickness_um")).to_have_value("801")
    expect(row(page, 2, "thickness_um")).to_be_focused()
    expect(say).not_to_contain_text("Did you mean")
    expect(page.locator("[data-save-words]")).to_have_text("Save")


def test_a_bad_row_is_kept_as_draft(site):
    builders.lot(amount_g=2.1)
    page = site.open("/pellets/new/")
    row(page, 1, "thickness_um").fill("800")
    row(page, 3, "thickness_um").fill("80o")
    page.locator(".save-bar .btn.main").click()
    expect(page.locator(".msg")).to_contain_text("LOT-0001 has 2.1 g left, 6 pellets need 3.0 g.")
    page.get_by_role("button", name="Save anyway").click()
    expect(page.get_by_text("PEL-0003 is kept as draft")).to_be_visible()
    field = page.locator("#id_PEL-0003-thickness_um")
    expect(field).to_have_value("80o")
    expect(field).to_be_focused()
    field.fill("803")
    page.locator(".save-bar .btn.main").click()
    expect(page.get_by_text("1 saved.")).to_be_visible()
    assert Pellet.objects.get(code="PEL-0003").thickness_um == 803.0
    assert Pellet.objects.count() == 6


def test_a_batch_by_keyboard_alone(site):
    builders.lot()
    page = site.open("/pellets/new/")
    keys = page.keyboard
    press_until(page, "Tab", "#id_count")
    keys.press("Control+A")
    keys.type("3")
    keys.press("Tab")
    expect(page.locator("table.rows tr[data-row]")).to_have_count(3)
    press_until(page, "Tab", "#id_row1-mass_mg")
    for mass in ("290,1", "290,2", "290,3"):
        keys.type(mass)
        keys.press("Enter")
    expect(row(page, 1, "diameter_mm")).to_be_focused()  # at the foot of a column the next one begins
    keys.press("Tab")
    expect(row(page, 1, "thickness_um")).to_be_focused()
    for thickness in ("801", "802", "803"):
        keys.type(thickness)
        keys.press("Enter")
    expect(page.locator(".save-bar .btn.main")).to_be_focused()
    keys.press("Enter")
    expect(page.get_by_text("PBT-0001 is saved: PEL-0001 to PEL-0003.")).to_be_visible()
    assert list(Pellet.objects.order_by("pk").values_list("mass_mg", "thickness_um")) == [
        (290.1, 801.0),
        (290.2, 802.0),
        (290.3, 803.0),
    ]


def test_a_pasted_column_fills_downward(site):
    builders.lot()
    page = site.open("/pellets/new/")
    row(page, 1, "thickness_um").focus()
    page.evaluate(
        """() => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text", "801\\n802\\n803\\n804\\n");
          const paste = new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true});
          document.activeElement.dispatchEvent(paste);
        }"""
    )
    for number, text in enumerate(("801", "802", "803", "804", ""), start=1):
        expect(row(page, number, "thickness_um")).to_have_value(text)


def test_a_pasted_block_fills_to_the_right_as_well(site):
    builders.lot()
    page = site.open("/pellets/new/")
    row(page, 1, "mass_mg").focus()
    page.evaluate(
        """() => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text", "290,1\\t12,0\\t801\\n290,2\\t12,1\\t802\\n");
          const paste = new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true});
          document.activeElement.dispatchEvent(paste);
        }"""
    )
    for number, texts in ((1, ("290,1", "12,0", "801")), (2, ("290,2", "12,1", "802")), (3, ("", "", ""))):
        for field, text in zip(("mass_mg", "diameter_mm", "thickness_um"), texts, strict=True):
            expect(row(page, number, field)).to_have_value(text)


# -- J5: a cell --------------------------------------------------------------------------------------------------------
def test_a_blocking_cell(site):
    pellet = builders.pellet()
    page = site.open(f"/pellets/{pellet.code}/")
    page.get_by_role("link", name="Build cell").click()
    page.get_by_label("Blocking").check()
    hint = page.locator("#cell-hint")
    expect(hint).to_contain_text("Ag|LAGP|Ag")
    expect(hint).to_contain_text("Area 0.785 cm²")
    expect(hint).to_contain_text("0.1 mA cm⁻² = 78.5 µA")
    page.get_by_role("button", name="Save cell").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("CEL-0001 · Ag|LAGP|Ag")
    expect(page.get_by_text("CEL-0001 is saved.")).to_be_visible()

    again = site.open(f"/cells/new/?pellet={pellet.code}")
    again.get_by_label("Blocking").check()
    sentence = f"{pellet.code} is in CEL-0001, resting. Finish or dismantle that cell first."
    expect(again.locator("#cell-hint")).to_contain_text(sentence)
    again.get_by_role("button", name="Save cell").click()
    expect(again.locator("#id_pellet_error")).to_contain_text(sentence)
    expect(again.locator("#id_pellet")).to_be_focused()
    assert Cell.objects.count() == 1


def test_an_electrode_larger_than_the_pellet(site):
    pellet = builders.pellet(diameter_mm=12.0)
    page = site.open(f"/cells/new/?pellet={pellet.code}&configuration=blocking")
    page.locator("#id_electrode_diameter_mm").fill("14")
    page.get_by_role("button", name="Save cell").click()
    problem = page.locator("#id_electrode_diameter_mm_error")
    expect(problem).to_contain_text("The electrode (Ø 14 mm) is larger than the face of PEL-0001 (Ø 12 mm).")
    expect(page.locator("#id_electrode_diameter_mm")).to_be_focused()
    expect(page.locator("#id_electrode_diameter_mm")).to_have_value("14")
    page.locator("#id_electrode_diameter_mm").fill("10")
    page.get_by_role("button", name="Save cell").click()
    expect(page.get_by_text("CEL-0001 is saved.")).to_be_visible()


# -- two people at one record ------------------------------------------------------------------------------------------
def test_two_people_change_one_pellet(site):
    pellet = builders.pellet(thickness_um=801.0, mass_mg=290.0)
    address = f"/pellets/{pellet.code}/edit/"
    lin = site.open(address, name="lin")
    mara = site.open(address, name="mara")
    lin.locator("#id_thickness_um").fill("805")
    lin.locator("#id_reason").fill("measured again")
    lin.get_by_role("button", name="Save").last.click()
    expect(lin.get_by_text(f"{pellet.code} is saved.")).to_be_visible()

    mara.locator("#id_thickness_um").fill("798")
    mara.locator("#id_notes").fill("a chip at the rim")
    mara.locator("#id_reason").fill("typing error")
    mara.get_by_role("button", name="Save").last.click()
    conflict = mara.locator(".conflict")
    expect(conflict).to_contain_text(f"{pellet.code} was changed meanwhile by lin")
    expect(conflict.get_by_role("row", name="Thickness")).to_contain_text("805")
    expect(conflict.get_by_role("row", name="Thickness")).to_contain_text("798")
    expect(mara.locator("#id_notes")).to_have_value("a chip at the rim")
    conflict.get_by_text("take theirs").click()
    mara.get_by_role("button", name="Save").last.click()
    expect(mara.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    pellet.refresh_from_db()
    assert (pellet.thickness_um, pellet.notes) == (805.0, "a chip at the rim")


def test_unrelated_fields_merge(site):
    pellet = builders.pellet(mass_mg=290.0)
    address = f"/pellets/{pellet.code}/edit/"
    lin, mara = site.open(address, name="lin"), site.open(address, name="mara")
    lin.locator("#id_mass_mg").fill("291,5")
    lin.locator("#id_reason").fill("measured again")
    lin.get_by_role("button", name="Save").last.click()
    expect(lin.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    mara.locator("#id_notes").fill("a chip at the rim")
    mara.get_by_role("button", name="Save").last.click()
    expect(mara.get_by_text("Kept from somebody else’s change: Mass.")).to_be_visible()
    pellet.refresh_from_db()
    assert (pellet.mass_mg, pellet.notes) == (291.5, "a chip at the rim")

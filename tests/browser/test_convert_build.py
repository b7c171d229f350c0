"""J4 and J5 in the browser: conversion with the timer, then cells on what it gave; with their wrong paths."""

from __future__ import annotations

from datetime import timedelta

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from samples.models import Cell, Conversion, Pellet
from tests import builders
from tests.browser.site import NARROW
from tests.browser.test_pages import RULES

CONFIRM = "is in {cell}, on test. Finish or dismantle that cell first."


def coated(faces: str = "AB") -> Pellet:
    pellet = builders.pellet()
    builders.sputter_run((pellet, faces))
    return pellet


def assert_accessible(page: Page) -> None:
    found = Axe().run(page, options=RULES).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_two_pellets_are_converted_with_the_timer(site):
    first, second = coated(), coated()
    page = site.open("/conversions/new/")
    expect(page.locator("#id_temperature_degC")).to_have_value("230")
    page.locator("#id_pellet").focus()
    for pellet in (first, second):  # as a scanner types it
        page.keyboard.type(pellet.code.lower())
        page.keyboard.press("Enter")
    expect(page.locator(f'[data-pick="{second.code}"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#conversion-hint")).to_contain_text("CuS@LAGP@CuS")
    page.locator("#id_h2o_ppm").fill("3")
    expect(page.locator("#id_h2o_ppm_echo")).to_have_text("Above 1 ppm. Saved with a note.")
    assert_accessible(page)
    page.get_by_role("button", name="Start timer").click()
    expect(page.locator(".timer .clock")).to_contain_text("1:5")
    assert_accessible(page)
    other = site.open("/", name="mara")
    expect(other.get_by_text("Running now")).to_be_visible()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Li₂S/Cu@LAGP@Li₂S/Cu")
    expect(page.get_by_text("Next step: build the cells.")).to_be_visible()
    assert_accessible(page)
    assert Conversion.objects.filter(performed_at__isnull=True).count() == 0

    page.get_by_role("link", name="Build cells").first.click()
    page.get_by_label("Symmetric").check()
    expect(page.locator("#cell-hint")).to_contain_text("Li|Li₂S/Cu@LAGP@Li₂S/Cu|Li")
    page.get_by_role("button", name="Save cell").click()
    expect(page.get_by_text("CEL-0001, CEL-0002 are saved.")).to_be_visible()
    expect(page.get_by_text("Rest ends").first).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Sheet to print").click()
    expect(page.get_by_text("39.3 µA")).to_be_visible()
    assert_accessible(page)


def test_wrong_paths_of_a_conversion(site):
    builders.material("CuS", conversion_product="Li₂S/Cu")
    bare = builders.pellet()
    page = site.open(f"/conversions/new/?pellet={bare.code}")
    expect(page.locator("#id_duration_min")).to_have_value("2")
    page.get_by_role("button", name="Start timer").click()
    expect(page.get_by_role("alert")).to_contain_text(
        f"{bare.code} has no CuS layer, so there is nothing to convert. Record plain Li attachment instead?"
    )
    page.get_by_role("button", name="Record plain Li attachment").click()
    expect(page.locator(".timer")).to_be_visible()
    made = Conversion.objects.get()
    Conversion.objects.filter(pk=made.pk).update(started_at=made.started_at - timedelta(minutes=14))
    page.reload()  # as the tablet does when it wakes up
    expect(page.get_by_role("alert").first).to_contain_text("How long was the lithium on the hot plate?")
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#id_duration_min")).to_be_focused()
    page.locator("#id_duration_min").fill("2,5")
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("2.5 min saved.")).to_be_visible()


def test_a_full_cell_and_what_it_refuses(site):
    builders.electrode_lot()
    pellet = coated("B")
    page = site.open(f"/cells/new/?pellet={pellet.code}")
    page.get_by_label("Full").check()
    expect(page.locator("#id_liquid_uL")).to_have_value("7")
    expect(page.locator("#id_electrode_lot")).to_have_value("ELD-0001")
    expect(page.locator("#cell-hint")).to_contain_text("0.1 C = 33.4 µA")
    page.get_by_role("button", name="Save cell").click()
    expect(page.get_by_role("alert")).to_contain_text("The coated side faces LFP. Turn it?")
    page.get_by_role("button", name="Turn it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("CEL-0001 · Li|CuS@LAGP|LFP")
    page.get_by_role("button", name="Start test").click()
    expect(page.get_by_text("CEL-0001 is on test.")).to_be_visible()
    again = site.open(f"/cells/new/?pellet={pellet.code}&configuration=symmetric", viewport=NARROW)
    again.get_by_role("button", name="Save cell").click()
    expect(again.locator("#id_pellet_error")).to_contain_text(f"{pellet.code} {CONFIRM.format(cell='CEL-0001')}")
    assert_accessible(again)
    assert Cell.objects.count() == 1


def test_no_violation_on_the_other_pages(site):
    builders.conversion(h2o_ppm=0.4, o2_ppm=2.0)
    builders.electrode_lot(loading_mg_cm2=None)
    builders.instrument("afm-1")
    page = site.page()
    for address in (
        "/conversions/", "/conversions/CNV-0001/edit/", "/electrodes/", "/electrodes/new/", "/electrodes/ELD-0001/",
        "/recipes/", "/recipes/RCP-0002/", "/recipes/RCP-0002/next/", "/materials/", "/materials/new/",
        "/materials/LFP/", "/instruments/", "/instruments/new/", "/instruments/afm-1/",
    ):  # fmt: skip
        page.goto(address)
        assert_accessible(page)
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wider, address

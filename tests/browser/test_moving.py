"""A measurement on the wrong cell, in a real browser: the right code is scanned, said why, and the numbers follow."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from measurements.models import Measurement
from tests import spine
from tests.browser.site import NARROW, Site
from tests.browser.test_pages import look_at
from tests.browser.test_scan_tree import scan

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_right_cell_is_scanned_and_the_numbers_follow(site: Site):
    wrong, right = spine.cell(), spine.cell(spine.pellet(thickness_um=400.0))
    spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    measurement = Measurement.objects.get()
    page = site.open(reverse("measurement_detail", args=[measurement.code]))
    page.get_by_text("Move to another sample").click()
    field = page.locator("#move").get_by_label("Sample")
    field.focus()
    scan(page, f"http://lab/s/{right.code}")
    expect(field).to_have_value(right.code)
    expect(page).to_have_url(re.compile(f"{measurement.code}/$"))
    page.locator("#move").get_by_label("Reason").fill("the bags were mixed up")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator("main")).to_contain_text(f"{measurement.code} moved to {right.code}.")
    expect(page.locator("#measurement-live")).to_be_visible()
    site.work()
    expect(page.locator("#measurement-live")).to_have_count(0)
    expect(page.locator("#conditions")).to_contain_text(right.code)
    expect(page.locator("#history")).to_contain_text("the bags were mixed up")
    page.goto(reverse("cell_detail", args=[wrong.code]))
    expect(page.locator("main")).not_to_contain_text("10⁻⁴ S cm⁻¹")


def test_a_refused_form_comes_back_as_it_was_typed(site: Site):
    wrong = spine.cell()
    spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    page = site.open(reverse("measurement_detail", args=["MEA-00001"]), viewport=NARROW, reduced_motion="reduce")
    page.get_by_text("Move to another sample").click()
    page.locator("#move").get_by_label("Sample").fill("CEL-9999")
    page.locator("#move").get_by_label("Reason").fill("wrong bag")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator("#move")).to_contain_text("CEL-9999 is not in lagpdb.")
    expect(page.locator("#move").get_by_label("Sample")).to_have_value("CEL-9999")
    expect(page.locator("#move").get_by_label("Reason")).to_have_value("wrong bag")


def test_a_copy_for_another_cell_is_moved_from_its_row(site: Site):
    wrong, right = spine.cell(), spine.cell()
    spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    (copy,) = spine.taken_in((f"{right.code}_25C.csv", spine.spectrum()))
    page = site.open(reverse("upload_detail", args=[copy.upload.code]), reduced_motion="reduce")
    expect(page.get_by_text(f"already stored as MEA-00001 of {wrong.code}. Move it to {right.code}?")).to_be_visible()
    assert look_at(page, page.url) == []
    page.get_by_label(f"Reason for moving {copy.name}").fill("wrong bag")
    page.get_by_role("button", name=f"Move to {right.code}").click()
    expect(page.get_by_text(f"already stored as MEA-00001 of {right.code}.")).to_be_visible()
    expect(page.get_by_role("button", name=f"Move to {right.code}")).to_have_count(0)

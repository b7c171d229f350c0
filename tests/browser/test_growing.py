"""A test that grows, in a real browser: the longer copy, undo, and a file that waits for a decision."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests import builders
from tests.browser.site import Site
from tests.measurements.test_growing import sent, series

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_longer_copy_can_be_undone_and_then_replaces_again(site: Site):
    cell = builders.symmetric_cell()
    code = sent(cell, series(20)).measurements.get().code
    file = sent(cell, series(30))
    page = site.open(reverse("upload_detail", args=[file.upload.code]))
    row = page.locator(f"#file-{file.pk}")
    expect(page.get_by_text(f"Longer copy of {code}: first 20 h identical, adds 10 h.")).to_be_visible()
    row.get_by_role("button", name="Undo").click()
    expect(row).to_contain_text("waits for you")
    row.get_by_role("button", name=f"Replace {code}").click()
    expect(row).not_to_contain_text("waits for you")


def test_a_file_that_differs_asks(site: Site):
    cell = builders.symmetric_cell()
    code = sent(cell, series(20)).measurements.get().code
    file = sent(cell, series(30, change=(822, 0.01)))
    page = site.open(reverse("upload_detail", args=[file.upload.code]))
    expect(page.get_by_text(f"Differs from {code} at row 823. Keep as a separate test, or replace?")).to_be_visible()
    page.get_by_role("button", name="Keep separate").click()
    expect(page.locator(f"#file-{file.pk}")).not_to_contain_text("waits for you")


def test_buttons_of_a_file_stand_inside_its_card_on_a_tablet(site: Site):
    cell = builders.symmetric_cell()
    sent(cell, series(20))
    file = sent(cell, series(30, change=(822, 0.01)), name="a_rather_long_name_of_a_test_that_differs.csv")
    page = site.open(
        reverse("upload_detail", args=[file.upload.code]), viewport={"width": 820, "height": 1180}, has_touch=True
    )
    edge = page.locator("#batch .card").first.bounding_box()
    for name in ("Keep separate", re.compile("Replace MEA-")):
        button = page.get_by_role("button", name=name).bounding_box()
        assert button["x"] + button["width"] <= edge["x"] + edge["width"]
        assert button["height"] >= 44

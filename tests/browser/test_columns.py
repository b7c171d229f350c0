"""Columns and units of a table that was read already, corrected from its measurement's page in a real browser."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests import builders
from tests.analysis.test_bad_series import ramp
from tests.browser.site import Site
from tests.browser.test_pages import look_at
from tests.measurements.test_mappings import sent

pytestmark = pytest.mark.django_db(transaction=True)


def ramp_without_units() -> bytes:
    """Steps up to 0.60 mA cm⁻² without a short, in mV and µA under headers that do not say so."""
    frame = ramp()
    rows = zip(frame["time_s"], 1e3 * frame["potential_V"], 1e6 * frame["current_A"], strict=True)
    return ("time,potential,current\n" + "\n".join(f"{t:.1f},{u:.4f},{i:.3f}" for t, u, i in rows) + "\n").encode()


def test_units_are_corrected_on_the_page_and_the_critical_current_appears(site: Site):
    cell = builders.symmetric_cell()
    measurement = sent(cell, ramp_without_units(), kind="ccd_ramp").measurements.get()
    page = site.open(reverse("measurement_detail", args=[measurement.code]))
    expect(page.locator("#checks")).to_contain_text("The file states no units, and its numbers are not plausible")
    expect(page.locator(".val", has_text="0.600")).to_have_count(0)
    page.locator("#checks").get_by_role("link", name="Columns and units").first.click()
    assert look_at(page, page.url) == []
    expect(page.get_by_label("Unit of potential")).to_have_value("V")
    expect(page.get_by_label("Unit of current")).to_have_value("A")
    page.get_by_label("Unit of potential").select_option("mV")
    page.get_by_label("Unit of current").select_option("µA")
    page.get_by_label("Reason").fill("the logger writes mV and µA")
    page.get_by_role("button", name="Read with these columns").click()
    expect(page.locator("#measurement-live")).to_contain_text("The file is being read again.")
    site.work()
    expect(page.locator("#measurement-live")).to_have_count(0)
    expect(page.locator("#measurement-body")).to_contain_text("0.600")
    expect(page.locator("#measurement-body")).not_to_contain_text("units_in_doubt")
    expect(page.locator("#source")).to_contain_text("current from ‘current’ in µA")
    expect(page.locator("#history")).to_contain_text("the logger writes mV and µA")

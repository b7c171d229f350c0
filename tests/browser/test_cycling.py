"""Plots of full cells in a real browser: drawn without errors, frames and keys work, nothing to scroll sideways."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from tests.analysis.test_cycling_page import measured
from tests.browser.site import NARROW, WIDE, Site, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_capacity_voltage_and_differential_are_drawn(site: Site, size):
    measurement, _ = measured()
    page = site.open(reverse("measurement_detail", args=[measurement.code]), viewport=size)
    for name in ("capacity", "voltage", "differential"):
        expect(page.locator(f"#plot-{name} .main-svg").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_axis_of_the_efficiency_has_two_frames_and_keys_step_through_cycles(site: Site):
    measurement, _ = measured()
    page = site.open(reverse("measurement_detail", args=[measurement.code]))
    plot = page.locator("#plot-capacity")
    expect(plot.locator(".main-svg").first).to_be_visible()
    near = page.evaluate("document.querySelector('#plot-capacity .plot-canvas')._fullLayout.yaxis2.range")
    assert near == [90, 102]
    plot.get_by_role("button", name="Full range").click()
    expect(plot.get_by_role("button", name="Full range")).to_have_attribute("aria-pressed", "true")
    until(page, "document.querySelector('#plot-capacity .plot-canvas')._fullLayout.yaxis2.range[0] > 95")
    plot.locator(".plot-canvas").focus()
    page.keyboard.press("ArrowRight")
    expect(plot.locator(".plot-read")).to_contain_text("Cycle 4: discharge 147 mAh g⁻¹, CE 99.00 %")


def test_the_rate_plot_is_drawn(site: Site):
    measurement, _ = measured("rate_test")
    page = site.open(reverse("measurement_detail", args=[measurement.code]))
    expect(page.locator("#plot-rate .main-svg").first).to_be_visible()
    expect(page.locator("#plot-rate")).to_contain_text("recovery 96.4 %")

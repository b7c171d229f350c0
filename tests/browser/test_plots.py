"""Plots in a real browser: switches, the address, zoom, legend, exports, marked points, and runs with other choices."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pytest
from django.urls import reverse
from playwright.sync_api import expect

from analysis.campaign.series_writers import land
from analysis.models import AnalysisRun
from analysis.science.critical_current import CriticalCurrent
from analysis.science.plating import Plating
from analysis.science.polarisation import Polarisation
from analysis.science.synthetic_cycling import cycling_test, faded_capacities_mAh
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test
from measurements.models import Measurement
from tests import builders, spine
from tests.analysis.test_cycling_page import measured
from tests.analysis.test_symmetric_page import measured as symmetric_cell
from tests.browser.site import Site, until
from tests.browser.test_pages import look_at

pytestmark = pytest.mark.django_db(transaction=True)
BEGUN = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)


def canvas(name):
    return f"document.querySelector('#plot-{name} .plot-canvas')"


def opened(site, measurement, query="", **options):
    return site.open(reverse("measurement_detail", args=[measurement.code]) + query, **options)


def drawn(page, name):
    expect(page.locator(f"#plot-{name} .main-svg").first).to_be_visible()
    return page.locator(f"#plot-{name}")


# -- switches and the address ------------------------------------------------------------------------------------------
def test_a_unit_is_switched_and_stands_in_the_address(site: Site):
    measurement, _ = measured()
    page = opened(site, measurement)
    plot = drawn(page, "capacity")
    plot.get_by_role("button", name="mAh cm⁻²").click()
    expect(plot.get_by_role("button", name="mAh cm⁻²")).to_have_attribute("aria-pressed", "true")
    until(page, f"{canvas('capacity')}._fullLayout.yaxis.title.text.includes('mAh cm⁻²')")
    assert "plot-capacity=unit:mAh_cm2" in page.url
    page.reload()
    drawn(page, "capacity")
    until(page, f"{canvas('capacity')}._fullLayout.yaxis.title.text.includes('mAh cm⁻²')")
    plot.get_by_role("button", name="mAh g⁻¹").click()
    until(page, "!location.search.includes('plot-capacity')")


def test_frame_zoom_and_hidden_series_come_back_from_the_address(site: Site):
    measurement, _ = measured()
    page = opened(site, measurement)
    plot = drawn(page, "capacity")
    plot.get_by_role("button", name="Full range").click()
    plot.get_by_role("button", name="Zoom in").click()
    until(page, "location.search.includes('xaxis:')")
    plot.locator(".legendtoggle").last.click()
    until(page, "decodeURIComponent(location.search).includes('hide:CE')")
    before = page.evaluate(f"{canvas('capacity')}._fullLayout.xaxis.range")
    other = site.open(page.url.removeprefix(site.address))
    drawn(other, "capacity")
    until(other, f"{canvas('capacity')}.data.some((t) => t.name === 'CE' && t.visible === 'legendonly')")
    after = other.evaluate(f"{canvas('capacity')}._fullLayout.xaxis.range")
    assert after == pytest.approx(before, rel=1e-3)
    expect(other.locator("#plot-capacity").get_by_role("button", name="Full range")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_double_click_in_the_legend_leaves_one_series(site: Site):
    measurement, _ = measured()
    page = opened(site, measurement)
    plot = drawn(page, "voltage")
    plot.locator(".legendtoggle").first.dblclick()
    until(page, f"{canvas('voltage')}.data.filter((t) => (t.visible ?? true) === true).length === 2")


def test_chosen_cycles_are_drawn(site: Site):
    measurement, _ = measured()
    page = opened(site, measurement)
    plot = drawn(page, "voltage")
    plot.locator("input[data-param=cycles]").fill("5 20")
    page.keyboard.press("Enter")
    until(page, f"new Set({canvas('voltage')}.data.map((t) => t.name)).size === 2")


def test_a_point_of_a_voltage_curve_is_read_aloud_and_shown(site: Site):
    measurement, run = measured()
    page = opened(site, measurement)
    plot = drawn(page, "voltage")
    plot.locator(".plot-canvas").focus()
    for key in ("Home", "ArrowRight"):
        page.keyboard.press(key)
    part = run.curves["voltage"][0]
    capacity = f"{part['capacity_mAh'][1] * 1000 / run.curves['marks']['active_mass_mg']:#.3g}"
    words = f"cycle {part['cycle_number']}, {part['direction']}: {capacity} mAh g⁻¹, {part['potential_V'][1]:.4f} V"
    expect(plot.locator(".plot-read")).to_contain_text(f"2 of {len(part['potential_V'])}. {words}")
    expect(plot.locator(".hoverlayer")).to_contain_text(words)


# -- exports -----------------------------------------------------------------------------------------------------------
def test_exports_have_two_widths_and_the_source_line_goes(site: Site):
    measurement, _ = measured()
    page = opened(site, measurement)
    plot = drawn(page, "capacity")
    texts = {}
    for name in ("wide", "narrow"):
        if name == "narrow":
            plot.get_by_text("Export options").click()
            plot.get_by_label("85 mm wide").check()
            plot.get_by_label("Without source line").check()
        with page.expect_download() as download:
            plot.get_by_role("button", name="SVG").click()
        texts[name] = download.value.path().read_text()
    assert 'width="170mm"' in texts["wide"]
    assert 'width="85mm"' in texts["narrow"]
    assert "lagpdb" in texts["wide"]
    assert "lagpdb" not in texts["narrow"]
    assert "<text" in texts["narrow"]
    assert "var(" not in texts["narrow"]
    plot.get_by_label("Transparent").check()
    with page.expect_download() as download:
        plot.get_by_role("button", name="PNG").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


# -- a long recording --------------------------------------------------------------------------------------------------
def test_zooming_a_long_test_asks_for_its_rows(site: Site):
    cell = builders.symmetric_cell()
    programme = current_steps([0.1], 3600.0, cycles_per_step=12)
    frame = galvanostatic_test(programme, Cell(), np.random.default_rng(1), interval_s=10.0).frame
    spine.upload((f"{cell.code}_plating_25C.csv", land(frame, BEGUN)))
    site.work()
    measurement = Measurement.objects.get(kind="plating_stripping")
    page = opened(site, measurement)
    plot = drawn(page, "plating")
    expect(plot).to_contain_text("Envelope of")
    sizes = []
    page.on("response", lambda r: sizes.append(len(r.body())) if "from=" in r.url else None)
    count = f"{canvas('plating')}.data.find((t) => t.name === 'V').x.length"
    low, high = (f"{canvas('plating')}._fullLayout.xaxis.range[{end}]" for end in (0, 1))
    inside = count.replace(".x.length", f".x.filter((x) => x > {low} && x < {high}).length")
    for _ in range(6):
        plot.get_by_role("button", name="Zoom in").click()
    until(page, f"{inside} > 0 && {count} < 4000 && {inside} >= {count} - 2")
    heights = page.evaluate(f"{canvas('plating')}._fullLayout.yaxis.range")
    assert heights[0] < -0.04 < 0.04 < heights[1]  # 0.1 mA cm⁻² · 400 Ω cm² stay in sight
    assert sizes
    assert max(sizes) < 1_000_000
    plot.get_by_role("button", name="Reset").click()
    until(page, f"{canvas('plating')}._fullLayout.xaxis.range[1] > 23")


# -- other choices -----------------------------------------------------------------------------------------------------
def test_points_are_marked_in_the_plot_and_a_new_run_leaves_them_out(site: Site):
    cell = spine.cell()
    spine.upload((f"{cell.code}_25C.csv", spine.spectrum()))
    site.work()
    measurement = Measurement.objects.get(kind="eis")
    page = opened(site, measurement)
    plot = drawn(page, "nyquist")
    plot.get_by_role("button", name="Mark points").click()
    plot.locator(".plot-canvas").focus()
    for key in ("ArrowRight", "m", "ArrowRight", "m", "ArrowRight", "m"):
        page.keyboard.press(key)
    expect(plot.locator(".plot-read")).to_contain_text("3 chosen")
    page.wait_for_timeout(300)  # letters that follow each other at once are those of a scanner
    page.keyboard.press("m")
    expect(plot.locator(".plot-read")).to_contain_text("2 chosen")
    expect(page.locator("#masked")).to_have_value("0 1")
    plot.get_by_role("button", name="Run without them").click()
    expect(page.locator("#rerun [name=reason]")).to_be_focused()
    page.locator("#rerun [name=reason]").fill("the two highest frequencies are cable")
    page.locator("#rerun").get_by_role("button", name="Run again").click()
    expect(page.get_by_text("The analysis runs again.")).to_be_visible()
    site.work()
    page.reload()
    expect(page.locator("#runs")).to_contain_text("2 points left out by hand")
    expect(page.locator("#runs")).to_contain_text("the two highest frequencies are cable")
    runs = AnalysisRun.objects.filter(measurement=measurement).order_by("pk")
    assert [run.is_current for run in runs] == [False, True]
    assert runs[1].parameters["masked_points"] == [0, 1]
    assert runs[1].curves["data"]["is_used"][:3] == [False, False, True]
    drawn(page, "nyquist")
    until(page, f"{canvas('nyquist')}.data.some((t) => t.name === 'left out of the fit' && t.x.length === 2)")


def test_plots_of_a_spectrum_point_at_the_same_frequency(site: Site):
    cell = spine.cell()
    spine.upload((f"{cell.code}_25C.csv", spine.spectrum()))
    site.work()
    page = opened(site, Measurement.objects.get(kind="eis"))
    for name in ("nyquist", "bode", "residuals"):
        drawn(page, name)
    page.locator("#plot-nyquist .plot-canvas").focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    reading = page.locator("#plot-nyquist .plot-read").inner_text()
    frequency = re.search(r"(\d[\d.]* [kM]?Hz)", reading).group(1)
    for name in ("bode", "residuals"):
        expect(page.locator(f"#plot-{name} .hoverlayer")).to_contain_text(frequency)


def test_another_reference_cycle_makes_a_new_run(site: Site):
    cell = spine.cell(configuration="full")
    capacities = faded_capacities_mAh(0.3, 0.9, 30, formation=0)
    test = cycling_test(capacities, 0.99, np.full(30, 0.03), rng=np.random.default_rng(3), points_per_half=30)
    spine.upload((f"{cell.code}_cycling_25C.csv", land(test.frame, BEGUN)))
    site.work()
    measurement = Measurement.objects.get(kind="cycling")
    page = opened(site, measurement)
    drawn(page, "capacity")
    page.get_by_text("Re-run with other choices").click()
    page.get_by_label("Reference cycle").fill("10")
    page.locator("#rerun [name=reason]").fill("compare from cycle 10")
    page.get_by_role("button", name="Run again").click()
    site.work()
    page.reload()
    expect(page.locator("#plot-capacity")).to_contain_text("reference, cycle 10")
    expect(page.locator("#runs")).to_contain_text("reference cycle 10")
    run = AnalysisRun.objects.get(measurement=measurement, is_current=True)
    last = run.results.get(quantity="capacity_retention_fraction", label="last")
    assert last.value == pytest.approx(capacities[-1] / capacities[9], rel=2e-3)
    assert AnalysisRun.objects.filter(measurement=measurement).count() == 2


def test_the_upload_page_names_every_format(site: Site):
    page = site.open(reverse("upload"))
    words = page.locator("#drop .drop-words").inner_text()
    for name in ("LAND", "Neware", "Gamry", "EC-Lab .mpt", "NOVA", "any table with named columns"):
        assert re.search(re.escape(name), words)


# -- for everybody -----------------------------------------------------------------------------------------------------
def test_pages_of_electrochemical_tests_are_accessible(site: Site):
    found = [
        measured()[0], measured("rate_test")[0], symmetric_cell(CriticalCurrent, "ccd_ramp")[0],
        symmetric_cell(Plating, "plating_stripping")[0], symmetric_cell(Polarisation, "polarisation")[0],
    ]  # fmt: skip
    page = site.page(reduced_motion="reduce")
    problems = [each for m in found for each in look_at(page, reverse("measurement_detail", args=[m.code]))]
    for value in (0.1, 0.2):
        builders.result(builders.measurement(builders.symmetric_cell()), "critical_current_density_mA_cm2", value)
    problems += look_at(page, reverse("result_list") + "?quantity=critical_current_density_mA_cm2")
    assert not problems, "\n".join(problems)


def test_folded_lines_and_boxes_are_large_enough_for_gloves(site: Site):
    measurement, _ = measured()
    page = opened(site, measurement, has_touch=True, is_mobile=True, viewport={"width": 768, "height": 1024})
    drawn(page, "capacity").get_by_text("Export options").click()
    small = page.evaluate(
        "[...document.querySelectorAll('#plot-capacity summary, #plot-capacity label:has(> [type=checkbox])')]"
        ".filter((e) => e.offsetParent && e.getBoundingClientRect().height < 48).map((e) => e.textContent)"
    )
    assert small == []


def test_fields_and_ways_back_are_large_enough_for_gloves(site: Site):
    measurement, _ = measured()
    page = opened(site, measurement, has_touch=True, is_mobile=True, viewport={"width": 768, "height": 1024})
    for summary in page.locator("#conditions summary, #numbers summary").all()[:2]:
        summary.click()
    small = page.evaluate(
        "[...document.querySelectorAll('main :is(input:not([type=checkbox], [type=hidden]), select, .crumb a)')]"
        ".filter((e) => e.offsetParent && !e.closest('.vh') && e.getBoundingClientRect().height < 44)"
        ".map((e) => e.name || e.textContent)"
    )
    assert small == []


def test_the_label_of_a_frequency_at_the_left_edge_is_not_cut_off(site: Site):
    spectrum = spine.taken_in((f"{builders.blocking_cell().code}_25C.csv", spine.spectrum(25)))[0].measurements.get()
    page = opened(site, spectrum, "?plot-nyquist=frame:full")
    drawn(page, "nyquist")
    until(page, f"{canvas('nyquist')}.data.some((t) => t.name === 'decades full' && t.x.length)")
    cut = page.evaluate(
        "(plot) => [...plot.querySelectorAll('.textpoint text')].filter((text) => text.getBoundingClientRect().left"
        " < plot.querySelector('.nsewdrag').getBoundingClientRect().left - 1).map((text) => text.textContent)",
        page.query_selector("#plot-nyquist .plot-canvas"),
    )
    assert cut == []


def test_an_address_leads_to_a_choice_in_folded_lines(site: Site):
    measurement, _ = symmetric_cell(Polarisation, "polarisation")
    page = opened(site, measurement, "#choice-polarisation_voltage_V")
    expect(page.locator("#choice-polarisation_voltage_V")).to_be_focused()

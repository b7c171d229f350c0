"""J6 and J7: files in, rows that live, numbers and plots out; and every wrong path on the way."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from analysis.models import AnalysisRun, Result
from measurements.models import Measurement
from tests import spine
from tests.browser.site import Site

SIGMA = re.compile(r"σ\s*\(\d\.\d+ ± \d\.\d+\) × 10⁻⁴ S cm⁻¹")


def file(name: str, content: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "text/plain", "buffer": content}


def spectrum(name: str, temperature_degC: float = 25.0, seed: int = 1) -> dict[str, Any]:
    return file(name, spine.spectrum(temperature_degC, seed))


def row(page: Page, name: str) -> Locator:
    return page.locator("tr.file", has_text=name)


def send(page: Page, *files: Any, to: str = "#files") -> None:
    """Choose files on the upload page; the page of the batch opens by itself."""
    page.set_input_files(to, list(files))
    page.wait_for_url("**/uploads/*/")


def mark(page: Page) -> None:
    """Leave a sign in the page: it is gone as soon as the page is loaded again."""
    page.evaluate("window.isTheSame = true")


def is_marked(page: Page) -> bool:
    return page.evaluate("window.isTheSame === true")


def uploaded(site: Site, *files: Any, **options: Any) -> Page:
    """A page with the batch of these files, not worked on yet."""
    page = site.open("/upload/", **options)
    send(page, *files)
    mark(page)
    return page


# -- J6: upload --------------------------------------------------------------------------------------------------------
def test_rows_live_until_done(site):
    cell = spine.cell()
    page = uploaded(site, *[spectrum(f"{cell.code}_{t}C.csv", t, seed=t) for t in (25, 40)], spectrum("nobody.csv"))
    expect(page.locator("tr.file")).to_have_count(3)
    expect(page.locator("#batch")).to_contain_text("0 of 3 finished")
    elsewhere = site.open(page.url)
    mark(elsewhere)
    site.work()
    for each in (page, elsewhere):
        expect(row(each, "_25C")).to_contain_text("done")
        expect(row(each, "_25C")).to_contain_text(SIGMA)
        expect(row(each, "_25C")).to_contain_text("25 °C from name")
        expect(row(each, "nobody.csv")).to_contain_text("needs a sample")
        expect(each.locator("#batch")).to_contain_text("2 of 3 finished, 1 needs you")
        assert is_marked(each)
    expect(page.locator("#live")).to_contain_text("2 of 3 finished")
    card = page.locator("section.card", has=page.locator("figure.plot")).first
    expect(card.locator(".plot-canvas svg.main-svg").first).to_be_attached()
    page.reload()
    expect(row(page, "_40C")).to_contain_text("done")
    row(page, "_25C").get_by_role("link", name="Open result").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("MEA-00001")


def test_a_folder(site, tmp_path):
    cell = spine.cell()
    folder = tmp_path / "week11" / cell.code
    folder.mkdir(parents=True)
    (folder / "25C.csv").write_bytes(spine.spectrum())
    (folder / "Thumbs.db").write_bytes(b"pictures")
    page = site.open("/upload/")
    page.set_input_files("#folder", tmp_path / "week11")
    page.wait_for_url("**/uploads/*/")
    site.work()
    expect(row(page, "25C.csv")).to_contain_text("done")
    expect(row(page, "25C.csv")).to_contain_text("code in folder name")
    expect(page.get_by_text("1 system file skipped")).to_be_visible()


def test_files_are_dropped(site):
    cell = spine.cell()
    page = site.open("/upload/")
    transfer = page.evaluate_handle(
        """([name, text]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], name));
          return transfer;
        }""",
        [f"{cell.code}_25C.csv", spine.spectrum().decode()],
    )
    page.dispatch_event("#drop", "dragenter", {"dataTransfer": transfer})
    expect(page.locator("body")).to_have_class("dragging")
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})
    page.wait_for_url("**/uploads/*/")
    site.work()
    expect(row(page, cell.code)).to_contain_text("done")


def test_a_file_without_sample(site):
    cell = spine.cell()
    page = uploaded(site, spectrum("cell 1 after.csv"))
    site.work()
    waiting = row(page, "cell 1 after.csv")
    expect(waiting).to_contain_text("needs a sample")
    expect(waiting).to_contain_text("Ag|LAGP|Ag, built")
    waiting.get_by_role("button", name=f"Use {cell.code}").click()
    expect(page.get_by_text(f"cell 1 after.csv belongs to {cell.code} and is being read.")).to_be_visible()
    site.work()
    expect(waiting).to_contain_text("done")
    expect(waiting).to_contain_text("chosen by hand")
    expect(waiting).to_contain_text("25 °C assumed")


def test_an_assumed_temperature_is_changed(site):
    cell = spine.cell()
    page = uploaded(site, spectrum(f"{cell.code}.csv"))
    site.work()
    expect(page.get_by_text("25 °C is assumed and marked as assumed.")).to_be_visible()
    row(page, cell.code).get_by_role("link", name="Open result").click()
    conditions = page.locator("#conditions")
    expect(conditions).to_contain_text("assumed")
    conditions.get_by_text("Change").click()
    conditions.get_by_label("Temperature in °C").fill("60,5")
    conditions.locator("#temperature-reason").fill("written on the bag")
    conditions.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The temperature is 60.5 °C.")).to_be_visible()
    site.work()
    expect(page.locator("#conditions")).not_to_contain_text("assumed")
    assert Result.objects.current().get(quantity="ionic_conductivity_S_cm").temperature_degC == 60.5


def test_a_file_that_cannot_be_read(site):
    cell = spine.cell()
    lines = spine.spectrum().splitlines()
    lines[12] = b"#DIV/0!,1,2"
    page = uploaded(site, file(f"{cell.code}_25C.csv", b"\n".join(lines)), file("photo of the setup.txt", b"hello"))
    site.work()
    broken = row(page, cell.code)
    expect(broken).to_contain_text("cannot read line 13")
    said = broken.locator("xpath=following-sibling::tr[1]")
    expect(said).to_contain_text("Line 13")
    expect(said).to_contain_text("‘#DIV/0!’ is not a number")
    said.get_by_text("Show line").click()
    expect(said.locator("pre strong")).to_contain_text("#DIV/0!,1,2")
    expect(broken.get_by_role("button", name="Try again")).to_be_visible()
    inbox = site.open("/inbox/?show=failed")
    expect(inbox.locator("table.files")).to_contain_text(f"{cell.code}_25C.csv")

    broken.get_by_role("button", name="Use the good rows").click()
    site.work()
    expect(broken).to_contain_text("done")
    expect(broken).to_contain_text(SIGMA)


def test_a_duplicate_leads_to_what_is_stored(site):
    cell = spine.cell()
    spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    page = uploaded(site, spectrum("copy.csv"))
    site.work()
    expect(row(page, "copy.csv")).to_contain_text("already stored")
    row(page, "copy.csv").get_by_role("link", name="Open MEA-00001").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("MEA-00001")
    assert Measurement.objects.count() == 1


def test_the_network_is_cut(site):
    """Once while a file is sent, once while its row is watched: nothing is lost, and the page says what happens."""
    cell = spine.cell()
    page = site.open("/upload/")
    with site.cut(page):
        page.set_input_files("#files", [spectrum(f"{cell.code}_25C.csv")])
        expect(page.locator("#sending-words")).to_have_text("No connection. Trying again.")
    page.wait_for_url("**/uploads/*/")
    mark(page)
    expect(row(page, cell.code)).to_be_visible()

    with site.cut(page):
        expect(page.locator("#connection")).to_contain_text("No connection. Trying again.")
        before = page.locator("#last-update").inner_text()
        site.work()
        page.wait_for_timeout(2500)
        expect(page.locator("#connection")).to_be_visible()
        assert page.locator("#last-update").inner_text() == before
    expect(row(page, cell.code)).to_contain_text(SIGMA)
    expect(page.locator("#connection")).to_be_hidden()
    assert is_marked(page)
    spine.check_invariants()


def test_all_for_one_sample(site):
    cell = spine.cell()
    page = site.open(f"/cells/{cell.code}/")
    page.get_by_role("link", name="Upload test").first.click()
    expect(page.locator("#id_subject")).to_have_value(cell.code)
    page.locator("#id_temperature_degC").fill("40")
    send(page, spectrum("anything.csv", 40))
    site.work()
    expect(row(page, "anything.csv")).to_contain_text("chosen for all files")
    expect(row(page, "anything.csv")).to_contain_text("40 °C")


# -- J7: the measurement -----------------------------------------------------------------------------------------------
@pytest.fixture
def measured(site) -> Page:
    """The page of a spectrum at 25 °C, of a cell with four temperatures."""
    cell = spine.cell()
    spine.arrhenius(cell, 25, 40, 60, 80)
    page = site.open("/measurements/MEA-00001/")
    expect(page.locator("#plot-nyquist .main-svg").first).to_be_attached()
    return page


def pixels_per_ohm(page: Page) -> tuple[float, float]:
    return tuple(
        page.evaluate(
            """() => {
              const { xaxis, yaxis } = document.querySelector("#plot-nyquist .plot-canvas")._fullLayout;
              return [xaxis, yaxis].map((axis) => axis._length / Math.abs(axis.range[1] - axis.range[0]));
            }"""
        )
    )


def highest_ohm(page: Page) -> float:
    return page.evaluate("document.querySelector('#plot-nyquist .plot-canvas')._fullLayout.xaxis.range[1]")


def test_a_nyquist_plot_is_one_to_one(measured):
    page = measured
    note = page.locator("#plot-nyquist .plot-note")
    expect(note).to_contain_text("Equal axes, 1 : 1.")
    expect(note).to_contain_text("outside this frame")
    arc = highest_ohm(page)
    bar = page.locator("#plot-nyquist")
    for width in (1400, 820, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        for frame in ("Full range", "Arc"):
            bar.get_by_role("button", name=frame, exact=True).click()
            expect(bar.get_by_role("button", name=frame, exact=True)).to_have_attribute("aria-pressed", "true")
            page.wait_for_timeout(200)
            across, up = pixels_per_ohm(page)
            assert across == pytest.approx(up, rel=0.005), f"{frame} at {width} px"
    bar.get_by_role("button", name="Full range").click()
    expect(note).to_contain_text("All points inside this frame.")
    assert highest_ohm(page) > 2 * arc
    page.locator("#plot-nyquist").get_by_role("button", name="Zoom in").click()
    page.wait_for_timeout(200)
    across, up = pixels_per_ohm(page)
    assert across == pytest.approx(up, rel=0.005)


def test_arrows_step_through_the_points(measured):
    page = measured
    canvas = page.locator("#plot-nyquist .plot-canvas")
    canvas.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#plot-nyquist .plot-read")).to_contain_text("1 of 71")
    page.keyboard.press("End")
    expect(page.locator("#plot-nyquist .plot-read")).to_contain_text("71 of 71")
    page.locator("#plot-nyquist").get_by_text("Show as table").click()
    expect(page.locator("#plot-nyquist tbody tr").first).to_be_visible()


def test_exports(measured):
    page = measured
    plot = page.locator("#plot-nyquist")
    found = {}
    for kind, button in (("png", "PNG"), ("svg", "SVG"), ("csv", "CSV")):
        with page.expect_download() as waiting:
            plot.locator("[aria-label=Export]").get_by_text(button, exact=True).click()
        assert waiting.value.suggested_filename == f"MEA-00001_nyquist.{kind}"
        found[kind] = waiting.value.path().read_bytes()
    assert found["png"].startswith(b"\x89PNG")
    drawing = found["svg"].decode()
    assert 'width="170mm"' in drawing
    assert "<text" in drawing
    assert "role:" not in drawing
    rows = [line for line in csv.reader(io.StringIO(found["csv"].decode())) if not line[0].startswith("#")]
    assert len(rows) > 71
    assert "frequency_Hz" in rows[0]


def test_activation_energy_on_the_cell(measured):
    page = measured
    expect(page.locator("section.kpis")).to_contain_text("Activation energy")
    page.goto(f"/cells/{Measurement.objects.first().cell.code}/")
    expect(page.locator("#activation")).to_contain_text(re.compile(r"0\.3\d+ ± 0\.\d+ eV"))
    expect(page.locator("#plot-arrhenius .main-svg").first).to_be_attached()
    kinds = page.evaluate("document.querySelector('#plot-arrhenius .plot-canvas')._fullLayout.yaxis.type")
    assert kinds == "log"
    expect(page.locator("#tests tbody tr")).to_have_count(4)


def test_run_again_with_another_range(site, measured):
    page = measured
    before = page.locator("section.kpis .big-val").first.inner_text()
    page.get_by_role("link", name="Re-run analysis").click()
    page.get_by_label("From", exact=True).fill("100 kHz")
    page.locator("#rerun").get_by_label("Reason").fill("noise at the top")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("Frequency range: enter both ends, or neither.")).to_be_visible()
    page.get_by_role("link", name="Re-run analysis").click()
    page.get_by_label("From", exact=True).fill("1")
    page.get_by_label("To", exact=True).fill("300 kHz")
    page.locator("#rerun").get_by_label("Reason").fill("noise at the top")
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_text("The analysis runs again. The present numbers stay until it is done.")).to_be_visible()
    expect(page.locator("#measurement-live")).to_contain_text("Waiting to be analysed")
    expect(page.locator("section.kpis .big-val").first).to_have_text(before)
    mark(page)
    site.work()
    expect(page.locator("#measurement-live")).to_have_count(0)
    expect(page.locator("#plot-nyquist .main-svg").first).to_be_attached()
    assert is_marked(page)
    expect(page.locator("#runs tbody tr")).to_have_count(2)
    expect(page.locator("#runs")).to_contain_text("“noise at the top”")
    expect(page.locator("#runs")).to_contain_text("1 Hz to 300 kHz")
    page.get_by_role("link", name="Compare runs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs of MEA-00001")
    expect(page.locator("figure.plot .main-svg").first).to_be_attached()
    first, second = AnalysisRun.objects.filter(measurement__code="MEA-00001").order_by("pk")
    assert (first.is_current, second.is_current) == (False, True)
    assert second.parameters["fit_range_Hz"] == [1.0, 300_000.0]


def test_reject_and_accept(measured):
    page = measured
    number = page.locator("#numbers tbody tr", has_text="Ionic conductivity").first
    for words, state in (("Reject", "rejected"), ("Accept", "accepted")):
        number.get_by_text("Change").click()
        number.get_by_role("button", name=words).click()  # the browser asks for the reason first
        expect(page.locator("#numbers input:invalid").first).to_be_focused()
        number.get_by_label("Reason").fill("looked at the cell again")
        number.get_by_role("button", name=words).click()
        expect(page.get_by_text(f"Ionic conductivity: {state}.")).to_be_visible()
        expect(number).to_contain_text(state)
    assert Result.objects.current().get(
        quantity="ionic_conductivity_S_cm", measurement__code="MEA-00001"
    ).acceptance == ("accepted")


def test_a_broken_plot_says_so(site, measured):
    page = measured
    page.route("**/figures/bode.json", lambda route: route.fulfill(status=200, body="not json"))
    page.reload()
    bode = page.locator("#plot-bode .plot-canvas")
    expect(bode).to_contain_text("The plot could not be loaded. Its numbers are in the table below.")
    page.unroute("**/figures/bode.json")
    bode.get_by_role("button", name="Try again").click()
    expect(bode.locator(".main-svg").first).to_be_attached()

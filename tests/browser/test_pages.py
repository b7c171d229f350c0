"""Every page of the site map: no accessibility violation in light and in dark, nothing to scroll sideways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from playwright.sync_api import Page, expect

from analysis.decisions import reanalyse
from analysis.models import AnalysisRun, Result
from measurements.models import Measurement, UploadFile
from samples.models import Conversion
from tests import builders, spine
from tests.browser.site import NARROW, WIDE, Site

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RULES = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"], "preload": False}

# Pages with the key of what they show; '' needs none. Several of one kind are separated by blanks.
DOOR = {"account_login": "", "account_inactive": ""}  # for people who are not signed in
GENERAL = {
    "dashboard": "", "glossary": "", "help": "",
    "help_topic": "start bench upload conductivity symmetric cycling flags formats paper api backup",
    "resolver_search": "", "resolver": "PEL-9999", "scan": "", "labels": "", "api": "",
    "account": "", "account_change_password": "", "account_tokens": "", "account_logout": "",
    "search": "", "history": "", "record_history": "PEL-0001", "trash": "", "result_list": "",
    "paper_check": "", "paper_row": "T01 S06 S07 Q03",
}  # fmt: skip
SAMPLES = {
    "lot_list": "", "lot_new": "", "lot_detail": "LOT-0001", "lot_edit": "LOT-0001",
    "pellet_list": "", "batch_new": "", "pellet_detail": "PEL-0001 PEL-0002", "pellet_edit": "PEL-0001",
    "batch_detail": "PBT-0001", "batch_edit": "PBT-0001", "batch_correct": "PBT-0001",
    "cell_list": "", "cell_new": "", "cell_detail": "CEL-0001", "cell_edit": "CEL-0001",
    "lot_tree": "LOT-0001", "batch_tree": "PBT-0001", "pellet_tree": "PEL-0001", "cell_tree": "CEL-0001",
    "sputter_run_list": "", "sputter_run_new": "", "sputter_run_detail": "SPT-0001", "sputter_run_edit": "SPT-0001",
    "witness_plate_detail": "WIT-0001", "film_thickness_new": "", "film_thickness_detail": "FLM-0001",
    "film_thickness_edit": "FLM-0001", "sputter_rates": "", "record_withdraw": "PEL-0001",
    "conversion_list": "", "conversion_new": "", "conversion_detail": "CNV-0001", "conversion_edit": "CNV-0001",
    "conversion_timer": "CNV-0001", "electrode_list": "", "electrode_new": "", "electrode_detail": "ELD-0001",
    "electrode_edit": "ELD-0001", "cell_steps": "CEL-0001",
    "material_list": "", "material_new": "", "material_detail": "CuS", "material_edit": "CuS",
    "instrument_list": "", "instrument_new": "", "instrument_detail": "autolab", "instrument_edit": "autolab",
    "recipe_list": "", "recipe_new": "", "recipe_detail": "RCP-0001", "recipe_next": "RCP-0001",
}  # fmt: skip
FILES = {
    "upload": "", "upload_detail": "UPB-0001", "inbox": "",
    "measurement_list": "", "measurement_detail": "MEA-00001 MEA-00002", "measurement_runs": "MEA-00001",
    "measurement_table": "MEA-00001",
}  # fmt: skip
ADMIN = {
    "admin:index": "", "admin:auth_user_changelist": "", "admin:auth_user_add": "",
    "admin:samples_pellet_changelist": "",
    "admin:samples_recipe_add": "", "admin:analysis_result_changelist": "", "admin:measurements_rawfile_changelist": "",
}  # fmt: skip
# Not pages: actions, parts of pages, data; and the curators' admin, which is Django's.
OTHERS = {
    "account_token_revoke", "api_root", "api_schema", "attachment_add", "attachment_download", "attachment_remove",
    "attachment_send", "batch_rows", "batch_tree_file", "cell_figure", "cell_hint",
    "cell_state", "cell_tree_file", "code_hint",
    "conversion_hint", "draft_continue", "draft_delete", "draft_save", "draft_session", "echo", "echo_pellet",
    "file_assign", "file_columns", "file_decide", "file_lines", "file_retry", "first_run", "furnace_hint",
    "health_live", "health_ready", "labels_file", "lot_tree_file", "material_density", "measurement_figure",
    "measurement_live", "measurement_move", "measurement_reanalyse", "measurement_temperature", "paper_csv",
    "pellet_tree_file", "record_restore", "restore_value", "result_judge", "run_figure", "selection", "sputter_hint",
    "stock_hint", "upload_rows", "view_delete", "view_save",
}  # fmt: skip


def names(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield pattern.name or ""
        elif pattern.namespace != "admin":
            yield from names(pattern.url_patterns)


def addresses(pages: dict[str, str]) -> list[str]:
    return [reverse(name, args=[key] if key else []) for name, keys in pages.items() for key in keys.split(" ")]


def test_no_page_is_forgotten():
    """A new page comes here, and so under the tests below."""
    known = {name for name in names(get_resolver().url_patterns) if name}
    from_api = {name for name in known if name.endswith(("-list", "-detail")) or "-" in name}
    assert known - from_api == {*DOOR, *GENERAL, *SAMPLES, *FILES, *OTHERS}


@pytest.fixture
def filled(site: Site) -> Site:
    """Something to show on every page: files in every final state, a warning, a doubtful number, a second run."""
    lot = builders.lot(supplier="A supplier with a long name GmbH & Co. KG", supplier_lot="2026-03-000117-B")
    batch = builders.batch(powder_lot=lot, notes="ground twice")
    pellets = [spine.pellet(batch, mass_mg=290.0) for _ in range(3)]
    cell = spine.cell(pellets[0])
    builders.film_thickness(builders.witness_plate(builders.sputter_run(pellets[1])))
    builders.sputter_run(pellets[2], power_W=100.0)
    builders.saved(Conversion, pellet=pellets[1], faces="AB", temperature_degC=230.0, duration_min=2.0, h2o_ppm=0.3)
    builders.electrode_lot()
    builders.instrument("autolab", manufacturer="Metrohm")
    named = [(f"{cell.code}_{t}C.csv", spine.spectrum(t, seed=t)) for t in (25, 40, 60, 80)]
    broken = b"\n".join([*spine.spectrum(seed=9).splitlines()[:40], b"1.2,3"])
    others = [
        ("a very long name of a file that nobody would type but that an instrument makes.csv", spine.spectrum(5)),
        (f"{cell.code}_after.csv", spine.spectrum(seed=3)),
        (f"{cell.code}_cut.csv", broken),
        ("copy.csv", named[0][1]),
        ("notes.pdf", b"%PDF-1.4 nothing to measure"),
    ]  # fmt: skip
    spine.taken_in(*named, *others)
    first, second = Measurement.objects.order_by("pk")[:2]
    reanalyse(first, by=builders.user("mara", "curator"), parameters={"fit_range_Hz": [1.0, 3e5]}, reason="noise")
    site.work()
    reader_note = "layout from documentation, not yet confirmed with a vendor file"
    Measurement.objects.filter(pk=second.pk).update(metadata={"reader_note": reader_note})
    AnalysisRun.objects.filter(measurement=second).update(
        warnings=[["kk_residual", "The data are not self-consistent."]]
    )
    Result.objects.filter(measurement=second).update(flag="suspect", acceptance="provisional")
    assert set(UploadFile.objects.values_list("state", flat=True)) >= {"done", "failed", "needs_sample", "duplicate"}
    return site


def look_at(page: Page, address: str) -> list[str]:
    """What is wrong with one page."""
    answer = page.goto(address)
    expect(page.locator(".is-waiting, #swagger-ui:empty")).to_have_count(0)
    found = [] if answer.ok or answer.status == 404 else [f"{address} answers {answer.status}"]
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > size["width"]:
            found.append(f"{address} is {width} px wide on {size['width']} px: {widest(page)}")
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for violation in Axe().run(page, options=RULES).response["violations"]:
            nodes = [
                (node["html"][:160], *(item["message"] for item in node["any"][:1])) for node in violation["nodes"]
            ]
            found.append(f"{address} in {theme}: {violation['id']}: {violation['help']}: {nodes[:3]}")
    return found


def widest(page: Page) -> str:
    """What sticks out, for the message."""
    return page.evaluate(
        """() => {
          const isWide = (node) => node.getBoundingClientRect().right > innerWidth + 1;
          const found = [...document.querySelectorAll("main *:not(.scroll *, svg *)")].filter(isWide);
          return found.slice(-3).map((node) => node.outerHTML.slice(0, 120)).join(" … ");
        }"""
    )


@pytest.mark.timeout(400)
@pytest.mark.parametrize("pages", [GENERAL, SAMPLES, FILES, ADMIN], ids=["general", "samples", "files", "admin"])
def test_pages(filled, pages):
    page = filled.page(role="administrator", reduced_motion="reduce")
    problems = [problem for address in addresses(pages) for problem in look_at(page, address)]
    assert not problems, "\n".join(problems)


def test_pages_of_an_empty_site(site):
    """The door, and lists that have nothing to show yet."""
    page = site.page(role="")
    problems = look_at(page, reverse("first_run"))
    site.sign_in(page, "member")
    lists = ("lot_list", "pellet_list", "cell_list", "sputter_run_list", "measurement_list")
    for name in ("dashboard", *lists, "sputter_rates", "inbox"):
        problems += look_at(page, reverse(name))
    page.context.clear_cookies()
    problems += [problem for address in addresses(DOOR) for problem in look_at(page, address)]
    assert not problems, "\n".join(problems)

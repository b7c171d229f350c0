"""J3: pellets scanned into a sputter run, with its wrong paths, and the step that makes a rate."""

from __future__ import annotations

import datetime as dt
import re

from django.utils import timezone
from playwright.sync_api import Page, expect

from samples.models import Coating, FilmThickness, SputterRun, WitnessPlate
from tests import builders
from tests.browser.site import Site

STEPS_nm = (50 - 12**0.5, 50 - 12**0.5, 50 + 12**0.5, 50 + 12**0.5)  # s = 4, u = 2 nm: 5.0 ± 0.2 nm/min after 10 min


def scan(page: Page, code: str) -> None:
    """What a keyboard-wedge scanner does: it types a code fast, and Enter."""
    page.keyboard.type(code, delay=2)
    page.keyboard.press("Enter")


def rated(site: Site) -> None:
    """A rate measured 62 days ago."""
    plate = builders.witness_plate(builders.sputter_run())
    when = timezone.now() - dt.timedelta(days=62, hours=1)
    builders.film_thickness(plate, *STEPS_nm, measured_at=when)
    site.work()


def pick(page: Page, number: int):
    return page.locator(f"#id_pellet-{number}")


def test_several_pellets_in_one_run(site):
    rated(site)
    pellets = [builders.pellet() for _ in range(3)]
    page = site.open("/sputter-runs/")
    page.get_by_role("link", name="New sputter run").first.click()
    for name, value in (("target", "CuS"), ("power_W", "80"), ("pressure_Pa", "1"), ("target_distance_cm", "5"),
                        ("base_pressure_Pa", "< 1e-4"), ("duration_min", "10"), ("gas", "Ar")):  # fmt: skip
        expect(page.locator(f"#id_{name}")).to_have_value(value)
    pick(page, 0).focus()
    for pellet in pellets:
        scan(page, pellet.code)
    expect(pick(page, 3)).to_be_focused()  # a further line came by itself
    page.locator("#id_faces-1").select_option("A")
    hint = page.locator("#sputter-hint")
    expect(hint).to_contain_text("≈ 50 nm per side (5.0 ± 0.2 nm min⁻¹, 4 AFM steps, newest 62 days old)")
    expect(hint).to_contain_text("3 pellets in this run.")
    page.get_by_role("button", name="Remove line 3").click()
    expect(hint).to_contain_text("2 pellets in this run.")
    page.get_by_role("button", name="Save run").click()
    expect(page.get_by_text(re.compile(r"SPT-\d+ is saved\."))).to_be_visible()
    run = SputterRun.objects.order_by("pk").last()
    expect(page.get_by_text(f"{run.code} is saved.")).to_be_visible()
    plate = WitnessPlate.objects.get(sputter_run=run)
    expect(page.get_by_role("link", name=plate.code)).to_be_visible()
    layers = Coating.objects.filter(sputter_run=run).values_list("pellet__code", "face").order_by("pk")
    assert sorted(layers) == [(pellets[0].code, "A"), (pellets[0].code, "B"), (pellets[1].code, "A")]
    assert (run.base_pressure_Pa, run.base_pressure_limit) == (1e-4, "<")
    page.goto("/pellets/")
    row = page.get_by_role("row", name=pellets[0].code)
    expect(row.get_by_role("img", name="coated")).to_be_visible()
    expect(row).to_contain_text("CuS@LAGP@CuS")


def test_wrong_paths(site):
    rated(site)
    coated, free = builders.pellet(), builders.pellet()
    first = builders.sputter_run((coated, "A"), performed_at=dt.datetime(2026, 2, 3, 12, tzinfo=dt.UTC))
    page = site.open("/sputter-runs/new/")
    hint = page.locator("#sputter-hint")
    page.locator("#id_power_W").fill("100")
    expect(hint).to_contain_text("No measured rate at 100 W. Nearest is 80 W. No thickness is estimated.")
    page.locator("#id_power_W").fill("80")
    page.locator("#id_base_pressure_Pa").fill("2 × 10⁻⁴")
    noted = "Above the recipe limit of 1 × 10⁻⁴ Pa. Saved with a note."
    expect(page.locator("#id_base_pressure_Pa_echo")).to_have_text(noted)

    pick(page, 0).focus()
    scan(page, "PEL-0999")
    scan(page, coated.code)
    expect(hint).to_contain_text("PEL-0999 is not in lagpdb.")
    asked = f"{coated.code} has CuS on side A since 3 Feb. Add a second layer, or correct that record?"
    expect(hint).to_contain_text(asked)
    page.get_by_role("button", name="Save run").click()
    expect(page.locator(".pick-line .hint.err")).to_have_text("PEL-0999 is not in lagpdb.")
    expect(pick(page, 1)).to_have_value(coated.code)
    assert SputterRun.objects.count() == 2

    pick(page, 0).fill(free.code.lower())
    page.get_by_role("button", name="Save run").click()
    question = page.locator(".msg.warn", has_text=asked)
    expect(question).to_be_visible()
    expect(question.get_by_role("link", name=f"Correct {first.code}")).to_have_attribute(
        "href", f"/sputter-runs/{first.code}/edit/"
    )
    question.get_by_role("button", name="Add a second layer").click()
    expect(page.get_by_text(re.compile(r"SPT-\d+ is saved\."))).to_be_visible()
    expect(page.get_by_text(noted).first).to_be_visible()
    run = SputterRun.objects.order_by("pk").last()
    assert run.base_pressure_Pa == 2e-4
    assert sorted(Coating.objects.filter(pellet=coated, face="A").values_list("layer_number", flat=True)) == [1, 2]


def test_the_step_on_the_witness_plate_makes_the_rate(site):
    builders.sputter_run(power_W=100.0)
    plate = builders.witness_plate(builders.sputter_run())
    page = site.open("/sputter-rates/")
    missing = "No measured rate. Sputter a Si plate, measure the step, add it here."
    expect(page.get_by_text(missing)).to_have_count(2)
    page.get_by_role("link", name="Add AFM step").last.click()
    expect(page.locator("#id_measured_on")).to_have_value(plate.code)
    page.locator("#id_heights_nm").fill("49,2 50.1 51.0")
    expect(page.locator("#id_heights_nm_echo")).to_contain_text("mean 50.1 ± 0.9 nm, n = 3")
    page.get_by_role("button", name="Save thickness").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{plate.code} · CuS@Si")
    assert FilmThickness.objects.get().heights_nm == [49.2, 50.1, 51.0]
    site.work()
    page.goto("/sputter-rates/")
    expect(page.get_by_text(missing)).to_have_count(1)
    setting = page.locator("section", has=page.get_by_role("heading", name="CuS 80 W 1 Pa 5 cm"))
    expect(setting).to_contain_text("5.01 ± 0.05 nm min⁻¹")
    expect(setting.locator(".plot-canvas .main-svg").first).to_be_visible()


def test_a_run_by_keyboard_alone(site):
    pellet = builders.pellet()
    page = site.open("/sputter-runs/new/")
    keys = page.keyboard
    for _ in range(60):
        if page.evaluate("document.activeElement?.id") == "id_pellet-0":
            break
        keys.press("Tab")
    scan(page, pellet.code)
    expect(pick(page, 1)).to_be_focused()
    for _ in range(60):
        if page.evaluate("document.activeElement?.textContent.trim()") == "Save run":
            break
        keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_text("SPT-0001 is saved.")).to_be_visible()
    assert Coating.objects.count() == 2

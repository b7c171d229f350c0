"""J3 on its pages: pellets scanned into a run, hints from measured rates, every sentence, corrections, thicknesses."""

from __future__ import annotations

import datetime as dt
import html
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from analysis.tasks import drain
from lagpdb.records import Revision, save_record, withdraw
from samples.models import Coating, FilmThickness, Pellet, SputterRun, WitnessPlate
from tests import builders

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
FORM = {
    "target": "CuS", "power_W": "80", "pressure_Pa": "1", "gas": "Ar", "target_distance_cm": "5",
    "base_pressure_Pa": "< 1e-4", "duration_min": "10", "stage_temperature_degC": "",
    "performed_at": "2026-02-03T09:30", "notes": "", "witness": "yes", "was-pellets": "",
}  # fmt: skip


@pytest.fixture
def bench() -> Client:
    client = Client()
    client.force_login(builders.user("bench"))
    return client


def text_of(response: Any) -> str:
    return html.unescape(response.content.decode())


def given(*pellets: tuple[str, str], **more: str) -> dict[str, str]:
    rows = {}
    for number, (code, faces) in enumerate(pellets):
        rows |= {f"pellet-{number}": code, f"faces-{number}": faces}
    return FORM | rows | more


def rated(*, power_W: float = 80.0, days_old: int = 62) -> None:
    """A measured rate of 5.0 ± 0.2 nm/min: four AFM steps of one film of 10 min, u = 2 nm."""
    run = builders.sputter_run(power_W=power_W)
    when = timezone.now() - dt.timedelta(days=days_old, hours=1)
    # Mean 50, s = 4 nm, n = 4: 46 and 54, 48 and 52 would give less.
    heights = (50 - 12**0.5, 50 - 12**0.5, 50 + 12**0.5, 50 + 12**0.5)
    builders.film_thickness(builders.witness_plate(run), *heights, measured_at=when)
    drain()


# -- a new run ---------------------------------------------------------------------------------------------------------
def test_the_recipe_fills_the_form(bench):
    page = text_of(bench.get("/sputter-runs/new/"))
    for name, value in (("target", "CuS"), ("power_W", "80"), ("base_pressure_Pa", "< 1e-4"), ("gas", "Ar")):
        assert f'name="{name}" value="{html.escape(value)}"' in bench.get("/sputter-runs/new/").content.decode(), name
    assert 'name="pellet-1"' in page
    assert bench.get("/sputter-runs/new/?recipe=none").status_code == 200


def test_a_run_over_several_pellets_with_a_witness_plate(bench):
    one, two = builders.pellet(), builders.pellet()
    answer = bench.post("/sputter-runs/new/", given((one.code.lower(), "AB"), (two.code.replace("-", " "), "B")))
    run = SputterRun.objects.get()
    assert answer["Location"] == f"/sputter-runs/{run.code}/"
    assert (run.base_pressure_Pa, run.base_pressure_limit, run.power_W, run.gas) == (1e-4, "<", 80.0, "Ar")
    assert run.recipe.kind == "sputter_run"
    assert run.setting.code == "CuS 80 W 1 Pa 5 cm"
    assert sorted(Coating.objects.values_list("pellet__code", "face")) == sorted(
        [(one.code, "A"), (one.code, "B"), (two.code, "B")]
    )
    plate = WitnessPlate.objects.get()
    page = text_of(bench.get(answer["Location"]))
    assert f"{run.code} is saved." in page
    assert plate.code in page
    assert "No measured rate of CuS. No thickness is estimated." in page
    assert "< 1 × 10⁻⁴ Pa" in page
    assert text_of(bench.get(f"/pellets/{one.code}/")).count("CuS@LAGP@CuS")


def test_sent_twice_it_is_one_run(bench):
    pellet = builders.pellet()
    sent = given((pellet.code, "A"), form_key="k1")
    first, second = bench.post("/sputter-runs/new/", sent), bench.post("/sputter-runs/new/", sent)
    assert first["Location"] == second["Location"]
    assert SputterRun.objects.count() == 1


def test_no_witness_plate_is_made_unasked(bench):
    bench.post("/sputter-runs/new/", given((builders.pellet().code, "A"), witness="no"))
    assert not WitnessPlate.objects.exists()


def test_pellets_of_the_address_are_filled_in(bench):
    one, two = builders.pellet(), builders.pellet()
    page = text_of(bench.get(f"/sputter-runs/new/?pellets={one.code},{two.code.lower()}"))
    assert f'value="{one.code}"' in page
    assert f'value="{two.code}"' in page


def test_more_lines_without_a_script(bench):
    page = bench.post("/sputter-runs/new/", given(("PEL-1", "A"), ("PEL-2", "A"), more_rows="1"))
    assert page.status_code == 200
    assert 'name="pellet-3"' in text_of(page)
    assert not SputterRun.objects.exists()


# -- wrong -------------------------------------------------------------------------------------------------------------
def test_above_the_limit_of_the_recipe_is_saved_with_a_note(bench):
    answer = bench.post(
        "/sputter-runs/new/", given((builders.pellet().code, "A"), base_pressure_Pa="2e-4"), follow=True
    )
    sentence = "Above the recipe limit of 1 × 10⁻⁴ Pa. Saved with a note."
    assert sentence in text_of(answer)
    run = SputterRun.objects.get()
    assert (run.base_pressure_Pa, run.base_pressure_limit) == (2e-4, "=")
    assert sentence in Revision.objects.get(record_code=run.code, action="created").reason
    echo = text_of(bench.get("/echo/", {"field": "base_pressure_Pa", "text": "2e-4", "recipe": "sputter_run"}))
    assert sentence in echo
    fine = text_of(
        bench.get("/echo/", {"field": "base_pressure_Pa", "text": "< 5e-5", "recipe": "sputter_run", "limit": "1"})
    )
    assert "< 5 × 10⁻⁵ Pa" in fine


def test_a_second_layer_is_asked_about(bench):
    pellet = builders.pellet()
    first = builders.sputter_run((pellet, "A"), performed_at=dt.datetime(2026, 2, 3, 12, tzinfo=dt.UTC))
    asked = bench.post("/sputter-runs/new/", given((pellet.code, "AB")))
    sentence = f"{pellet.code} has CuS on side A since 3 Feb. Add a second layer, or correct that record?"
    assert asked.status_code == 422
    assert sentence in text_of(asked)
    assert f'href="/sputter-runs/{first.code}/edit/"' in text_of(asked)
    assert SputterRun.objects.count() == 1
    said = given((pellet.code, "AB"), confirm=f"layer-{pellet.code}-AB")
    assert bench.post("/sputter-runs/new/", said).status_code == 302
    assert Coating.objects.filter(pellet=pellet, face="A").count() == 2
    both = text_of(bench.get("/sputter-runs/hint/", given((pellet.code, "AB"))))
    assert f"{pellet.code} has CuS on sides A and B since" in both


@pytest.mark.parametrize(
    ("power", "sentence"),
    [
        ("80", "≈ 50 nm per side (5.0 ± 0.2 nm min⁻¹, 4 AFM steps, newest 62 days old)"),
        ("100", "No measured rate at 100 W. Nearest is 80 W. No thickness is estimated."),
    ],
)
def test_thickness_from_the_measured_rate(bench, power, sentence):
    rated()
    hint = text_of(bench.get("/sputter-runs/hint/", given(("", "AB"), power_W=power)))
    assert sentence in hint
    assert "CuS target: 0.2 h sputtered in 1 run." in hint
    assert SputterRun.objects.count() == 1


def test_the_nearest_setting_names_what_differs(bench):
    rated(power_W=60.0)
    rated(power_W=80.0)
    hint = text_of(bench.get("/sputter-runs/hint/", given(power_W="90", pressure_Pa="2")))
    assert "No measured rate at 90 W, 2 Pa. Nearest is 80 W, 1 Pa. No thickness is estimated." in hint
    assert "No measured rate at 7 cm. Nearest is 5 cm." in text_of(
        bench.get("/sputter-runs/hint/", given(target_distance_cm="7"))
    )
    assert "No measured rate of Ag. No thickness is estimated." in text_of(
        bench.get("/sputter-runs/hint/", given(target="Ag"))
    )


@pytest.mark.parametrize("missing", ["target", "power_W", "pressure_Pa", "target_distance_cm"])
def test_without_a_setting_nothing_is_said(bench, missing):
    rated()
    hint = text_of(bench.get("/sputter-runs/hint/", given(**{missing: ""})))
    assert "per side appears here" in hint
    assert "nm min" not in hint


def test_looking_through_the_form_makes_no_setting(bench):
    from samples.models import SputterSetting

    for power in ("8", "80", "801"):
        bench.get("/sputter-runs/hint/", given(power_W=power))
    assert not SputterSetting.objects.exists()


def test_pellets_that_cannot_be_sputtered(bench):
    broken, gone, in_cell = builders.pellet(state="broken"), builders.pellet(), builders.pellet()
    withdraw(gone, by=None, reason="double")
    cell = builders.symmetric_cell(pellet=in_cell)
    cases = {
        "PEL-0999": "PEL-0999 is not in lagpdb.",
        "CEL-0001": "CEL-0001 is not a pellet.",
        broken.code: f"{broken.code} is broken. Choose another pellet.",
        gone.code: f"{gone.code} is in the trash since",
        in_cell.code: f"{in_cell.code} is in {cell.code}, built. Finish or dismantle that cell first.",
    }
    for code, sentence in cases.items():
        refused = bench.post("/sputter-runs/new/", given((code, "A")))
        assert refused.status_code == 422
        assert sentence in text_of(refused)
        assert sentence in text_of(bench.get("/sputter-runs/hint/", given((code, "A"))))
    fine = builders.pellet()
    twice = bench.post("/sputter-runs/new/", given((fine.code, "A"), (fine.code.lower(), "B")))
    assert f"{fine.code} is named twice. Name it once, with all its faces." in text_of(twice)
    assert not SputterRun.objects.exists()
    assert Pellet.objects.get(pk=fine.pk).notation == "LAGP"


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("duration_min", "601", "601"),
        ("duration_min", "ten", "‘ten’ is not a number."),
        ("power_W", "-5", "below"),
        ("target", "XYZ", "XYZ is not in lagpdb."),
        ("target", "", "required"),
        ("power_W", "< 80", "is a limit"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(bench, field, typed, sentence):
    refused = bench.post("/sputter-runs/new/", given((builders.pellet().code, "A"), **{field: typed}))
    assert refused.status_code == 422
    assert sentence in text_of(refused)
    assert not SputterRun.objects.exists()


# -- corrections -------------------------------------------------------------------------------------------------------
def edited(bench: Client, run: SputterRun, *pellets: tuple[str, str], **more: str) -> Any:
    was = ";".join(f"{code} {faces}" for code, faces in more.pop("was", ()))
    sent = given(*pellets, version=str(run.version), witness="no", **{"was-pellets": was}, **more)
    sent |= {f"was-{name}": value for name, value in sent.items() if name in FORM}
    return bench.post(f"/sputter-runs/{run.code}/edit/", sent)


def stored(run: SputterRun) -> list[tuple[str, str]]:
    return sorted(Coating.objects.filter(sputter_run=run).values_list("pellet__code", "face"))


def like_the_form(**more: Any) -> dict[str, Any]:
    return {
        "base_pressure_Pa": 1e-4, "base_pressure_limit": "<", "gas": "Ar",
        "performed_at": dt.datetime(2026, 2, 3, 9, 30, tzinfo=dt.UTC), **more,
    }  # fmt: skip


def test_the_pellets_of_a_run_are_corrected_with_a_reason(bench):
    one, two = builders.pellet(), builders.pellet()
    run = builders.sputter_run((one, "A"), **like_the_form())
    page = text_of(bench.get(f"/sputter-runs/{run.code}/edit/"))
    assert f'name="was-pellets" value="{one.code} A"' in page
    was = [(one.code, "A")]
    silent = edited(bench, run, (two.code, "A"), was=was)
    assert silent.status_code == 422
    assert f"{one.code} changes. Say why: it is kept with the history." in text_of(silent)
    assert edited(bench, run, (two.code, "A"), was=was, reason="labels were swapped").status_code == 302
    assert stored(run) == [(two.code, "A")]
    newest = Revision.objects.filter(record_code=run.code).first()
    assert (newest.reason, newest.by.username) == ("labels were swapped", "bench")


def test_a_further_pellet_needs_no_reason_and_keeps_what_others_added(bench):
    one, two, three = builders.pellet(), builders.pellet(), builders.pellet()
    run = builders.sputter_run((one, "A"), **like_the_form())
    from samples.coat import coat

    coat(run, [(one, "A"), (two, "B")], by=None)  # somebody else, after the form was opened
    old = SputterRun.objects.get(pk=run.pk)
    old.version = 1
    assert edited(bench, old, (one.code, "A"), (three.code, "AB"), was=[(one.code, "A")]).status_code == 302
    assert stored(run) == sorted([(one.code, "A"), (two.code, "B"), (three.code, "A"), (three.code, "B")])


def test_a_correction_that_cannot_be_changes_nothing(bench):
    pellet = builders.pellet()
    run = builders.sputter_run((pellet, "A"), **like_the_form())
    builders.conversion(pellet, "A")
    was = [(pellet.code, "A")]
    refused = edited(bench, run, was=was, reason="wrong pellet", duration_min="12", **{"pellet-0": "", "faces-0": "A"})
    assert refused.status_code == 422
    assert "has converted the layer of this run" in text_of(refused)
    run.refresh_from_db()
    assert (run.duration_min, stored(run)) == (10.0, [(pellet.code, "A")])


def test_a_witness_plate_is_not_taken_away_in_passing(bench):
    run = builders.sputter_run(**like_the_form())
    plate = builders.witness_plate(run)
    refused = edited(bench, run, reason="none was there")
    assert refused.status_code == 422
    assert f"{run.code} has the witness plate {plate.code}. Withdraw that record." in text_of(refused)


def test_viewers_read(bench):
    run = builders.sputter_run(builders.pellet())
    viewer = Client()
    viewer.force_login(builders.user(role="viewer"))
    for path in ("/sputter-runs/new/", f"/sputter-runs/{run.code}/edit/", "/film-thicknesses/new/"):
        assert viewer.get(path).status_code == 403
    page = text_of(viewer.get(f"/sputter-runs/{run.code}/"))
    assert "Edit" not in page.split("Pellets in this run")[0].split('class="actions"')[1]


# -- film thickness and rates ------------------------------------------------------------------------------------------
def test_steps_read_on_a_plate_become_a_rate(bench):
    plate = builders.witness_plate()
    page = text_of(bench.get(f"/film-thicknesses/new/?on={plate.code}"))
    assert f'value="{plate.code}"' in page
    sent = {"measured_on": plate.code.lower(), "face": "", "heights_nm": "49,2 50.1 51.0", "method": "afm"}
    answer = bench.post("/film-thicknesses/new/", sent | {"measured_at": "2026-02-04T10:00", "notes": ""})
    assert answer["Location"] == f"/witness-plates/{plate.code}/"
    film = FilmThickness.objects.get()
    assert (film.heights_nm, film.witness_plate) == ([49.2, 50.1, 51.0], plate)
    rates = text_of(bench.get("/sputter-rates/"))
    assert "The rate is being computed." in rates
    drain()
    shown = text_of(bench.get(f"/witness-plates/{plate.code}/"))
    assert "50.1 ± 0.5 nm" in shown
    assert "3 AFM steps" in shown
    rates = text_of(bench.get("/sputter-rates/"))
    for words in ("CuS 80 W 1 Pa 5 cm", "5.01 ± 0.05 nm min⁻¹", "thickness over time", "not a regression"):
        assert words in rates, words
    run = film.witness_plate.sputter_run.setting.combination_runs.get()
    figure = bench.get(f"/runs/{run.pk}/figures/thickness.json").json()
    assert figure["traces"][-1]["y"] == [pytest.approx(50.1)]
    table = bench.get(f"/runs/{run.pk}/figures/thickness.csv").content.decode()
    assert "duration_min,film_thickness_nm,film_thickness_uncertainty_nm" in table


def test_settings_without_a_rate_are_marked(bench):
    empty = text_of(bench.get("/sputter-rates/"))
    sentence = "No measured rate. Sputter a Si plate, measure the step, add it here."
    assert sentence in empty
    rated()
    builders.sputter_run(power_W=100.0)
    page = text_of(bench.get("/sputter-rates/"))
    assert page.count(sentence) == 1
    assert "CuS 100 W 1 Pa 5 cm" in page
    assert "no measured rate" in page
    assert "4 AFM steps, newest 62 days old" in page


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"heights_nm": ""}, "Give at least one step height in nm."),
        ({"heights_nm": "fifty"}, "‘fifty’ is not a number."),
        ({"heights_nm": "50 -3"}, "may be a range or readings"),
        ({"heights_nm": "0"}, "0"),
        ({"measured_on": "WIT-0999"}, "WIT-0999 is not in lagpdb."),
        ({"measured_on": "CEL-0001"}, "CEL-0001 is not the code of a witness plate or a pellet."),
        ({"measured_on": ""}, "required"),
        ({"measured_on": "{pellet}", "face": ""}, "Say which side of {pellet} was measured."),
    ],
)
def test_thicknesses_that_cannot_be(bench, sent, sentence):
    pellet, plate = builders.pellet(), builders.witness_plate()
    known = {"measured_on": plate.code, "face": "", "heights_nm": "50", "method": "afm", "notes": ""}
    full = known | {name: text.replace("{pellet}", pellet.code) for name, text in sent.items()}
    refused = bench.post("/film-thicknesses/new/", full)
    assert refused.status_code == 422
    assert sentence.replace("{pellet}", pellet.code) in text_of(refused)
    assert not FilmThickness.objects.exists()


def test_a_thickness_on_a_face_is_corrected_with_a_reason(bench):
    pellet = builders.pellet()
    film = builders.film_thickness(pellet, 50.0, face="B", measured_at=None)
    path = f"/film-thicknesses/{film.code}/"
    assert "side B" in text_of(bench.get(path))
    sent = {
        "measured_on": pellet.code, "face": "B", "heights_nm": "52; 54", "method": "afm", "measured_at": "",
        "notes": "", "version": "1", "was-heights_nm": "50", "was-measured_on": pellet.code, "was-face": "B",
    }  # fmt: skip
    assert bench.get(f"{path}edit/").status_code == 200
    assert bench.post(f"{path}edit/", sent).status_code == 422
    answer = bench.post(f"{path}edit/", sent | {"reason": "misread"})
    assert answer["Location"] == path
    film.refresh_from_db()
    assert (film.heights_nm, film.film_thickness_nm) == ([52.0, 54.0], 53.0)


def test_pages_cost_the_same_for_many(bench, django_assert_max_num_queries):
    rated()
    for _ in range(6):
        run = builders.sputter_run(builders.pellet(), builders.pellet())
        builders.film_thickness(builders.witness_plate(run), 50.0)
    drain()
    for path in ("/sputter-rates/", "/sputter-runs/", f"/sputter-runs/{SputterRun.objects.first().code}/"):
        bench.get(path)
        with django_assert_max_num_queries(24):
            assert bench.get(path).status_code == 200


def test_a_withdrawn_run_leaves_the_page_of_rates(bench):
    rated()
    run = SputterRun.objects.get()
    withdraw(run, by=None, reason="target was dirty")
    drain()
    assert "CuS 80 W" not in text_of(bench.get("/sputter-rates/"))
    assert save_record(SputterRun.objects.get(), by=None).is_withdrawn

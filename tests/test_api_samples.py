"""Writing what was made: codes as keys, the model's own sentences, versions, reasons, pellets of batches and runs."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from django.utils import timezone

from analysis.models import AnalysisRun, Result
from lagpdb.models import Revision
from lagpdb.records import save_record, withdraw
from samples.models import Cell, Coating, Pellet, PelletBatch, SputterRun
from samples.serializers import notations
from tests import builders
from tests.api_client import ROOT, Api

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def api() -> Api:
    return Api()


def codes(rows: list[dict[str, Any]]) -> set[str]:
    return {row["code"] for row in rows}


# -- making ------------------------------------------------------------------------------------------------------------
def test_from_powder_to_cell(api: Api) -> None:
    for code in ("LAGP", "CuS", "LFP"):
        builders.material(code)
    lot = api.made("powder-lots/", {"material": "LAGP", "amount_g": 500, "supplier": "Toshima"})
    assert lot["code"].startswith("LOT-")
    assert lot["material"] == "LAGP"
    assert lot["created_by"] == api.person.username
    batch = api.made(
        "pellet-batches/",
        {"powder_lot": lot["code"].lower().replace("-", " "), "powder_mass_mg": 500, "grits": [400, 800], "count": 3},
    )
    assert len(batch["pellets"]) == 3
    assert codes(api.rows("pellets/", batch=batch["code"])) == set(batch["pellets"])
    first = api.patch(f"pellets/{batch['pellets'][0]}/", {"thickness_um": 801.3, "diameter_mm": 12, "mass_mg": 290})
    assert first.status_code == 200, first.content
    run = api.made(
        "sputter-runs/",
        {
            "target": "CuS",
            "duration_min": 10,
            "base_pressure_Pa": 1e-4,
            "base_pressure_limit": "<",
            "pellets": [
                {"pellet": batch["pellets"][0], "faces": "AB"},
                {"pellet": batch["pellets"][1], "faces": ["B"]},
            ],
        },
    )
    assert run["pellets"] == [
        {"pellet": batch["pellets"][0], "faces": "AB"},
        {"pellet": batch["pellets"][1], "faces": "B"},
    ]
    assert run["estimated_thickness_nm"] is None
    assert run["version"] == 1
    assert "pellets" in api.rows(f"sputter-runs/{run['code']}/history/")[0]["changes"]
    shown = {row["code"]: row["notation"] for row in api.rows("pellets/", batch=batch["code"])}
    assert [shown[code] for code in batch["pellets"]] == ["CuS@LAGP@CuS", "CuS@LAGP", "LAGP"]
    sheet = api.made("electrode-lots/", {"material": "LFP", "loading_mg_cm2": 2.5, "diameter_mm": 10})
    cell = api.made(
        "cells/",
        {
            "pellet": batch["pellets"][0],
            "configuration": "full",
            "electrode_lot": sheet["code"],
            "electrode_diameter_mm": 10,
        },
    )
    assert cell["notation"] == "Li|CuS@LAGP@CuS|LFP"
    assert cell["is_coated"] is True
    assert cell["electrode_area_cm2"] == pytest.approx(math.pi * 0.25)
    assert cell["active_mass_mg"] == pytest.approx(2.5 * math.pi * 0.25)
    assert api.get(f"pellets/{batch['pellets'][0]}/").json()["state"] == "in_cell"


def test_the_answer_to_post_says_where_it_is(api: Api) -> None:
    answer = api.post("electrode-lots/", {"material": builders.material("LFP").code})
    assert answer.status_code == 201
    assert answer["Location"] == answer.json()["url"]
    assert api.get(answer["Location"]).json() == answer.json()


def test_materials_and_instruments_choose_their_code_once(api: Api) -> None:
    made = api.made("materials/", {"code": "LATP", "name": "LATP", "theoretical_density_g_cm3": 2.9})
    assert made["code"] == "LATP"
    assert api.post("materials/", {"code": "LATP", "name": "again"}).status_code == 400
    assert api.patch("materials/LATP/", {"code": "OTHER"}).json()["type"] == "unknown_field"
    assert api.post("powder-lots/", {"material": "LATP", "code": "LOT-7777"}).json()["type"] == "unknown_field"


# -- refusals ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", ["801", True, [801], {"value": 801}, 10**400])
def test_numbers_are_plain_numbers(api: Api, value: Any) -> None:
    pellet = builders.pellet()
    refused = api.client.patch(
        f"{ROOT}pellets/{pellet.code}/",
        {"thickness_um": value},
        "application/json",
        headers=api.headers,
    )
    assert refused.status_code == 400
    assert refused.json()["field"] == "thickness_um"


@pytest.mark.parametrize("text", ['{"thickness_um": NaN}', '{"thickness_um": Infinity}', '{"thickness_um": 1e999}'])
def test_numbers_are_finite(api: Api, text: str) -> None:
    pellet = builders.pellet()
    refused = api.client.patch(f"{ROOT}pellets/{pellet.code}/", text, "application/json", headers=api.headers)
    assert refused.status_code == 400


def test_the_sentences_are_those_of_the_model(api: Api) -> None:
    pellet = builders.pellet()
    dense = api.patch(f"pellets/{pellet.code}/", {"mass_mg": 3000})
    assert dense.status_code == 400
    assert "impossible" in dense.json()["detail"]
    negative = api.patch(f"pellets/{pellet.code}/", {"thickness_um": -1}).json()
    assert "must be above 0" in negative["detail"]
    builders.blocking_cell(pellet=pellet)
    second = api.post("cells/", {"pellet": pellet.code, "configuration": "blocking"})
    assert second.status_code == 400
    assert "Finish or dismantle" in second.content.decode()
    assert Cell.objects.count() == 1


def test_unknown_and_derived_fields_are_refused(api: Api) -> None:
    pellet = builders.pellet()
    refused = api.patch(f"pellets/{pellet.code}/", {"thicknes_um": 1, "notation": "x"}).json()
    assert [each["field"] for each in refused["errors"]] == ["thicknes_um", "notation"]
    assert "thickness_um" in refused["errors"][0]["detail"]


def test_unknown_codes_and_those_in_the_trash_are_refused(api: Api) -> None:
    assert "There is no" in api.post("powder-lots/", {"material": "XYZ"}).json()["detail"]
    lot = builders.lot()
    assert api.post(f"powder-lots/{lot.code}/withdraw/", {"reason": "double"}).status_code == 200
    assert "trash" in api.post("pellet-batches/", {"powder_lot": lot.code}).json()["detail"]
    changed = api.patch(f"powder-lots/{lot.code}/", {"amount_g": 1})
    assert changed.status_code == 400
    assert changed.json()["type"] == "withdrawn"


@pytest.mark.parametrize("text", ["a\x00b", "half \\ud800"])
def test_texts_that_no_database_keeps_are_refused(api: Api, text: str) -> None:
    body = '{"notes": "' + text.replace("\x00", "\\u0000") + '"}'
    pellet = builders.pellet()
    refused = api.client.patch(f"{ROOT}pellets/{pellet.code}/", body, "application/json", headers=api.headers)
    assert refused.status_code == 400


def test_a_batch_is_made_whole_or_not_at_all(api: Api) -> None:
    lot = builders.lot()
    refused = api.post("pellet-batches/", {"powder_lot": lot.code, "count": 51})
    assert refused.status_code == 400
    assert PelletBatch.objects.count() == Pellet.objects.count() == 0


# -- versions ----------------------------------------------------------------------------------------------------------
def test_a_stale_version_is_409_with_both(api: Api) -> None:
    pellet = builders.pellet()
    path = f"pellets/{pellet.code}/"
    first = api.patch(path, {"thickness_um": 800, "version": 1, "reason": "measured again"})
    assert first.status_code == 200
    assert first.json()["version"] == 2
    late = api.patch(path, {"thickness_um": 790, "version": 1})
    assert late.status_code == 409
    problem = late.json()
    assert problem["type"] == "stale_version"
    assert (problem["stored"]["thickness_um"], problem["stored"]["version"]) == (800.0, 2)
    assert problem["yours"] == {"thickness_um": 790, "version": 1}
    assert api.get(path).json()["thickness_um"] == 800.0
    revision = Revision.objects.filter(record_code=pellet.code).first()
    assert revision is not None
    assert (revision.reason, revision.by) == ("measured again", api.person)
    assert revision.changes == {"thickness_um": [801.0, 800.0]}


def test_without_version_the_last_word_counts_and_other_fields_stay(api: Api) -> None:
    pellet = builders.pellet()
    api.patch(f"pellets/{pellet.code}/", {"thickness_um": 800})
    api.patch(f"pellets/{pellet.code}/", {"notes": "scratched"})
    shown = api.get(f"pellets/{pellet.code}/").json()
    assert (shown["thickness_um"], shown["notes"], shown["version"]) == (800.0, "scratched", 3)


@pytest.mark.parametrize("version", ["1", 1.0, True, []])
def test_a_version_is_a_whole_number(api: Api, version: Any) -> None:
    refused = api.patch(f"pellets/{builders.pellet().code}/", {"thickness_um": 800, "version": version})
    assert refused.status_code == 400
    assert refused.json()["field"] == "version"


# -- sputter runs ------------------------------------------------------------------------------------------------------
def test_a_second_run_lies_on_the_first(api: Api) -> None:
    pellet = builders.pellet()
    builders.sputter_run((pellet, "A"))
    builders.sputter_run(pellet, target=builders.material("Ag"))
    layers = Coating.objects.filter(pellet=pellet).values_list("face", "layer_number", "sputter_run__target__code")
    assert sorted(layers) == [("A", 1, "CuS"), ("A", 2, "Ag"), ("B", 1, "Ag")]
    assert api.get(f"pellets/{pellet.code}/").json()["notation"] == "Ag@LAGP@Ag"


def test_the_pellets_of_a_run_can_be_corrected(api: Api) -> None:
    one, two = builders.pellet(), builders.pellet()
    run = builders.sputter_run((one, "A"))
    path = f"sputter-runs/{run.code}/"
    changed = api.patch(path, {"pellets": [{"pellet": two.code, "faces": "B"}], "reason": "wrong pellet"})
    assert changed.status_code == 200, changed.content
    assert changed.json()["pellets"] == [{"pellet": two.code, "faces": "B"}]
    assert changed.json()["version"] > run.version
    newest = api.rows(f"{path}history/")[0]
    assert newest["changes"]["pellets"] == [[f"{one.code} A"], [f"{two.code} B"]]
    assert newest["reason"] == "wrong pellet"
    builders.sputter_run((two, "B"))
    refused = api.patch(path, {"pellets": []})
    assert refused.status_code == 400
    assert "lies on the layer" in refused.json()["detail"]


@pytest.mark.parametrize(
    "coated",
    [
        [{"pellet": "PEL-9999", "faces": "A"}],
        [{"pellet": "{code}", "faces": "C"}],
        [{"pellet": "{code}", "faces": ""}],
        [{"pellet": "{code}"}],
        [{"pellet": "{code}", "faces": "A", "side": "B"}],
        [{"pellet": "{code}", "faces": "A"}, {"pellet": "{code}", "faces": "B"}],
        "PEL-0001",
    ],
)
def test_wrong_pellets_make_no_run(api: Api, coated: Any) -> None:
    code, target = builders.pellet().code, builders.material("CuS").code
    if isinstance(coated, list):
        coated = [{key: value.replace("{code}", code) for key, value in each.items()} for each in coated]
    refused = api.post("sputter-runs/", {"target": target, "pellets": coated})
    assert refused.status_code == 400
    assert refused.json()["field"].startswith("pellets")
    assert not SputterRun.objects.exists()


# -- what is computed --------------------------------------------------------------------------------------------------
def test_computed_columns_agree_with_the_models(api: Api) -> None:
    batch = builders.batch()
    pellets = [builders.pellet(batch=batch, thickness_um=800 + n, mass_mg=280 + n) for n in range(4)]
    pellets.append(builders.pellet(batch=batch, mass_mg=None))
    builders.sputter_run((pellets[0], "A"), (pellets[1], "B"), pellets[2])
    builders.sputter_run((pellets[1], "A"), (pellets[2], "B"), target=builders.material("Ag"))
    for row in api.rows("pellets/"):
        pellet = Pellet.objects.get(code=row["code"])
        assert row["notation"] == pellet.notation
        assert row["is_coated"] == pellet.is_coated
        assert row["relative_density_fraction"] == pytest.approx(pellet.relative_density_fraction)
        # What is shown and what is searched are two ways to the same name.
        assert row["code"] in codes(api.rows("pellets/", notation=pellet.notation))
    assert notations([pellets[1].pk]) == {pellets[1].pk: "Ag@LAGP@CuS"}
    cells = [builders.full_cell(pellet=pellets[0]), builders.blocking_cell(pellet=pellets[1])]
    bare = builders.electrode_lot(diameter_mm=None)
    cells.append(builders.full_cell(pellet=pellets[2], electrode_lot=bare, electrode_diameter_mm=8.0))
    for row in api.rows("cells/"):
        cell = next(each for each in cells if each.code == row["code"])
        assert row["electrode_area_cm2"] == pytest.approx(cell.electrode_area_cm2)
        assert row["active_mass_mg"] == pytest.approx(cell.active_mass_mg)


def test_computed_columns_can_be_searched_and_ordered(api: Api) -> None:
    light, heavy = builders.pellet(mass_mg=250.0), builders.pellet(mass_mg=300.0)
    unknown = builders.pellet(mass_mg=None)
    border = (light.relative_density_fraction + heavy.relative_density_fraction) / 2
    assert codes(api.rows("pellets/", relative_density_fraction__gt=border)) == {heavy.code}
    ordered = [row["code"] for row in api.rows("pellets/", ordering="-relative_density_fraction")]
    assert ordered == [heavy.code, light.code, unknown.code]
    builders.sputter_run((heavy, "A"))
    assert codes(api.rows("pellets/", is_coated="true")) == {heavy.code}
    assert codes(api.rows("pellets/", notation__contains="cus")) == {heavy.code}


# -- through the genealogy ---------------------------------------------------------------------------------------------
def test_pellets_and_cells_through_the_genealogy(api: Api) -> None:
    hot, cold = builders.batch(sinter_temperature_degC=900.0), builders.batch(sinter_temperature_degC=850.0)
    one, two, three = builders.pellet(batch=hot), builders.pellet(batch=hot), builders.pellet(batch=cold)
    builders.sputter_run(one, duration_min=5.0)
    builders.sputter_run(one, duration_min=15.0)
    blocking, full = builders.blocking_cell(pellet=one), builders.full_cell(pellet=three)

    def pellets(**query: Any) -> list[str]:
        return sorted(row["code"] for row in api.rows("pellets/", **query))

    def cells(**query: Any) -> list[str]:
        return sorted(row["code"] for row in api.rows("cells/", **query))

    assert pellets(batch__sinter_temperature_degC__gte=880) == [one.code, two.code]
    assert pellets(powder_lot=cold.powder_lot.code) == [three.code]
    assert pellets(sputter_run__duration_min__gte=1) == [one.code]  # two coatings, one row
    assert pellets(sputter_run__duration_min__gt=5, sputter_run__duration_min__lt=15) == []  # the same run must fit
    assert pellets(configuration="full") == [three.code]
    assert pellets(subject=blocking.code) == [one.code]
    assert pellets(cell=full.code) == [three.code]
    assert pellets(electrode_lot__loading_mg_cm2__gte=2) == [three.code]
    assert cells(subject=one.code) == [blocking.code]
    assert cells(subject=full.code) == [full.code]
    assert cells(pellet=one.code) == [blocking.code]
    assert cells(batch=hot.code) == [blocking.code]
    assert cells(powder_lot__in=f"{hot.powder_lot.code},{cold.powder_lot.code}") == sorted([blocking.code, full.code])
    assert cells(is_coated="true") == [blocking.code]
    assert cells(sputter_run__duration_min__lte=5) == [blocking.code]
    assert cells(pellet__thickness_um__lt=802, configuration="full") == [full.code]


# -- films -------------------------------------------------------------------------------------------------------------
def test_from_sputter_run_to_converted_cell(api: Api) -> None:
    pellet = builders.pellet()
    run = api.made(
        "sputter-runs/",
        {
            "target": builders.material("CuS").code,
            "power_W": 80,
            "pressure_Pa": 1,
            "target_distance_cm": 5,
            "duration_min": 10,
            "gas": "Ar",
            "pellets": [{"pellet": pellet.code, "faces": "AB"}],
            "witness": True,
        },
    )
    assert run["sputter_setting"] == "CuS 80 W 1 Pa 5 cm"
    assert (run["witness"], len(run["witness_plates"])) == (True, 1)
    plate = run["witness_plates"][0]
    assert plate.startswith("WIT-")
    assert api.get(f"witness-plates/{plate}/").json()["sputter_run"] == run["code"]
    film = api.made("film-thicknesses/", {"witness_plate": plate, "heights_nm": [49.0, 50.0, 51.0], "method": "afm"})
    assert film["film_thickness_nm"] == pytest.approx(50)
    assert film["film_thickness_uncertainty_nm"] == pytest.approx(1 / math.sqrt(3))
    step = api.made("conversions/", {"pellet": pellet.code, "faces": ["B", "A"], "temperature_degC": 230})
    assert step["faces"] == "AB"
    assert api.get(f"pellets/{pellet.code}/").json()["notation"] == "Li₂S/Cu@LAGP@Li₂S/Cu"
    gone = api.post(f"conversions/{step['code']}/withdraw/", {"reason": "another pellet"})
    assert gone.status_code == 200
    assert api.get(f"pellets/{pellet.code}/").json()["notation"] == "CuS@LAGP@CuS"


def test_a_witness_plate_is_made_once_and_not_taken_away_in_passing(api: Api) -> None:
    run = builders.sputter_run()
    path = f"sputter-runs/{run.code}/"
    assert api.get(path).json()["witness"] is False
    plates = [api.patch(path, {"witness": True}).json()["witness_plates"] for _ in range(2)]
    assert plates[0] == plates[1]
    refused = api.patch(path, {"witness": False})
    assert refused.status_code == 400
    assert f"has the witness plate {plates[0][0]}" in refused.json()["detail"]
    assert codes(api.rows("sputter-runs/", witness="true")) == {run.code}


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        ({"heights_nm": []}, "heights_nm", "at least one step height"),
        ({"heights_nm": [50, 0]}, "heights_nm", "above 0"),
        ({"heights_nm": [50], "face": "A"}, None, "A film is read on a witness plate, or on face A or B of a pellet."),
    ],
)
def test_thicknesses_are_checked_by_the_model(api: Api, body: Any, field: str, sentence: str) -> None:
    refused = api.post("film-thicknesses/", {"witness_plate": builders.witness_plate().code} | body)
    assert refused.status_code == 400
    assert sentence in refused.json()["detail"]
    assert field is None or refused.json()["field"] == field


def test_nothing_to_convert_is_the_sentence_of_the_model(api: Api) -> None:
    pellet = builders.pellet()
    refused = api.post("conversions/", {"pellet": pellet.code, "faces": "A"})
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(f"{pellet.code} has no CuS layer, so there is nothing to convert.")
    assert api.post("conversions/", {"pellet": pellet.code, "faces": "A", "is_attachment": True}).status_code == 201


def test_conversions_are_a_station_of_the_genealogy(api: Api) -> None:
    one, two, bare = builders.pellet(), builders.pellet(), builders.pellet()
    builders.sputter_run(one, two)
    before = builders.symmetric_cell(pellet=one)
    before.state = "dismantled"
    save_record(before, by=None)
    later = timezone.now() + dt.timedelta(hours=1)
    first = builders.conversion(one, temperature_degC=230.0, performed_at=later)
    builders.conversion(two, temperature_degC=200.0)
    after = builders.symmetric_cell(pellet=one, assembled_at=later + dt.timedelta(hours=1))
    spectrum, old = builders.measurement(after), builders.measurement(before)
    number = builders.result(spectrum, "interfacial_resistance_ohm", 170.0)
    builders.result(old, "interfacial_resistance_ohm", 2250.0)
    assert codes(api.rows("pellets/", conversion__temperature_degC__gte=220)) == {one.code}
    assert codes(api.rows("pellets/", conversion__temperature_degC__range="150,250")) == {one.code, two.code}
    assert codes(api.rows("cells/", conversion=first.code)) == {after.code}
    assert codes(api.rows("measurements/", conversion__temperature_degC="230")) == {spectrum.code}
    assert [row["id"] for row in api.rows("results/", conversion__temperature_degC="230")] == [number.pk]
    withdraw(first, by=None, reason="not done")
    assert api.rows("results/", conversion__temperature_degC="230") == []
    assert codes(api.rows("pellets/", is_coated="false")) == {bare.code}


def test_measurements_and_results_of_a_witness_plate(api: Api) -> None:
    plate = builders.witness_plate()
    scan = builders.measurement(plate, kind="afm", temperature_degC=None)
    number = builders.result(scan, "film_thickness_nm", 50.0, pellet=None)
    builders.result(builders.measurement(), "ionic_conductivity_S_cm", 1e-4)
    assert api.get(f"measurements/{scan.code}/").json()["subject"] == plate.code
    assert codes(api.rows("measurements/", subject=plate.code.lower())) == {scan.code}
    assert codes(api.rows("measurements/", subject__contains="WIT")) == {scan.code}
    rows = api.rows("results/", subject=plate.code)
    assert [(row["id"], row["subject"], row["pellet"]) for row in rows] == [(number.pk, plate.code, None)]
    # A plate is neither coated nor pristine: those words speak of pellets and cells.
    for flag in ("true", "false"):
        assert codes(api.rows("measurements/", is_coated=flag, kind="afm")) == set()


def test_a_sputter_rate_is_asked_for_by_its_setting_and_gives_the_estimate(api: Api) -> None:
    run, other = builders.sputter_run(duration_min=12.0), builders.sputter_run(power_W=100.0)
    made_by = AnalysisRun.objects.create(
        analysis="sputter_rate", version=1, sputter_setting=run.setting, state="succeeded", is_current=True,
        job_state="ended",
    )  # fmt: skip
    rate = Result.objects.create(
        run=made_by, sputter_setting=run.setting, quantity="sputter_rate_nm_min", value=5.0, uncertainty=0.2,
        unit="nm min⁻¹", acceptance="accepted",
    )  # fmt: skip
    rows = api.rows("results/", sputter_setting=run.setting.code)
    assert [(row["id"], row["subject"], row["sputter_setting"]) for row in rows] == [
        (rate.pk, "CuS 80 W 1 Pa 5 cm", "CuS 80 W 1 Pa 5 cm")
    ]
    assert [row["id"] for row in api.rows("results/", subject="CuS 80 W 1 Pa 5 cm")] == [rate.pk]
    shown = {row["code"]: row for row in api.rows("sputter-runs/")}
    assert shown[run.code]["estimated_thickness_nm"] == pytest.approx(60.0)
    assert shown[run.code]["estimated_thickness_uncertainty_nm"] == pytest.approx(2.4)
    assert shown[other.code]["estimated_thickness_nm"] is None
    assert codes(api.rows("sputter-runs/", estimated_thickness_nm__gt=50)) == {run.code}
    rate.acceptance = "rejected"
    rate.save()
    assert api.get(f"sputter-runs/{run.code}/").json()["estimated_thickness_nm"] is None

"""Rates follow the films: queued when one is read, corrected or withdrawn; frozen in the run; used for estimates."""

from __future__ import annotations

import pytest
from django.utils import timezone

from analysis.films import films_of, run_of_face
from analysis.lineage import prov
from analysis.models import AnalysisRun, Result
from analysis.tasks import drain
from lagpdb.records import restore, save_record, withdraw
from measurements.ingest import take_in
from measurements.models import Measurement
from measurements.waiting import assign
from samples.coat import coat
from samples.models import SputterRun
from tests import builders, spine
from tests.api_client import Api

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


def film(duration_min: float, *heights_nm: float, **run):
    """A thickness on the witness plate of a run of its own."""
    made = builders.sputter_run(duration_min=duration_min, **run)
    return builders.film_thickness(builders.witness_plate(made), *heights_nm)


def rates(**where):
    rows = Result.objects.current().filter(quantity="sputter_rate_nm_min", **where).order_by("position")
    return [(row.label, pytest.approx(row.value), row.acceptance) for row in rows]


def rate() -> float:
    return Result.objects.current().get(quantity="sputter_rate_nm_min", position=0).value


# -- what belongs to a setting -----------------------------------------------------------------------------------------
def test_films_on_plates_and_on_single_layers_of_pellets():
    on_plate = film(10.0, 50.0)
    setting = on_plate.witness_plate.sputter_run.setting
    pellet = builders.pellet()
    run = builders.sputter_run((pellet, "A"), duration_min=20.0)
    on_pellet = builders.film_thickness(pellet, 99.0, 101.0, face="A")
    assert run_of_face(on_pellet) == run
    bare = builders.film_thickness(pellet, 5.0, face="B")
    assert run_of_face(bare) is None
    film(10.0, 70.0, power_W=100.0)
    table = films_of(setting)
    assert table["film"].tolist() == [on_plate.code, on_pellet.code]
    assert table["duration_min"].tolist() == [10.0, 20.0]
    assert table["measured_on"].tolist()[1] == f"{pellet.code} side A"


def test_a_second_layer_or_lithium_makes_a_face_tell_nothing():
    pellet = builders.pellet()
    run = builders.sputter_run(pellet)
    read = builders.film_thickness(pellet, 50.0, face="A")
    other = builders.film_thickness(pellet, 50.0, face="B", measured_at=timezone.now())
    builders.conversion(pellet, "B")  # after it was read
    assert run_of_face(other) == run
    later = builders.film_thickness(pellet, 80.0, face="B", measured_at=timezone.now())
    assert run_of_face(later) is None
    builders.sputter_run((pellet, "A"), performed_at=None)
    assert run_of_face(read) is None
    assert films_of(run.setting)["film"].tolist() == [other.code]


# -- when they are computed --------------------------------------------------------------------------------------------
def test_a_rate_grows_with_its_films(django_capture_on_commit_callbacks):
    first = film(10.0, 49.0, 50.0, 51.0)
    setting = first.witness_plate.sputter_run.setting
    drain()
    assert rates() == [("ratio", 5.0, "accepted")]
    film(20.0, 99.0, 101.0)
    assert rates() == [("ratio", 5.0, "accepted")]  # stands until the new one is there
    assert AnalysisRun.objects.filter(state="queued", sputter_setting=setting).count() == 1
    film(40.0, 199.0, 201.0)
    assert AnalysisRun.objects.filter(state="queued", sputter_setting=setting).count() == 1
    drain()
    assert rates() == [("through_origin", 5.0, "accepted"), ("with_intercept", 5.0, "accepted")]
    row = Result.objects.current().first()
    assert (row.pellet, row.cell, row.measurement, row.sputter_setting, row.unit) == (
        None, None, None, setting, "nm min⁻¹"
    )  # fmt: skip
    run = row.run
    assert [entry["film_thickness_nm"] for entry in run.inputs["films"]["value"]] == [50.0, 100.0, 200.0]
    assert run.subject == setting


def test_corrections_retire_the_rate_at_once_and_freeze_what_was_seen():
    seen = film(10.0, 50.0)
    drain()
    old = AnalysisRun.objects.get()
    seen.heights_nm = [60.0]
    save_record(seen, by=None, reason="misread")
    assert rates() == []
    drain()
    assert rate() == pytest.approx(6.0)
    run = seen.witness_plate.sputter_run
    run.duration_min = 12.0
    save_record(run, by=None, reason="the clock ran slow")
    assert rates() == []
    drain()
    assert rate() == pytest.approx(5.0)
    old.refresh_from_db()
    assert old.inputs["films"]["value"][0]["film_thickness_nm"] == 50.0
    assert not old.is_current
    notes = SputterRun.objects.get(pk=run.pk)
    notes.notes = "talk"
    save_record(notes, by=None)
    assert AnalysisRun.objects.filter(state="queued").count() == 0


def test_a_withdrawn_film_takes_its_rate_along_and_brings_it_back():
    seen = film(10.0, 50.0)
    drain()
    withdraw(seen.witness_plate.sputter_run, by=None, reason="target was dirty")
    assert rates() == []
    drain()
    last = AnalysisRun.objects.order_by("pk").last()
    assert last.state == "failed"
    assert last.message.startswith("No measured film thickness at CuS 80 W 1 Pa 5 cm.")
    restore(SputterRun.objects.get(), by=None)
    drain()
    assert rate() == pytest.approx(5.0)


def test_a_run_that_moves_to_another_setting_moves_its_films():
    film(10.0, 50.0)
    other = film(10.0, 60.0)
    drain()
    assert rate() == pytest.approx(5.5)
    run = other.witness_plate.sputter_run
    run.power_W = 100.0
    save_record(run, by=None, reason="read from the log")
    drain()
    found = dict(Result.objects.current().values_list("sputter_setting__code", "value"))
    assert found == {"CuS 80 W 1 Pa 5 cm": pytest.approx(5.0), "CuS 100 W 1 Pa 5 cm": pytest.approx(6.0)}


def test_corrected_pellets_of_a_run_move_a_reading_on_a_face():
    pellet, other = builders.pellet(), builders.pellet()
    run = builders.sputter_run((pellet, "A"))
    builders.film_thickness(pellet, 50.0, face="A")
    drain()
    assert rate() == pytest.approx(5.0)
    coat(run, [(other, "A")], by=None, reason="wrong pellet")
    drain()
    assert rates() == []


def test_only_synthetic_films_make_a_synthetic_rate():
    made = builders.sputter_run(is_synthetic=True)
    builders.film_thickness(builders.witness_plate(made), 50.0)
    drain()
    assert Result.objects.current().get().is_synthetic


def test_the_estimate_and_the_api_show_the_rate():
    film(10.0, 48.0, 50.0, 52.0)
    drain()
    target = builders.sputter_run(duration_min=4.0)
    api = Api()
    row = api.get(f"sputter-runs/{target.code}/").json()
    assert row["estimated_thickness_nm"] == pytest.approx(20.0)
    # Readings 48, 50, 52: u = 2/√3 nm at 10 min, so 0.115 nm/min, 0.46 nm at 4 min.
    assert row["estimated_thickness_uncertainty_nm"] == pytest.approx(4 * 0.2 / 3**0.5)
    (shown,) = api.rows("results/", quantity="sputter_rate_nm_min")
    assert (shown["subject"], shown["analysis"], shown["pellet"]) == ("CuS 80 W 1 Pa 5 cm", "sputter_rate", None)
    run = api.get(f"runs/{shown['run']}/").json()
    assert (run["subject"], run["measurement"]) == ("CuS 80 W 1 Pa 5 cm", None)
    judged = api.patch(f"results/{shown['id']}/", {"acceptance": "rejected", "reason": "dirty target"})
    assert judged.status_code == 200
    assert api.get(f"sputter-runs/{target.code}/").json()["estimated_thickness_nm"] is None


# -- files of witness plates -------------------------------------------------------------------------------------------
def taken_in(name, **more):
    upload = spine.upload((name, spine.spectrum()), **more)
    (file,) = upload.files.all()
    take_in(file.pk)
    file.refresh_from_db()
    return file


def test_a_file_that_names_a_witness_plate_hangs_on_it():
    plate = builders.witness_plate()
    file = taken_in(f"wit {int(plate.code[4:])} step.csv")
    assert (file.state, file.matched_by) == ("done", "from name"), file.message
    assert file.message == "Raw data are stored. Nothing is computed from impedance of a witness plate yet."
    measurement = Measurement.objects.get()
    assert (measurement.subject, measurement.sample_pellet) == (plate, None)
    measurement.temperature_degC = 30.0
    save_record(measurement, by=None, reason="was warm")
    withdraw(measurement, by=None, reason="not this one")
    restore(measurement, by=None)
    assert not AnalysisRun.objects.exists()


def test_a_witness_plate_is_chosen_for_all_files_or_for_one():
    plate, other = builders.witness_plate(), builders.witness_plate()
    assert taken_in("a.csv", subject=plate).measurements.get().subject == plate
    waiting = taken_in("b.csv")
    assert waiting.state == "duplicate"
    cell = spine.cell()
    torn = spine.upload((f"{cell.code} {other.code}.csv", spine.spectrum(seed=2)))
    (file,) = torn.files.all()
    take_in(file.pk)
    file.refresh_from_db()
    assert file.state == "needs_sample"
    assert {each["code"] for each in file.candidates} == {cell.code, other.code}
    assert f"CuS@Si, witness of {other.sputter_run.code}" in [each["role"] for each in file.candidates]
    assign(file, other, by=None)
    take_in(file.pk)
    file.refresh_from_db()
    assert file.measurements.get().subject == other


# -- lineage -----------------------------------------------------------------------------------------------------------
def test_a_rate_leads_back_to_films_plates_and_runs():
    seen = film(10.0, 49.0, 51.0)
    drain()
    rate_id = Result.objects.current().get().pk
    document = prov(str(rate_id))
    names = set(document["entity"]) | set(document["activity"])
    plate = seen.witness_plate
    assert {
        f"lagpdb:results/{rate_id}", f"lagpdb:film-thicknesses/{seen.code}", f"lagpdb:witness-plates/{plate.code}",
        f"lagpdb:sputter-runs/{plate.sputter_run.code}", "lagpdb:materials/CuS",
    } <= names  # fmt: skip
    used = {(each["prov:activity"], each["prov:entity"]) for each in document["used"].values()}
    run = f"lagpdb:runs/{AnalysisRun.objects.get().pk}"
    assert (run, f"lagpdb:film-thicknesses/{seen.code}") in used
    forward = prov(plate.sputter_run.code)
    assert f"lagpdb:results/{rate_id}" in forward["entity"]


def test_a_converted_pellet_and_a_scanned_plate_have_a_lineage():
    pellet, plate = builders.pellet(), builders.witness_plate()
    builders.sputter_run(pellet)
    step = builders.conversion(pellet)
    made = {each["prov:activity"] for each in prov(pellet.code)["wasGeneratedBy"].values()}
    assert f"lagpdb:conversions/{step.code}" in made
    assert f"lagpdb:pellets/{pellet.code}" in prov(step.code)["entity"]
    scan = builders.measurement(plate, kind="afm", temperature_degC=None)
    number = builders.result(scan, "film_thickness_nm", 50.0, pellet=None)
    entities = prov(scan.code)["entity"]
    assert {f"lagpdb:witness-plates/{plate.code}", f"lagpdb:results/{number.pk}"} <= set(entities)

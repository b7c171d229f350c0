"""From a spectrum to a number: what a run writes, replaces, refuses, and how many questions it asks the database."""

from __future__ import annotations

import shutil
from datetime import timedelta

import numpy as np
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analysis import pipeline
from analysis.decisions import judge, reanalyse
from analysis.models import AnalysisRun, Result, RunInput
from analysis.science.base import AnalysisError, Finding, Outcome
from analysis.science.conductivity import Conductivity
from analysis.tasks import drain
from lagpdb import ledger
from lagpdb.records import StaleVersion, save_record, withdraw
from measurements.ingest import take_in
from measurements.models import Measurement, UploadFile
from tests import spine

pytestmark = pytest.mark.django_db
QUERIES_OF_A_RUN = 19  # four begin and end the transactions; one asks for earlier runs, one for tests that it moves
SIGMA, ENERGY = "ionic_conductivity_S_cm", "activation_energy_eV"


@pytest.fixture
def broken(monkeypatch):
    """Let every conductivity run end with this error or outcome."""

    def set_to(what) -> None:
        def run(self, recording, subject, parameters):
            if isinstance(what, Exception):
                raise what
            return what

        monkeypatch.setattr(Conductivity, "run", run)

    return set_to


def queued_run(**more) -> tuple[AnalysisRun, UploadFile]:
    """A file that was taken in, and its run that waits."""
    upload = spine.upload((f"{spine.cell(**more).code}_25C.csv", spine.spectrum()))
    file = upload.files.get()
    take_in(file.pk)
    file.refresh_from_db()
    return AnalysisRun.objects.latest("pk"), file


# -- what a run writes -------------------------------------------------------------------------------------------------
def test_the_numbers_of_a_spectrum():
    cell = spine.cell()
    (file,) = spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    run = AnalysisRun.objects.get()
    assert (file.state, file.message) == ("done", "")
    assert (run.state, run.is_current, run.job_state, run.attempts) == ("succeeded", True, "ended", 1)
    assert run.inputs["raw_file"]["sha256"] == file.raw_file.sha256
    assert run.inputs["thickness_um"]["value"] == 800
    assert set(run.curves) >= {"data", "fit"}
    assert run.tables["fit"]
    sigma = spine.number(SIGMA, cell)
    assert sigma.value == pytest.approx(spine.SIGMA_25_S_CM, rel=0.01)
    assert 0 < sigma.uncertainty < 0.02 * sigma.value
    assert (sigma.unit, sigma.flag, sigma.acceptance, sigma.limit) == ("S/cm", "ok", "accepted", "=") or sigma.unit
    assert (sigma.temperature_degC, sigma.pellet, sigma.measurement) == (25, cell.pellet, file.measurements.get())
    spine.check_invariants()


def test_a_synthetic_measurement_has_synthetic_numbers():
    spine.taken_in((f"{spine.cell().code}_25C.csv", spine.spectrum()), is_synthetic=True)
    assert Result.objects.exists()
    assert not Result.objects.filter(is_synthetic=False).exists()


def test_each_question_is_asked_once():
    """The number of queries of one run is part of the promise: it stays what it is, or this line says so."""
    run, _ = queued_run()
    with CaptureQueriesContext(connection) as asked:
        pipeline.run(run.pk)
    texts = [query["sql"] for query in asked]
    assert len(texts) == QUERIES_OF_A_RUN, "\n".join(text[:150] for text in texts)


def test_without_thickness_there_is_no_conductivity_but_a_sentence():
    cell = spine.cell(spine.pellet(thickness_um=None, thickness_uncertainty_um=None))
    (file,) = spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    sigma = spine.number(SIGMA, cell)
    assert (sigma.value, sigma.flag, sigma.acceptance) == (None, "missing", "provisional")
    assert spine.number("total_resistance_ohm", cell).flag == "ok"
    sentences = dict(AnalysisRun.objects.get().warnings)
    assert sentences["missing_thickness"] == "σ needs the pellet thickness. Enter the thickness of the pellet."
    assert file.state == "done"
    pellet = cell.pellet
    pellet.thickness_um = 800
    save_record(pellet, by=None)
    drain()
    assert spine.number(SIGMA, cell).value == pytest.approx(spine.SIGMA_25_S_CM, rel=0.01)


# -- when it does not work ---------------------------------------------------------------------------------------------
def test_a_failed_analysis_leaves_the_file_done_with_its_sentence(broken):
    run, file = queued_run()
    broken(AnalysisError("The fit did not converge with circuit R–(RQ)–Q. Try another circuit or range."))
    pipeline.run(run.pk)
    run.refresh_from_db()
    file.refresh_from_db()
    assert (run.state, run.is_current, run.job_state) == ("failed", False, "ended")
    assert (file.state, file.message) == ("done", run.message)
    assert run.message.startswith("The fit did not converge")
    assert not Result.objects.exists()


def test_a_mistake_of_ours_is_final_with_a_reference(broken, caplog):
    run, file = queued_run()
    broken(ZeroDivisionError("by nought"))
    pipeline.run(run.pk)
    run.refresh_from_db()
    file.refresh_from_db()
    assert (run.state, file.state) == ("failed", "done")
    assert run.message.startswith("Something broke on our side (ref ")
    reference = run.message.partition("(ref ")[2][:4]
    assert f"ref {reference}" in caplog.text
    assert "by nought" in caplog.text


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome([Finding("ionic_conductivity_S_cm", float("inf"))]),
        Outcome([Finding("ionic_conductivity_S_cm", None, flag="ok")]),
        Outcome([Finding("no_such_quantity", 1.0)]),
        Outcome([Finding("ionic_conductivity_S_cm", 1.0), Finding("ionic_conductivity_S_cm", 2.0)]),
        Outcome(curves={"data": np.ones(3)}),
    ],
    ids=["infinite", "nothing", "unknown", "twice", "no JSON"],
)
def test_numbers_that_cannot_be_written_are_final_with_a_reference(broken, outcome):
    run, file = queued_run()
    broken(outcome)
    pipeline.run(run.pk)
    run.refresh_from_db()
    file.refresh_from_db()
    assert (run.state, run.job_state, file.state) == ("failed", "ended", "done")
    assert "(ref " in file.message
    assert not Result.objects.exists()


def test_a_fault_of_the_surroundings_is_tried_again_and_ends_after_three(broken):
    run, file = queued_run()
    broken(OperationalError("no connection"))
    for attempt in (1, 2, 3):
        with pytest.raises(OperationalError):
            pipeline.run(run.pk)
        run.refresh_from_db()
        assert (run.job_state, run.attempts) == ("waiting", attempt)
        AnalysisRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    pipeline.run(run.pk)
    ledger.sweep()
    run.refresh_from_db()
    file.refresh_from_db()
    assert (run.state, run.attempts, file.state) == ("failed", 3, "done")
    assert "begun 3 times" in file.message


def test_bytes_that_are_gone_fail_with_the_sentence_of_the_store(own_store):
    run, _ = queued_run()
    shutil.rmtree(own_store.parsed)
    shutil.rmtree(own_store.raw)
    pipeline.run(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert "is missing from the store" in run.message


def test_a_second_delivery_does_nothing():
    run, _ = queued_run()
    pipeline.run(run.pk)
    count = Result.objects.count()
    pipeline.run(run.pk)
    pipeline.run(999_999)
    run.refresh_from_db()
    assert (run.attempts, Result.objects.count()) == (1, count)


def test_a_zombie_writes_nothing(monkeypatch):
    """The lease lapses in the middle of the fit and another worker finishes the run first."""
    run, _ = queued_run()
    real = pipeline._compute

    def slow(item):
        outcome = real(item)
        if AnalysisRun.objects.get(pk=item.pk).attempts == 1:
            AnalysisRun.objects.filter(pk=item.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
            pipeline.run(item.pk)
        return outcome

    monkeypatch.setattr(pipeline, "_compute", slow)
    pipeline.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempts) == ("succeeded", 2)
    spine.check_invariants()


# -- old and new numbers -----------------------------------------------------------------------------------------------
def test_a_new_run_retires_the_old_one():
    cell = spine.cell()
    (file,) = spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    old = spine.number(SIGMA, cell)
    (new,) = reanalyse(
        file.measurements.get(), parameters={"fit_range_Hz": [10, 1e5]}, by=spine.person(), reason="tail"
    )
    old.refresh_from_db()
    assert old.is_current
    drain()
    old.refresh_from_db()
    assert not old.is_current
    assert not old.run.is_current
    assert spine.number(SIGMA, cell).run == new
    new.refresh_from_db()
    assert (new.reason, new.parameters) == ("tail", {"fit_range_Hz": [10, 1e5]})
    spine.check_invariants()


def test_a_run_that_was_overtaken_does_not_count():
    run, file = queued_run()
    (newer,) = reanalyse(file.measurements.get(), by=None)
    pipeline.run(newer.pk)
    pipeline.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.is_current) == ("succeeded", False)
    assert run.results.exists()
    assert not run.results.filter(is_current=True).exists()
    assert spine.number(SIGMA).run == newer
    spine.check_invariants()


def test_a_failed_new_run_leaves_the_old_number_standing(broken):
    cell = spine.cell()
    (file,) = spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    old = spine.number(SIGMA, cell)
    broken(AnalysisError("No."))
    reanalyse(file.measurements.get(), by=None)
    drain()
    assert spine.number(SIGMA, cell) == old


def test_a_measurement_withdrawn_while_it_is_computed_does_not_count(monkeypatch):
    run, _ = queued_run()
    real = pipeline._compute

    def meanwhile(item):
        outcome = real(item)
        withdraw(Measurement.objects.get(), by=None, reason="wrong lead")
        return outcome

    monkeypatch.setattr(pipeline, "_compute", meanwhile)
    pipeline.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.is_current) == ("succeeded", False)
    assert not Result.objects.current().exists()


def test_a_measurement_moved_while_it_is_computed_counts_for_its_new_sample(monkeypatch):
    run, _ = queued_run()
    other, real = spine.cell(), pipeline._compute

    def meanwhile(item):
        outcome = real(item)
        measurement = Measurement.objects.get()
        if measurement.cell_id != other.pk:
            measurement.cell = other
            save_record(measurement, by=None, reason="wrong cell")
        return outcome

    monkeypatch.setattr(pipeline, "_compute", meanwhile)
    drain()
    run.refresh_from_db()
    assert not run.is_current
    assert spine.number(SIGMA).cell == other
    spine.check_invariants()


# -- combinations ------------------------------------------------------------------------------------------------------
def test_four_temperatures_give_an_activation_energy():
    cell = spine.cell()
    files = spine.arrhenius(cell, 25, 40, 60)
    assert not Result.objects.filter(quantity=ENERGY).exists()
    files += spine.arrhenius(cell, 80)
    energy = spine.number(ENERGY, cell, label="sigma_T")
    assert energy.value == pytest.approx(spine.ACTIVATION_EV, abs=0.002)
    assert energy.measurement is None
    used = RunInput.objects.filter(run=energy.run).values_list("result__measurement__code", flat=True)
    assert sorted(used) == sorted(file.measurements.get().code for file in files)
    assert {file.state for file in UploadFile.objects.all()} == {"done"}


def test_a_rejected_number_moves_the_activation_energy():
    cell = spine.cell()
    spine.arrhenius(cell, 25, 40, 60, 80, 100)
    before = spine.number(ENERGY, cell, label="sigma_T")
    sigma = spine.number(SIGMA, cell, temperature_degC=25)
    judge(sigma, "rejected", by=spine.person(), reason="bad contact", version=1)
    drain()
    after = spine.number(ENERGY, cell, label="sigma_T")
    assert after.value != before.value
    assert after.run.run_inputs.count() == 4
    judge(Result.objects.get(pk=sigma.pk), "accepted", by=None)
    drain()
    assert spine.number(ENERGY, cell, label="sigma_T").value == pytest.approx(before.value, rel=1e-12)
    spine.check_invariants()


def test_too_few_numbers_left_leave_no_activation_energy_standing():
    cell = spine.cell()
    spine.arrhenius(cell, 25, 40, 60, 80)
    judge(spine.number(SIGMA, cell, temperature_degC=25), "rejected", by=None)
    drain()
    assert not Result.objects.current().filter(quantity=ENERGY).exists()
    last = AnalysisRun.objects.filter(cell=cell).latest("pk")
    assert last.state == "failed"
    assert last.message
    spine.check_invariants()


def test_judging_keeps_versions_and_refuses_nonsense():
    cell = spine.cell()
    spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    sigma = spine.number(SIGMA, cell)
    judged = judge(sigma, "rejected", by=spine.person(), reason="bad contact")
    assert (judged.version, judged.acceptance_reason) == (2, "bad contact")
    with pytest.raises(StaleVersion, match="your form shows version 1, the record is at version 2"):
        judge(Result.objects.get(pk=sigma.pk), "accepted", by=None, version=1)
    from django.core.exceptions import ValidationError

    with pytest.raises(ValidationError, match="Choose one of provisional, accepted, rejected"):
        judge(sigma, "perhaps", by=None)
    assert judge(judged, "rejected", by=None).version == 2


# -- real spectra ------------------------------------------------------------------------------------------------------
@pytest.mark.real
def test_published_conductivities_and_their_activation_energy(real_data):
    """Four spectra of one pellet with the fit of the publication, doi:10.1039/d3ta06237f; see the manifest."""
    published = {140: 1.936e-7, 160: 5.594e-7, 180: 1.477e-6, 200: 3.556e-6}
    pellet = spine.pellet(thickness_um=2100, thickness_uncertainty_um=None, diameter_mm=8.0)
    cell = spine.cell(pellet, electrode_diameter_mm=8.0)
    names = [f"s04147-{temperature}deg.txt" for temperature in published]
    files = spine.taken_in(*[(name, (real_data / "eis" / name).read_bytes()) for name in names], subject=cell)
    assert [file.state for file in files] == ["done"] * 4
    for temperature, sigma in published.items():
        assert spine.number(SIGMA, cell, temperature_degC=temperature).value == pytest.approx(sigma, rel=0.01)
    assert spine.number(ENERGY, cell, label="sigma_T").value == pytest.approx(0.8551, abs=0.003)
    extrapolated = spine.number("ionic_conductivity_25degC_S_cm", cell)
    assert extrapolated.value == pytest.approx(2.56e-11, rel=0.05)
    assert (extrapolated.flag, extrapolated.acceptance) == ("suspect", "provisional")

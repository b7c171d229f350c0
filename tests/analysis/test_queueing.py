"""What is computed again when an input moves, and what no longer counts meanwhile."""

from __future__ import annotations

import threading

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction

from analysis import pipeline
from analysis.decisions import judge, reanalyse
from analysis.models import AnalysisRun, Result
from analysis.queueing import analyses, analyses_for, combinations, lock_sample, queue_combinations
from analysis.tasks import drain
from lagpdb import ledger
from lagpdb.records import restore, save_record, withdraw
from measurements.models import Measurement, UploadFile
from samples.models import Cell
from tests import builders, spine

pytestmark = pytest.mark.django_db
SIGMA, ENERGY = "ionic_conductivity_S_cm", "activation_energy_eV"


def queued() -> list[AnalysisRun]:
    return list(AnalysisRun.objects.filter(state="queued").order_by("pk"))


# -- what is run on what -----------------------------------------------------------------------------------------------
def test_an_analysis_runs_where_it_belongs():
    cell = spine.cell()
    assert [item.slug for item in analyses_for(builders.measurement(cell))] == ["conductivity"]
    assert analyses_for(builders.measurement(cell, kind="xrd")) == []
    for item in analyses().values():
        assert item.kinds
        assert item.subjects
        assert item.yields


def test_combinations_state_what_they_need():
    yielded = {quantity for item in analyses().values() for quantity in item.yields}
    for item in combinations().values():
        recorded = {"film_thickness_nm"} if item.over == "sputter_setting" else set()  # read by people, on records
        assert set(item.needs) <= yielded | recorded
        assert item.over in {"cell", "pellet", "sputter_setting"}


# -- once, not a thousand times ----------------------------------------------------------------------------------------
def test_many_numbers_queue_one_combination():
    cell = spine.cell()
    spine.upload(*[(f"{cell.code}_{t}C.csv", spine.spectrum(t)) for t in range(20, 100, 10)])
    for pk in ledger.waiting(UploadFile):
        from measurements.ingest import take_in

        take_in(pk)
    for run in queued():
        pipeline.run(run.pk)
    combined = queued()
    assert [run.cell for run in combined] == [cell]
    assert combined[0].caused_by.count() >= 4
    assert UploadFile.objects.exclude(state="done").count() == combined[0].caused_by.count()
    drain()
    assert AnalysisRun.objects.filter(cell=cell).count() == 1
    spine.check_invariants()


def test_the_database_itself_refuses_a_second_queued_combination():
    cell = spine.cell()
    AnalysisRun.objects.create(analysis="activation", version=1, cell=cell)
    with pytest.raises(IntegrityError), transaction.atomic():
        AnalysisRun.objects.create(analysis="activation", version=1, cell=cell)


def test_fewer_temperatures_than_needed_queue_nothing():
    cell = spine.cell()
    spine.arrhenius(cell, 25, 40, 60)
    spine.taken_in((f"{cell.code}_60C_again.csv", spine.spectrum(60, seed=99)))
    assert not AnalysisRun.objects.filter(cell=cell).exists()


def test_what_a_person_chose_for_a_combination_stays():
    cell = spine.cell()
    spine.arrhenius(cell, 25, 40, 60, 80)
    AnalysisRun.objects.filter(cell=cell).update(parameters={"left_out": [1]})
    spine.arrhenius(cell, 100)
    assert AnalysisRun.objects.filter(cell=cell).latest("pk").parameters == {"left_out": [1]}


@pytest.mark.django_db(transaction=True)
def test_runs_of_one_cell_that_end_at_once():
    """Four workers, four temperatures: one activation energy, from all four."""
    cell = spine.cell()
    upload = spine.upload(*[(f"{cell.code}_{t}C.csv", spine.spectrum(t)) for t in (25, 40, 60, 80)])
    from measurements.ingest import take_in

    for pk in ledger.waiting(UploadFile):
        take_in(pk)
    barrier, errors = threading.Barrier(4), []

    def work(pk: int) -> None:
        try:
            barrier.wait()
            pipeline.run(pk)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(run.pk,)) for run in queued()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    drain()
    energy = spine.number(ENERGY, cell, label="sigma_T")
    assert energy.run.run_inputs.count() == 4
    assert set(upload.files.values_list("state", flat=True)) == {"done"}
    spine.check_invariants()


@pytest.mark.django_db(transaction=True)
def test_two_runs_of_one_measurement_that_end_at_once():
    cell = spine.cell()
    (file,) = spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    runs = [reanalyse(file.measurements.get(), by=None)[0] for _ in range(3)]
    barrier, errors = threading.Barrier(3), []

    def work(pk: int) -> None:
        try:
            barrier.wait()
            pipeline.run(pk)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(run.pk,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert spine.number(SIGMA, cell).run == runs[-1]
    assert set(AnalysisRun.objects.values_list("state", flat=True)) == {"succeeded"}
    spine.check_invariants()


# -- inputs that move --------------------------------------------------------------------------------------------------
@pytest.fixture
def cell():
    """A cell with four conductivities and an activation energy."""
    cell = spine.cell()
    spine.arrhenius(cell, 25, 40, 60, 80)
    return cell


def numbers(cell: Cell) -> dict[str, float]:
    rows = Result.objects.current().filter(cell=cell)
    return {f"{row.quantity} {row.label} {row.temperature_degC}": row.value for row in rows}


def test_a_changed_thickness_retires_at_once_and_computes_again(cell):
    before = numbers(cell)
    pellet = cell.pellet
    pellet.thickness_um = 400
    save_record(pellet, by=spine.person(), reason="measured again")
    assert numbers(cell) == {}
    assert [run.analysis for run in queued()] == ["conductivity"] * 4 + [queued()[-1].analysis]
    drain()
    after = numbers(cell)
    assert set(after) == set(before)
    for name, value in after.items():
        ratio = value / before[name]
        if name.startswith(("ionic_conductivity", "conductivity_prefactor")):
            assert ratio == pytest.approx(0.5, rel=1e-3)
        else:
            assert ratio == pytest.approx(1.0, rel=1e-3)
    assert AnalysisRun.objects.filter(cell=cell).count() == 2
    assert set(AnalysisRun.objects.values_list("state", flat=True)) == {"succeeded"}
    spine.check_invariants()


@pytest.mark.parametrize("change", [{"notes": "talk"}, {"state": "on_test"}, {"stack_pressure_MPa": 50.0}])
def test_what_is_talk_computes_nothing(cell, change):
    before = numbers(cell)
    for name, value in change.items():
        setattr(cell, name, value)
    save_record(cell, by=None)
    assert numbers(cell) == before
    assert queued() == []


def test_a_changed_electrode_computes_again(cell):
    before = spine.number(SIGMA, cell, temperature_degC=25).value
    cell.electrode_diameter_mm = 5
    save_record(cell, by=None)
    assert numbers(cell) == {}
    drain()
    assert spine.number(SIGMA, cell, temperature_degC=25).value == pytest.approx(4 * before, rel=1e-3)


def test_a_corrected_temperature_moves_the_activation_energy(cell):
    before = spine.number(ENERGY, cell, label="sigma_T").value
    measurement = Measurement.objects.get(temperature_degC=80)
    measurement.temperature_degC = 90
    save_record(measurement, by=None, reason="wrong oven")
    drain()
    assert spine.number(SIGMA, cell, temperature_degC=90)
    assert spine.number(ENERGY, cell, label="sigma_T").value < before
    spine.check_invariants()


def test_a_withdrawn_measurement_takes_its_numbers_with_it_and_brings_them_back(cell):
    spine.arrhenius(cell, 100)
    before = numbers(cell)
    measurement = Measurement.objects.get(temperature_degC=25)
    withdraw(measurement, by=None, reason="bad contact")
    assert not Result.objects.current().filter(measurement=measurement).exists()
    drain()
    assert spine.number(ENERGY, cell, label="sigma_T").run.run_inputs.count() == 4
    restore(measurement, by=None)
    drain()
    assert numbers(cell) == pytest.approx(before)
    spine.check_invariants()


def test_a_withdrawn_cell_has_no_numbers(cell):
    withdraw(cell, by=None, reason="leaked")
    drain()
    assert numbers(cell) == {}
    restore(cell, by=None)
    drain()
    assert spine.number(ENERGY, cell, label="sigma_T")
    spine.check_invariants()


def test_a_measurement_that_is_moved_leaves_nothing_behind(cell):
    other = spine.cell()
    measurement = Measurement.objects.get(temperature_degC=25)
    measurement.cell = other
    save_record(measurement, by=None, reason="wrong cell")
    assert not Result.objects.current().filter(measurement=measurement).exists()
    drain()
    assert spine.number(SIGMA, other).measurement == measurement
    assert not Result.objects.current().filter(cell=cell, quantity=ENERGY).exists()
    assert Result.objects.current().filter(cell=cell, quantity=SIGMA).count() == 3
    spine.check_invariants()


def test_many_measurements_of_a_pellet_ask_few_questions(cell):
    from django.test.utils import CaptureQueriesContext

    def questions() -> int:
        pellet = Cell.objects.get(pk=cell.pk).pellet
        pellet.thickness_um += 1
        with CaptureQueriesContext(connection) as asked:
            save_record(pellet, by=None)
        drain()
        return len(asked)

    few = questions()
    spine.arrhenius(cell, 30, 50, 70, 90)
    assert questions() <= few + 2


# -- what people decided -----------------------------------------------------------------------------------------------
def corrected(cell, thickness_um=850.0):
    pellet = cell.pellet
    pellet.thickness_um = thickness_um
    save_record(pellet, by=spine.person(), reason="measured again")
    drain()


def chosen(cell):
    """The first spectrum with a fit range that a person gave, and the parameters of its run."""
    measurement = Measurement.objects.filter(cell=cell).order_by("pk").first()
    reanalyse(measurement, parameters={"fit_range_Hz": [10.0, 1e5]}, by=spine.person(), reason="the end is noise")
    drain()
    return measurement


def in_force(measurement):
    return measurement.runs.get(is_current=True)


def test_a_persons_choices_stay_when_an_input_moves(cell):
    measurement = chosen(cell)
    narrow = in_force(measurement).results.get(quantity="total_resistance_ohm").value
    corrected(cell)
    run = in_force(measurement)
    assert (run.parameters, run.created_by) == ({"fit_range_Hz": [10.0, 1e5]}, None)
    assert run.reason == f"{cell.pellet.code}: Thickness (µm) changed"
    assert run.results.get(quantity="total_resistance_ohm").value == pytest.approx(narrow, rel=1e-12)
    withdraw(measurement, by=spine.person(), reason="a moment")
    restore(measurement, by=spine.person())
    drain()
    assert in_force(measurement).parameters == {"fit_range_Hz": [10.0, 1e5]}
    assert in_force(measurement).reason == f"{measurement.code}: restored"
    call_command("reanalyse")
    assert in_force(measurement).parameters == {"fit_range_Hz": [10.0, 1e5]}
    reanalyse(measurement, by=spine.person(), reason="all of it after all")
    drain()
    assert in_force(measurement).parameters == {}


def test_what_is_stated_of_a_measurement_counts_before_earlier_choices(cell):
    measurement = chosen(cell)
    reanalyse(measurement, parameters={"fit_range_Hz": [10.0, 1e5], "circuit": "A"}, by=spine.person(), reason="both")
    drain()
    measurement.refresh_from_db()
    measurement.parameters = {**measurement.parameters, "fit_range_Hz": [20.0, 1e5]}
    save_record(measurement, by=spine.person(), reason="said of the measurement")
    drain()
    assert in_force(measurement).parameters == {"circuit": "A"}  # the range is that of the measurement now
    corrected(cell)
    assert in_force(measurement).parameters == {"circuit": "A"}


def test_choices_of_a_run_that_failed_do_not_stay(cell):
    measurement = chosen(cell)
    reanalyse(measurement, parameters={"fit_range_Hz": [1.0, 1.1]}, by=spine.person(), reason="too narrow")
    drain()
    assert measurement.runs.latest("pk").state == "failed"
    corrected(cell)
    assert in_force(measurement).parameters == {"fit_range_Hz": [10.0, 1e5]}


def test_a_rejected_number_stays_rejected_while_it_stays_the_same(cell):
    before = Result.objects.current().filter(quantity=SIGMA).order_by("pk").first()
    judge(before, "rejected", by=spine.person(), reason="cracked")
    drain()
    call_command("reanalyse")
    again = Result.objects.current().get(quantity=SIGMA, measurement=before.measurement)
    assert again.run_id != before.run_id
    assert (again.value, again.acceptance, again.acceptance_reason) == (before.value, "rejected", "cracked")
    energy = Result.objects.current().filter(quantity=ENERGY).first()
    assert energy is None or before.measurement_id not in energy.run.used.values_list("result__measurement", flat=True)


def test_a_rejected_number_that_moved_waits_for_a_decision(cell):
    before = Result.objects.current().filter(quantity=SIGMA).order_by("pk").first()
    judge(before, "rejected", by=spine.person(), reason="cracked")
    drain()
    corrected(cell)
    for _ in range(2):  # and goes on waiting
        moved = Result.objects.current().get(quantity=SIGMA, measurement=before.measurement)
        assert moved.acceptance == "provisional"
        assert moved.acceptance_reason == f"It was {before.value:.6g} and rejected (cracked). Decide again."
        call_command("reanalyse")
    others = Result.objects.current().filter(quantity=SIGMA).exclude(measurement=before.measurement)
    assert set(others.values_list("acceptance", flat=True)) == {"accepted"}
    reanalyse(before.measurement, by=spine.person(), reason="a new electrode after all")
    drain()
    asked = Result.objects.current().get(quantity=SIGMA, measurement=before.measurement)
    assert asked.acceptance == "provisional"  # the same number, still undecided
    judge(asked, "accepted", by=spine.person(), reason="measured again")
    corrected(cell, 860.0)
    assert Result.objects.current().get(quantity=SIGMA, measurement=before.measurement).acceptance == "accepted"


# -- asked for ---------------------------------------------------------------------------------------------------------
def test_reanalyse_refuses_what_cannot_be():
    measurement = builders.measurement(kind="xrd")
    with pytest.raises(ValidationError, match="Nothing is computed from"):
        reanalyse(measurement, by=None)
    withdraw(measurement, by=None, reason="x")
    with pytest.raises(ValidationError, match=r"is in the trash\. Restore it first"):
        reanalyse(measurement, by=None)
    with pytest.raises(ValidationError, match="‘colour’ is not a parameter"):
        reanalyse(builders.measurement(), parameters={"colour": 1}, by=None)


def test_queue_combinations_says_which_run_will_see_the_numbers(cell):
    with transaction.atomic():
        runs = queue_combinations(lock_sample(Cell, cell.pk), {SIGMA}, [])
        again = queue_combinations(lock_sample(Cell, cell.pk), {SIGMA}, [])
        assert queue_combinations(lock_sample(Cell, cell.pk), {"total_resistance_ohm"}, []) == {}
    assert runs == again == {queued()[0].analysis: queued()[0].pk}

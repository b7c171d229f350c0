"""What the addresses of figures answer: switches, stretches of a recording, chosen cycles, several measurements."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from django.urls import reverse
from django.utils import timezone

from analysis import plot_context
from analysis.models import AnalysisRun
from analysis.science.plating import Plating
from analysis.science.retention import Cycling
from analysis.science.synthetic_cycling import cycling_test, faded_capacities_mAh
from analysis.science.synthetic_series import Cell, current_steps, galvanostatic_test
from analysis.thinning import LIMIT
from measurements import packing
from measurements.store import StoreError
from samples.models import Cell as StoredCell
from tests import builders
from tests.analysis.science.test_contract import SAMPLES
from tests.analysis.test_cycling_page import measured as full_cell
from tests.analysis.test_symmetric_page import measured as symmetric_cell
from tests.analysis.test_views import measured as blocking_cell

pytestmark = pytest.mark.django_db
ANSWER_LIMIT = 1_000_000


@pytest.fixture
def member(client):
    person = builders.user("ada", "member")
    client.force_login(person)
    return person


def answer(client, run, name, form="json", **query):
    found = client.get(reverse("run_figure", args=[run.pk, name, form]), query)
    assert found.status_code == 200
    return found.json() if form == "json" else found.content.decode()


def plated(frame, monkeypatch):
    """A run over a recording that lies nowhere but here."""
    sample = SAMPLES[Plating.slug]()
    outcome = Plating().run(frame, *sample[1:])
    measurement = builders.measurement(builders.symmetric_cell(), kind="plating_stripping")
    monkeypatch.setattr(plot_context, "recording", lambda of, reach=None: frame)
    return builders.run(
        measurement, analysis=Plating.slug, curves=outcome.curves, tables={}, inputs=outcome.inputs, warnings=[]
    )


def test_a_unit_is_chosen_in_the_address(client, member):
    _, run = full_cell()
    area = run.measurement.cell.electrode_area_cm2
    figures = {unit: answer(client, run, "capacity", unit=unit) for unit in ("mAh", "mAh_cm2")}
    values = {unit: figure["traces"][0]["y"][0] for unit, figure in figures.items()}
    assert values["mAh_cm2"] == pytest.approx(values["mAh"] / area, rel=1e-5)


def test_a_page_offers_the_options(client, member):
    measurement, _ = full_cell()
    html = client.get(reverse("measurement_detail", args=[measurement.code])).content.decode()
    for part in ('data-value="mAh_cm2"', 'data-value="half"', 'data-param="cycles"', 'data-export="narrow"'):
        assert part in html


def test_a_stretch_of_a_long_recording_has_all_its_rows(client, member, monkeypatch):
    programme = current_steps([0.1], 3600.0, cycles_per_step=20)
    frame = galvanostatic_test(programme, Cell(), np.random.default_rng(1), interval_s=10.0).frame
    assert len(frame) > 3 * LIMIT
    run = plated(frame, monkeypatch)
    whole = answer(client, run, "plating")
    assert whole["window"] == "hours"
    part = answer(client, run, "plating", **{"from": 10.0, "to": 12.0})
    line = next(trace for trace in part["traces"] if trace["name"] == "V")
    hours = (frame["time_s"] - frame["time_s"].iloc[0]) / 3600.0
    inside = hours.between(10.0, 12.0)
    assert inside.sum() <= len(line["x"]) <= inside.sum() + 2
    assert np.isin(np.round(line["y"], 5), np.round(frame["potential_V"], 5)).all()
    # What is no stretch is not followed.
    assert answer(client, run, "plating", **{"from": "x", "to": "1"}) == whole


def test_a_million_rows_make_a_small_answer_and_keep_their_extremes(client, member, monkeypatch):
    """500 cycles, one row every 3.6 s, and one spike that an average would lose."""
    count = 1_000_000
    time = 3.6 * np.arange(count)
    sign = np.where((time // 3600.0).astype(int) % 2 == 0, 1.0, -1.0)
    noise = np.random.default_rng(5).normal(0.0, 2.0e-4, count)
    potential = sign * 0.04 + noise
    potential[654_321] = 0.0731
    frame = pd.DataFrame({"time_s": time, "potential_V": potential, "current_A": sign * 7.85e-5})
    run = plated(frame, monkeypatch)
    for query in ({}, {"from": 100.0, "to": 900.0}, {"from": 0.0, "to": 1000.0}, {"from": 655.0, "to": 655.2}):
        text = json.dumps(answer(client, run, "plating", **query))
        assert len(text.encode()) < ANSWER_LIMIT
    line = next(t for t in answer(client, run, "plating")["traces"] if t["name"] == "V")
    assert max(line["y"]) == pytest.approx(0.0731)
    assert "1\u202f000\u202f000 points" in answer(client, run, "plating")["summary"]


def test_cycles_of_a_persons_choice(client, member, monkeypatch):
    """Cycle 7 of a test whose capacities are known: both curves end at its own capacities."""
    capacities = faded_capacities_mAh(0.3, 0.9, 20, formation=0)
    test = cycling_test(capacities, 0.99, np.full(20, 0.03), rng=np.random.default_rng(3), points_per_half=60)
    monkeypatch.setattr(plot_context, "recording", lambda of, reach=None: test.frame)
    _, run = full_cell()
    figure = answer(client, run, "voltage", cycles="7, 12-13", unit="mAh")
    assert {trace["name"] for trace in figure["traces"]} == {"cycle 7", "cycle 12", "cycle 13"}
    ends = [trace["x"][-1] for trace in figure["traces"] if trace["name"] == "cycle 7"]
    assert ends == pytest.approx([capacities[6] / 0.99, capacities[6]], rel=1e-3)
    # Stored cycles need no recording, and cycles that are none leave those of the run.
    assert {t["name"] for t in answer(client, run, "voltage", cycles="5")["traces"]} == {"cycle 5"}
    assert answer(client, run, "voltage", cycles="999") == answer(client, run, "voltage")


@pytest.mark.parametrize("number", [1, 31, 59, 60])
@pytest.mark.parametrize("counter", ["step", "none", "never"])
def test_a_chosen_cycle_is_found_without_the_other_rows(monkeypatch, tmp_path, number, counter):
    """From the stored rows around it come the same curves as from the whole recording."""
    capacities = faded_capacities_mAh(0.3, 0.9, 60)
    rng = np.random.default_rng(3)
    test = cycling_test(capacities, 0.99, np.full(60, 0.03), rng=rng, points_per_half=2500, counter=counter)
    stored, fetched = tmp_path / "test.parquet", []
    packing.write(test.frame, stored)

    def read(of, reach=None):
        columns, spans = reach(packing.names(stored)) if reach else (None, None)
        frame = packing.read(stored, columns, spans=spans)
        fetched.append(len(frame))
        return frame

    monkeypatch.setattr(plot_context, "recording", read)
    outcome = Cycling().run(test.frame, *SAMPLES[Cycling.slug]()[1:])
    outcome.curves["voltage"] = []  # so that each is one that the run did not keep
    near = plot_context.chosen_cycles(AnalysisRun(curves=outcome.curves, tables=outcome.tables), "voltage", [number])
    whole = plot_context.chosen_cycles(AnalysisRun(curves=outcome.curves, tables={}), "voltage", [number])
    assert near == whole
    assert {part["cycle_number"] for part in near["voltage"]} == {number}
    assert len(fetched) == 2
    assert fetched[0] < len(test.frame) / 2
    assert fetched[1] == len(test.frame)


@pytest.mark.parametrize("is_near", [True, False])
def test_a_chosen_cycle_has_the_capacity_that_the_run_used(monkeypatch, is_near):
    """The capacity column is a thousand times too large: run and plot take 0.3 mAh from the current alike."""
    test = cycling_test(np.full(12, 0.3), 0.99, np.full(12, 0.03), rng=np.random.default_rng(3), counter="step")
    test.frame["step_capacity_mAh"] *= 1000.0
    monkeypatch.setattr(plot_context, "recording", lambda of, reach=None: test.frame)
    outcome = Cycling().run(test.frame, *SAMPLES[Cycling.slug]()[1:])
    assert "counter_unit_doubt" in dict(outcome.warnings)
    outcome.curves["voltage"] = []
    run = AnalysisRun(curves=outcome.curves, tables=outcome.tables if is_near else {}, inputs=outcome.inputs)
    ends = [part["capacity_mAh"][-1] for part in plot_context.chosen_cycles(run, "voltage", [7])["voltage"]]
    assert ends == pytest.approx([0.3 / 0.99, 0.3], rel=1e-3)


def test_cycles_that_the_run_keeps_are_drawn_without_the_recording(monkeypatch):
    def lost(of, reach=None):
        raise StoreError("The stored file is missing.")

    monkeypatch.setattr(plot_context, "recording", lost)
    outcome = Cycling().run(*SAMPLES[Cycling.slug]())
    run = AnalysisRun(curves=outcome.curves, tables=outcome.tables)
    drawn = plot_context.chosen_cycles(run, "voltage", [5])
    assert drawn["voltage"] == [part for part in outcome.curves["voltage"] if part["cycle_number"] == 5]
    with pytest.raises(StoreError):
        plot_context.chosen_cycles(run, "voltage", [6])


def test_rows_that_tell_another_story_alone_are_not_enough(monkeypatch):
    """Time that begins anew: the stretch of one cycle holds rows of another, so the whole recording is read."""
    test = cycling_test([0.3] * 8, 0.99, [0.03] * 8, rng=np.random.default_rng(3), points_per_half=60)
    twice = pd.concat([test.frame, test.frame], ignore_index=True)
    outcome = Cycling().run(twice, *SAMPLES[Cycling.slug]()[1:])
    monkeypatch.setattr(plot_context, "recording", lambda of, reach=None: twice)
    outcome.curves["voltage"] = []
    near = plot_context.chosen_cycles(AnalysisRun(curves=outcome.curves, tables=outcome.tables), "voltage", [4])
    assert near == plot_context.chosen_cycles(AnalysisRun(curves=outcome.curves, tables={}), "voltage", [4])


def test_the_csv_of_voltage_curves_has_every_row(client, member, monkeypatch):
    """Half-cycles of 9000 rows are stored as envelopes; the file has them whole."""
    test = cycling_test([0.3, 0.3], 0.99, [0.03, 0.03], rng=np.random.default_rng(3), points_per_half=9000)
    monkeypatch.setattr(plot_context, "recording", lambda of, reach=None: test.frame)
    outcome = Cycling().run(test.frame, *SAMPLES[Cycling.slug]()[1:])
    measurement = builders.measurement(builders.full_cell(), kind="cycling")
    run = builders.run(measurement, analysis=Cycling.slug, curves=outcome.curves, tables={}, inputs={}, warnings=[])
    assert any(part["point_count"] > len(part["capacity_mAh"]) for part in outcome.curves["voltage"])
    text = answer(client, run, "voltage", "csv")
    rows = [line for line in text.splitlines() if line.startswith("1,discharge")]
    assert len(rows) == sum(part["point_count"] for part in outcome.curves["voltage"][1:2])
    assert len(rows) >= 9000
    figure = answer(client, run, "voltage")
    assert "all in the CSV" in figure["summary"]


def test_cells_of_a_batch_are_laid_over_each_other(client, member):
    batch = builders.batch()
    runs = []
    for _ in range(2):
        cell = builders.full_cell(pellet=builders.pellet(batch=batch))
        measurement, run = full_cell()
        measurement.cell = cell
        measurement.save(update_fields=["cell"])
        runs.append(AnalysisRun.objects.get(pk=run.pk))
    figure = answer(client, runs[0], "voltage", cells="batch", unit="mAh")
    codes = {run.measurement.cell.code for run in runs}
    assert {trace["name"].partition(",")[0] for trace in figure["traces"]} == codes
    assert {trace["name"].partition(", ")[2] for trace in figure["traces"]} == {"cycle 55"}  # the last that both have
    stored = runs[1].curves["voltage"][-1]
    assert figure["traces"][-1]["x"][-1] == pytest.approx(stored["capacity_mAh"][-1], rel=1e-5)
    _, run = full_cell()
    assert "cells" not in {group["name"] for group in answer(client, run, "voltage")["switches"]}


def test_a_recording_that_is_gone_is_said(client, member):
    _, run = full_cell()
    found = client.get(reverse("run_figure", args=[run.pk, "voltage", "json"]), {"cycles": "7"})
    assert found.status_code == 503
    assert "is missing from the store" in found.json()["detail"]


def spectrum(cell, ohm, hours, begun):
    measurement = builders.measurement(cell, kind="eis", measured_at=begun + dt.timedelta(hours=hours))
    run = builders.run(measurement, analysis="interface")
    builders.result(measurement, "interfacial_resistance_ohm", ohm, run=run, uncertainty=3.0)
    builders.result(measurement, "interfacial_asr_ohm_cm2", ohm * 0.785, run=run, uncertainty=2.4)
    builders.result(measurement, "electrolyte_resistance_ohm", 350.0, run=run, uncertainty=1.0)
    return measurement


def test_interfacial_resistance_of_a_cell_over_time_and_of_its_batch_over_sputter_time(client, member):
    begun = timezone.now() - dt.timedelta(days=30)
    batch = builders.batch()
    coated, bare = builders.pellet(batch=batch), builders.pellet(batch=batch)
    builders.sputter_run(coated, duration_min=10.0)
    cell, other = builders.symmetric_cell(pellet=coated), builders.symmetric_cell(pellet=bare)
    for ohm, hours in ((170.0, 0.0), (200.0, 50.0), (260.0, 120.0)):
        spectrum(cell, ohm, hours, begun)
    spectrum(other, 900.0, 0.0, begun)
    address = reverse("cell_figure", args=[cell.code, "trend", "json"])
    figure = client.get(address).json()
    assert figure["traces"][0]["x"] == [0.0, 50.0, 120.0]
    assert figure["traces"][0]["y"] == [170.0, 200.0, 260.0]
    figure = client.get(address, {"x": "sputter_time_min"}).json()
    assert {(trace["x"][0], trace["y"][0]) for trace in figure["traces"]} == {(10.0, 170.0), (0.0, 900.0)}
    assert f'data-src="{address}"' in client.get(reverse("cell_detail", args=[cell.code])).content.decode()
    text = client.get(reverse("cell_figure", args=[cell.code, "trend", "csv"])).content.decode()
    assert text.count("\n") == 3 + 1 + 4
    figure = client.get(reverse("cell_figure", args=[other.code, "trend", "json"])).json()
    assert figure["switches"][0]["value"] == "sputter_time_min"  # one spectrum of its own has no other axis


def test_one_spectrum_alone_is_no_trend(client, member):
    cell = builders.symmetric_cell()
    spectrum(cell, 170.0, 0.0, timezone.now())
    assert client.get(reverse("cell_figure", args=[cell.code, "trend", "json"])).status_code == 404


def test_a_long_test_knows_the_electrolyte_and_the_spectra_of_its_cell(client, member):
    begun = timezone.now() - dt.timedelta(days=30)
    measurement, run = symmetric_cell(Plating, "plating_stripping")
    measurement.measured_at = begun
    measurement.save(update_fields=["measured_at"])
    found = spectrum(measurement.cell, 170.0, 5.0, begun)
    figure = answer(client, AnalysisRun.objects.get(pk=run.pk), "plating", ir="corrected")
    notes = " ".join(note["text"] for note in figure["layout"]["annotations"])
    assert f"EIS {found.code}" in notes
    voltage = next(group for group in figure["switches"] if group["name"] == "ir")
    assert voltage["value"] == "corrected"
    assert found.code in voltage["options"]["corrected"]


# -- choices of a run --------------------------------------------------------------------------------------------------
def choose(client, measurement, **data):
    address = reverse("measurement_reanalyse", args=[measurement.code])
    return client.post(address, data, follow=True).content.decode()


def test_a_choice_without_a_reason_is_refused(client, member):
    measurement = blocking_cell()
    before = AnalysisRun.objects.count()
    assert "Say why you choose this" in choose(client, measurement, masked_points="3")
    assert AnalysisRun.objects.count() == before


def test_arcs_and_area_are_choices_of_a_spectrum(client, member):
    cell = StoredCell.objects.get(pk=builders.symmetric_cell().pk)
    measurement = builders.measurement(cell, kind="eis")
    builders.run(measurement, analysis="interface")
    html = client.get(reverse("measurement_detail", args=[measurement.code])).content.decode()
    assert 'name="interface_arcs"' in html
    choose(client, measurement, interface_arcs="R1 + 2", electrode_area_cm2="0,5", reason="two arcs")
    run = AnalysisRun.objects.latest("pk")
    assert run.parameters == {"interface_arcs": [1, 2], "electrode_area_cm2": 0.5}
    assert "is not a list of arcs" in choose(client, measurement, interface_arcs="both", reason="x")


def test_a_ramp_offers_its_steps(client, member):
    from analysis.science.critical_current import CriticalCurrent

    measurement, _ = symmetric_cell(CriticalCurrent, "ccd_ramp")
    html = client.get(reverse("measurement_detail", args=[measurement.code])).content.decode()
    assert '<option value="0.2">' in html


# -- the list of results -----------------------------------------------------------------------------------------------
def test_results_of_one_quantity_are_drawn(client, member):
    blocking_cell()
    for value in (1e-4, 2e-4):
        builders.result(builders.measurement(), "ionic_conductivity_S_cm", value)
    address = reverse("result_list")
    html = client.get(address, {"quantity": "ionic_conductivity_S_cm", "plot-scatter": "scale:log"}).content.decode()
    assert 'id="plot-scatter"' in html
    assert "is no filter" not in html
    figure = client.get(address, {"quantity": "ionic_conductivity_S_cm", "format": "figure"}).json()
    points = next(trace for trace in figure["traces"] if trace["name"] == "pristine")
    assert sorted(points["y"]) == [1e-4, 2e-4, 2.49e-4]
    assert 'id="plot-scatter"' not in client.get(address).content.decode()

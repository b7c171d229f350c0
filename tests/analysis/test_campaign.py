"""The reference campaign: the numbers that its model was given come back, once, and always marked as synthetic."""

from __future__ import annotations

import html
import io
import itertools
import re
import types

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from analysis.campaign import lithium, lithium_cells, plan, records, trend
from analysis.campaign import load as loading
from analysis.campaign.plan import CELLS, COATED, NOTE, PRISTINE, TEMPERATURES_DEGC
from analysis.campaign.report import activation_energy, computed_row, conductivity_25degC, table
from analysis.campaign.row import RESULTS
from analysis.campaign.rows import BY_KEY, ROWS
from analysis.campaign.series_writers import land, nova_transient
from analysis.campaign.writers import LAYOUTS
from analysis.models import AnalysisRun, Result
from analysis.paper import lines
from analysis.science.synthetic_cycling import cycling_test
from lagpdb.records import withdraw
from measurements import store as stores
from measurements.models import Measurement, Upload, UploadFile
from measurements.readers.recognise import readers, recognise
from samples.models import (
    Cell,
    Conversion,
    ElectrodeLot,
    FilmThickness,
    Pellet,
    PelletBatch,
    PowderLot,
    SputterRun,
    WitnessPlate,
)
from tests import builders

RECORDS = (
    PowderLot, PelletBatch, Pellet, SputterRun, WitnessPlate, FilmThickness, Conversion, ElectrodeLot, Cell, Upload,
    Measurement,
)  # fmt: skip


@pytest.fixture
def own_store(tmp_path, settings):
    """A store of its own, so that a run of the tests leaves no bytes behind."""
    settings.DATA_DIR = tmp_path
    settings.REDIS_URL = ""
    stores.store.cache_clear()
    yield tmp_path
    stores.store.cache_clear()


@pytest.fixture
def small(monkeypatch):
    """A campaign of two blocking cells and four temperatures."""
    chosen = (CELLS[0], CELLS[2])
    for module in (plan, records):
        monkeypatch.setattr(module, "CELLS", chosen)
    monkeypatch.setattr(records, "TESTS", ())
    for module in (plan, loading):
        monkeypatch.setattr(module, "TEMPERATURES_DEGC", (20.0, 25.0, 50.0, 80.0))
    return chosen


def counted():
    """How many rows there are of everything that the campaign makes."""
    models = (*RECORDS, UploadFile, AnalysisRun, Result)
    return {model.__name__: model.objects.count() for model in models}


# -- the files ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_are_recognised_by_one_reader_and_read_back(layout, tmp_path):
    planned = next(cell for cell in CELLS if cell.layout == layout)
    sweep = planned.sweep(25.0)
    name = planned.name_of("CEL-0001", 25.0)
    path = tmp_path / name
    path.write_bytes(LAYOUTS[layout].write(sweep))
    assert recognise(path, name).slug == LAYOUTS[layout].reader
    (recording,) = readers()[LAYOUTS[layout].reader].read(path)
    frame = recording.frame
    z_ohm = frame["z_real_ohm"].to_numpy() + 1j * frame["z_imag_ohm"].to_numpy()
    np.testing.assert_allclose(frame["frequency_Hz"], sweep.frequency_Hz, rtol=1e-7)
    assert np.max(np.abs(z_ohm - sweep.z_ohm) / np.abs(sweep.z_ohm)) < 1e-7
    assert not recording.warnings


def test_files_are_the_same_at_every_call_and_all_different():
    written = [LAYOUTS[cell.layout].write(cell.sweep(celsius)) for cell in CELLS for celsius in TEMPERATURES_DEGC]
    again = [LAYOUTS[cell.layout].write(cell.sweep(celsius)) for cell in CELLS for celsius in TEMPERATURES_DEGC]
    assert written == again
    assert len(set(written)) == len(CELLS) * len(TEMPERATURES_DEGC)


def test_files_say_that_they_are_synthetic():
    for cell in CELLS:
        assert "synthetic" in cell.name_of("CEL-0001", 25.0)
        if LAYOUTS[cell.layout].reader != "nova":  # whose layout has no room for a comment
            assert NOTE.encode() in LAYOUTS[cell.layout].write(cell.sweep(25.0))


LITHIUM_FILES = [(planned, file) for planned in lithium_cells.TESTS for file in planned.files]


@pytest.mark.parametrize(("planned", "file"), LITHIUM_FILES, ids=lambda item: getattr(item, "name", ""))
def test_files_of_lithium_cells_are_read_back(planned, file, tmp_path):
    content = planned.content(file)
    assert content == planned.content(file)
    name = file.name.format(code="CEL-0001")
    assert "synthetic" in name
    path = tmp_path / name
    path.write_bytes(content)
    assert recognise(path, name).slug == file.reader
    (recording,) = readers()[file.reader].read(path)
    assert not recording.warnings
    assert recording.technique == ("impedance" if file.kind == "eis" else "time_series")


def test_land_records_keep_what_the_frame_holds(tmp_path):
    test = cycling_test([0.25, 0.2], 0.99, 0.05, rng=np.random.default_rng(1), points_per_half=20)
    path = tmp_path / "x.csv"
    path.write_bytes(land(test.frame, plan.MEASURED_AT))
    frame = readers()["land"].read(path)[0].frame
    for name in ("potential_V", "current_A", "step_capacity_mAh"):
        np.testing.assert_allclose(frame[name], test.frame[name], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(frame["time_s"], test.frame["time_s"], atol=6e-4)
    for name in ("cycle_number", "step_number", "step_kind"):
        assert list(frame[name]) == list(test.frame[name])
    # What a tester counts by itself: 2 mA for an hour are 2 mAh, in either direction, from zero in every step.
    ramp = pd.DataFrame(
        {
            "time_s": np.arange(600.0, 7201.0, 600.0),
            "potential_V": 0.1,
            "current_A": np.repeat([2e-3, -2e-3], 6),
            "step_number": np.repeat([1, 2], 6),
        }
    )
    path.write_bytes(land(ramp, plan.MEASURED_AT))
    frame = readers()["land"].read(path)[0].frame
    assert frame.groupby("step_number")["step_capacity_mAh"].max().tolist() == pytest.approx([2.0, 2.0])
    assert set(frame["cycle_number"]) == {1}
    assert frame["step_kind"].unique().tolist() == ["charge", "discharge"]


def test_nova_transient_keeps_what_the_frame_holds(tmp_path):
    before = pd.DataFrame({"time_s": [0.05, 0.1, 7200.0], "potential_V": 0.01, "current_A": [3e-6, 2e-6, 1.25e-6]})
    path = tmp_path / "x.txt"
    path.write_bytes(nova_transient(before))
    (recording,) = readers()["nova"].read(path)
    for name in before:
        np.testing.assert_allclose(recording.frame[name], before[name], rtol=1e-8)


# -- the whole campaign ------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_campaign_gives_back_the_model_once(own_store, client):
    out = io.StringIO()
    call_command("load_demo", stdout=out)
    assert "SYNTHETIC" in out.getvalue()
    assert "not in the text" in out.getvalue()

    lot = PowderLot.objects.get(supplier_lot=plan.MARKER)
    campaign = loading.Campaign(records.cells_of(lot), records.tests_of(lot))
    for truth in (PRISTINE, COATED):
        sigma, energy = conductivity_25degC(campaign, truth), activation_energy(campaign, truth)
        assert (sigma.count, energy.count) == (2, 2)
        expected = truth.conductivity_25degC_S_cm
        assert abs(sigma.value - expected) < 0.02 * expected + 2 * sigma.uncertainty
        assert energy.value == pytest.approx(truth.activation_energy_eV, abs=0.005)
    for planned, cell in campaign.cells:
        assert cell.notation == ("Ag|CuS@LAGP|Ag" if planned.is_coated else "Ag|LAGP|Ag")
        measured = Measurement.objects.filter(cell=cell).values_list("temperature_degC", "kind")
        assert sorted(measured) == [(celsius, "eis") for celsius in TEMPERATURES_DEGC]

    for planned, cell in campaign.tests:
        left, body, right = cell.notation.split("|")
        assert (left, right) == ("Li", "LFP" if planned.configuration == "full" else "Li")
        films = {"": "LAGP", "A": "Li₂S/Cu@LAGP", "AB": "Li₂S/Cu@LAGP@Li₂S/Cu"}
        assert body == films[planned.faces]
        assert sorted(Measurement.objects.filter(cell=cell).values_list("kind", flat=True)) == sorted(
            file.kind for file in planned.files
        )
    check_rows(campaign)
    check_series(campaign)
    check_query_of_the_help_page(client, lot)

    # Nothing was brought in beside the upload path, and nothing without its mark.
    assert set(UploadFile.objects.values_list("matched_by", flat=True)) == {"from name", "from folder", "preset"}
    assert set(UploadFile.objects.values_list("state", flat=True)) == {"done"}
    for model in (*RECORDS, Result):
        assert not model.objects.filter(is_synthetic=False).exists(), model
    for model in RECORDS[:-1]:
        assert all(NOTE in notes for notes in model.objects.values_list("notes", flat=True)), model

    before = counted()
    call_command("load_demo", stdout=io.StringIO())
    assert counted() == before


# How many cells answer a row, where it is not one: two blocking cells of each state; cells and ramps of 10 min.
CELLS_OF = dict.fromkeys(("T01", "T02", "T03", "T04", "D02", "M05"), 2) | dict.fromkeys(("I01", "I03"), 3)


def check_rows(campaign):
    """Each reported number comes back from the files within what noise does."""
    for row in (row for row in ROWS if row.source == RESULTS and row.is_computed):
        found = computed_row(campaign, row)
        assert found.count == CELLS_OF.get(row.key, 1), row.key
        assert not found.is_flagged, row.key
        # Blocking cells are compared above. Two of the numbers are of different cells in one row: see check_series.
        if row.query.get("configuration") == "blocking" or row.key in ("I01", "I03"):
            continue
        if row.key == "F03":
            # The lowest of a hundred cycles, from counters that resolve some 1e-9 mAh.
            assert found.value == pytest.approx(lithium.EFFICIENCY["converted"], abs=1e-5)
            continue
        if row.key == "D08":  # the same cell as D07, and a lower claim
            assert found.value >= row.reported
            continue
        # Half an hour's drift of the overpotential, one sample in time, or the scatter of the heights.
        slack = {"overpotential_mV": 0.15, "time_to_failure_h": 0.1, "sputter_rate_nm_min": 0.15}
        apart = slack.get(row.quantity, 1e-4 * row.reported)
        assert abs(found.value - row.reported) <= 2.0 * (found.uncertainty or 0.0) + apart, row.key
    shown = {line.row.key: line for line in lines()}
    assert {line.verdict for line in shown.values()} == {"within", "unclear", "none"}
    assert {key for key, line in shown.items() if line.verdict == "none"} == {
        key for key in shown if key[0] in "XQ"
    }  # diffraction and photoelectrons, which are not computed yet
    assert all(line.measured.count == 0 for line in shown.values())


def check_series(campaign):
    """Resistance, critical current and film of every sputter time are those of the model; 10 min are the best."""
    series = [(planned, cell) for planned, cell in campaign.tests if planned.in_series]
    assert [planned.sputter_min for planned, _ in series] == list(trend.SPUTTER_TIMES_MIN)
    for planned, cell in series:
        ohm = Result.objects.current().get(cell=cell, quantity="cell_interfacial_resistance_ohm")
        assert abs(ohm.value - trend.interfaces_ohm(planned.sputter_min)) <= 4.0 * ohm.uncertainty
        critical = Result.objects.current().get(cell=cell, quantity="critical_current_density_mA_cm2")
        assert critical.value == pytest.approx(trend.critical_mA_cm2(planned.sputter_min), rel=1e-6)
        films = FilmThickness.objects.filter(witness_plate__sputter_run__coatings__pellet=cell.pellet).distinct()
        assert abs(films.get().film_thickness_nm - 5.0 * planned.sputter_min) < 4.0  # 3 nm over five readings, 3 sigma
    (best,) = lines([BY_KEY["S06"]])
    assert (best.reference.value, best.is_synthetic, best.verdict) == (10.0, True, "within")
    assert [at for at, _, _ in best.reference.by_time] == list(trend.SPUTTER_TIMES_MIN)
    (film,) = lines([BY_KEY["S07"]])
    assert (film.reference.count, film.verdict) == (1, "within")


def check_query_of_the_help_page(client, lot):
    """Critical current density against sputter time for all pellets of one powder lot, as the help page writes it."""
    client.force_login(builders.user())
    page = client.get(reverse("help_topic", args=["api"])).content.decode()
    code = html.unescape(re.search(r'id="api-trend">(.*?)</pre>', page, re.DOTALL)[1]).replace("LOT-0001", lot.code)

    def get(address, headers, timeout, params):
        answer = client.get(address, params)
        text = b"".join(answer.streaming_content).decode()
        return types.SimpleNamespace(text=text, raise_for_status=lambda: answer.status_code == 200 or pytest.fail(text))

    known = {"pd": pd, "io": io, "site": "", "login": {}, "requests": types.SimpleNamespace(get=get)}
    exec(code, known)  # noqa: S102 - the page’s own text
    trend_found = known["trend"]
    for minutes in trend.SPUTTER_TIMES_MIN:
        row = trend_found.loc[(True, minutes)]
        assert row["median"] == pytest.approx(trend.critical_mA_cm2(minutes), rel=1e-6)
    assert list(trend_found["count"]) == [1, 1, 2, 1, 1]  # and the converted cell of the study, also of 10 min

    asked = {
        "quantity": "critical_current_density_mA_cm2",
        "powder_lot": lot.code,
        "sputter_run__duration_min__gte": "1",
    }
    listed = client.get(reverse("result_list"), asked)
    assert listed.context["page"].paginator.count == 6
    assert not listed.context["complaints"]


def test_model_of_the_series_meets_the_reported_numbers():
    assert trend.interfaces_ohm(0.0) == pytest.approx(2 * 2250.0)
    assert trend.interfaces_ohm(10.0) == pytest.approx(330.0)
    step = 1e-3  # the lowest lies at 10 min
    assert min(map(trend.interfaces_ohm, np.arange(8.0, 12.0, step))) == pytest.approx(330.0, abs=1e-6)
    assert trend.critical_mA_cm2(0.0) == pytest.approx(0.1)
    assert trend.critical_mA_cm2(10.0) == pytest.approx(0.6)


@pytest.mark.django_db
def test_interrupted_campaign_is_completed(own_store, small, monkeypatch):
    real, calls = loading.receive, itertools.count()

    def receive(*args, **kwargs):
        if next(calls):
            raise OSError("the disk went away")
        return real(*args, **kwargs)

    monkeypatch.setattr(loading, "receive", receive)
    with pytest.raises(OSError, match="went away"):
        loading.load()
    monkeypatch.setattr(loading, "receive", real)
    asked = itertools.count()
    with pytest.raises(loading.Stopped, match="goes on from here"):
        loading.load(goes_on=lambda: next(asked) < 12)
    assert UploadFile.objects.exclude(state="done").exists()

    campaign = loading.load()
    assert not campaign.problems
    assert UploadFile.objects.filter(state="done").count() == UploadFile.objects.count() == 8
    assert (Cell.objects.count(), Upload.objects.count()) == (2, 2)
    assert activation_energy(campaign, COATED).value == pytest.approx(0.37, abs=0.005)


@pytest.mark.django_db
def test_failed_analysis_is_told_and_tried_again(own_store, small, monkeypatch):
    from analysis.science.conductivity import Conductivity

    def broken(self, recording, subject, parameters):
        raise ValueError("a fault of the code")

    with monkeypatch.context() as patch:
        patch.setattr(Conductivity, "run", broken)
        with pytest.raises(CommandError, match=r"8 files or analyses .* failed"):
            call_command("load_demo", stdout=io.StringIO())
    out = io.StringIO()
    call_command("load_demo", stdout=out)
    assert "0.37" in out.getvalue()


@pytest.mark.django_db
def test_withdrawn_campaign_is_not_loaded_again(own_store, small):
    loading.load()
    withdraw(PowderLot.objects.get(), by=None, reason="we have data of our own")
    before = counted()
    out = io.StringIO()
    call_command("load_demo", stdout=out)
    assert "in the trash" in out.getvalue()
    assert counted() == before


@pytest.mark.django_db
def test_campaign_waits_for_workers_and_says_when_none_come(own_store, small, settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"  # the bell is never rung: rows of a rolled-back test are not committed
    monkeypatch.setattr(loading, "PATIENCE_S", 0.3)
    with pytest.raises(loading.CampaignError, match="Is a worker running"):
        loading.load()


@pytest.mark.django_db
def test_table_without_numbers_has_dashes(own_store):
    assert table(loading.Campaign()).count("—") >= 2 * sum(row.is_computed for row in ROWS)


@pytest.mark.django_db
def test_cells_of_an_older_campaign_are_added_and_withdrawn_ones_stay_away(own_store, small, monkeypatch):
    lot, is_new = records.make_records()
    assert is_new
    assert records.tests_of(lot) == []
    monkeypatch.setattr(records, "TESTS", lithium_cells.TESTS[:2])
    assert records.make_records() == (lot, True)
    assert (PelletBatch.objects.count(), Cell.objects.count()) == (1, 4)
    (_, first), _ = records.tests_of(lot)
    withdraw(first, by=None, reason="not of interest")
    assert records.make_records() == (lot, False)
    assert len(records.tests_of(lot)) == 1

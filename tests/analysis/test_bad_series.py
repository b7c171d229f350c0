"""Files over time that are wrong, from the upload to the sentence: what is said, and that nothing is lost."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest
from django.urls import reverse

from analysis.campaign.series_writers import land, nova_transient
from analysis.models import AnalysisRun
from analysis.science.synthetic_cycling import cycling_test, rate_test
from analysis.science.synthetic_series import (
    Cell,
    current_steps,
    galvanostatic_test,
    polarisation_transient,
)
from analysis.tasks import drain
from lagpdb.records import save_record
from measurements import growing, store
from measurements.mappings import describe
from measurements.models import Measurement, UploadFile
from measurements.store import open_raw
from measurements.waiting import assign, try_again
from tests import builders, spine
from tests.data.readers.make_samples import FOLDER

pytestmark = pytest.mark.django_db

AREA_CM2 = np.pi / 4
STARTED = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
RAMP = [round(0.05 * k, 2) for k in range(1, 13)]
MASS_MG, ONE_C_MA = 2.5 * AREA_CM2, 0.170 * 2.5 * AREA_CM2  # of the cells below
BACKWARDS = r"Time runs backwards once, first at row \d+"


# -- files -------------------------------------------------------------------------------------------------------------
def ramp(**event) -> pd.DataFrame:
    """Steps of 0.05 to 0.60 mA cm⁻², half an hour each."""
    cell = Cell(area_cm2=AREA_CM2)
    return galvanostatic_test(current_steps(RAMP, 1800.0, 120.0), cell, np.random.default_rng(1), **event).frame


def life(cycles: int = 12) -> pd.DataFrame:
    """An hour at 0.1 mA cm⁻² each way."""
    programme = current_steps([0.1], 3600.0, 0.0, cycles)
    return galvanostatic_test(programme, Cell(area_cm2=AREA_CM2), np.random.default_rng(2), interval_s=30.0).frame


def cycles(count: int = 8, **more) -> pd.DataFrame:
    """A full cell at 0.1 C."""
    capacities = np.linspace(0.29, 0.28, count)
    return cycling_test(
        capacities, 0.995, 0.1 * ONE_C_MA, rng=np.random.default_rng(3), points_per_half=60, **more
    ).frame


def rates() -> pd.DataFrame:
    """Three rates, and back to the first."""
    blocks = [(0.1, 3, 0.29), (0.2, 3, 0.27), (0.5, 3, 0.22), (0.1, 3, 0.285)]
    return rate_test(blocks, one_c_mA=ONE_C_MA, rng=np.random.default_rng(4), points_per_half=60).frame


def plain(frame: pd.DataFrame, above: str = "") -> bytes:
    """Time, potential and current alone, under plain names."""
    return above.encode() + frame[["time_s", "potential_V", "current_A"]].to_csv(index=False).encode()


def respelt(content: bytes, column: str, spell) -> bytes:
    """The same LAND file with every cell of a column as `spell(row number, cell)` writes it."""
    lines = content.decode().split("\r\n")
    place = lines[0].split(",").index(column)
    for number, line in enumerate(lines[1:-1], 1):
        cells = line.split(",")
        cells[place] = spell(number, cells[place])
        lines[number] = ",".join(cells)
    return "\r\n".join(lines).encode()


def in_micro(content: bytes) -> bytes:
    """The current in µA, still under the header of mA."""
    return respelt(content, "Current/mA", lambda _, cell: f"{1000 * float(cell):.7g}")


def set_back(content: bytes, *rows: int) -> bytes:
    """The clock of the test set back by a third at each of these rows."""

    def spell(number: int, cell: str) -> str:
        hours, minutes, seconds = cell.split(":")
        time = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
        time *= (2 / 3) ** sum(number >= row for row in rows)
        return f"{int(time // 3600)}:{int(time // 60 % 60):02d}:{time % 60:06.3f}"

    return respelt(content, "TestTime", spell)


# -- the way in --------------------------------------------------------------------------------------------------------
def sent(cell, content: bytes, name: str = "test.csv", **more) -> UploadFile:
    (file,) = spine.taken_in((name, content), subject=cell, **more)
    spine.check_invariants()
    with open_raw(file.raw_file.sha256) as stream:
        assert stream.read() == content  # whatever is said, the bytes are there
    return file


def run_of(file: UploadFile) -> AnalysisRun:
    return AnalysisRun.objects.filter(measurement=file.measurements.get()).latest("pk")


def said(file: UploadFile) -> dict[str, str]:
    return dict(run_of(file).warnings)


def page(client, file: UploadFile) -> str:
    client.force_login(builders.user(role="member"))
    return client.get(reverse("measurement_detail", args=[file.measurements.get().code])).content.decode()


@pytest.fixture
def symmetric():
    return spine.cell(configuration="symmetric")


@pytest.fixture
def full():
    return builders.full_cell()


# -- the clock ---------------------------------------------------------------------------------------------------------
def test_time_that_runs_backwards_where_nothing_else_counts(client, full):
    """A clock that was set back within a half-cycle, no date, no counter: nothing can be integrated."""
    frame = cycles()
    frame.loc[400:, "time_s"] -= 0.4 * frame["time_s"].iloc[400]
    file = sent(full, plain(frame))
    assert file.state == "done"
    assert re.match(BACKWARDS, file.message)
    assert run_of(file).state == "failed"
    measurement = file.measurements.get()
    assert len(store.recording(measurement)) == len(frame)
    assert dict(measurement.reader_warnings)["clock_reset"].startswith("Time goes backwards once, first after row 400")
    assert file.message in page(client, file)


@pytest.mark.parametrize("has_dates", [True, False])
def test_time_that_runs_backwards_beside_a_counter(full, has_dates):
    """The tester's own counter holds: the capacities are right, and the sentence says what was done."""
    frame = cycles()
    truth = frame.loc[frame["step_kind"] == "discharge"].groupby("cycle_number")["step_capacity_mAh"].max()
    content = set_back(land(frame, STARTED), 100, 400)
    if not has_dates:
        content = respelt(content, "SysTime", lambda *_: "-")
    file = sent(full, content)
    assert (file.state, file.message, run_of(file).state) == ("done", "", "succeeded")
    assert re.match(r"Time runs backwards \w+( times)?, first at row 100\.", said(file)["clock_reset"])
    assert ("date column" in said(file)["clock_reset"]) == has_dates
    found = [row["discharge_capacity_mAh"] for row in run_of(file).tables["cycles"]]
    assert found == pytest.approx(truth.tolist(), rel=1e-6)


def test_stamps_that_stand_twice_add_nothing(full):
    frame = cycles()
    inside = frame.index[(frame["current_A"] > 0) & (frame["current_A"].shift() > 0)][5:40:7]
    doubled = frame.loc[np.sort(np.append(frame.index, inside))].reset_index(drop=True)
    once, twice = sent(full, plain(frame)), sent(builders.full_cell(), plain(doubled))
    assert dict(twice.measurements.get().reader_warnings)["duplicate_time"] == (
        f"{len(inside)} rows have the same time as the row before."
    )
    assert (
        said(twice)["duplicate_time"]
        == f"{len(inside)} rows carry the time of the row before. Such rows add no charge."
    )
    capacities = [[row["charge_capacity_mAh"] for row in run_of(file).tables["cycles"]] for file in (once, twice)]
    assert capacities[1] == pytest.approx(capacities[0], rel=1e-9)


# -- files that are cut or empty ---------------------------------------------------------------------------------------
def test_a_file_cut_in_the_middle_of_a_row_goes_on_with_the_good_ones(client, full):
    content = land(cycles(), STARTED)
    rows = content.count(b"\r\n")
    cut = content[: content.rstrip().rindex(b"\r\n") + 20]
    file = sent(full, cut)
    assert (file.state, file.line, file.bad_rows) == ("failed", rows, "skippable")
    assert re.fullmatch(
        rf"Line {rows} has \d+ values, 10 are expected\. The file ends in the middle of a row, so the export was "
        rf"probably cut off\. Export it again, or use the {rows - 2} good points \([\d.]+ s to [\d.]+ (h|d)\)\.",
        file.message,
    )
    client.force_login(builders.user(role="member"))
    html = client.get(reverse("upload_detail", args=[file.upload.code])).content.decode()
    assert "Use the good rows" in html
    assert "Show line" in html
    try_again(file, by=spine.person(), skips_bad_rows=True)
    drain()
    file.refresh_from_db()
    assert (file.state, file.measurements.get().point_count) == ("done", rows - 2)


@pytest.mark.parametrize("name", ["land_chinese_gbk.csv", "land_old.txt", "land_three.txt", "neware_table_flat.csv"])
def test_names_without_rows(full, name):
    head = (FOLDER / name).read_bytes().split(b"\n")[0] + b"\n"
    file = sent(full, head, name)
    assert (file.state, file.message) == (
        "failed",
        "The file has column names, but no row of numbers. Export it again with the data.",
    )


def test_a_binary_file_of_land(full):
    file = sent(full, bytes.fromhex("10110988") + bytes(4092), "001_2.cex")
    assert (file.state, file.message) == (
        "failed",
        "This is a LAND binary file. Export it from LAND as text or Excel with ‘all records’, then upload that.",
    )


# -- encodings ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "spoil", [lambda data: data.decode("utf-8", "replace"), lambda data: data.decode("latin-1")], ids=["utf-8", "latin"]
)
def test_gbk_that_was_saved_as_something_else(full, spoil):
    content = (FOLDER / "land_chinese_gbk.csv").read_bytes()
    sound = sent(full, content, "sound.csv")
    assert sound.state == "done"
    cell = builders.full_cell()
    file = sent(cell, spoil(content).encode(), "spoilt.csv")
    assert file.state == "failed"
    assert file.message.startswith(
        "The names of the columns are garbled: the file was written in GBK and saved in another encoding. Columns "
    )
    assert file.message.endswith(
        "Export it again and upload that as it is, or choose which is the time, the potential and the current."
    )
    # The numbers are not garbled: a person who knows the order of the columns goes on.
    headers = [column["header"] for column in file.columns_seen]
    volts = next(header for header in headers if header.endswith("/V"))
    milliamps = next(header for header in headers if header.endswith("/mA"))
    describe(
        file,
        {headers[1]: ("time_s", ""), volts: ("potential_V", "V"), milliamps: ("current_A", "mA")},
        by=spine.person(),
    )
    drain()
    file.refresh_from_db()
    assert file.state == "done"
    frames = [store.recording(item.measurements.get()) for item in (sound, file)]
    for column in ("time_s", "potential_V", "current_A"):
        assert frames[1][column].to_numpy() == pytest.approx(frames[0][column].to_numpy())


# -- units -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "configuration", "usual"),
    [
        (ramp, "symmetric", "0.1 mA cm⁻²"),
        (life, "symmetric", "0.1 mA cm⁻²"),
        (cycles, "full", "0.1 C"),
        (rates, "full", "0.1 C"),
    ],
)
def test_a_column_in_microamperes_that_passes_for_milliamperes(client, make, configuration, usual):
    build = {"symmetric": builders.symmetric_cell, "full": builders.full_cell}[configuration]
    content = land(make(), STARTED)
    good, bad = sent(build(), content), sent(build(), in_micro(content))
    assert "unit_doubt" not in said(good)
    sentence = (
        f"Currents are about 1000 times larger than expected for {usual}. Is the column in µA? "
        "Then correct the unit in the header, and upload that."
    )
    assert (bad.state, said(bad)["unit_doubt"]) == ("done", sentence)
    assert bad.measurements.get().kind == good.measurements.get().kind
    assert "unit_doubt" in page(client, bad)
    if configuration == "full":  # a full cell's own counter contradicts the current, too
        assert "Check the unit of the current" in dict(bad.measurements.get().reader_warnings)["counter_differs"]


def test_the_corrected_file_takes_the_place_of_the_doubted_one(symmetric):
    """The next step that the sentence names: correct the header, upload that, and say that it replaces the former."""
    wrong = in_micro(land(ramp(), STARTED))
    first = sent(symmetric, wrong)
    measurement = first.measurements.get()
    assert "unit_doubt" in said(first)
    corrected = sent(symmetric, wrong.replace(b"Current/mA", b"Current/uA"), "corrected.csv")
    assert corrected.state == "needs_sample"
    assert corrected.message.startswith(f"Differs from {measurement.code} at row ")
    growing.decide(corrected, "replace", by=spine.person(), reason="the header was wrong")
    drain()
    corrected.refresh_from_db()
    assert corrected.measurements.get() == measurement
    assert "unit_doubt" not in said(corrected)
    assert spine.number("critical_current_density_mA_cm2", symmetric).value == pytest.approx(0.60, rel=2e-3)
    former, now = measurement.files.order_by("pk")
    assert (former.superseded_at is None, now.superseded_at is None) == (False, True)
    spine.check_invariants()


def test_a_current_in_milliamperes_that_passes_for_amperes(symmetric):
    """Plain names without a unit: amperes are taken, and said."""
    frame = life()
    table = pd.DataFrame({"time/s": frame["time_s"], "U/V": frame["potential_V"], "I": 1000 * frame["current_A"]})
    file = sent(symmetric, table.to_csv(index=False).encode())
    assert "A was taken" in dict(file.measurements.get().reader_warnings)["unit_not_stated"]
    assert said(file)["unit_doubt"] == (
        "Currents are about 1000 times larger than expected for 0.1 mA cm⁻². Check the unit of the current column, and "
        "whether the file belongs to this cell."
    )


# -- J8: transference number -------------------------------------------------------------------------------------------
def hold(cell, relaxation_s: float = 400.0, seconds: float = 7200.0, transference: float = 0.9) -> UploadFile:
    time = np.concatenate([np.arange(0.0, 1.0, 0.01), np.arange(1.0, seconds, 2.0)])
    frame, *_ = polarisation_transient(
        time, voltage_V=0.01, electrolyte_resistance_ohm=400.0, initial_interface_ohm=340.0,
        steady_interface_ohm=350.0, transference_number=transference, rng=np.random.default_rng(5),
        relaxation_s=relaxation_s, noise_A=1e-9,
    )  # fmt: skip
    return sent(cell, nova_transient(frame), f"{cell.code}_CA_25C.txt")


def spectrum(cell, word: str, interface_ohm: float, seed: int) -> UploadFile:
    from tests.analysis.test_symmetric_page import spectrum as rows

    (file,) = spine.taken_in((f"{cell.code}_EIS_{word}_25C.csv", rows(interface_ohm, seed)), subject=cell)
    return file


def test_the_spectrum_after_polarisation_is_waited_for(client, symmetric):
    spectrum(symmetric, "before", 340.0, 1)
    file = hold(symmetric)
    assert file.state == "done"
    found = spine.number("lithium_transference_number")
    assert (found.value, found.flag) == (None, "missing")
    assert "Waiting for the EIS after polarisation. Upload it, or pick one." in page(client, file)
    spectrum(symmetric, "after", 350.0, 2)
    assert spine.number("lithium_transference_number").value == pytest.approx(0.9, abs=0.02)


def test_a_current_that_still_falls_makes_a_provisional_number(client, symmetric):
    spectrum(symmetric, "before", 340.0, 1)
    file = hold(symmetric, relaxation_s=3000.0, seconds=4000.0, transference=0.5)
    spectrum(symmetric, "after", 350.0, 2)
    sentence = said(file)["not_steady"]
    assert re.fullmatch(
        r"Current still falls \d+ % per hour: not at steady state\. Hold the voltage longer\.", sentence
    )
    assert sentence in page(client, file)
    steady, found = spine.number("steady_state_current_A"), spine.number("lithium_transference_number")
    assert (steady.flag, steady.acceptance) == ("suspect", "provisional")
    assert (found.flag, found.acceptance) == ("suspect", "provisional")


def test_a_number_above_1_is_doubted(client, symmetric):
    """The spectrum after is that of another cell: with its 410 Ω instead of 350 Ω the formula gives 1.04."""
    spectrum(symmetric, "before", 400.0, 1)
    file = hold(symmetric)
    spectrum(symmetric, "after", 410.0, 2)
    found = spine.number("lithium_transference_number")
    current = 0.9 * 0.01 / (400.0 + 0.9 * 350.0)
    assert found.value == pytest.approx(current * 400.0 / (0.01 - current * 410.0), abs=0.02)
    assert (found.flag, found.acceptance) == ("out_of_range", "provisional")
    assert f"{found.value:.2f} is outside 0–1. Check ΔV and which resistance was used." in page(client, file)


# -- J9: current ramp --------------------------------------------------------------------------------------------------
def test_a_ramp_without_short_is_a_lower_limit(client, symmetric):
    file = sent(symmetric, land(ramp(), STARTED))
    found = spine.number("critical_current_density_mA_cm2", symmetric)
    assert (found.value, found.limit, found.label) == (pytest.approx(0.60, rel=2e-3), ">=", "none")
    assert "No short in the ramp. This is a lower limit." in page(client, file)


def test_two_possible_steps_are_a_persons_choice(client, symmetric):
    soft = ramp(mode="soft_short", half=16, depth=0.5, recovers=True)
    hard = ramp(mode="hard_short", half=20, depth=0.97)
    later = soft["step_number"] >= 41  # half-step and rest each have a number; 41 is half-step 20
    soft.loc[later, "potential_V"] = hard.loc[later, "potential_V"]
    file = sent(symmetric, land(soft, STARTED))
    html = page(client, file)
    assert "Two possible steps: 0.45 (soft short) and 0.55 (short). Choose, and say why." in html
    assert 'name="short_step"' in html
    measurement = file.measurements.get()
    client.post(
        reverse("measurement_reanalyse", args=[measurement.code]), {"short_step": "0.55", "reason": "it healed at 0.45"}
    )
    drain()
    found = spine.number("critical_current_density_mA_cm2", symmetric)
    assert (found.value, found.label) == (pytest.approx(0.55, rel=2e-3), "hard_short")
    assert AnalysisRun.objects.filter(measurement=measurement).count() == 2


def test_areas_of_record_and_header_are_both_shown(client, symmetric):
    file = sent(symmetric, plain(ramp(), "Electrode area: 0.503 cm2\n"))
    sentence = "File steps are 0.0393 mA: 0.05 mA cm⁻² with 0.785 cm². The file header says 0.503 cm². Which is right?"
    assert said(file)["electrode_area_differs"] == sentence
    assert spine.number("ramp_step_mA_cm2", symmetric).value == pytest.approx(0.05, rel=2e-3)


def test_a_ramp_on_a_blocking_cell_waits_for_its_cell(symmetric):
    blocking = builders.blocking_cell()
    file = sent(blocking, land(ramp(), STARTED))
    assert (file.state, file.message) == (
        "needs_sample",
        f"A critical current ramp needs a symmetric cell, and {blocking.code} is a blocking one. Choose the cell, or "
        "this sample to keep raw data.",
    )
    assert not Measurement.objects.exists()
    assign(file, symmetric, by=spine.person(), reason="wrong cell in the name")
    drain()
    file.refresh_from_db()
    assert (file.state, file.measurements.get().subject) == ("done", symmetric)
    assert spine.number("critical_current_density_mA_cm2", symmetric).limit == ">="


# -- J11: full cells ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("make", "per_gram", "absolute"),
    [
        (rates, "rate_capacity_mAh_g", "rate_capacity_mAh"),
        (cycles, "discharge_specific_capacity_mAh_g", "discharge_capacity_mAh"),
    ],
)
def test_without_active_mass_capacities_stay_in_mAh_and_the_page_asks_for_it(client, make, per_gram, absolute):
    lot = builders.electrode_lot(loading_mg_cm2=None)
    cell = builders.full_cell(electrode_lot=lot)
    file = sent(cell, land(make(), STARTED))
    assert said(file)["mass_missing"] == f"No active mass for {cell.code}. Shown in mAh."
    results = run_of(file).results.filter(is_current=True)
    assert not results.filter(quantity=per_gram, value__isnull=False).exists()
    assert results.filter(quantity=absolute, value__gt=0.2, flag="ok").exists()
    html = page(client, file)
    assert f"No active mass for {cell.code}. Shown in mAh." in html
    assert f'href="{reverse("electrode_edit", args=[lot.code])}">Add mass</a>' in html
    lot.loading_mg_cm2 = 2.5
    save_record(lot, by=spine.person())
    drain()
    assert "mass_missing" not in said(file)
    first = run_of(file).results.filter(is_current=True, quantity=per_gram).order_by("position").first()
    assert first.value == pytest.approx(1000 * 0.29 / MASS_MG, rel=5e-3)
    assert "Add mass" not in page(client, file)


def test_the_mass_that_the_cycler_used_is_compared(client, full):
    """LAND states no mass, but specific capacities that tell it: 1.70 mg in a cell of 1.96 mg."""
    frame = cycles()
    lines = land(frame, STARTED).decode().split("\r\n")
    place = lines[0].split(",").index("Capacity/mAh")
    lines[0] += ",SpeCap/mAh/g"
    lines[1:-1] = [f"{line},{1000 * float(line.split(',')[place]) / 1.70:.6f}" for line in lines[1:-1]]
    file = sent(full, "\r\n".join(lines).encode())
    sentence = "The cycler used 1.70 mg, the record says 1.96 mg: capacities differ by 15 %. Record value is used."
    assert said(file)["active_mass_differs"] == sentence
    assert sentence in page(client, file)
    first = spine.number("discharge_specific_capacity_mAh_g", full, label="first")
    absolute = spine.number("discharge_capacity_mAh", full, label="first")
    assert first.value == pytest.approx(1000 * absolute.value / MASS_MG, rel=1e-3)


def test_an_unfinished_last_cycle_is_left_out_and_said(client, full):
    frame = cycles()
    last = frame.index[(frame["cycle_number"] == 8) & (frame["step_kind"] == "discharge")]
    file = sent(full, land(frame.loc[: last[len(last) // 2]], STARTED))
    assert said(file)["incomplete_cycle"] == "Cycle 8 is not finished. It was left out."
    assert "Cycle 8 is not finished. It was left out." in page(client, file)
    assert spine.number("discharge_capacity_mAh", full, label="last").cycle_number == 7


def test_a_test_that_still_rests_waits_for_the_longer_file(client, full):
    frame = cycles()
    rest = pd.DataFrame(
        {"time_s": np.arange(0, 3600.0, 60), "potential_V": 3.3, "current_A": 0.0, "step_number": 1,
         "step_kind": "rest", "step_capacity_mAh": 0.0, "cycle_number": 1}
    )  # fmt: skip
    later = frame.assign(time_s=frame["time_s"] + 3600.0, step_number=frame["step_number"] + 1)
    whole = pd.concat([rest, later[list(rest.columns)]], ignore_index=True)
    file = sent(full, land(rest, STARTED))
    measurement = file.measurements.get()
    assert (file.state, measurement.kind) == ("done", "cycling")
    assert file.message.startswith("No current flows in this recording. Upload the longer file once the test has begun")
    grown = sent(full, land(whole, STARTED))
    assert (grown.state, grown.measurements.get()) == ("extends", measurement)
    assert spine.number("discharge_capacity_mAh", full, label="last").cycle_number == 8

"""Every real file over time, from the upload to the stored numbers, against what the testers counted themselves.

What the readers make of these files stands in tests/measurements/readers; here it is the whole way: state of the file,
kind told, measurements stored, and capacities, lifetimes and resistances as the page shows them.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from django.urls import reverse
from django.utils.html import escape

from analysis.decisions import judge
from analysis.models import AnalysisRun, Result
from analysis.tasks import drain
from lagpdb.templatetags.lagpdb import symbol_markup
from measurements import growing, store
from measurements.models import Measurement
from measurements.waiting import try_again
from tests import builders, spine

pytestmark = [pytest.mark.real, pytest.mark.django_db]

# File: cell it is given to, kind that is told, rows of the manifest without those of impedance, spectra in it.
FILES = {
    "chronoamperometry/ca.mpr": ("blocking", "polarisation", 721, 0),
    "chronoamperometry/ca.mpt": ("blocking", "polarisation", 721, 0),
    "chronoamperometry/chronoa_data.dta": ("blocking", "polarisation", 10, 0),
    "reconstructed/nova_ca_semicolon.txt": ("blocking", "polarisation", 721, 0),
    "symmetric/gcpl.mpr": ("symmetric", "plating_stripping", 12057, 0),
    "symmetric/mb.mpr": ("symmetric", "plating_stripping", 1588 - 8 * 70, 8),
    "symmetric/mb.mpt": ("symmetric", "plating_stripping", 1588 - 8 * 70, 8),
    "cycling/jdb11-1_c3_gcpl_5cycles_2V-3p8V_C-24_data_C09.mpr": ("full", "cycling", 46102, 0),
    "cycling/250116_kigr_gen6_01_02_GCPL_CD8.mpr": ("full", "cycling", 3791, 0),
    "cycling/CP_SSB.mpr": ("full", "cycling", 30208, 0),
    "cycling/arbin_example.res": ("full", "cycling", 2150, 0),
    "cycling/arbin_example.bdf.csv": ("full", "cycling", 2150, 0),
    "cycling/arbin_example.csv": ("full", "cycling", 2142, 0),
    "cycling/bs542_004_gr_li_50ua_50mv_1v_191020_Channel_11.xlsx": ("full", "cycling", 4526, 0),
    "cycling/test.ndax": ("full", "cycling", 1464, 0),
    "cycling/test.nda": ("full", "cycling", 439, 0),
    "cycling/nw4-120-1-6-53.ndax": ("full", "cycling", 18700, 0),
    "cycling/nw4-120-1-6-53.parquet": ("full", "cycling", 18700, 0),
    "cycling/neware_uio.csv": ("full", "cycling", 9065, 0),
    "cycling/maccor_example.001": ("full", "cycling", 8, 0),
    "cycling/pec_Test25209.csv": ("full", "cycling", 327 - 46, 0),
    "cycling/SINTEF__LiGrR2032__2024-04-30__25degC__Landt.csv": ("full", "cycling", 25162, 0),
    "cycling/SINTEF__LiGrR2032__2024-04-30__25degC__Landt.bdf.csv": ("full", "cycling", 25162, 0),
    "rate/SINTEF__SLPBA842124HV__2024-10-23__Rate_25degC__Neware__Time_Bug.bdf.csv": ("full", "rate_test", 13086, 0),
    "rate/gcpl.issue_228.mpr": ("full", "cycling", 10914, 0),
    "reconstructed/land_v7_en_tabs.xlsx": ("full", "cycling", 2150, 0),
    "reconstructed/land_v7_cn_gbk.csv": ("full", "cycling", 2150, 0),
    "reconstructed/land_old_index.txt": ("full", "cycling", 2150, 0),
    "reconstructed/land_min_threecol.txt": ("full", "cycling", 2150, 0),
}
CUT = "cycling/maccor_two.txt"  # has a test of its own
AT_REST = {"cycling/maccor_example.001", "cycling/pec_Test25209.csv"}
GCPL = [name for name in FILES if name.endswith(".mpr") and "GCPL" in name.upper() and FILES[name][0] == "full"]
TIME_BUG = next(name for name in FILES if "Time_Bug" in name)
UIO, NW4 = "cycling/neware_uio.csv", "cycling/nw4-120-1-6-53.ndax"


def sent(real_data: Path, name: str, **more):
    """The file on a cell of its own, all work done; the measurement over time and its run."""
    cell = spine.cell(configuration=FILES[name][0], **more)
    path = real_data / name
    (file,) = spine.taken_in((path.name, path.read_bytes()), subject=cell)
    spine.check_invariants()
    measurement = file.measurements.exclude(kind="eis").get()
    return file, measurement, AnalysisRun.objects.get(measurement=measurement)


def said(run: AnalysisRun) -> dict[str, str]:
    return dict(run.warnings)


def cycles(run: AnalysisRun) -> pd.DataFrame:
    return pd.DataFrame(run.tables["cycles"])


def test_no_file_of_the_manifest_is_forgotten(real_data):
    folders = ("chronoamperometry", "symmetric", "cycling", "rate")
    there = {f"{folder}/{path.name}" for folder in folders for path in (real_data / folder).iterdir()}
    there |= {f"reconstructed/{path.name}" for path in (real_data / "reconstructed").iterdir()}
    assert there - {CUT} - set(FILES) == {"reconstructed/nova_eis_semicolon.txt"}


@pytest.mark.parametrize("name", FILES)
def test_state_kind_rows_and_page(client, real_data, name):
    configuration, kind, rows, spectra = FILES[name]
    file, measurement, run = sent(real_data, name)
    assert file.state == "done"
    assert (measurement.kind, measurement.point_count) == (kind, rows)
    assert measurement.subject.configuration == configuration
    assert len(store.recording(measurement)) == rows
    impedance = file.measurements.filter(kind="eis")
    assert [item.point_count for item in impedance] == [70] * spectra
    assert AnalysisRun.objects.filter(measurement__in=impedance, state="succeeded").count() == spectra
    if name in AT_REST:
        assert (run.state, run.message) == ("failed", file.message)
        assert file.message.startswith("No current flows in this recording. Upload the longer file once the test has")
    else:
        assert (run.state, run.is_current, file.message) == ("succeeded", True, "")
        assert run.results.filter(is_current=True, value__isnull=False).exists()
    look_at(client, file, measurement, run)


def look_at(client, file, measurement, run) -> None:
    """The page of a measurement: every plot can be drawn, every sentence is there."""
    client.force_login(builders.user(role="member"))
    answer = client.get(reverse("measurement_detail", args=[measurement.code]))
    assert answer.status_code == 200
    html = answer.content.decode()
    plots = set(re.findall(r'id="plot-([a-z_]+)"', html)) if run.is_current else set()
    assert plots or not run.is_current
    for plot in plots:
        figure = client.get(reverse("run_figure", args=[run.pk, plot, "json"]))
        assert figure.status_code == 200
        assert figure.json()["traces"]
    for sentence in filter(None, [*said(run).values(), run.message]):
        assert symbol_markup(sentence) in html or escape(sentence) in html
    assert client.get(reverse("upload_detail", args=[file.upload.code])).status_code == 200


def test_a_binary_file_and_its_text_are_never_two_tests_in_silence(real_data):
    """The text has fewer digits: the person decides, and nothing is stored twice meanwhile."""
    _, measurement, _ = sent(real_data, "symmetric/mb.mpr")
    path = real_data / "symmetric/mb.mpt"
    (twin,) = spine.taken_in((path.name, path.read_bytes()), subject=measurement.cell)
    assert twin.state == "needs_sample"
    assert twin.message == f"Differs from {measurement.code} at row 1. Keep as a separate test, or replace?"
    assert growing.offers(twin.state, twin.relation) == ["replace", "separate"]
    assert Measurement.objects.filter(kind="plating_stripping").count() == 1


def test_a_binary_file_and_its_text_give_the_same_half_cycles(real_data):
    tables = [pd.DataFrame(sent(real_data, f"symmetric/mb.{each}")[2].tables["steps"]) for each in ("mpr", "mpt")]
    for column in ("resistance_ohm", "end_voltage_mV", "capacity_mAh", "time_h"):
        assert tables[1][column].tolist() == pytest.approx(tables[0][column].tolist(), rel=1e-5)


# -- symmetric cells ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "halves", "seconds"), [("gcpl.mpr", 32, 1.3856e6), ("mb.mpr", 8, None), ("mb.mpt", 8, None)]
)
def test_no_false_short_and_no_false_failure_on_real_symmetric_cells(real_data, name, halves, seconds):
    _, measurement, run = sent(real_data, f"symmetric/{name}")
    lifetime = spine.number("time_to_failure_h", measurement.cell)
    counted = spine.number("cycles_to_failure_count", measurement.cell)
    assert (lifetime.limit, counted.limit, counted.value) == (">", ">", halves // 2)
    assert [row["state"] for row in run.tables["steps"]] == ["sound"] * halves
    assert not {"failure_found", "resistance_fell"} & said(run).keys()
    time = store.recording(measurement)["time_s"].to_numpy()
    assert lifetime.value == pytest.approx((time[-1] - time[0]) / 3600, rel=1e-6)
    if seconds:
        assert time[-1] == pytest.approx(seconds, rel=1e-4)


def test_the_impedance_in_the_file_of_a_real_cell_makes_no_false_short(real_data):
    """Its spectra fail the checks, so that nothing of them counts until a person accepts a number."""
    cell = spine.cell(configuration="symmetric")
    path = real_data / "symmetric/mb.mpr"
    (file,) = spine.taken_in((path.name, path.read_bytes()), subject=cell, temperature_degC=25.0)
    runs = file.measurements.exclude(kind="eis").get().runs
    assert "ohmic_limit_unknown" in said(runs.get(is_current=True))
    rows = Result.objects.current().filter(quantity="electrolyte_resistance_ohm").order_by("measurement")
    judge(rows[0], "accepted", by=None, reason="read off the plot")
    drain()
    run = runs.get(is_current=True)
    # The manifest has 1320 to 1416 Ω under current; the electrolyte alone has less.
    assert 0.0 < run.inputs["electrolyte_resistance_ohm"]["value"] == rows[0].value < 1320.0
    assert [row["state"] for row in run.tables["steps"]] == ["sound"] * 8


def test_plating_at_one_current_keeps_its_charge_and_its_voltage(real_data):
    _, measurement, run = sent(real_data, "symmetric/gcpl.mpr")
    steps = pd.DataFrame(run.tables["steps"])
    assert steps["capacity_mAh"].tolist() == pytest.approx([0.1320] * 32, abs=1e-4)
    assert steps["current_mA"].abs().tolist() == pytest.approx([0.0110] * 32, rel=1e-3)
    # Medians of |V| over the first and the last half-cycle in the manifest.
    assert steps["voltage_mV"].iloc[0] == pytest.approx(104.8, abs=0.2)
    assert spine.number("overpotential_mV", measurement.cell, label="end").value == pytest.approx(111.5, abs=0.2)


@pytest.mark.parametrize("name", ["mb.mpr", "mb.mpt"])
def test_resistances_at_the_ends_of_the_steps_of_a_modulo_bat(real_data, name):
    _, _, run = sent(real_data, f"symmetric/{name}")
    steps = pd.DataFrame(run.tables["steps"])
    found = (steps["end_voltage_mV"].abs() / steps["current_mA"].abs()).to_numpy()
    # The manifest took the last row of each step alone, and a row scatters by 25 ohm; plating first, then stripping.
    truth = np.array([[1354, 1375], [1347, 1320], [1333, 1416], [1395, 1347]])
    assert found.reshape(4, 2).mean(axis=1) == pytest.approx(truth.mean(axis=1), rel=0.025)
    assert found.mean() == pytest.approx(truth.mean(), rel=0.005)
    if name == "mb.mpt":  # the export states an area
        assert said(run)["electrode_area_differs"].endswith("The file header says 0.5 cm². Which is right?")


def test_spectra_of_a_cell_under_test_are_no_failure(real_data):
    cell = spine.cell(configuration="symmetric")
    path = real_data / "eis/vsp_peis_with.mpr"
    (file,) = spine.taken_in((path.name, path.read_bytes()), subject=cell)
    assert (file.state, file.message) == ("done", "")
    assert [item.point_count for item in file.measurements.all()] == [70] * 32
    assert set(Measurement.objects.values_list("kind", flat=True)) == {"eis"}
    assert set(AnalysisRun.objects.values_list("state", flat=True)) == {"succeeded"}


# -- constant voltage --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "name", ["chronoamperometry/ca.mpr", "chronoamperometry/ca.mpt", "reconstructed/nova_ca_semicolon.txt"]
)
def test_resistance_of_an_electrolyte_to_electrons(real_data, name):
    _, measurement, run = sent(real_data, name)
    frame = store.recording(measurement)
    # The manifest divides voltage and current of the last row: 1.080e8 ohm.
    last = frame["potential_V"].iloc[-1] / frame["current_A"].iloc[-1]
    assert last == pytest.approx(1.080e8, rel=1e-3)
    steady = spine.number("steady_state_current_A", measurement.cell)
    voltage = spine.number("polarisation_voltage_V", measurement.cell)
    assert voltage.value == pytest.approx(0.2986, abs=1e-4)
    # That row lies 20 % below its neighbours; the steady current is the mean of the last tenth.
    tail = frame["current_A"][frame["time_s"] > frame["time_s"].iloc[-1] - 4320]
    assert steady.value == pytest.approx(tail.mean(), rel=2e-3)
    assert abs(voltage.value / 1.080e8 - steady.value) < 2 * steady.uncertainty
    assert "not_steady" in said(run)
    sigma = spine.number("electronic_conductivity_S_cm", measurement.cell)
    expected = 800e-4 / (1.080e8 * np.pi / 4)
    assert abs(sigma.value - expected) < sigma.uncertainty
    assert (sigma.flag, sigma.acceptance) == ("suspect", "provisional")


def test_the_same_polarisation_in_three_formats_gives_one_number(real_data):
    names = ["chronoamperometry/ca.mpr", "chronoamperometry/ca.mpt", "reconstructed/nova_ca_semicolon.txt"]
    cells = [sent(real_data, name)[1].cell for name in names]
    found = [spine.number("electronic_conductivity_S_cm", cell).value for cell in cells]
    assert found[1:] == pytest.approx([found[0]] * 2, rel=1e-6)


def test_a_short_polarisation_of_gamry(real_data):
    _, measurement, run = sent(real_data, "chronoamperometry/chronoa_data.dta")
    assert spine.number("polarisation_voltage_V", measurement.cell).value == pytest.approx(0.4997, abs=1e-4)
    assert "not_steady" in said(run)
    assert store.recording(measurement)["current_A"].iloc[0] == -2.34197e-8


# -- full cells: capacities are those of the tester --------------------------------------------------------------------
@pytest.mark.parametrize("name", GCPL)
def test_capacities_of_gcpl_are_those_of_every_half_cycle(real_data, name):
    """EC-Lab counts the charge of each half cycle itself; the stored cycles hold them all."""
    _, measurement, run = sent(real_data, name)
    frame = store.recording(measurement)
    counted = frame.groupby("half cycle")["Q charge/discharge/mA.h"].last()
    counted = counted[counted.abs() > 1e-3]
    table = cycles(run)
    if abs(counted.iloc[-1]) < 0.01 * counted.abs().max():
        counted = counted.iloc[:-1]  # stopped as soon as another charge had begun
    if counted.iloc[0] < 0:  # a partial discharge before the first charge
        assert said(run)["partial_discharge_left_out"].startswith("The recording begins with a partial discharge")
        counted = counted.iloc[1:]
    assert table["charge_capacity_mAh"].dropna().tolist() == pytest.approx(counted[counted > 0].tolist(), rel=1e-4)
    assert table["discharge_capacity_mAh"].dropna().tolist() == pytest.approx(
        (-counted[counted < 0]).tolist(), rel=1e-4
    )
    last = spine.number("discharge_capacity_mAh", measurement.cell, label="last")
    whole = table[table["is_complete"]].iloc[-1]
    assert (last.value, last.cycle_number) == (whole["discharge_capacity_mAh"], whole["cycle_number"])


@pytest.mark.parametrize(
    ("name", "charges", "discharges"),
    [
        (GCPL[0], (0.98678, 0.95589), (0.85285, 0.87949)),
        (GCPL[1], (2.3512, 1.8713), (1.7895, 1.8463)),  # by trapezes, 0.05 % above EC-Lab's own count
    ],
)
def test_first_and_last_capacities_of_gcpl(real_data, name, charges, discharges):
    table = cycles(sent(real_data, name)[2])
    assert table["charge_capacity_mAh"].iloc[[0, -1]].tolist() == pytest.approx(charges, rel=1e-3)
    assert table["discharge_capacity_mAh"].iloc[[0, -1]].tolist() == pytest.approx(discharges, rel=1e-3)


def test_formation_before_cycling_is_told_from_the_current(real_data):
    _, measurement, run = sent(real_data, "rate/gcpl.issue_228.mpr")
    table = cycles(run)
    assert table["discharge_current_mA"].tolist() == pytest.approx([0.154] * 3 + [1.540] * 8, rel=5e-3)
    assert table["is_formation"].tolist() == [True] * 3 + [False] * 8
    assert spine.number("capacity_retention_fraction", measurement.cell, label="last").reference_cycle == 4


@pytest.mark.parametrize("name", ["cycling/arbin_example.res", "cycling/arbin_example.bdf.csv"])
def test_capacities_of_arbin_are_its_own(real_data, name):
    _, measurement, run = sent(real_data, name)
    own = pd.read_csv(real_data / "cycling/arbin_example.bdf.csv").groupby("Cycle_Index").max(numeric_only=True)
    table = cycles(run)
    for column, counter in (("charge", "Charge_Capacity"), ("discharge", "Discharge_Capacity")):
        stated = 1e3 * own[counter].iloc[:4]
        assert table[f"{column}_capacity_mAh"].tolist() == pytest.approx(stated.tolist(), rel=1e-5)
    first = spine.number("discharge_capacity_mAh", measurement.cell, label="first")
    assert first.value == pytest.approx(0.47516, abs=5e-6)
    assert table["charge_capacity_mAh"].iloc[0] == pytest.approx(0.48351, abs=6e-6)


def test_an_export_whose_own_columns_contradict_it_is_told(real_data):
    _, measurement, _ = sent(real_data, "cycling/arbin_example.bdf.csv")
    assert dict(measurement.reader_warnings)["unit_conflict"] == (
        "‘Current / A’ is 1000 times smaller than ‘Current’, the tester’s own column in the same file. "
        "The tester’s own columns were taken. Check the export."
    )


def test_arbin_workbook_whose_cycle_stays_at_one_and_whose_counters_accumulate(real_data):
    _, measurement, run = sent(real_data, next(name for name in FILES if name.endswith("Channel_11.xlsx")))
    table = cycles(run)
    # The counter ends at 5.7027: another charge had begun when the test was stopped.
    assert table["charge_capacity_mAh"].iloc[0] == pytest.approx(5.6985, abs=5e-4)
    assert table["discharge_capacity_mAh"].tolist() == pytest.approx([5.798, 5.2569], abs=5e-4)
    assert table["discharge_capacity_mAh"].sum() == pytest.approx(11.0549, abs=1e-4)
    assert spine.number("discharge_capacity_mAh", measurement.cell, label="last").cycle_number == 1
    assert said(run)["incomplete_cycle"] == "Cycle 2 is not finished. It was left out."


def test_arbin_slice_that_begins_within_a_charge(real_data):
    _, _, run = sent(real_data, "cycling/arbin_example.csv")
    table = cycles(run)
    assert (table["charge_capacity_mAh"] / 1e3).round(4).tolist() == [1.0719, 1.0725]
    assert (table["discharge_capacity_mAh"] / 1e3).round(4).tolist() == [1.0724, 1.0729]
    assert "already stood at 880 mAh" in said(run)["begins_inside_half"]
    # A cell of 1 Ah was given to a record of 3 mg: the page doubts it.
    assert "larger than expected for 0.1 C" in said(run)["unit_doubt"]


@pytest.mark.parametrize("name", [NW4, NW4.replace(".ndax", ".parquet")])
def test_160_cycles_of_neware_are_those_of_the_vendors_export(real_data, name):
    _, measurement, run = sent(real_data, name)
    vendor = pd.read_parquet(real_data / NW4.replace(".ndax", ".parquet"))
    steps = vendor.groupby("Step Count").agg(word=("Step Type", "last"), mAs=("Capacity(mAs)", lambda q: q.abs().max()))
    stated = steps["mAs"][steps["word"].astype(str) == "CC DChg"].astype(float) / 3600
    table = cycles(run)
    assert len(table) == 160
    assert table["discharge_capacity_mAh"].tolist() == pytest.approx(stated.tolist(), abs=1e-5)
    assert spine.number("discharge_capacity_mAh", measurement.cell, label="first").value == pytest.approx(
        0.32362, abs=5e-6
    )
    assert spine.number("discharge_capacity_mAh", measurement.cell, label="last").value == pytest.approx(
        0.06243, abs=6e-6
    )


@pytest.mark.parametrize(
    ("name", "charge", "discharge"), [("test.ndax", 0.59304, 0.62545), ("test.nda", None, 0.00701)]
)
def test_short_tests_of_neware(real_data, name, charge, discharge):
    _, measurement, run = sent(real_data, f"cycling/{name}")
    found = spine.number("discharge_capacity_mAh", measurement.cell, label="last")
    assert found.value == pytest.approx(discharge, abs=5e-6)
    if charge:
        assert cycles(run)["charge_capacity_mAh"].iloc[0] == pytest.approx(charge, abs=5e-6)
    else:
        assert "partial discharge of 6.53 × 10⁻⁵ mAh" in said(run)["partial_discharge_left_out"]


def test_steps_of_a_discharge_are_added(real_data):
    """The counter begins anew in each step: its highest value in cycle 1 is 4.680, the sum of the steps 5.086 mAh."""
    _, measurement, run = sent(real_data, UIO)
    own = pd.read_csv(real_data / UIO, encoding_errors="replace")
    own = own[own["Step Type"].str.contains("Chg")]
    is_down = own["Step Type"].str.contains("DChg")
    half, step = (is_down != is_down.shift()).cumsum(), (own["Step Index"] != own["Step Index"].shift()).cumsum()
    stated = 1e3 * own.groupby([is_down, half, step])["Capacity(Ah)"].max().groupby(level=[0, 1]).sum()
    table = cycles(run)
    assert table["discharge_capacity_mAh"].tolist() == pytest.approx(stated[True].tolist(), abs=1e-6)
    assert table["charge_capacity_mAh"].tolist() == pytest.approx(stated[False].tolist(), abs=1e-6)
    assert table["charge_capacity_mAh"].iloc[:3].tolist() == pytest.approx([4.249, 4.247, 4.242], abs=6e-4)
    first = spine.number("discharge_capacity_mAh", measurement.cell, label="first")
    assert first.value == pytest.approx(5.086, abs=6e-4)


@pytest.mark.parametrize("suffix", ["csv", "bdf.csv"])
def test_a_current_that_is_printed_coarsely_does_not_count(real_data, suffix):
    name = f"cycling/SINTEF__LiGrR2032__2024-04-30__25degC__Landt.{suffix}"
    _, measurement, run = sent(real_data, name)
    table = cycles(run)
    assert table["discharge_capacity_mAh"].tolist() == pytest.approx([6.3, 1.3])
    assert table["charge_capacity_mAh"].iloc[0] == pytest.approx(3.2)
    assert spine.number("discharge_capacity_mAh", measurement.cell, label="first").value == pytest.approx(6.3)
    assert "7.144 mAh" in dict(measurement.reader_warnings)["current_resolution"]
    assert "The counter was used" in said(run)["counter_differs"]


@pytest.mark.parametrize(
    ("name", "decimals"), [("land_v7_en_tabs.xlsx", 5), ("land_v7_cn_gbk.csv", 5), ("land_old_index.txt", 4)]
)
def test_capacities_of_land_are_those_of_its_table_of_cycles(real_data, name, decimals):
    _, measurement, run = sent(real_data, f"reconstructed/{name}")
    table = cycles(run)
    half_digit = 0.5 * 10.0**-decimals + 1e-9
    charges, discharges = [0.4835, 0.47385, 0.4733, 0.47314], [0.47228, 0.47147, 0.47112, 0.47083]
    assert table["charge_capacity_mAh"].tolist() == pytest.approx(charges, abs=half_digit)
    assert table["discharge_capacity_mAh"].tolist() == pytest.approx(discharges, abs=half_digit)
    last = spine.number("discharge_capacity_mAh", measurement.cell, label="last")
    assert last.value == pytest.approx(0.47083, abs=half_digit)
    # 2.5 mg in the file; the electrode lot of this cell holds 2.5 mg on each of 1.131 cm².
    assert said(run)["active_mass_differs"] == (
        "The cycler used 2.50 mg, the record says 2.83 mg: capacities differ by 13 %. Record value is used."
    )
    assert "duplicate_time" in dict(measurement.reader_warnings)


def test_land_without_counters_is_integrated(real_data):
    """The same test as the Arbin file, whose own counters the integral must meet."""
    table = cycles(sent(real_data, "reconstructed/land_min_threecol.txt")[2])
    own = pd.read_csv(real_data / "cycling/arbin_example.bdf.csv").groupby("Cycle_Index").max(numeric_only=True)
    assert table["charge_capacity_mAh"].tolist() == pytest.approx((1e3 * own["Charge_Capacity"][:4]).tolist(), rel=1e-3)
    discharges = (1e3 * own["Discharge_Capacity"][:4]).tolist()
    assert table["discharge_capacity_mAh"].tolist() == pytest.approx(discharges, rel=1e-3)


def test_time_that_runs_backwards_is_said_and_the_rates_are_found(real_data):
    _, measurement, run = sent(real_data, TIME_BUG)
    assert dict(measurement.reader_warnings)["clock_reset"].startswith("Time goes backwards 19 times, first after row ")
    assert said(run)["clock_reset"].startswith("Time runs backwards 19 times, first at row 723.")
    currents = [row["current_mA"] / 1e3 for row in run.tables["blocks"]]
    assert currents == pytest.approx([0.65, 6.5, 13.1, 32.7, 59.5], rel=0.01)
    # A pouch cell whose capacity does not depend on the rate: 7.2 to 7.3 Ah in every block.
    table = cycles(run)
    assert (table["discharge_capacity_mAh"].between(7100, 7350)).all()


# -- what stays with a person ------------------------------------------------------------------------------------------
def test_a_maccor_file_that_ends_in_a_row_goes_on_without_it(real_data):
    path = real_data / CUT
    cell = spine.cell(configuration="full")
    (file,) = spine.taken_in((path.name, path.read_bytes()), subject=cell)
    assert (file.state, file.line) == ("failed", 229)
    assert file.message.endswith("Export it again, or use the 213 good points (0 s to 3.53 h).")
    assert not Measurement.objects.exists()
    assert file.raw_file.size_bytes == path.stat().st_size
    try_again(file, by=spine.person(), skips_bad_rows=True)
    drain()
    file.refresh_from_db()
    assert file.state == "done"
    measurement = file.measurements.get()
    assert (measurement.kind, measurement.point_count) == ("cycling", 213)
    assert dict(measurement.reader_warnings)["rows_skipped"].endswith("left out: line 229.")
    spine.check_invariants()

"""EC-Lab over time: charge in mA·h and C, half cycles, impedance among other steps; Gamry's curves."""

from pathlib import Path

import numpy as np
import pytest

from measurements.readers.base import BadRow, ReaderError, Recording
from measurements.readers.recognise import read_file
from tests.data.readers.make_samples import FOLDER, FREQUENCIES, impedance


def text(names: list[str], rows: list[list[object]], decimal: str = ".") -> str:
    head = ["EC-Lab ASCII FILE", "Nb header lines : 5", "", "Modulo Bat", "\t".join([*names, ""])]
    return "\r\n".join([*head, *("\t".join(map(str, row)).replace(".", decimal) for row in rows), ""])


def read(tmp_path: Path, content: str) -> list[Recording]:
    path = tmp_path / "x.mpt"
    path.write_bytes(content.encode("cp1252"))
    reader, found = read_file(path, "x.mpt")
    assert reader.slug == "eclab"
    return found


def modulo_bat(rest: int = 12, loops: int = 2) -> tuple[list[str], list[list[object]]]:
    """Rest, a spectrum, charge with 1 mA for ten rows of 36 s (0.1 mAh in all), over and over."""
    names = ["mode", "Ns", "time/s", "Ewe/V", "I/mA", "(Q-Qo)/mA.h", "freq/Hz", "Re(Z)/Ohm", "-Im(Z)/Ohm", "|Z|/Ohm",
             "Phase(Z)/deg", "half cycle", "z cycle"]  # fmt: skip
    rows: list[list[object]] = []
    time = charge = 0.0
    for loop in range(loops):
        for _ in range(rest):
            time += 10
            rows.append([3, 0, time, 3.0, 0, charge, 0, 0, 0, 0, 0, loop, loop])
        for f in FREQUENCIES:
            time += 1
            z = complex(impedance(f, 1 + 0.1 * loop))
            cells = [f"{f:.9E}", f"{z.real:.9E}", f"{-z.imag:.9E}", f"{abs(z):.9E}", f"{np.degrees(np.angle(z)):.9E}"]
            rows.append([3, 1, time, 3.0, 0, charge, *cells, loop, loop])
        for _ in range(10 if rest == 12 else 0):
            time, charge = time + 36, charge + 0.01
            rows.append([1, 2, time, 3.1, 1.0, f"{charge:.9f}", 0, 0, 0, 0, 0, loop, loop])
    return names, rows


@pytest.mark.parametrize("decimal", [".", ","])
def test_spectra_and_the_rest_of_modulo_bat_are_parted(tmp_path: Path, decimal: str) -> None:
    *spectra, series = read(tmp_path, text(*modulo_bat(), decimal))
    assert [item.technique for item in (*spectra, series)] == ["impedance", "impedance", "time_series"]
    for loop, item in enumerate(spectra):
        z = item.frame["z_real_ohm"] + 1j * item.frame["z_imag_ohm"]
        assert np.abs(z / impedance(FREQUENCIES, 1 + 0.1 * loop) - 1).max() < 1e-6
        assert "dc_rows" not in dict(item.warnings)
    frame = series.frame
    assert frame["step_kind"].tolist() == (["rest"] * 12 + ["charge"] * 10) * 2
    assert frame["charge_capacity_mAh"].iloc[[0, 21, -1]].tolist() == pytest.approx([0, 0.1, 0.2])
    assert frame["discharge_capacity_mAh"].max() == pytest.approx(0, abs=1e-12)
    assert not [name for name in frame if name.startswith(("Re(", "-Im(", "|Z|", "Phase", "z cycle", "freq"))]
    count = 2 * len(FREQUENCIES)
    assert dict(series.warnings)["impedance_rows"] == (
        f"{count} rows with a frequency are impedance, and are kept apart as spectra."
    )


def test_a_few_rows_before_a_spectrum_are_no_series(tmp_path: Path) -> None:
    found = read(tmp_path, text(*modulo_bat(rest=4)))
    assert [item.technique for item in found] == ["impedance", "impedance"]
    assert "dc_rows" in dict(found[0].warnings)


def series_of(tmp_path: Path, names: list[str], rows: list[list[object]]) -> Recording:
    (found,) = read(tmp_path, text(names, rows))
    return found


def test_charge_in_coulomb_and_from_the_middle_of_a_test(tmp_path: Path) -> None:
    # 0.36 C are 0.1 mAh; 5 C were counted before the first row.
    rows = [[2, 10.0 * k, 0.3, 5 + 0.36 * k] for k in range(1, 12)]
    item = series_of(tmp_path, ["mode", "time/s", "Ewe/V", "(Q-Qo)/C"], rows)
    assert item.frame["charge_capacity_mAh"].iloc[[0, -1]].tolist() == pytest.approx([0, 1.0])
    assert item.frame["current_A"].to_numpy() == pytest.approx(np.full(11, 0.036))
    assert set(item.frame["step_kind"]) == {"hold"}
    assert dict(item.warnings)["current_from_charge"] == (
        "The file holds no current; it was computed from the charge between rows, I = dQ/dt."
    )


def test_current_of_gcpl_by_hand(tmp_path: Path) -> None:
    # 0.001 mAh in 3.6 s is 1 mA; no charge is no current, also where time stands still.
    rows = [[1, 0, 3.0, 0], [1, 3.6, 3.1, 0.001], [3, 3.6, 3.1, 0], [3, 10, 3.0, 0], [1, 17.2, 2.9, -0.002]]
    item = series_of(tmp_path, ["mode", "time/s", "Ewe/V", "dq/mA.h"], rows)
    assert item.frame["current_A"].tolist() == pytest.approx([0, 1e-3, 0, 0, -1e-3])
    assert item.frame["step_kind"].tolist() == ["rest", "charge", "rest", "rest", "discharge"]
    assert item.frame["discharge_capacity_mAh"].iloc[-1] == pytest.approx(0.002)
    assert "duplicate_time" in dict(item.warnings)


def test_charge_in_no_time_is_no_current_that_is_known(tmp_path: Path) -> None:
    rows = [[1, 0, 3.0, 0], [1, 1, 3.1, 0.001], [1, 1, 3.2, 0.001], [1, 2, 3.3, 0.001]]
    item = series_of(tmp_path, ["mode", "time/s", "Ewe/V", "dq/mA.h"], rows)
    assert np.isnan(item.frame["current_A"]).tolist() == [False, False, True, False]
    assert dict(item.warnings)["no_value_rows"] == "1 row holds no current. They are kept without a value."


def test_two_half_cycles_are_a_cycle(tmp_path: Path) -> None:
    rows = [[1, k, 3.0, 1.0 if k % 2 else -1.0, k] for k in range(6)]
    item = series_of(tmp_path, ["mode", "time/s", "Ewe/V", "I/mA", "half cycle"], rows)
    assert item.frame["cycle_number"].tolist() == [0, 0, 1, 1, 2, 2]
    assert "cycle_from_half_cycles" in dict(item.warnings)


@pytest.mark.parametrize(
    ("names", "what", "seen"),
    [
        (["mode", "Ewe/V", "I/mA"], "frequency", "mode, Ewe/V, I/mA"),
        (["time/s", "I/mA", "Ns"], "potential", "time/s, I/mA, Ns"),
        (["time/s", "Ewe/V", "Ns"], "current", "time/s, Ewe/V, Ns"),
    ],
)
def test_column_that_is_missing(tmp_path: Path, names: list[str], what: str, seen: str) -> None:
    with pytest.raises(ReaderError) as caught:
        read(tmp_path, text(names, [[1, 2, 3]] * 20))
    assert caught.value.sentence == f"No {what} column found. Columns seen: {seen}. Choose which column is the {what}."


def test_bad_cell_of_a_series_with_decimal_comma(tmp_path: Path) -> None:
    rows: list[list[object]] = [[1, 1.5 * k, 3.0, 0.5] for k in range(20)]
    rows[7][3] = "?"
    with pytest.raises(BadRow) as caught:
        read(tmp_path, text(["mode", "time/s", "Ewe/V", "I/mA"], rows, ","))
    assert caught.value.sentence == (
        "Line 13, column I/mA: ‘?’ is not a number. Remove the row in the source, or skip it."
    )


@pytest.mark.parametrize(("stated", "expected"), [("0.875 mg", 0.875), ("0,0025 g", 2.5), ("0.001 mg", None)])
def test_mass_of_the_head(tmp_path: Path, stated: str, expected: float | None) -> None:
    content = text(["time/s", "Ewe/V", "I/mA"], [[k, 2, 3] for k in range(9)])
    content = content.replace("Nb header lines : 5", f"Nb header lines : 6\r\nMass of active material : {stated}")
    (item,) = read(tmp_path, content)
    assert item.metadata.get("active_mass_mg") == expected


def test_head_that_is_longer_than_the_file(tmp_path: Path) -> None:
    content = text(["time/s", "Ewe/V", "I/mA"], [[1, 2, 3]]).replace(" : 5", " : 99")
    with pytest.raises(
        ReaderError, match=r"^The head promises 99 lines, the file has 7, so the export was probably cut"
    ):
        read(tmp_path, content)


@pytest.mark.parametrize(("tag", "kind"), [("CHRONOA", "hold"), ("CHRONOP", None)])
def test_the_tag_of_gamry_says_that_the_potential_is_set(tag: str, kind: str | None, tmp_path: Path) -> None:
    path = tmp_path / "x.DTA"
    path.write_bytes((FOLDER / "gamry_chrono.DTA").read_bytes().replace(b"CHRONOP", tag.encode()))
    (item,) = read_file(path, path.name)[1]
    assert item.metadata["experiment"] == tag
    assert (item.frame["step_kind"].unique().tolist() if "step_kind" in item.frame else [None]) == [kind]


def test_gamry_with_decimal_comma_and_two_curves(tmp_path: Path) -> None:
    lines = (FOLDER / "gamry_chrono.DTA").read_text("utf-8").split("\n")
    start = next(i for i, line in enumerate(lines) if line.startswith("CURVE\t"))
    table = [
        line.replace(".", ",") if line[:2].strip() == "" and "vs" not in line else line for line in lines[start + 1 :]
    ]
    path = tmp_path / "x.DTA"
    both = [*lines[:start], "CURVE1\tTABLE", *table[:-1], "CURVE2\tTABLE\t60", *table]
    path.write_text("\n".join(both), "utf-8")
    one, two = read_file(path, "x.DTA")[1]
    truth = read_file(FOLDER / "gamry_chrono.DTA", "x.DTA")[1][0].frame
    for item in (one, two):
        assert item.frame["current_A"].tolist() == truth["current_A"].tolist()
        assert item.frame["potential_V"].tolist() == truth["potential_V"].tolist()
    assert "points_missing" not in dict(one.warnings)
    assert dict(two.warnings)["points_missing"] == "The table states 60 points, the file has 46."

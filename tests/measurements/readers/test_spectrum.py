"""From rows to spectra: splitting, signs, what is left out and what is told."""

import numpy as np
import pytest

from measurements.readers.base import Recording
from measurements.readers.generic import GenericReader
from measurements.readers.spectrum import SIGN_SENTENCE, restarts
from tests.data.readers.make_samples import impedance

F = np.logspace(6, -1, 29)


def csv(tmp_path, columns: dict[str, np.ndarray]) -> list[Recording]:
    """The Recordings of a csv with these columns."""
    path = tmp_path / "table.csv"
    rows = zip(*(map(str, values.tolist()) for values in columns.values()), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(row) for row in rows)]), "utf-8")
    return GenericReader().read(path)


def spectrum(f: np.ndarray = F, scale: float = 1.0) -> dict[str, np.ndarray]:
    z = impedance(f, scale)
    return {"f/Hz": np.asarray(f), "Z'/Ohm": z.real, "Z''/Ohm": z.imag}


def stacked(*parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def codes(recording: Recording) -> list[str]:
    return [code for code, _ in recording.warnings]


def test_falling_and_rising_sweeps_are_split_where_they_start_again() -> None:
    assert restarts(np.concatenate([F, F, F])) == [29, 58]
    assert restarts(np.concatenate([F[::-1], F[::-1]])) == [29]
    assert restarts(F) == []


def test_second_sweep_over_a_shorter_range() -> None:
    assert restarts(np.concatenate([F, np.logspace(2, 1, 12)])) == [29]


def test_duplicates_and_small_disorder_are_no_new_sweep() -> None:
    assert restarts(np.repeat(F, 3)) == []
    swapped = F.copy()
    swapped[[10, 11]] = swapped[[11, 10]]
    assert restarts(swapped) == []
    outlier = F.copy()
    outlier[12] = 1e-1
    assert restarts(outlier) == []


def test_shuffled_rows_stay_together_in_file_order(tmp_path) -> None:
    order = np.random.default_rng(1).permutation(F)
    found = csv(tmp_path, spectrum(order))
    assert len(found) == 1
    assert found[0].frame["frequency_Hz"].tolist() == order.tolist()


def test_loop_column_splits_and_numbers(tmp_path) -> None:
    parts = [spectrum(scale=1 + 0.1 * k) | {"cycle number": np.full(29, k + 4)} for k in range(3)]
    found = csv(tmp_path, stacked(*parts))
    assert [recording.metadata["loop_number"] for recording in found] == [4, 5, 6]
    for k, recording in enumerate(found):
        assert recording.frame["z_real_ohm"].to_numpy() == pytest.approx(impedance(F, 1 + 0.1 * k).real)


def test_temperatures_measured_by_turns_are_taken_apart(tmp_path) -> None:
    parts = [spectrum(scale=s) | {"Temp. (°C)": np.full(29, t)} for s, t in ((1.0, 25.1), (1.1, 60.2))]
    both = stacked(*parts)
    order = np.arange(58).reshape(2, 29).T.ravel()
    found = csv(tmp_path, {name: values[order] for name, values in both.items()})
    assert [recording.metadata["temperature_degC"] for recording in found] == [25.1, 60.2]
    assert found[1].frame["z_real_ohm"].to_numpy() == pytest.approx(impedance(F, 1.1).real)


def test_direct_current_rows_leave_with_a_warning(tmp_path) -> None:
    dc = {"f/Hz": np.zeros(3), "Z'/Ohm": np.zeros(3), "Z''/Ohm": np.zeros(3)}
    found = csv(tmp_path, stacked(dc, spectrum()))
    assert len(found[0].frame) == 29
    assert "dc_rows" in codes(found[0])


def test_not_finite_rows_stay_as_nan_and_are_told(tmp_path) -> None:
    columns = spectrum()
    columns["Z'/Ohm"][4], columns["Z''/Ohm"][7] = np.nan, np.inf
    recording = csv(tmp_path, columns)[0]
    assert len(recording.frame) == 29
    assert np.isnan(recording.frame["z_real_ohm"][4])
    assert np.isnan(recording.frame["z_imag_ohm"][7])
    expected = ("not_finite_rows", "2 of 29 points hold no finite value (lines 6, 9).")
    assert expected in recording.warnings


def test_sign_is_suspected_and_not_flipped(tmp_path) -> None:
    columns = spectrum()
    columns["Z''/Ohm"] = -columns["Z''/Ohm"]
    recording = csv(tmp_path, columns)[0]
    assert ("sign_suspect", SIGN_SENTENCE) in recording.warnings
    assert recording.frame["z_imag_ohm"].iloc[-1] > 0


def test_inductance_of_leads_is_no_wrong_sign(tmp_path) -> None:
    columns = spectrum()
    columns["Z''/Ohm"] = columns["Z''/Ohm"] + 2 * np.pi * F * 1e-3
    assert "sign_suspect" not in codes(csv(tmp_path, columns)[0])


def test_modulus_and_phase_become_parts(tmp_path) -> None:
    z = impedance(F)
    columns = {"f/kHz": F / 1e3, "|Z|/kOhm": abs(z) / 1e3, "-phase/deg": -np.degrees(np.angle(z))}
    frame = csv(tmp_path, columns)[0].frame
    assert list(frame.columns[:3]) == ["frequency_Hz", "z_real_ohm", "z_imag_ohm"]
    assert frame["z_imag_ohm"].to_numpy() == pytest.approx(z.imag)


def test_modulus_that_does_not_fit_is_told(tmp_path) -> None:
    columns = spectrum()
    columns["|Z|/Ohm"] = 1.2 * np.hypot(columns["Z'/Ohm"], columns["Z''/Ohm"])
    assert "modulus_differs" in codes(csv(tmp_path, columns)[0])


def test_units_that_are_not_stated_are_told(tmp_path) -> None:
    columns = {"freq": F, "Zre": impedance(F).real, "Zim": impedance(F).imag}
    assert "unit_not_stated" in codes(csv(tmp_path, columns)[0])
    assert "unit_not_stated" not in codes(csv(tmp_path, spectrum())[0])

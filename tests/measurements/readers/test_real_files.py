"""Every real impedance file of the data set, against its manifest and against readings that are not ours."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from measurements.readers.base import ReaderError, Recording
from measurements.readers.recognise import read_file

pytestmark = pytest.mark.real

# File: reader, points of each spectrum, first frequency, first impedance. The impedances and counts of the manifest,
# or (marked #) where it states none, the first row of the file read by eye.
FILES: dict[str, tuple[str, list[int], float, complex]] = {
    "eis/s04147-140deg.txt": ("analyser", [42], 1e6, 2.21423e4 - 5.43115e4j),  #
    "eis/s04147-160deg.txt": ("analyser", [42], 1e6, 2.11122e4 - 3.95568e4j),  #
    "eis/s04147-180deg.txt": ("analyser", [41], 1e6, 1.96241e4 - 2.76066e4j),  #
    "eis/s04147-200deg.txt": ("analyser", [40], 1e6, 1.58596e4 - 1.83471e4j),  #
    "eis/LAGP_Example2b.txt": ("analyser", [50], 1e6, 3.60382e3 - 8.57835e3j),  #
    "eis/CSV_Example.csv": ("generic", [50], 1e6, 2.3697656e3 - 6.7376167e3j),  #
    "eis/Example_header.txt": ("analyser", [50], 1e7, 3.032358e4 + 3.829188e4j),  #
    "eis/PEIS_LPSCl_IonBlocking_-25C.mpr": ("biologic_mpr", [79], 7e6, 359.24 - 290.92j),
    "eis/PEIS_LPSCl_IonBlocking_-25C.txt": ("eclab", [79], 7e6, 359.24 - 290.92j),
    "eis/PEIS_LPSCl_IonBlocking_-25C_RelaxIS.txt": ("relaxis", [79], 0.1000218, 1799427.625 - 8093785.5j),  #
    "eis/exampleData.csv": ("generic", [66], 3.1623e-3, 0.0495 - 0.0204j),
    "eis/exampleDataAutolab.txt": ("zplot", [41], 1e4, 0.01379 + 0.00719j),
    "eis/exampleDataBioLogic.mpt": ("eclab", [43], 1e3, 65.47 - 0.39j),
    "eis/exampleDataGamry.DTA": ("gamry", [72], 2e5, 825.9 - 1367j),
    "eis/exampleDataZPlot.z": ("zplot", [21], 3e5, 147.8 - 11.34j),
    "eis/Circuit1_EIS_1.z": ("zplot", [48], 5e4, 29.036 + 0.63662j),  #
    "eis/Circuit2_EIS_1.z": ("zplot", [56], 3e5, 147.77 - 11.335j),  #
    "eis/exampleDataVersaStudio.par": ("versastudio", [61], 1e5, 55.32 + 4.575j),
    "eis/exampleDataParstat.txt": ("parstat", [31], 1e4, -0.000498163 + 0.0175143j),  #
    "eis/exampleDataCHInstruments.txt": ("chi", [73], 9.961e4, 98.91 - 2.748j),
    "eis/exampleDataPowersuite.txt": ("powersuite", [30], 0.1, 423929.46 - 49014.063j),  #
    "eis/eispot_data.dta": ("gamry", [10], 1e4, 224.6 - 3.768j),
    # The manifest counts its 244 rows; cycle number and frequency make four sweeps of 61.
    "eis/PEIS.mpr": ("biologic_mpr", [61] * 4, 10002.2, 5.489 - 1.240j),
    "eis/PEIS-0.mpr": ("biologic_mpr", [60], 1e4, 5.521 - 1.551j),
    "eis/vsp_peis_with.mpr": ("biologic_mpr", [70] * 32, 1e6, 10.579 + 17.953j),
    "symmetric/mb.mpr": ("biologic_mpr", [70] * 8, 1e6, 135.43 - 418.9j),
    "symmetric/mb.mpt": ("eclab", [70] * 8, 1e6, 135.43 - 418.9j),
    "reconstructed/nova_eis_semicolon.txt": ("nova", [79], 7e6, 359.24 - 290.92j),
}
# What impedance.py calls the instrument; it joins all loops, so only files of one spectrum are here.
ORACLE = {
    "exampleDataAutolab.txt": "autolab",
    "exampleDataBioLogic.mpt": "biologic",
    "exampleDataGamry.DTA": "gamry",
    "eispot_data.dta": "gamry",
    "exampleDataZPlot.z": "zplot",
    "Circuit1_EIS_1.z": "zplot",
    "Circuit2_EIS_1.z": "zplot",
    "exampleDataVersaStudio.par": "versastudio",
    "exampleDataParstat.txt": "parstat",
    "exampleDataCHInstruments.txt": "chinstruments",
    "exampleDataPowersuite.txt": "powersuite",
    "exampleData.csv": None,
    "CSV_Example.csv": None,
}
NO_IMPEDANCE = [
    "xrd/example_mac.xye", "xrd/example_ocx.xy",
]  # fmt: skip


def read(real_data: Path, name: str) -> tuple[str, list[Recording]]:
    reader, found = read_file(real_data / name, Path(name).name)
    return reader.slug, found


def complex_of(recording: Recording) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.complex128]]:
    frame = recording.frame
    return frame["frequency_Hz"].to_numpy(), (frame["z_real_ohm"] + 1j * frame["z_imag_ohm"]).to_numpy()


def test_every_impedance_file_is_in_the_table(real_data: Path) -> None:
    assert {f"eis/{path.name}" for path in (real_data / "eis").iterdir()} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_reader_points_and_first_impedance(real_data: Path, name: str) -> None:
    slug, points, frequency, first = FILES[name]
    found_slug, found = read(real_data, name)
    # Modulo Bat holds a time series as well, after its spectra.
    found = [recording for recording in found if recording.technique == "impedance"]
    assert found_slug == slug
    assert [len(recording.frame) for recording in found] == points
    f, z = complex_of(found[0])
    assert f[0] == pytest.approx(frequency, rel=1e-3)
    assert abs(z[0] - first) < 1e-3 * abs(first)
    for recording in found:
        codes = dict(recording.warnings)
        assert "sign_suspect" not in codes
        assert "modulus_differs" not in codes
        assert "not_finite_rows" not in codes


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ORACLE)
def test_all_points_agree_with_impedance_py(real_data: Path, name: str) -> None:
    from impedance.preprocessing import readFile

    f, z = complex_of(read(real_data, f"eis/{name}")[1][0])
    f_other, z_other = readFile(str(real_data / "eis" / name), instrument=ORACLE[name])
    assert f == pytest.approx(f_other)
    assert z == pytest.approx(z_other)


@pytest.mark.parametrize("name", ["s04147-140deg.txt", "s04147-200deg.txt", "LAGP_Example2b.txt", "Example_header.txt"])
def test_all_points_of_the_analyser_agree_with_a_plain_parse(real_data: Path, name: str) -> None:
    text = (real_data / "eis" / name).read_text("latin-1")
    rows = [line.split() for line in text.splitlines() if line.strip()[:1].isdigit()]
    numbers = np.array([[float(cell) for cell in row] for row in rows if len(row) == 3])
    f, z = complex_of(read(real_data, f"eis/{name}")[1][0])
    assert f == pytest.approx(numbers[:, 0])
    assert z == pytest.approx(numbers[:, 1] + 1j * numbers[:, 2])


def test_one_spectrum_in_four_formats(real_data: Path) -> None:
    stem = "eis/PEIS_LPSCl_IonBlocking_-25C"
    f, z = complex_of(read(real_data, f"{stem}.txt")[1][0])
    for name in (f"{stem}.mpr", "reconstructed/nova_eis_semicolon.txt", f"{stem}_RelaxIS.txt"):
        f_other, z_other = complex_of(read(real_data, name)[1][0])
        order = np.argsort(-f_other)
        assert f_other[order] == pytest.approx(f, rel=1e-6)
        assert np.abs(z_other[order] / z - 1).max() < 1e-4


def test_modulo_bat_is_the_same_in_binary_and_text(real_data: Path) -> None:
    for one, other in zip(
        *(read(real_data, f"symmetric/mb.{suffix}")[1][:8] for suffix in ("mpr", "mpt")), strict=True
    ):
        assert np.abs(complex_of(one)[1] / complex_of(other)[1] - 1).max() < 1e-4
        assert one.metadata["loop_number"] == other.metadata["loop_number"]
        assert one.metadata["measured_at"][:19] == other.metadata["measured_at"][:19]


def test_loops_of_a_critical_current_run(real_data: Path) -> None:
    found = read(real_data, "eis/vsp_peis_with.mpr")[1]
    assert [recording.metadata["loop_number"] for recording in found] == list(range(1, 33))
    at_crossing = []
    for recording in (found[0], found[-1]):
        _, z = complex_of(recording)
        at_crossing.append(z[np.argmin(abs(z.imag))].real)
    assert at_crossing == pytest.approx([14.61, 27.57], abs=0.01)


def test_first_point_of_every_loop_of_modulo_bat(real_data: Path) -> None:
    real_part = [complex_of(recording)[1][0].real for recording in read(real_data, "symmetric/mb.mpt")[1][:8]]
    assert min(real_part) > 33
    assert max(real_part) < 136


@pytest.mark.parametrize("name", NO_IMPEDANCE)
def test_other_measurements_are_never_an_impedance(real_data: Path, name: str) -> None:
    with pytest.raises(ReaderError, match=r"^(No frequency column found|The columns of this table are not known)"):
        read(real_data, name)


def test_facts_of_real_heads(real_data: Path) -> None:
    stated = {
        "eis/PEIS_LPSCl_IonBlocking_-25C.txt": {
            "measured_at": "2025-05-15T01:18:45.867000",
            "electrode_area_cm2": 0.001,
        },
        "eis/PEIS_LPSCl_IonBlocking_-25C.mpr": {"measured_at": "2025-05-15T01:18:45.867000"},
        "eis/exampleDataGamry.DTA": {"measured_at": "2018-04-23T16:43:15", "electrode_area_cm2": 1.0},
        "eis/exampleDataVersaStudio.par": {"measured_at": "2018-07-19T09:40:30"},
        "eis/exampleDataCHInstruments.txt": {"measured_at": "2020-02-20T15:55:08"},
        "eis/LAGP_Example2b.txt": {"measured_at": "2020-12-01T14:42:00"},
        "eis/s04147-160deg.txt": {"temperature_degC": 160.0},
        "symmetric/mb.mpt": {"measured_at": "2021-08-23T11:44:40.646000", "electrode_area_cm2": 0.5},
    }
    for name, expected in stated.items():
        metadata = read(real_data, name)[1][0].metadata
        assert {key: metadata.get(key) for key in expected} == expected

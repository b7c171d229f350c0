"""Binary files of testers: what surrounds the foreign parsers, which themselves are tested on real files."""

import subprocess
import sys
from pathlib import Path

import pytest

from measurements.readers.base import Peek, ReaderError
from measurements.readers.recognise import read_file, readers
from tests.data.readers.make_samples import FOLDER

JET = (b"\x00\x01\x00\x00Standard Jet DB\x00\x01").ljust(8192, b"\x00")
CUT = (FOLDER / "neware_layout2.ndax").read_bytes()[:3000]
RECORDS = {
    "Test_ID": [1, 1, 2, 1, 2],
    "Data_Point": [3, 1, 2, 2, 1],
    "Test_Time": [30.0, 10.0, 7.0, 20.0, 5.0],
    "Voltage": [3.3, 3.1, 2.2, 3.2, 2.1],
    "Current": [0.3, 0.1, 0.2, 0.2, 0.1],
    "Cycle_Index": [1, 1, 1, 1, 1],
    "Charge_Capacity": [0.003, 0.001, 0.002, 0.002, 0.001],
    "dV/dt": [0.0, 0.0, 0.0, 0.0, 0.0],
}
# 2024-03-27 09:15 in days since 1899-12-30.
TESTS = {"Test_ID": [1, 2], "Start_DateTime": [45378 + 9.25 / 24, 45379.0], "Creator": ["somebody", ""]}


class Database:
    """As access-parser answers: columns by name."""

    tables = {"Channel_Normal_Table": RECORDS, "Global_Table": TESTS}

    def __init__(self, path: str) -> None:
        self.catalog = dict.fromkeys(self.tables, 1)

    def parse_table(self, name: str) -> dict[str, list[object]]:
        return self.tables[name]


def with_tables(monkeypatch: pytest.MonkeyPatch, tables: dict[str, dict[str, list[object]]]) -> None:
    monkeypatch.setattr("access_parser.AccessParser", type("Other", (Database,), {"tables": tables}))


@pytest.fixture
def res(tmp_path: Path) -> Path:
    path = tmp_path / "x.res"
    path.write_bytes(JET)
    return path


def test_tests_of_a_results_file_are_parted_and_sorted(res: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_tables(monkeypatch, Database.tables)
    reader, found = read_file(res, "x.res")
    assert reader.slug == "arbin_res"
    assert [item.frame["time_s"].tolist() for item in found] == [[10, 20, 30], [5, 7]]
    assert [item.frame["potential_V"].tolist() for item in found] == [[3.1, 3.2, 3.3], [2.1, 2.2]]
    assert found[0].frame["charge_capacity_mAh"].tolist() == pytest.approx([1, 2, 3])
    assert [item.metadata["measured_at"] for item in found] == ["2024-03-27T09:15:00", "2024-03-28T00:00:00"]
    assert found[0].metadata["operator"] == "somebody"
    said = dict(found[0].warnings)["rows_sorted"]
    assert said == "The rows of the file are not in order (1 steps back); they were sorted."


@pytest.mark.parametrize(
    "records",
    [
        {},
        {"Data_Point": [], "Test_Time": [], "Voltage": [], "Current": []},
        RECORDS | {"Voltage": [1.0]},
        RECORDS | {"Voltage": ["a"] * 5},
        {name: column for name, column in RECORDS.items() if name != "Current"},
    ],
    ids=["nothing", "no rows", "ragged", "words", "no current"],
)
def test_table_of_records_that_makes_no_sense(res: Path, monkeypatch: pytest.MonkeyPatch, records) -> None:
    with_tables(monkeypatch, {"Channel_Normal_Table": records})
    with pytest.raises(ReaderError, match=r"^This Arbin database \(\.res\) cannot be read; it is damaged.* Export it"):
        read_file(res, "x.res")


def test_database_of_another_program(res: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_tables(monkeypatch, {"Customers": {}})
    with pytest.raises(ReaderError, match=r"holds no table Channel_Normal_Table, .* Tables seen: Customers\. Upload"):
        read_file(res, "x.res")


def test_database_that_cannot_be_parsed(res: Path) -> None:
    with pytest.raises(ReaderError, match=r"^This Arbin database \(\.res\) cannot be read"):
        read_file(res, "x.res")


@pytest.mark.parametrize(
    "data", [b"NEWARE" + bytes(4000), b"NEWARE", (FOLDER / "neware_layout2.ndax").read_bytes()[:3000]]
)
def test_damaged_neware(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(data)
    assert readers()["neware"].recognises(Peek(path, "x.nda"))
    with pytest.raises(ReaderError, match=r"^This Neware file .* Export it (again )?from BTSDA"):
        read_file(path, "x.nda")


def test_neware_reads_a_stored_file_without_a_suffix(tmp_path: Path) -> None:
    path = tmp_path / "0f3a"
    path.write_bytes((FOLDER / "neware_layout2.ndax").read_bytes())
    assert len(read_file(path, "test.ndax")[1][0].frame) == 46
    assert [item.name for item in tmp_path.iterdir()] == ["0f3a"]


def test_heavy_parsers_are_not_imported_with_the_readers() -> None:
    code = (
        "import sys; from measurements.readers.recognise import readers; readers(); "
        "print({'fastnda', 'polars', 'access_parser', 'python_calamine', 'galvani'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_numbers_that_are_missing_between_the_rows(res: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = RECORDS | {"Test_ID": [1] * 5, "Data_Point": [1, 2, 3, 7, 8]}
    with_tables(monkeypatch, {"Channel_Normal_Table": records})
    (item,) = read_file(res, "x.res")[1]
    assert dict(item.warnings)["records_missing"].startswith("3 numbers of Data_Point are missing")


@pytest.mark.real
@pytest.mark.parametrize("name", ["arbin_example.res", "test.ndax", "nw4-120-1-6-53.ndax", "CP_SSB.mpr"])
@pytest.mark.parametrize("share", [0.11, 0.52, 0.71, 0.93, 0.99])
def test_real_binaries_that_are_cut_off(real_data: Path, tmp_path: Path, name: str, share: float) -> None:
    data = (real_data / "cycling" / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ReaderError, match=r"cannot be read; it is damaged, cut off, or of a version .* Export it"):
        read_file(path, name)


def test_archive_of_an_unknown_version_is_known_by_its_head(tmp_path: Path) -> None:
    data = bytearray((FOLDER / "neware_layout2.ndax").read_bytes())
    # Version needed to extract, in the first entry of the directory at the end.
    data[data.index(b"PK\x01\x02") + 6] = 80
    path = tmp_path / "x.ndax"
    path.write_bytes(data)
    assert Peek(path, "x.ndax").members == []
    with pytest.raises(ReaderError, match=r"^This Neware file cannot be read"):
        read_file(path, "x.ndax")


@pytest.mark.parametrize("head", [b"PK\x03\x04\n", b"NEWARE20240327\n"])
def test_no_reader_looks_for_text_in_a_binary(head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(head + b"EXPLAIN\nTAG\t")
    assert Peek(path, "x").text == ""

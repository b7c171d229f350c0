"""Records and facts of Neware binaries are those of fastnda, in every bit, by whichever way they were made.

fastnda is held against fastnda here; that its numbers are right is tested against exports of the vendor's
(`test_real_testers`).
"""

import io
import struct
import zipfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import fastnda
import numpy as np
import numpy.typing as npt
import pytest

from measurements.readers import neware_binary
from measurements.readers.neware_binary import read
from tests.data.readers.make_samples import FOLDER

ROWS = 400
CODES = [4, 1, 2, 4, 7, 2, 200]  # of steps; fastnda does not know the last one
INFO = (
    '<?xml version="1.0" encoding="GB2312"?>\n<root>\n <config type="Test Info File" version="1">\n'
    '  <TestInfo StartTime="2024-03-27 09:15:00" Barcode="A &amp; B" AuxCount="0">\n'
    '   <Range Count="2" /><Range Count="3" />\n  </TestInfo>\n </config>\n</root>'
)


def _member(kind: int, version: int, item: int, rows: list[bytes]) -> bytes:
    """An .ndc: blocks of 4096 bytes with a bit for each row that is there; an empty row is not."""
    count = (4096 - 133) // item
    blocks = [bytes([kind, 0, version]).ljust(4096, b"\0")]
    for first in range(0, len(rows), count):
        part = rows[first : first + count]
        mask = np.packbits([bool(row) for row in part], bitorder="little").tobytes()
        body = b"".join(row.ljust(item, b"\0") for row in part)
        blocks.append((bytes(4) + mask).ljust(132, b"\0") + body.ljust(4096 - 132, b"\0"))
    return b"".join(blocks)


def _archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def layout(
    told: Callable[[int], bool] = lambda row: row % 5 == 0 or row % 57 == 0,
    *,
    current_A: Callable[[int], float] = lambda row: 0.001 * np.sin(row / 30),
    backwards: bool = False,
    steps: int = len(CODES),
    step_of: Callable[[int], int] = lambda row: 1 + row // 60,
    is_there: Callable[[int], bool] = lambda row: True,
    **members: bytes,
) -> bytes:
    """An archive of version 14: voltage and current of all rows, and in some the run info, which names the step."""
    main = [struct.pack("<2f", 3 + row / 1000, current_A(row)) if is_there(row) else b"" for row in range(ROWS)]
    run = [
        struct.pack("<IxffffxxxxxxxxiIIIh", row % 60 * 1000 + 7, 1e-4 * (row % 60), -2e-5 * row, 3e-4 * row, 1e-5 * row,
                    1003 + row % 3, 1_711_530_900 + row, step_of(row), row + 1, row % 1000)
        for row in range(ROWS) if told(row)
    ]  # fmt: skip
    step = [struct.pack("<II16xB", number // 3, number + 1, CODES[number]) for number in range(steps)]
    return _archive({
        "TestInfo.xml": INFO.encode(),
        "data.ndc": _member(1, 14, 8, main),
        "data_runInfo.ndc": _member(18, 14, 55, run[::-1] if backwards else run),
        "data_step.ndc": _member(7, 14, 37, step),
    } | {name.replace("__", "."): data for name, data in members.items()})  # fmt: skip


def assert_same(path: Path) -> None:
    """What we read is what fastnda reads, bit by bit, where names say what the file is."""
    columns, facts = read(path, path.suffix == ".nda")
    table = fastnda.read(path, cycle_mode="raw", raw_categories=True)
    assert list(columns) == table.columns
    for name, cells in columns.items():
        theirs: npt.NDArray[Any] = (
            table[name].fill_null(255).to_numpy() if name == "step_type" else table[name].to_numpy()
        )
        assert cells.dtype == (np.uint8 if name == "step_type" else np.float64), name
        assert cells.tobytes() == theirs.astype(cells.dtype).tobytes(), name
    assert facts == fastnda.read_metadata(path)


@pytest.fixture
def ndax(tmp_path: Path) -> Callable[[bytes], Path]:
    def write(data: bytes) -> Path:
        path = tmp_path / "x.ndax"
        path.write_bytes(data)
        return path

    return write


def never(*_: object, **__: object) -> None:
    raise AssertionError("this file was to be put together here")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("fastnda.nda", "read_nda"),
        ("fastnda.nda_meta", "read_nda_metadata"),
        ("fastnda.ndax", "read_ndax"),
        ("fastnda.ndax", "read_ndax_metadata"),
        ("fastnda.ndax", "read_ndc"),
        ("fastnda.dicts", "STEP_TYPE_MAP"),
    ],
)
def test_fastnda_has_the_parts_that_are_used(module: str, name: str) -> None:
    assert hasattr(import_module(module), name), f"fastnda moved {name}: see measurements/readers/neware_binary.py"


@pytest.mark.parametrize(
    "data",
    [
        layout(),
        layout(told=lambda row: True),
        layout(told=lambda row: row % 130 == 0),
        layout(told=lambda row: row in (0, 1, 2, 60, 399)),
        layout(told=lambda row: row % 5 == 0 and row < 200, is_there=lambda row: row % 7 != 3),
        layout(backwards=True, step_of=lambda row: 1),
        layout(step_of=lambda row: 10 + row // 60 * 3),
        layout(current_A=lambda row: -0.0 if row % 2 else 1e30),
        (FOLDER / "neware_layout2.ndax").read_bytes(),
    ],
)
def test_records_put_together_here(data: bytes, ndax: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = ndax(data)
    with monkeypatch.context() as patched:
        for name in ("fastnda.read", "fastnda.ndax.read_ndax"):
            patched.setattr(name, never)
        read(path, is_nda=False)
    assert_same(path)


@pytest.mark.parametrize(
    "data",
    [
        layout(told=lambda row: row % 5 == 3),  # no run info in the first row
        layout(told=lambda row: False),
        layout(is_there=lambda row: False),
        layout(steps=2),
        layout(backwards=True),  # numbers of steps fall
        layout(current_A=lambda row: np.nan if row == 77 else 0.001),
        layout(current_A=lambda row: np.inf if row == 77 else 0.001),
        layout(data_step__ndc=_member(7, 16, 100, [struct.pack("<II16xB", 0, 1, 1)])),
    ],
)
def test_records_that_fastnda_puts_together(
    data: bytes, ndax: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = ndax(data)
    assert_same(path)
    monkeypatch.setattr("fastnda.read", never)
    with pytest.raises(AssertionError, match="put together here"):
        read(path, is_nda=False)


def _sensor(values: list[float]) -> dict[str, bytes]:
    info = INFO.replace("</TestInfo>", '<Aux1 AuxID="1" ChlType="103" /></TestInfo>')
    data = _member(5, 14, 4, [struct.pack("<f", value) for value in values])
    return {"TestInfo__xml": info.encode(), "data_AUX_1_0_0__ndc": data}


@pytest.mark.parametrize("count", [ROWS, 90])
def test_temperature_of_a_sensor(count: int, ndax: Callable[[bytes], Path]) -> None:
    path = ndax(layout(**_sensor([25 + row / 100 for row in range(count)])))
    assert int(np.isfinite(read(path, is_nda=False)[0]["aux1_temperature_degC"]).sum()) == count
    assert_same(path)


def test_file_without_steps_is_refused_as_by_fastnda(ndax: Callable[[bytes], Path]) -> None:
    with zipfile.ZipFile(io.BytesIO(layout())) as archive:
        members = {name: archive.read(name) for name in archive.namelist() if name != "data_step.ndc"}
    path = ndax(_archive(members))
    for action in (lambda: read(path, is_nda=False), lambda: fastnda.read(path, cycle_mode="raw")):
        with pytest.raises(Exception, match="step_type"):
            action()


@pytest.mark.parametrize(
    "change",
    [
        ("", ""),
        ("</config>", "<A>one<B>two</B> three <B/><B x='1'>q</B></A><C> </C><D/><E>mid</E><version z='1'/></config>"),
        ("</config>", "<A q='a&#10;b&#9;c'>\u4e2d &lt;</A><?note?></config>"),
        ("</config>", "<A q='a&#13;b'>c&#13;d</A></config>"),
        ("</config>", "<A q='a&#xd;b'>c&#x0D;d</A></config>"),
        ("</config>", "<!-- note --><A><![CDATA[a<b]]></A></config>"),
        ("<root>", "<root xmlns='urn:x' xmlns:y='urn:y'>"),
        ("<config", "<config xmlns:y='urn:y' y:q='1' xml:lang='de'"),
        ("</root>", "<config a='2'/></root>"),
        ("</root>", " \u3000 </root>"),
        ("</root>", "tail</root>"),
        ("config", "other"),
        ("<root>", "<!DOCTYPE root [<!ENTITY a 'b'>]><root>"),
        ("<root>", "\0"),
        ("version=", "version='2' version="),
    ],
)  # fmt: skip
def test_facts(change: tuple[str, str], ndax: Callable[[bytes], Path]) -> None:
    path = ndax(layout(TestInfo__xml=INFO.replace(*change).encode()))
    try:
        theirs = fastnda.read_metadata(path)
    except Exception:
        theirs = None
    assert read(path, is_nda=False)[1] == theirs


def test_facts_are_read_by_fastnda_where_entities_may_hide(
    ndax: Callable[[bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr("fastnda.ndax.read_ndax_metadata", lambda path: asked.append(path) or {"a": "b"})
    entities = INFO.replace("<root>", "<!DOCTYPE root [<!ENTITY a 'b'>]><root>")
    path = ndax(layout(TestInfo__xml=entities.encode()))
    assert read(path, is_nda=False)[1] == {"a": "b"}
    assert asked == [path]


def test_sums_between_starts_are_taken_one_after_the_other() -> None:
    rng = np.random.default_rng(5)
    lengths = np.array([1, 2, 64, 65, 300, 3, 1, 1, 66, 4])
    starts = np.append(0, lengths.cumsum()[:-1])
    values = rng.normal(size=(3, int(lengths.sum()))) * 10.0 ** rng.integers(-8, 8, size=lengths.sum())
    wanted = values.copy()
    for row in wanted:
        for start, length in zip(starts, lengths, strict=True):
            row[start] = 0.0
            for place in range(start + 1, start + length):
                row[place] += row[place - 1]
    neware_binary._sum_between(values, starts, lengths)
    assert values.tobytes() == wanted.tobytes()


@pytest.mark.real
def test_real_files_are_read_as_by_fastnda(real_data: Path) -> None:
    paths = [path for path in real_data.rglob("*.nda*") if path.suffix in (".nda", ".ndax")]
    assert paths
    for path in paths:
        assert_same(path)


@pytest.mark.real
def test_the_longest_real_file_is_put_together_here(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("fastnda.read", "fastnda.ndax.read_ndax", "fastnda.ndax.read_ndax_metadata"):
        monkeypatch.setattr(name, never)
    columns, facts = read(real_data / "cycling" / "nw4-120-1-6-53.ndax", is_nda=False)
    assert len(columns["index"]) == 18700
    assert facts

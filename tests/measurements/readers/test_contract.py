"""What holds for every reader that is found: a sample of its own, known by it alone, read truly, refused when bad."""

import json
from pathlib import Path

import numpy as np
import pytest

from measurements.readers.base import Peek, Reader, ReaderError
from measurements.readers.recognise import read_file, readers, recognise
from measurements.readers.text import decode
from tests.data.readers.make_samples import FOLDER, FREQUENCIES, SAMPLES, SERIES, WRITERS, impedance

SPECIFIC = {slug: reader for slug, reader in readers().items() if not reader.is_generic}

BINARY = (b"BIO-LOGIC", b"PK\x03\x04")


def slug_of(name: str) -> str:
    # "neware_table_…" begins with "neware_", too.
    return max((slug for slug in readers() if name.startswith(f"{slug}_")), key=len)


def cut(data: bytes) -> bytes:
    """The file ended in the middle of a row at three quarters of it."""
    if data.startswith(BINARY):
        return data[: len(data) * 3 // 4]
    text = decode(data)
    end = text.index("\n", len(text) * 3 // 4)
    row_end = text.index("\n", end + 1)
    row = text[end + 1 : row_end]
    return (text[: end + 1] + row[: len(row) // 2]).encode()


def garbled(data: bytes) -> bytes:
    """Words where the numbers of a row in the middle were."""
    if data.startswith(BINARY):
        return data[:60] + b"\xff" * (len(data) - 60)
    lines = decode(data).split("\n")
    middle = len(lines) * 3 // 4
    digits = "".join("x" if character.isdigit() and i > 12 else character for i, character in enumerate(lines[middle]))
    return "\n".join([*lines[:middle], digits, *lines[middle + 1 :]]).encode()


@pytest.mark.parametrize("slug", readers())
def test_every_reader_has_a_sample_and_a_name(slug: str) -> None:
    reader = readers()[slug]
    assert reader.name
    assert reader.version >= 1
    if reader.needs_vendor_file:
        assert "real" in (reader.__doc__ or ""), "the docstring says why there is no sample, and what covers the reader"
        return
    assert [name for name in WRITERS if slug_of(name) == slug]


@pytest.mark.parametrize("name", WRITERS)
def test_sample_is_what_the_generator_writes(name: str) -> None:
    assert (FOLDER / name).read_bytes() == WRITERS[name]()


def test_no_sample_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.suffix != ".py" and path.is_file()} == set(WRITERS)


@pytest.mark.parametrize("name", WRITERS)
def test_sample_is_recognised_by_its_reader_alone(name: str) -> None:
    slug = slug_of(name)
    peek = Peek(FOLDER / name, name)
    known = [reader.slug for reader in SPECIFIC.values() if reader.recognises(peek)]
    assert known == ([] if slug == "generic" else [slug])
    assert recognise(FOLDER / name, name).slug == slug


@pytest.mark.parametrize("name", WRITERS)
def test_content_decides_and_not_the_suffix(name: str) -> None:
    assert recognise(FOLDER / name, "renamed.dat").slug == slug_of(name)


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_is_read_to_the_known_points(name: str) -> None:
    _, found = read_file(FOLDER / name, name)
    assert len(found) == SAMPLES[name][1]
    for k, recording in enumerate(found):
        frame = recording.frame
        assert recording.technique == "impedance"
        assert list(frame.columns[:3]) == ["frequency_Hz", "z_real_ohm", "z_imag_ohm"]
        assert np.sort(frame["frequency_Hz"]) == pytest.approx(np.sort(FREQUENCIES), rel=1e-6)
        z = frame["z_real_ohm"] + 1j * frame["z_imag_ohm"]
        assert np.abs(z / impedance(frame["frequency_Hz"], 1 + 0.1 * k) - 1).max() < 1e-6
        assert "sign_suspect" not in dict(recording.warnings)
        assert recording.metadata["seen"]


@pytest.mark.parametrize("name", SERIES)
def test_series_is_read_to_the_known_points(name: str) -> None:
    sample = SERIES[name]
    _, found = read_file(FOLDER / name, name)
    assert [recording.technique for recording in found] == ["time_series"]
    frame, truth = found[0].frame, sample.truth()
    assert len(frame) == len(truth)
    assert list(frame.columns[:3]) == ["time_s", "potential_V", "current_A"]
    assert set(sample.columns) <= set(frame.columns)
    for column in truth:
        if column == "step_kind" and column in frame:
            assert list(frame[column]) == list(truth[column])
        elif column in frame:
            scale = np.abs(truth[column]).max()
            assert np.abs(frame[column] - truth[column]).max() <= 1e-6 * scale
    assert {key: found[0].metadata.get(key) for key in sample.facts} == sample.facts
    assert found[0].metadata["seen"]
    codes = dict(found[0].warnings)
    assert not {"clock_reset", "duplicate_time", "counter_differs", "slice_not_from_start", "current_resolution"} & set(
        codes
    )


@pytest.mark.parametrize("name", WRITERS)
def test_metadata_and_columns_can_be_stored(name: str) -> None:
    for recording in read_file(FOLDER / name, name)[1]:
        json.dumps(recording.metadata, allow_nan=False)
        assert recording.frame.columns.is_unique
        assert all(isinstance(column, str) for column in recording.frame.columns)


@pytest.mark.parametrize("spoil", [cut, garbled])
@pytest.mark.parametrize("name", WRITERS)
def test_bad_file_is_refused_with_a_sentence(name: str, spoil, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(spoil((FOLDER / name).read_bytes()))
    with pytest.raises(ReaderError) as caught:
        read_file(path, name)
    sentence = caught.value.sentence
    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert len(sentence.split(". ")) > 1, "a cause and a next step"


@pytest.mark.parametrize("reader", readers().values(), ids=readers())
def test_reader_refuses_what_it_did_not_recognise(reader: Reader, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Cell 7 was opened on Monday.\nIt smelled of solvent.\n", "utf-8")
    with pytest.raises(ReaderError):
        reader.read(path)


def test_two_readers_that_know_a_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "both.txt"
    path.write_bytes((FOLDER / "chi_one.txt").read_bytes() + b"\nEnd Comments\n")
    with pytest.raises(ReaderError, match=r"looks like CH Instruments text and ZPlot/ZView \.z at once"):
        recognise(path, path.name)


def test_missing_extra_says_how_to_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "galvani.BioLogic", None)
    with pytest.raises(ReaderError, match=r"no reader for it\. Export it from EC-Lab as text \(\.mpt\)"):
        read_file(FOLDER / "biologic_mpr_loops.mpr", "loops.mpr")


FACTS = {
    "zplot_comments.z": {"measured_at": "2024-03-27T09:15:00"},
    "gamry_one.DTA": {"measured_at": "2024-03-27T09:15:00", "electrode_area_cm2": 0.785},
    "gamry_aborted.DTA": {"aborted": True},
    "eclab_one.mpt": {
        "measured_at": "2024-03-27T09:15:00.500000",
        "electrode_area_cm2": 0.001,
        "operator": "somebody",
        "technique": "Potentio Electrochemical Impedance Spectroscopy",
    },
    "eclab_cycles_comma.mpt": {"seen": "decimal comma, tab", "loop_number": 1},
    "versastudio_one.par": {"measured_at": "2024-03-27T09:15:00", "electrode_area_cm2": 0.785},
    "chi_one.txt": {"measured_at": "2024-03-27T09:15:00", "instrument": "CHI000"},
    "relaxis_two.txt": {"exported_at": "2024-03-28T14:29:15", "loop_number": 1},
    "analyser_facts.txt": {
        "temperature_degC": -12.5,
        "thickness_um": 650.0,
        "diameter_mm": 10.0,
        "measured_at": "2024-03-27T09:15:00",
    },
    "analyser_title.txt": {"temperature_degC": 60.0},
    "generic_polar_utf16.txt": {"temperature_degC": 25.0, "seen": "decimal comma, tab"},
    "generic_blocks.txt": {"temperature_degC": 25.0, "loop_number": 1},
    "nova_units.txt": {"seen": "decimal comma, semicolon"},
}


@pytest.mark.parametrize(("name", "expected"), FACTS.items())
def test_facts_that_a_file_states(name: str, expected: dict[str, object]) -> None:
    metadata = read_file(FOLDER / name, name)[1][0].metadata
    assert {key: metadata.get(key) for key in expected} == expected


def test_later_facts_of_a_file_with_several_spectra() -> None:
    loops = read_file(FOLDER / "eclab_cycles_comma.mpt", "x.mpt")[1]
    assert [recording.metadata["loop_number"] for recording in loops] == [1, 2, 3]
    # Loop 2 starts 102 s, loop 3 202 s after the acquisition.
    starts = [recording.metadata["measured_at"] for recording in loops]
    assert starts == ["2024-03-27T09:15:00.500000", "2024-03-27T09:16:42.500000", "2024-03-27T09:18:22.500000"]
    blocks = read_file(FOLDER / "generic_blocks.txt", "x.txt")[1]
    assert [recording.metadata["temperature_degC"] for recording in blocks] == [25.0, 40.0]


@pytest.mark.parametrize(("name", "code"), [("gamry_aborted.DTA", "aborted_run"), ("parstat_dc.txt", "dc_rows"),
                                            ("eclab_rising_dc.txt", "dc_rows"), ("generic_bare.csv", "columns_assumed"),
                                            ("analyser_title.txt", "temperature_from_title")])  # fmt: skip
def test_warnings_that_a_file_earns(name: str, code: str) -> None:
    assert code in dict(read_file(FOLDER / name, name)[1][0].warnings)


def test_nova_says_that_its_layout_is_not_confirmed() -> None:
    metadata = read_file(FOLDER / "nova_semicolon.txt", "x.txt")[1][0].metadata
    assert metadata["reader_note"] == "layout from documentation, not yet confirmed with a vendor file"

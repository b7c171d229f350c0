"""Whatever the bytes: Recordings or a ReaderError, never anything else."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from measurements.readers.base import ReaderError
from measurements.readers.recognise import read_file
from tests.data.readers.make_samples import FOLDER, WRITERS

CONTENTS = {name: (FOLDER / name).read_bytes() for name in WRITERS}
PIECES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"\t", b",", b";", b"nan", b"inf", b"1e999", b"-0", b"#DIV/0!", b"\n", b"\x00", b"\xff",
                     b"\xc2\xb2",
                     b"Freq(Hz)\t", b"frequency_Hz,Z',Z''\n", b"End Comments\n", b"ZCURVE\tTABLE\n", b"</Segment1>",
                     b"Nb header lines : 9999", b"Temperature: 25 K", b"1.#QNAN", b"1_0", b'"', b"\r\r\n",
                     b"TestTime\tVoltage/V\tCurrent/mA\n", b"\nRecord,",
                     b"1.02:03:04.5", b"0-00:61:00", b"time_s,E/V,I/A\n"]),
)  # fmt: skip


def attempt(data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sample"
        path.write_bytes(data)
        refused = None
        try:
            _, found = read_file(path, name)
        except ReaderError as error:
            refused = error
    if refused is not None:
        assert refused.sentence
        assert refused.sentence.isprintable()
        return
    assert found
    for recording in found:
        frame = recording.frame
        if recording.technique == "time_series":
            assert {"time_s", "potential_V", "current_A"} <= set(frame.columns)
            assert np.isfinite(frame["time_s"]).all()
            assert not np.isinf(frame[["potential_V", "current_A"]].to_numpy()).any()
            continue
        assert {"frequency_Hz", "z_real_ohm", "z_imag_ohm"} <= set(frame.columns)
        assert not np.isinf(frame["frequency_Hz"]).any()
        assert not (frame["frequency_Hz"] <= 0).any()


@settings(max_examples=150)
@given(data=st.binary(max_size=600), name=st.sampled_from(["x.txt", "x.mpr", "x.csv", "x.nox"]))
def test_random_bytes(data: bytes, name: str) -> None:
    attempt(data, name)


@settings(max_examples=100)
@given(text=st.text(alphabet="0123456789.,;:\t\n eE+-fZ'Hz()#ΩT=°CxtIVA/", max_size=400))
def test_random_tables(text: str) -> None:
    attempt(text.encode(), "x.txt")


@settings(max_examples=250)
@given(
    name=st.sampled_from(sorted(CONTENTS)),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), PIECES), min_size=1, max_size=6),
    end=st.floats(0.05, 1),
)
def test_damaged_samples(name: str, edits: list[tuple[float, int, bytes]], end: float) -> None:
    data = CONTENTS[name]
    for place, length, piece in edits:
        start = int(place * len(data))
        data = data[:start] + piece + data[start + length :]
    attempt(data if end > 0.6 else data[: int(end * len(data))], name)

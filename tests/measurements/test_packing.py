"""Tables come back bit by bit, whatever stands in them, and small where instruments print decimals."""

import gzip

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from measurements import packing

ROWS = 3000
RNG = np.random.default_rng(11)
COLUMNS = {
    "decimals": np.round(RNG.normal(3.4, 0.3, ROWS), 4),
    "milliampere": np.round(RNG.normal(0, 1.2, ROWS), 4) * 1e-3,
    "hours": np.round(np.arange(ROWS) / 360.0, 4) * 3600.0,
    "whole": np.arange(ROWS, dtype=np.float64),
    "gaps": np.where(np.arange(ROWS) % 7 == 0, np.nan, np.round(RNG.normal(0, 1, ROWS), 3)),
    "only gaps": np.full(ROWS, np.nan),
    "floats": RNG.normal(size=ROWS),
    "negative zero": np.where(np.arange(ROWS) % 3 == 0, -0.0, 1.5),
    "infinite": np.where(np.arange(ROWS) == 5, np.inf, 1.5),
    "large": RNG.normal(size=ROWS) * 1e18,
    "last one odd": np.append(np.round(RNG.normal(size=ROWS - 1), 3), np.pi),
}


@pytest.fixture
def stored(tmp_path):
    def put(frame: pd.DataFrame):
        path = tmp_path / "0.parquet"
        packing.write(frame, path)
        assert [item.name for item in tmp_path.iterdir()] == ["0.parquet"]
        return path

    return put


@pytest.mark.parametrize("name", list(COLUMNS))
def test_floats_come_back_bit_by_bit(stored, name):
    frame = pd.DataFrame({"time_s": COLUMNS["whole"], name: COLUMNS[name]})
    back = packing.read(stored(frame))
    assert list(back.columns) == list(frame.columns)
    assert back[name].dtype == np.float64
    assert (back[name].to_numpy().view(np.int64) == frame[name].to_numpy().view(np.int64)).all()


def test_whole_numbers_words_and_small_tables_come_back(stored):
    frame = pd.DataFrame(
        {
            "cycle_number": np.arange(ROWS) // 100,
            "step_kind": np.where(np.arange(ROWS) % 200 < 100, "charge", "discharge"),
            "potential_V": COLUMNS["decimals"],
        }
    )
    pd.testing.assert_frame_equal(packing.read(stored(frame)), frame)
    few = frame.iloc[:20]
    pd.testing.assert_frame_equal(packing.read(stored(few)), few)


def test_some_columns_and_the_first_rows(stored):
    frame = pd.DataFrame({"time_s": COLUMNS["whole"], "potential_V": COLUMNS["decimals"]})
    back = packing.read(stored(frame), ["potential_V", "current_A"], 10)
    assert back.to_dict("list") == {"potential_V": frame["potential_V"].iloc[:10].tolist()}
    assert packing.row_count(stored(frame)) == ROWS
    assert packing.times(stored(frame), (0, ROWS - 1)) == [0.0, ROWS - 1.0]


@pytest.fixture
def long_test():
    """Four groups of rows: cycles of 1000 rows, a row a second, the current in milliampere."""
    rows = np.arange(3 * packing.ROWS_OF_A_GROUP + 100)
    return pd.DataFrame(
        {
            "time_s": rows * 1.0,
            "current_A": np.round(np.sin(rows / 500.0), 3) * 1e-3,
            "cycle_number": rows // 1000 + 1,
            "step_kind": np.where(rows % 1000 < 500, "charge", "discharge"),
        }
    )


@pytest.mark.parametrize("first", [0, 10, packing.ROWS_OF_A_GROUP - 3, 2 * packing.ROWS_OF_A_GROUP, 196_600])
def test_rows_from_any_place_on(stored, long_test, first):
    back = packing.read(stored(long_test), rows=200, first=first)
    pd.testing.assert_frame_equal(back, long_test.iloc[first : first + 200].reset_index(drop=True))


def test_rows_behind_the_end_are_none(stored, long_test):
    back = packing.read(stored(long_test), rows=200, first=len(long_test) + 5)
    assert len(back) == 0
    assert list(back.columns) == list(long_test.columns)


@pytest.mark.parametrize(
    ("spans", "groups"),
    [
        ({"cycle_number": (3, 3)}, 1),
        ({"cycle_number": (66, 66)}, 2),  # rows 65 000 to 65 999: the group ends at 65 536
        ({"time_s": (1e5, np.inf)}, 3),
        ({"time_s": (0.0, 1e5), "cycle_number": (100, 300)}, 1),
        ({"cycle_number": (1000, 1000)}, 0),
        ({"current_A": (2.0, 3.0)}, 0),  # in the unit of the table, not of the stored whole numbers
        ({"current_A": (-0.5e-3, -0.49e-3)}, 4),
        ({"step_kind of another tester": (1, 2)}, 4),
    ],
)
def test_only_groups_that_may_hold_the_span_are_read(stored, long_test, spans, groups, monkeypatch):
    fetched, read = [], pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_groups",
        lambda self, wanted, **more: (fetched.extend(wanted), read(self, wanted, **more))[1],
    )
    back = packing.read(stored(long_test), spans=spans)
    assert len(fetched) == groups
    inside = [_inside(frame, spans) for frame in (back, long_test)]
    pd.testing.assert_frame_equal(*inside)
    for name in spans.keys() & set(back):  # of neighbours outside only those between
        assert not len(back) or len(_inside(back.iloc[[0, -1]], {name: spans[name]})) > 0


def _inside(frame, spans):
    for name, (low, high) in spans.items():
        frame = frame[frame[name].between(low, high)] if name in frame else frame
    return frame.reset_index(drop=True)


def test_printed_decimals_take_a_third_of_the_gzipped_text(stored):
    """The goal: 35 % where all columns are printed decimals."""
    n = 200_000
    t = np.arange(n) * 10.0
    phase = t / 36_000.0
    frame = pd.DataFrame(
        {
            "time_s": t,
            "potential_V": np.round(3.4 + 0.3 * np.sin(phase) + RNG.normal(0, 1e-4, n), 4),
            "current_A": np.round(np.where(np.sin(phase) > 0, 0.1, -0.1) + RNG.normal(0, 2e-6, n), 6),
            "step_capacity_mAh": np.round(np.abs(np.sin(phase / 2)), 6),
        }
    )
    text = gzip.compress(frame.to_csv(index=False).encode(), 6)
    assert stored(frame).stat().st_size <= 0.35 * len(text)


def test_a_short_recording_is_not_mostly_description(stored):
    """Of random floats nothing can be saved: what is above their text would be the file's own words."""
    frame = pd.DataFrame({f"Channel {i}": RNG.normal(size=300) for i in range(30)})
    frame["step_kind"] = np.where(np.arange(300) < 20, "rest", "charge")
    text = gzip.compress(frame.to_csv(index=False).encode(), 6)
    assert stored(frame).stat().st_size <= 1.05 * len(text)
    pd.testing.assert_frame_equal(packing.read(stored(frame)), frame)


def test_a_column_of_another_kind_comes_back_as_it_was(stored):
    frame = pd.DataFrame({"time_s": np.arange(300.0), "is_on": [True, False, None] * 100, "count": np.int16(3)})
    frame["moment"] = pd.Timestamp("2026-01-02", tz="UTC")
    pd.testing.assert_frame_equal(packing.read(stored(frame)), frame)


@pytest.mark.parametrize(
    ("change", "equal"), [({}, 200), ({150: 9.0}, 150), ({0: 9.0}, 0), ({199: np.nan}, 199)], ids=str
)
def test_how_many_rows_are_equal_from_the_first(tmp_path, change, equal):
    frame = pd.DataFrame({"time_s": np.arange(200.0), "potential_V": COLUMNS["gaps"][:200]})
    other = pd.concat([frame, frame.iloc[-5:]], ignore_index=True)
    for row, value in change.items():
        other.loc[row, "potential_V"] = value
    packing.write(frame, tmp_path / "a.parquet")
    packing.write(other, tmp_path / "b.parquet")
    found = packing.equal_beginning(
        tmp_path / "a.parquet", tmp_path / "b.parquet", ("time_s", "potential_V", "current_A"), telling="potential_V"
    )
    assert found == (equal, equal > 0)


def test_recordings_in_a_row_count_on():
    one = pd.DataFrame({"time_s": [0.0, 10.0], "cycle_number": [1, 2], "current_A": [1.0, 2.0]})
    joined = packing.in_a_row([one, one, one], [0.0, 7210.0, None])
    assert joined["time_s"].tolist() == [0, 10, 7210, 7220, 7220, 7230]
    assert joined["cycle_number"].tolist() == [1, 2, 3, 4, 5, 6]
    assert joined["current_A"].tolist() == [1, 2] * 3
    assert one["time_s"].tolist() == [0, 10]

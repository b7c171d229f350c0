"""Times of testers, against values counted by hand and by the standard library."""

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import pytest

from measurements.readers.clock import BadTime, durations_s, iso_of, looks_like_clock, looks_like_date, unix_times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0:00:00.000", 0),
        ("97:05:00.008", 97 * 3600 + 300.008),
        ("0-00:05:00", 300),
        ("4-00:02:13", 4 * 86400 + 133),
        ("1.02:03:04.500", 86400 + 2 * 3600 + 184.5),
        ("2d 01:00:00", 2 * 86400 + 3600),
        ("3 00:00:01", 3 * 86400 + 1),
        ("00:00:01,25", 1.25),
        ("12.5", 12.5),
    ],
)
def test_duration(text: str, seconds: float) -> None:
    assert durations_s([text]) == pytest.approx([seconds])
    assert durations_s([text, text, text]) == pytest.approx([seconds] * 3)


def test_durations_of_different_forms_in_one_column() -> None:
    # A span of .NET writes the days only once there are some.
    cells = ["23:59:59", "1.00:00:00", "", "-", "1.00:00:01.5"]
    found = durations_s(cells)
    assert found[[0, 1, 4]] == pytest.approx([86399, 86400, 86401.5])
    assert np.isnan(found[[2, 3]]).all()


def test_bare_numbers_are_in_the_unit_of_the_header() -> None:
    assert durations_s(["0.5", "2"], 3600.0) == pytest.approx([1800, 7200])


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        (time(1, 2, 3, 500_000), 3723.5),
        (timedelta(hours=30), 108_000),
        # Serial 1.5 of Excel is shown as 1900-01-01 12:00, and means 36 hours.
        (datetime(1900, 1, 1, 12), 36 * 3600),
        # Serial 1.0 with the form h:mm:ss: 24 hours.
        (date(1900, 1, 1), 86400),
        # Serial 61.0 is 1900-03-01, after the day that Excel counts and that never was.
        (datetime(1900, 3, 1), 61 * 86400),
        (7.0, 7),
    ],
)
def test_cells_of_excel(cell: Any, seconds: float) -> None:
    assert durations_s([cell]) == pytest.approx([seconds])


@pytest.mark.parametrize("cells", [["0:00:00", "0:61:00"], ["0:00:00", "soon"], ["x:y:z"], ["1:02"]])
def test_what_is_no_duration(cells: list[str]) -> None:
    with pytest.raises(BadTime) as caught:
        durations_s(cells)
    assert caught.value.row == len(cells) - 1
    assert caught.value.text == cells[-1]


# 2024-04-30T14:33:19 is 1714487599 s after 1970-01-01 (date -u -d '2024-04-30 14:33:19' +%s).
@pytest.mark.parametrize(
    "text",
    [
        "2024-04-30 14:33:19", "2024/04/30 14:33:19", "2024-04-30T14:33:19", "04/30/2024 14:33:19",
        "30/04/2024 14:33:19", "30.04.2024 14:33:19", "4/30/2024 2:33:19 PM", "Apr 30, 2024 14:33:19",
    ],
)  # fmt: skip
def test_date(text: str) -> None:
    seconds, is_ambiguous = unix_times([text, text])
    assert seconds.tolist() == [1714487599.0] * 2
    assert not is_ambiguous


def test_dates_of_excel_and_fractions() -> None:
    cells = [datetime(2024, 4, 30, 14, 33, 19, 250_000), datetime(2024, 4, 30, 14, 33, 20)]
    assert unix_times(cells)[0] == pytest.approx([1714487599.25, 1714487600.0])
    assert unix_times([date(2024, 4, 30)])[0] == pytest.approx([1714487599 - 52399])
    assert unix_times(["2024-04-30 14:33:19.125"])[0] == pytest.approx([1714487599.125], abs=1e-6)


def test_order_of_day_and_month_is_that_in_which_time_runs_on() -> None:
    # The ninth, tenth and eleventh of December: as month/day the test would last two months.
    days = ["09/12/2023 10:00:00", "10/12/2023 10:00:00", "11/12/2023 10:00:00"]
    seconds, is_ambiguous = unix_times(days)
    assert np.diff(seconds).tolist() == [86400, 86400]
    assert iso_of(seconds[0]) == "2023-12-09T10:00:00"
    assert not is_ambiguous


def test_a_day_that_may_be_a_month_is_told() -> None:
    seconds, is_ambiguous = unix_times(["03/04/2024 10:00:00", "03/04/2024 11:00:00"])
    assert iso_of(seconds[0]) == "2024-03-04T10:00:00"
    assert is_ambiguous
    assert iso_of(unix_times(["03/04/2024 10:00:00"], "dmy")[0][0]) == "2024-04-03T10:00:00"


def test_date_with_words_is_no_date() -> None:
    with pytest.raises(BadTime):
        unix_times(["2024-04-30 14:33:19", "later"])


def test_what_a_text_looks_like() -> None:
    assert looks_like_clock("0:00:00.000")
    assert looks_like_clock("4-00:02:13")
    assert not looks_like_clock("2024-04-30 14:33:19")
    assert looks_like_date("30/04/2024 14:33")
    assert not looks_like_date("0:00:01")


def test_many_times_are_read_as_one_by_one() -> None:
    seconds = np.arange(0, 400_000, 37.125)
    texts = [f"{int(t // 3600)}:{int(t // 60 % 60):02d}:{t % 60:06.3f}" for t in seconds]
    assert durations_s(texts) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize("unix_time_s", [np.nan, np.inf, 1e15, -1e15])
def test_what_names_no_time_has_none(unix_time_s: float) -> None:
    assert iso_of(unix_time_s) is None

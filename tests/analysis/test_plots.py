"""Tables and CSV of figures, and which numbers a figure has, whichever module draws it."""

import numpy as np
import pandas as pd
import pytest

from analysis.plots import ROWS_AT_ONCE, cell_text, columns, csv_parts, csv_text
from tests.analysis.figures.test_arrhenius import line
from tests.analysis.figures.test_impedance import arc


def test_every_figure_gives_its_numbers_as_columns_of_one_length():
    for name, curves in (("nyquist", arc()), ("bode", arc()), ("residuals", arc()), ("arrhenius", line())):
        lengths = {len(values) for values in columns(name, curves).values()}
        assert len(lengths) == 1, name


def test_csv_says_where_it_comes_from_and_keeps_all_digits():
    text = csv_text({"frequency_Hz": [0.1 + 0.2], "is_used": [True], "gap": [None]}, ["MEA-00001", "run 3"])
    assert text.splitlines() == ["# MEA-00001", "# run 3", "frequency_Hz,is_used,gap", f"{0.1 + 0.2!r},True,"]


def test_a_long_csv_comes_in_pieces_and_is_the_same():
    rows = np.arange(ROWS_AT_ONCE + 7)
    current = np.where(rows == 3, np.nan, rows / 7.0)
    frame = pd.DataFrame({"time_s": rows * 0.1, "current_A": current, "cycle_number": rows // 100})
    parts = list(csv_parts(frame, ["MEA-00001", "run 3"]))
    assert len(parts) == 3
    whole = {
        "time_s": frame["time_s"].tolist(),
        "current_A": [None if value != value else value for value in current.tolist()],
        "cycle_number": frame["cycle_number"].tolist(),
    }
    assert "".join(parts) == csv_text(whole, ["MEA-00001", "run 3"])
    assert "".join(csv_parts(frame.head(0), [])) == "time_s,current_A,cycle_number\n"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (-56.575291, "−56.575"), (1.0e-8, "1.0000 × 10⁻⁸"), (None, "—"), (True, "yes")]
)
def test_cells_of_tables_have_a_true_minus_and_no_long_zeros(value, text):
    assert cell_text(value) == text

"""Ticks and words of figures, against what people would write by hand."""

from analysis.figures.parts import log_ticks, markup, power_text


def test_ticks_of_a_narrow_logarithmic_axis_are_1_2_5():
    values, texts = log_ticks(2e-4, 2e-3)
    assert {2e-4, 5e-4, 1e-3, 2e-3} <= {round(value, 12) for value in values}
    assert "2×10⁻⁴" in texts
    assert "10⁻³" in texts
    assert power_text(1000.0) == "10³"


def test_ticks_of_a_narrow_axis_of_plain_sizes_have_no_powers():
    _, texts = log_ticks(0.1, 1.0)
    assert {"0.1", "0.2", "0.5", "1"} <= set(texts)
    assert "700" in log_ticks(350.0, 800.0)[1]


def test_ticks_of_a_wide_logarithmic_axis_are_decades():
    assert all(not text.startswith(("2", "5")) for text in log_ticks(0.01, 1e6)[1])


def test_symbols_are_lowered_and_cannot_carry_markup():
    assert markup("R_b + R_gb") == "R<sub>b</sub> + R<sub>gb</sub>"
    assert "<script" not in markup("<script>")

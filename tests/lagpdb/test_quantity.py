"""The quantity input: the examples of the product specification word for word, refusals, and round trips."""

import contextlib
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lagpdb import units
from lagpdb.quantity import Bounds, QuantityError, parse_quantity

# product.md section 6, "Quantity input", and what else the brief of the component lists.
ACCEPTED = [
    ("0,5", "mg", 0.5, None, "=", "= 0.5 mg"),
    ("0.5", "mg", 0.5, None, "=", "= 0.5 mg"),
    ("5e-4", "S_cm", 5e-4, None, "=", "= 5 × 10⁻⁴ S cm⁻¹"),
    ("5×10⁻⁴", "S_cm", 5e-4, None, "=", "= 5 × 10⁻⁴ S cm⁻¹"),
    ("5*10^-4", "S_cm", 5e-4, None, "=", "= 5 × 10⁻⁴ S cm⁻¹"),
    ("5 x 10-4", "S_cm", 5e-4, None, "=", "= 5 × 10⁻⁴ S cm⁻¹"),
    ("10⁻⁴", "Pa", 1e-4, None, "=", "= 1 × 10⁻⁴ Pa"),
    ("801±3", "um", 801, 3, "=", "= 801 ± 3 µm"),
    ("801 +/- 3", "um", 801, 3, "=", "= 801 ± 3 µm"),
    ("801(3)", "um", 801, 3, "=", "= 801 ± 3 µm"),
    ("0.801(3) mm", "um", 801, 3, "=", "= 801 ± 3 µm"),
    ("0.8 mm", "um", 800, None, "=", "= 800 µm"),
    ("0,8mm", "um", 800, None, "=", "= 800 µm"),
    ("0.8 mm ± 10 µm", "um", 800, 10, "=", "= 800 ± 10 µm"),
    ("< 1e-4", "Pa", 1e-4, None, "<", "< 1 × 10⁻⁴ Pa"),
    ("≥0.6", "mA_cm2", 0.6, None, ">=", "≥ 0.6 mA cm⁻²"),
    ("<= 0.6", "mA_cm2", 0.6, None, "<=", "≤ 0.6 mA cm⁻²"),
    ("=12", "min", 12, None, "=", "= 12 min"),
    ("− 5", "degC", -5, None, "=", "= −5 °C"),
    ("298.15 K", "degC", 25, None, "=", "= 25 °C"),
    ("25 °C ± 1 K", "degC", 25, 1, "=", "= 25 ± 1 °C"),
    ("1 mTorr", "Pa", 101.325 / 760, None, "=", "= 0.1333223684 Pa"),
    ("94.5 %", "fraction", 0.945, None, "=", "= 94.5 %"),
    ("0.8", "fraction", 0.8, None, "=", "= 80 %"),
    ("0.1 mA/cm2", "mA_cm2", 0.1, None, "=", "= 0.1 mA cm⁻²"),
    ("(2.49 ± 0.03) × 10⁻⁴ S cm⁻¹", "S_cm", 2.49e-4, 3e-6, "=", "= (2.49 ± 0.03) × 10⁻⁴ S cm⁻¹"),
]


@pytest.mark.parametrize(("text", "suffix", "value", "uncertainty", "limit", "echo"), ACCEPTED)
def test_accepted(text, suffix, value, uncertainty, limit, echo):
    found = parse_quantity(text, suffix)
    assert found.value == pytest.approx(value, rel=1e-15)
    assert found.uncertainty == (None if uncertainty is None else pytest.approx(uncertainty, rel=1e-15))
    assert (found.limit, found.n, found.echo) == (limit, 1, echo)
    assert found.readings == (found.value,)


@pytest.mark.parametrize(
    "text",
    [
        "801 803 799",
        "801; 803; 799",
        "801\n803\n799",
        "801;803;799 µm",
        "0,801 0,803 0,799 mm",
        "801 µm; 803 µm; 799 µm",
    ],
)
def test_readings_give_mean_and_standard_deviation(text):
    found = parse_quantity(text, "um")
    assert found.readings == (801, 803, 799)
    assert (found.value, found.uncertainty, found.limit, found.n) == (801, 2, "=", 3)  # sd = sqrt((0+4+4)/2)
    assert found.echo == "mean 801 ± 2 µm, n = 3"


def test_equal_readings_have_no_spread():
    found = parse_quantity("801 801", "um")
    assert (found.value, found.uncertainty, found.n, found.echo) == (801, None, 2, "mean 801 µm, n = 2")


def test_suffix_may_be_a_name():
    assert parse_quantity("0.8 mm", "thickness_um").value == parse_quantity("0.8 mm", "_um").value == 800
    with pytest.raises(ValueError, match="no known unit suffix"):
        parse_quantity("1", "notation")


REFUSED = [
    ("1.000,5", "mg", "1.000,5: write 1000.5"),  # product.md word for word
    ("1,000.5", "mg", "1,000.5: write 1000.5"),
    ("1,000,000", "mg", "1,000,000: write 1000000, or 1; 000; 000 for readings"),
    ("801,803,799", "um", "801,803,799: write 801803799, or 801; 803; 799 for readings"),
    ("12\u202f345", "um", "12\u202f345: write 12345"),
    ("12'345.6", "um", "12'345.6: write 12345.6"),
    ("12 345", "um", "12 345: write 12345, or 12; 345 for readings"),
    ("0.8 kg", "um", "‘0.8 kg’ is not a length: kg cannot be turned into µm. Write it in µm, mm or cm."),
    ("3 h", "degC", "‘3 h’ is not a temperature: h cannot be turned into °C. Write it in °C or K."),
    ("5 mm", "count", "‘5 mm’ is not a count. Write it without a unit."),
    ("0.8 foo", "um", "‘0.8 foo’: the unit foo is not known. Write it in µm, mm or cm."),
    ("801, 803", "um", "‘801, 803’: separate readings by semicolons, the comma is a decimal mark."),
    ("5-10", "min", "‘5-10’ is a range. Write a value with ±, or the readings separated by semicolons."),
    ("5 -10", "min", "‘5 -10’ may be a range or readings. Separate readings by semicolons."),
    ("nan", "um", "‘nan’ is not a number that can be stored. Leave the field empty if it is unknown."),
    ("-inf", "um", "‘-inf’ is not a number that can be stored. Leave the field empty if it is unknown."),
    ("1e999999999", "um", "‘e999999999’ is beyond any quantity measured here. Check the exponent."),
    ("801 ± 0", "um", "‘801 ± 0’: an uncertainty is above 0. Leave it out if it is not known."),
    ("< 5 ± 1", "um", "‘< 5 ± 1’: a limit is one number, without ± and without readings."),
    ("801±3; 803±3", "um", "Readings have no ± of their own. Write either the readings, or one value with ±."),
    ("", "um", "Nothing was entered."),
    ("thick", "um", "‘thick’ is not a number. Write for example 0.5, 5e-4 or 801 ± 3."),
    ("801 + 3", "um", "‘801 + 3’ is not a number. Write for example 0.5, 5e-4 or 801 ± 3."),
    ("5×104", "um", "‘5×104’ is not a number. Write for example 0.5, 5e-4 or 801 ± 3."),
]


@pytest.mark.parametrize(("text", "suffix", "sentence"), REFUSED)
def test_refused_with_a_sentence(text, suffix, sentence):
    with pytest.raises(QuantityError) as refusal:
        parse_quantity(text, suffix)
    assert refusal.value.sentence == sentence


def test_limits_and_readings_can_be_forbidden():
    with pytest.raises(QuantityError, match="is a limit"):
        parse_quantity("< 5", "um", allow_limit=False)
    with pytest.raises(QuantityError, match="is 3 numbers"):
        parse_quantity("801 803 799", "um", allow_readings=False)


@given(st.floats(1e-200, 1e200) | st.floats(-1e200, -1e-200), st.sampled_from(["um", "Pa", "S_cm", "degC"]))
def test_what_is_copied_can_be_typed(value, suffix):
    assert parse_quantity(units.copy_value(value), suffix).value == value


@given(st.floats(1e-200, 1e200), st.sampled_from(["ohm", "S_cm", "mA_cm2", "nm_min", "fraction"]))
def test_an_echo_can_be_typed(value, suffix):
    """Decimal commas, typographic powers, units: what the echo shows is understood as the same number."""
    value = float(f"{value:.6g}")
    echo = parse_quantity(units.copy_value(value).replace(".", ","), suffix).echo.replace(units.THIN_SPACE, "")
    assert parse_quantity(echo, suffix).value == pytest.approx(value, rel=1e-12)


@given(st.lists(st.integers(500, 999), min_size=2, max_size=12), st.sampled_from([" ", "; ", "\n", ";"]))
def test_readings_round_trip(readings, separator):
    found = parse_quantity(separator.join(map(str, readings)), "um")
    assert found.readings == tuple(readings)
    assert found.n == len(readings)
    assert found.value == pytest.approx(sum(readings) / len(readings))


@given(st.text(alphabet="0123456789.,eE+-±×·^⁻⁴ \t\n;<>=()µm%/xkg'\u202f", max_size=60))
def test_any_text_gives_a_quantity_or_a_sentence(text):
    try:
        found = parse_quantity(text, "um")
    except QuantityError as refusal:
        sentence, found = refusal.sentence, None
    assert found is not None or sentence
    assert found is None or (math.isfinite(found.value) and found.n == len(found.readings) >= 1)


@pytest.mark.parametrize(
    "text", ["9" * 999, "a" * 999, "1 " * 499, "µm " * 333, "1 " + "m " * 499, "(" * 999, "1e+" * 333]
)
def test_hostile_text_is_answered_quickly(text):
    start = time.perf_counter()
    with contextlib.suppress(QuantityError):
        parse_quantity(text, "um")
    assert time.perf_counter() - start < 1
    with pytest.raises(QuantityError, match="longer than"):
        parse_quantity(text + text, "um")


THICKNESS = Bounds(500, 1200, 50, 5000, suffix="um", zero_allowed=False)  # product.md section 6, pellet batch


@pytest.mark.parametrize(
    ("bounds", "value", "level", "sentence"),
    [
        (THICKNESS, 801, "ok", ""),
        (THICKNESS, 500, "ok", ""),
        (THICKNESS, 8010, "impossible", "8010 µm is 8.0 mm. Did you mean 801?"),  # product.md J2, word for word
        (THICKNESS, 0.8, "impossible", "0.8 µm is 800 nm. Did you mean 800?"),
        (
            THICKNESS,
            1500,
            "unusual",
            "1500 µm is above what is usual (1200 µm). Check it; it can be saved with a note.",
        ),
        (
            THICKNESS,
            40,
            "impossible",
            "40 µm is below what is possible here (50 µm). Check the value and its unit; this row is not saved.",
        ),
        (
            Bounds(200, 1000, 0, suffix="mg", zero_allowed=False),
            0,
            "impossible",
            "0 mg is not possible here. Check the value and its unit; this row is not saved.",
        ),
        (
            Bounds(unusual_high=1, suffix="ppm"),
            3,
            "unusual",
            "3 ppm is above what is usual (1 ppm). Check it; it can be saved with a note.",
        ),
        (
            Bounds(20, 200, suffix="W"),
            250,  # 25 W is usual too, but 250 W is an unusual run, not a slip
            "unusual",
            "250 W is above what is usual (200 W). Check it; it can be saved with a note.",
        ),
        (
            Bounds(0.8, 1, None, 1.1, suffix="fraction"),
            94.5,
            "impossible",
            "9450 % is far from the usual 80 % to 100 %. Did you mean 94.5 %?",
        ),
        (
            Bounds(700, 1000, None, 1400, suffix="degC"),
            9000,
            "impossible",
            "9000 °C is far from the usual 700 °C to 1000 °C. Did you mean 900?",
        ),
        (Bounds(), -1e9, "ok", ""),
        (Bounds(), float("nan"), "impossible", "This is not a number. Check the value."),
    ],
)
def test_bounds(bounds, value, level, sentence):
    assert bounds.judge(value) == (level, sentence)


def test_suggestion_for_the_button():
    assert THICKNESS.suggestion(8010) == 801
    assert THICKNESS.suggestion(1500) is None

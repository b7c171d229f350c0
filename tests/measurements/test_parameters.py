"""What people may say beside a file: known names, sound values, one sentence for each that is not."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from measurements.parameters import check_parameters

NUMBERS = ["voltage_limit_V", "step_time_h", "polarisation_voltage_V", "active_mass_mg", "electrode_area_cm2"]


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        (None, {}),
        ({}, {}),
        *[({name: 0.5}, {name: 0.5}) for name in NUMBERS],
        ({"step_time_h": 1}, {"step_time_h": 1.0}),
        ({"formation_cycles": 3, "reference_cycle": 4.0}, {"formation_cycles": 3, "reference_cycle": 4}),
        ({"formation_cycles": 0}, {"formation_cycles": 0}),
        ({"circuit": "B"}, {"circuit": "B"}),
        ({"fit_range_Hz": [1e6, 0.1]}, {"fit_range_Hz": [0.1, 1e6]}),
        ({"fit_range_Hz": (1, 2)}, {"fit_range_Hz": [1.0, 2.0]}),
        ({"masked_points": [3, 1, 3]}, {"masked_points": [1, 3]}),
        ({"masked_points": []}, {"masked_points": []}),
        ({"measured_at": "2026-03-11T14:10"}, {"measured_at": "2026-03-11T14:10:00+00:00"}),
        ({"measured_at": "2026-03-11T14:10+02:00"}, {"measured_at": "2026-03-11T14:10:00+02:00"}),
        ({"circuit": None, "step_time_h": ""}, {}),
    ],
)
def test_accepts(given, checked):
    assert check_parameters(given) == checked


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"colour": "red"}, "‘colour’ is not a parameter. Known: active_mass_mg, circuit,"),
        ({"step_time_h": "1"}, "step_time_h must be a number above 0, not ‘1’."),
        ({"step_time_h": 0}, "step_time_h must be a number above 0, not ‘0’."),
        ({"step_time_h": True}, "step_time_h must be a number above 0, not ‘True’."),
        ({"reference_cycle": 0}, "reference_cycle must be a number above 0, not ‘0’."),
        ({"formation_cycles": False}, "formation_cycles must be a number above 0, not ‘False’."),
        ({"active_mass_mg": float("nan")}, "active_mass_mg must be a number above 0, not ‘nan’."),
        ({"active_mass_mg": float("inf")}, "active_mass_mg must be a number above 0, not ‘inf’."),
        ({"formation_cycles": 2.5}, "formation_cycles counts cycles: give a whole number, not ‘2.5’."),
        ({"circuit": "Z"}, "circuit must be one of A, B, C, D, E, F, not ‘Z’."),
        ({"circuit": ["A"]}, "circuit must be one of A, B, C, D, E, F, not ‘['A']’."),
        ({"fit_range_Hz": [1]}, "fit_range_Hz must be two frequencies, such as [0.1, 1e6], not ‘[1]’."),
        ({"fit_range_Hz": "1-2"}, "fit_range_Hz must be two frequencies"),
        ({"fit_range_Hz": [True, 5]}, "fit_range_Hz must be two frequencies"),
        ({"fit_range_Hz": [1, 1]}, "fit_range_Hz needs a lower and a higher frequency, both above 0."),
        ({"fit_range_Hz": [-1, 1]}, "fit_range_Hz needs a lower and a higher frequency, both above 0."),
        ({"fit_range_Hz": [0, 1]}, "fit_range_Hz needs a lower and a higher frequency, both above 0."),
        ({"fit_range_Hz": [1, float("inf")]}, "fit_range_Hz needs a lower and a higher frequency, both above 0."),
        ({"fit_range_Hz": [float("nan"), 1]}, "fit_range_Hz needs a lower and a higher frequency, both above 0."),
        ({"masked_points": [1, -1]}, "masked_points must be a list of row numbers counted from 0, not ‘[1, -1]’."),
        ({"masked_points": [True]}, "masked_points must be a list of row numbers counted from 0"),
        ({"measured_at": "yesterday"}, "measured_at must be ISO 8601, such as 2026-03-11T14:10, not ‘yesterday’."),
        ({"measured_at": "2026-02-30T10:00"}, "measured_at must be ISO 8601"),
        ({"measured_at": 5}, "measured_at must be ISO 8601"),
    ],
)
def test_refuses(given, sentence):
    with pytest.raises(ValidationError) as caught:
        check_parameters(given)
    assert caught.value.message_dict[next(iter(given))][0].startswith(sentence)


def test_every_broken_one_has_its_own_sentence():
    with pytest.raises(ValidationError) as caught:
        check_parameters({"colour": 1, "circuit": "Z", "step_time_h": 1})
    assert set(caught.value.message_dict) == {"colour", "circuit"}


def test_times_without_zone_are_in_the_zone_of_the_instruments(monkeypatch):
    monkeypatch.setattr("django.conf.settings.INSTRUMENT_TIME_ZONE", "Asia/Shanghai")
    assert check_parameters({"measured_at": "2026-03-11T14:10"}) == {"measured_at": "2026-03-11T14:10:00+08:00"}


NAMES = [*NUMBERS, "formation_cycles", "circuit", "fit_range_Hz", "masked_points", "measured_at", "else"]


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(NAMES),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
            max_leaves=5,
        ),
    )
)
def test_anything_is_checked_or_refused_in_words(given):
    try:
        checked = check_parameters(given)
    except ValidationError:
        return
    assert set(checked) <= set(given)
    assert check_parameters(checked) == checked

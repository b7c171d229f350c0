"""Dates, temperatures and geometry as heads of files write them."""

import pytest

from measurements.readers.facts import header_facts, moment, stated_temperature_degC, title_temperature_degC


@pytest.mark.parametrize(
    ("text", "iso", "is_ambiguous"),
    [
        ("05/15/2025 01:18:45.867", "2025-05-15T01:18:45.867000", False),
        ("15/05/2025 01:18", "2025-05-15T01:18:00", False),
        ("5/11/2016 17:47:03", "2016-05-11T17:47:03", True),
        ("5/5/2016", "2016-05-05T00:00:00", False),
        ("1.12.2020, 14:42", "2020-12-01T14:42:00", False),
        ("Feb. 20, 2020   15:55:08", "2020-02-20T15:55:08", False),
        ("Thursday, July 19, 2018 9:40:30 PM", "2018-07-19T21:40:30", False),
        ("12/16/2025 12:05:00 AM", "2025-12-16T00:05:00", False),
        ("2024-03-01T09:00:00", "2024-03-01T09:00:00", False),
    ],
)
def test_moment(text: str, iso: str, is_ambiguous: bool) -> None:
    found = moment(text)
    assert found is not None
    assert (found.iso, found.is_ambiguous) == (iso, is_ambiguous)


@pytest.mark.parametrize("text", ["", "31.02.2020", "99/99/2020", "no date 12:30", "Foo 12, 2020"])
def test_no_moment(text: str) -> None:
    assert moment(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Temp. [°C]=-12.5", -12.5),
        ("Temperature: 298.15 K", 25.0),
        ("T = −10 °C", -10.0),
        ("T (K): 300", 26.85),
        ("温度: 25 ℃", 25.0),
        ("Temperature 300", None),
        ("T = 5 s", None),
        ("Test 25", None),
    ],
)
def test_stated_temperature(text: str, expected: float | None) -> None:
    assert stated_temperature_degC(text) == (None if expected is None else pytest.approx(expected))


def test_title_temperature() -> None:
    assert title_temperature_degC("s04147-140deg") == 140
    assert title_temperature_degC("pellet_-25degC") == -25
    assert title_temperature_degC("pellet 7") is None


def test_geometry() -> None:
    facts = header_facts(["Thickness (mm): 1,2", "Diameter = 1.0 cm", "Area: 78.5 mm^2", "diameter 5"])
    assert facts == {"thickness_um": 1200.0, "diameter_mm": 10.0, "electrode_area_cm2": 0.785}

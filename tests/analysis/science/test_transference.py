"""The transference number: closed forms, which spectrum is which, what is waited for, and what a person may replace."""

import numpy as np
import pandas as pd
import pytest

from analysis.science.base import Subject
from analysis.science.transference import Transference, lithium_transference_number

CELL = Subject("cell", "CEL-0098", "symmetric")
ELECTROLYTE, BEFORE, AFTER, VOLTAGE, TRUTH = 400.0, 340.0, 380.0, 0.01, 0.85
INITIAL = VOLTAGE / (ELECTROLYTE + BEFORE)
STEADY = TRUTH * VOLTAGE / (ELECTROLYTE + TRUTH * AFTER)  # the exact inversion
TIMES = {"before": "2026-03-01T10:00Z", "hold": "2026-03-01T12:00Z", "after": "2026-03-01T20:00Z"}


def rows(role, code, order, name="", at=True, value=None, flag="ok"):
    """What one measurement gives."""
    found = {
        "before": [("electrolyte_resistance_ohm", ELECTROLYTE, 0.4), ("cell_interfacial_resistance_ohm", BEFORE, 0.4)],
        "after": [("electrolyte_resistance_ohm", ELECTROLYTE, 0.4), ("cell_interfacial_resistance_ohm", AFTER, 0.4)],
        "hold": [
            ("initial_current_A", INITIAL, 1e-8),
            ("steady_state_current_A", STEADY if value is None else value, 1e-9),
            ("polarisation_voltage_V", VOLTAGE, None),
        ],
    }[role]
    return [
        {
            "result_id": 10 * order + place, "quantity": quantity, "value": number, "uncertainty": spread, "label": "",
            "measurement": code, "measured_at": TIMES[role] if at else None, "file_name": name, "uploaded_order": order,
            "flag": flag if quantity == "steady_state_current_A" else "ok", "acceptance": "accepted",
        }
        for place, (quantity, number, spread) in enumerate(found)
    ]  # fmt: skip


def numbers(*parts):
    return pd.DataFrame([row for part in parts for row in part])


def complete(**more):
    return numbers(
        rows("before", "MEA-00001", 1, **more),
        rows("hold", "MEA-00002", 2, **more),
        rows("after", "MEA-00003", 3, **more),
    )


def run(frame, **parameters):
    outcome = Transference().run(frame, CELL, parameters)
    return outcome.findings[0], outcome


def said(outcome, code):
    return next(text for found, text in outcome.warnings if found == code)


def test_closed_form_and_its_inversion():
    assert lithium_transference_number(VOLTAGE, INITIAL, STEADY, BEFORE, AFTER) == pytest.approx(TRUTH)
    # Without interfaces it is the ratio of the currents.
    assert lithium_transference_number(0.01, 2e-5, 1e-5, 0.0, 0.0) == pytest.approx(0.5)
    # With I₀ = ΔV/(R_e + R₀), R₀ cancels: t = I_s R_e/(ΔV − I_s R_s).
    assert pytest.approx(TRUTH) == STEADY * ELECTROLYTE / (VOLTAGE - STEADY * AFTER)


def test_three_measurements_are_linked_by_time_whatever_their_order():
    shuffled = numbers(rows("after", "MEA-00001", 1), rows("hold", "MEA-00002", 2), rows("before", "MEA-00003", 3))
    found, outcome = run(shuffled)
    assert found.value == pytest.approx(TRUTH)
    assert found.flag == "ok"
    assert outcome.inputs["measurement_before"] == {
        "value": "MEA-00003", "uncertainty": None, "origin": "time of measurement",
    }  # fmt: skip
    assert "roles_assumed" not in {code for code, _ in outcome.warnings}
    assert len(outcome.used) == 5  # R_e, R₀, I_s, ΔV, R_s; the sampled I₀ only stands beside


def test_the_nearest_spectra_of_an_ageing_series_are_taken():
    early = [row | {"measurement": "MEA-00009", "measured_at": "2026-02-01T10:00Z", "value": 9.0}
             for row in rows("before", "MEA-00009", 9)]  # fmt: skip
    late = [row | {"measurement": "MEA-00010", "measured_at": "2026-05-01T10:00Z", "value": 9000.0}
            for row in rows("after", "MEA-00010", 10)]  # fmt: skip
    found, _ = run(pd.concat([numbers(early, late), complete()], ignore_index=True))
    assert found.value == pytest.approx(TRUTH)


@pytest.mark.parametrize(
    "names", [("cell_EIS_after.csv", "cell_CA.csv", "cell_EIS_before.csv"), ("final.csv", "ca.csv", "initial.csv")]
)
def test_without_times_the_words_of_the_names_decide_and_are_called_assumed(names):
    parts = [rows(role, f"MEA-0000{k}", k, name, at=False)
             for k, (role, name) in enumerate(zip(("after", "hold", "before"), names, strict=True), 1)]  # fmt: skip
    found, outcome = run(numbers(*parts))
    assert found.value == pytest.approx(TRUTH)
    assert outcome.inputs["measurement_before"]["origin"] == "assumed"
    assert "are assumed from the names" in said(outcome, "roles_assumed")


@pytest.mark.parametrize(
    "order", [("before", "hold", "after"), ("before", "after", "hold"), ("hold", "before", "after")]
)
def test_without_times_and_words_the_order_of_upload_decides(order):
    parts = [rows(role, f"MEA-0000{k}", k, at=False) for k, role in enumerate(order, 1)]
    found, outcome = run(numbers(*parts))
    assert found.value == pytest.approx(TRUTH)
    assert outcome.inputs["measurement_after"]["origin"] == "assumed"


def at_degC(celsius, *parts):
    """The numbers of a measurement with its temperature."""
    return [row | {"temperature_degC": celsius} for part in parts for row in part]


def hot(role, code, order, time):
    """A spectrum of the same cell when warm: a quarter of the resistances."""
    return [row | {"value": row["value"] / 4.0, "measured_at": time} for row in rows(role, code, order)]


def test_a_spectrum_at_another_temperature_is_no_spectrum_before_or_after():
    """Nearer in time, but at 60 °C, where resistances of 0.37 eV are a quarter: t would be 0.2."""
    frame = numbers(
        at_degC(25.0, rows("before", "MEA-00001", 1), rows("hold", "MEA-00002", 2)),
        at_degC(22.0, rows("after", "MEA-00003", 3)),  # a room that drifts is one temperature
        at_degC(60.0, hot("before", "MEA-00004", 4, "2026-03-01T11:30Z")),
        at_degC(60.0, hot("after", "MEA-00005", 5, "2026-03-01T19:00Z")),
    )
    found, outcome = run(frame)
    assert found.value == pytest.approx(TRUTH)
    assert (found.flag, found.temperature_degC) == ("ok", 25.0)
    assert outcome.inputs["measurement_before"]["value"] == "MEA-00001"
    assert outcome.inputs["measurement_after"]["value"] == "MEA-00003"
    sentence = "MEA-00004 was measured at 60 °C, the polarisation at 25 °C. It was not taken."
    assert said(outcome, "other_temperature") == sentence


def test_where_only_another_temperature_is_there_the_right_one_is_waited_for():
    parts = [at_degC(25.0, rows("hold", "MEA-00002", 2), rows("after", "MEA-00003", 3)),
             at_degC(60.0, hot("before", "MEA-00001", 1, TIMES["before"]))]  # fmt: skip
    found, outcome = run(numbers(*parts))
    assert (found.value, found.flag) == (None, "missing")
    assert said(outcome, "waiting") == "Waiting for the EIS before polarisation at 25 °C. Upload it, or pick one."
    found, outcome = run(numbers(*parts), eis_before="MEA-00001")  # a person's word counts, and what it does is said
    assert found.value == pytest.approx(STEADY * ELECTROLYTE / 4.0 / (VOLTAGE - STEADY * AFTER))
    assert "A person picked it" in said(outcome, "other_temperature")


@pytest.mark.parametrize("unknown", ["before", "hold", "after"])
def test_a_temperature_that_nobody_knows_leaves_no_spectrum_out(unknown):
    parts = [
        at_degC(None if role == unknown else 60.0, rows(role, f"MEA-0000{k}", k))
        for k, role in enumerate(("before", "hold", "after"), 1)
    ]
    found, outcome = run(numbers(*parts))
    assert found.value == pytest.approx(TRUTH)
    assert "other_temperature" not in {code for code, _ in outcome.warnings}


@pytest.mark.parametrize("unknown", ["before", "hold", "after"])
def test_an_assumed_temperature_leaves_no_spectrum_out(unknown):
    parts = []
    for k, role in enumerate(("before", "hold", "after"), 1):
        of_role = at_degC(25.0 if role == unknown else 60.0, rows(role, f"MEA-0000{k}", k))
        parts.append([row | {"is_temperature_assumed": role == unknown} for row in of_role])
    found, outcome = run(numbers(*parts))
    assert found.value == pytest.approx(TRUTH)
    assert "other_temperature" not in {code for code, _ in outcome.warnings}


def test_a_transference_number_carries_the_temperature_that_was_assumed_and_says_so():
    of_role = [at_degC(25.0, rows(role, f"MEA-0000{k}", k)) for k, role in enumerate(("before", "hold", "after"), 1)]
    found, outcome = run(numbers(*([row | {"is_temperature_assumed": True} for row in part] for part in of_role)))
    assert (found.flag, found.temperature_degC) == ("ok", 25.0)
    assert said(outcome, "temperature_missing") == "The temperature of the polarisation is not known. 25 °C is assumed."


def test_what_lacks_is_waited_for():
    before, hold, after = rows("before", "MEA-1", 1), rows("hold", "MEA-2", 2), rows("after", "MEA-3", 3)
    for parts, sentence in (
        ((before, hold), "Waiting for the EIS after polarisation. Upload it, or pick one."),
        ((hold, after), "Waiting for the EIS before polarisation. Upload it, or pick one."),
        ((before, after), "Waiting for the polarisation. Upload it, or enter its currents and voltage."),
    ):
        found, outcome = run(numbers(*parts))
        assert (found.value, found.flag) == (None, "missing")
        assert said(outcome, "waiting") == sentence


def test_every_input_can_be_replaced():
    found, outcome = run(
        complete(), initial_current_A=2e-5, steady_state_current_A=1e-5, initial_resistance_ohm=100.0,
        steady_state_resistance_ohm=120.0, polarisation_voltage_V=0.02,
    )  # fmt: skip
    truth = 1e-5 * (0.02 - 2e-5 * 100.0) / (2e-5 * (0.02 - 1e-5 * 120.0))
    assert found.value == pytest.approx(truth)
    for name in ("initial_current_A", "steady_state_current_A", "initial_resistance_ohm", "polarisation_voltage_V"):
        assert outcome.inputs[name]["origin"] == "person"


def test_a_spectrum_can_be_picked():
    other = [row | {"measurement": "MEA-00007"} for row in rows("after", "MEA-00007", 7)]
    other = [row | ({"value": 500.0} if row["quantity"].startswith("cell") else {}) for row in other]
    frame = pd.concat([complete(), numbers(other)], ignore_index=True)
    found, outcome = run(frame, eis_after="MEA-00007")
    assert found.value == pytest.approx(STEADY * ELECTROLYTE / (VOLTAGE - STEADY * 500.0))
    assert outcome.inputs["measurement_after"] == {"value": "MEA-00007", "uncertainty": None, "origin": "person"}


def twice_polarised():
    """Two complete sets of one cell, the later one with half the current."""
    later = [
        row | {"measurement": code, "measured_at": row["measured_at"].replace("03-01", "03-02")}
        for role, code in (("before", "MEA-00004"), ("hold", "MEA-00005"), ("after", "MEA-00006"))
        for row in rows(role, code, int(code[-1]), value=STEADY / 2 if role == "hold" else None)
    ]
    return pd.concat([complete(), numbers(later)], ignore_index=True)


def test_of_several_polarisations_the_latest_counts_unless_a_person_says_which():
    half = lithium_transference_number(VOLTAGE, INITIAL, STEADY / 2, BEFORE, AFTER)
    found, _ = run(twice_polarised())
    assert found.value == pytest.approx(half)
    found, outcome = run(twice_polarised(), beside={"MEA-00002": {"counts_for_transference": True}, "MEA-00005": {}})
    assert found.value == pytest.approx(TRUTH)
    assert outcome.inputs["measurement_polarisation"] == {"value": "MEA-00002", "uncertainty": None, "origin": "person"}
    said_of_both = {code: {"counts_for_transference": True} for code in ("MEA-00002", "MEA-00005")}
    assert run(twice_polarised(), beside=said_of_both)[0].value == pytest.approx(half)  # the newest word


def test_what_was_given_with_one_polarisation_does_not_bend_another():
    """R_s of the first, entered by hand, must not enter the second."""
    given = {"steady_state_resistance_ohm": 9000.0, "eis_after": "MEA-00001"}
    found, outcome = run(twice_polarised(), beside={"MEA-00002": given})
    assert found.value == pytest.approx(lithium_transference_number(VOLTAGE, INITIAL, STEADY / 2, BEFORE, AFTER))
    assert "person" not in {entry.get("origin") for entry in outcome.inputs.values()}
    _, outcome = run(twice_polarised(), beside={"MEA-00002": given | {"counts_for_transference": True}})
    assert outcome.inputs["steady_state_resistance_ohm"]["value"] == 9000.0
    assert outcome.inputs["measurement_after"]["value"] == "MEA-00001"


def test_a_polarisation_whose_numbers_were_rejected_cannot_count():
    word = {"MEA-00009": {"counts_for_transference": True}}
    assert run(complete(), beside=word)[0].value == pytest.approx(TRUTH)


def test_the_uncertainty_follows_from_the_sensitivities():
    # R₀ cancels; to first order u²/t² = u²(R_e)/R_e² + (I_s R_s/(ΔV − I_s R_s))² u²(R_s)/R_s² + (ΔV/(…))² u²(I_s)/I_s².
    bottom = VOLTAGE - STEADY * AFTER
    truth = TRUTH * np.sqrt(
        (0.4 / ELECTROLYTE) ** 2
        + (STEADY * AFTER / bottom * 0.4 / AFTER) ** 2
        + (VOLTAGE / bottom * 1e-9 / STEADY) ** 2
    )
    found, _ = run(complete())
    assert found.uncertainty == pytest.approx(truth, rel=0.05)


def test_a_number_outside_0_to_1_is_said():
    found, outcome = run(complete(value=1.2 * STEADY))
    assert found.flag == "out_of_range"
    value = 1.2 * STEADY * ELECTROLYTE / (VOLTAGE - 1.2 * STEADY * AFTER)
    assert said(outcome, "outside_0_1") == (f"{value:.2f} is outside 0–1. Check ΔV and which resistance was used.")


def test_a_current_that_is_not_steady_makes_it_provisional():
    frame = complete(flag="suspect")
    frame["acceptance"] = np.where(frame["flag"] == "suspect", "provisional", "accepted")
    found, outcome = run(frame)
    assert (found.flag, found.value) == ("suspect", pytest.approx(TRUTH))
    assert "provisional" in said(outcome, "not_steady")
    frame["acceptance"] = "accepted"
    found, _ = run(frame)
    assert found.flag == "ok"


def test_a_sampled_initial_current_stands_beside_and_is_compared():
    frame = complete()
    frame.loc[frame["quantity"] == "initial_current_A", "value"] *= 1.2
    found, outcome = run(frame)
    assert found.value == pytest.approx(TRUTH)
    assert "initial_currents_differ" in {code for code, _ in outcome.warnings}
    assert outcome.inputs["sampled_initial_current_A"]["value"] == pytest.approx(1.2 * INITIAL)


def test_a_number_of_a_person_keeps_the_uncertainty_of_the_measured_one():
    # I₀ given: d ln t/d ln I₀ = −ΔV/(ΔV − I₀R₀); R₀ no longer cancels.
    found, outcome = run(complete(), initial_current_A=INITIAL)
    top, bottom = VOLTAGE - INITIAL * BEFORE, VOLTAGE - STEADY * AFTER
    truth = TRUTH * np.sqrt(
        (VOLTAGE / top * 1e-8 / INITIAL) ** 2
        + (INITIAL * BEFORE / top * 0.4 / BEFORE) ** 2
        + (STEADY * AFTER / bottom * 0.4 / AFTER) ** 2
        + (VOLTAGE / bottom * 1e-9 / STEADY) ** 2
    )
    assert found.uncertainty == pytest.approx(truth, rel=0.05)
    assert "uncertainty_not_known" not in {code for code, _ in outcome.warnings}


def test_numbers_entered_alone_have_no_uncertainty_and_it_is_said():
    entered = {
        "initial_current_A": INITIAL, "steady_state_current_A": STEADY, "polarisation_voltage_V": VOLTAGE,
        "initial_resistance_ohm": BEFORE, "steady_state_resistance_ohm": AFTER,
    }  # fmt: skip
    found, outcome = run(complete().iloc[:0], **entered)
    assert found.value == pytest.approx(TRUTH)
    assert found.uncertainty is None
    assert said(outcome, "uncertainty_not_known").startswith("I₀, I_s, ΔV, R₀, R_s were entered")


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng, inside = np.random.default_rng(11), []
    for _ in range(200):
        frame = complete()
        spread = frame["uncertainty"].fillna(0.0)
        frame["value"] = frame["value"] + spread * rng.standard_normal(len(frame))
        for given in ({}, {"initial_current_A": float(frame.loc[2, "value"])}):
            found, _ = run(frame, **given)
            inside.append(abs(found.value - TRUTH) < 1.96 * found.uncertainty)
    assert 0.91 <= np.mean(inside) <= 0.98

"""Form pieces: what is typed becomes what is stored, and nothing else."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from lagpdb.fields import form_field
from lagpdb.forms import RecordForm, bounds_of
from lagpdb.merging import merge
from lagpdb.records import withdraw
from samples.cell_forms import CellForm
from samples.forms import BOUNDS, BatchForm, LotForm, PelletForm, PelletRowForm, judge, newest_recipe
from samples.models import Cell, Pellet, PelletBatch, PowderLot, Recipe
from tests import builders

pytestmark = pytest.mark.django_db


def data(**fields: str) -> QueryDict:
    made = QueryDict(mutable=True)
    made.update(fields)
    return made


@pytest.mark.parametrize(
    ("typed", "value", "spread", "readings"),
    [
        ("801", 801.0, None, [801.0]),
        ("801 ± 3", 801.0, 3.0, [801.0]),
        ("0,8 mm", 800.0, None, [800.0]),
        ("801; 803; 799", 801.0, 2.0, [801.0, 803.0, 799.0]),
        ("801 803 799", 801.0, 2.0, [801.0, 803.0, 799.0]),
        ("8×10²", 800.0, None, [800.0]),
    ],
)
def test_thickness_as_people_write_it(typed: str, value: float, spread: float | None, readings: list[float]) -> None:
    pellet = Pellet(batch=builders.batch())
    form = PelletRowForm(data(thickness_um=typed), instance=pellet)
    assert form.is_valid(), form.errors
    assert pellet.thickness_um == pytest.approx(value, rel=1e-15)
    assert pellet.thickness_uncertainty_um == spread
    assert pellet.thickness_readings_um == pytest.approx(readings)


def test_a_stored_value_is_shown_as_it_reads_back() -> None:
    pellet = builders.pellet(
        thickness_um=801.0, thickness_uncertainty_um=2.0, thickness_readings_um=[801.0, 803.0, 799.0]
    )
    assert PelletForm(instance=pellet)["thickness_um"].text == "801; 803; 799"
    assert PelletForm(instance=builders.pellet())["thickness_um"].text == "801 ± 3"


def test_emptying_a_field_empties_what_belongs_to_it() -> None:
    pellet = builders.pellet(thickness_readings_um=[800.0, 802.0])
    form = PelletForm(data(thickness_um="", mass_mg="290", diameter_mm="12", reason="wrong pellet"), instance=pellet)
    assert form.is_valid(), form.errors
    assert (pellet.thickness_um, pellet.thickness_uncertainty_um, pellet.thickness_readings_um) == (None, None, [])


def test_impossible_is_refused_with_a_suggestion_unusual_is_noted() -> None:
    batch = builders.batch()
    bad = PelletRowForm(data(thickness_um="8010"), instance=Pellet(batch=batch))
    assert bad.errors["thickness_um"] == ["8010 µm is 8.0 mm. Did you mean 801?"]
    assert bad["thickness_um"].suggestion == "801"
    odd = PelletRowForm(data(thickness_um="1300"), instance=Pellet(batch=batch))
    assert odd.is_valid()
    assert "above what is usual" in odd.warnings["thickness_um"]


def test_relative_density_above_110_percent_is_refused() -> None:
    form = PelletRowForm(
        data(mass_mg="600", diameter_mm="12", thickness_um="800"), instance=Pellet(batch=builders.batch())
    )
    assert not form.is_valid()
    assert "More than 110 % is impossible" in form.sentences[0]


def test_limits_of_a_recipe_win() -> None:
    recipe = Recipe(kind="pellet_batch", name="thin", limits={"thickness_um": [10, 80, 200, 400]})
    assert bounds_of("thickness_um", recipe, BOUNDS).judge(801)[0] == "impossible"
    assert bounds_of("thickness_um", None, BOUNDS).judge(801)[0] == "ok"
    assert judge("thickness_um", "150", recipe)[0] == "ok"


def test_a_new_form_is_filled_by_the_newest_recipe() -> None:
    form = BatchForm(instance=PelletBatch(), recipe=newest_recipe("pellet_batch"))
    assert form["powder_mass_mg"].text == "500"
    assert form["grits"].text == "400 → 800 → 1500"
    assert form["powder_mass_mg"].is_from_recipe
    assert not form["press_pressure_MPa"].is_from_recipe
    assert BatchForm(instance=PelletBatch(), recipe=None)["powder_mass_mg"].text == ""


@pytest.mark.parametrize("typed", ["400 → 800 → 1500", "400, 800, 1500", "400/800/1500", "400 800 1500"])
def test_grits_in_any_separator(typed: str) -> None:
    form = BatchForm(data(powder_lot=builders.lot().code, count="1", grits=typed), instance=PelletBatch())
    assert form.is_valid(), form.errors
    assert form.instance.grits == [400, 800, 1500]


def test_codes_in_any_spelling_never_from_the_trash() -> None:
    lot = builders.lot()
    number = int(lot.code[4:])
    good = BatchForm(data(powder_lot=f"lot {number}", count="1"), instance=PelletBatch())
    assert good.is_valid(), good.errors
    withdraw(lot, by=builders.user(), reason="empty")
    bad = BatchForm(data(powder_lot=lot.code, count="1"), instance=PelletBatch())
    assert f"{lot.code} is in the trash since" in bad.errors["powder_lot"][0]


def test_required_fields_are_named() -> None:
    form = CellForm(data(), instance=Cell())
    assert set(form.errors) >= {"pellet", "configuration"}
    assert form.first_problem
    assert LotForm(data(amount_g="-1"), instance=PowderLot()).errors["amount_g"]


def test_a_pellet_in_a_cell_keeps_its_state() -> None:
    cell = builders.symmetric_cell()
    form = PelletForm(instance=Pellet.objects.get(pk=cell.pellet_id))
    assert [value for value, _ in form.fields["state"].choices] == ["in_cell"]


def test_merge_keeps_what_only_one_person_changed() -> None:
    pellet = builders.pellet(mass_mg=290.0, diameter_mm=12.0)
    sent = data(**{
        "version": "1", "mass_mg": "291", "was-mass_mg": "290", "diameter_mm": "12", "was-diameter_mm": "12",
    })  # fmt: skip
    pellet.diameter_mm, pellet.version = 12.2, 2
    merged, conflicts, kept = merge(PelletForm(instance=pellet), sent)
    assert (merged["mass_mg"], merged["diameter_mm"], merged["version"]) == ("291", "12.2", "2")
    assert (conflicts, kept) == ([], ["Diameter"])


def test_merge_asks_about_what_both_changed() -> None:
    pellet = builders.pellet(mass_mg=290.0)
    sent = data(**{"version": "1", "mass_mg": "291", "was-mass_mg": "290"})
    pellet.mass_mg, pellet.version = 289.0, 2
    _, (conflict,), _ = merge(PelletForm(instance=pellet), sent)
    assert (conflict.theirs, conflict.yours, conflict.original) == ("289", "291", "290")


def test_both_typed_the_same_is_no_conflict() -> None:
    pellet = builders.pellet(mass_mg=290.0)
    sent = data(**{"version": "1", "mass_mg": "289", "was-mass_mg": "290"})
    pellet.mass_mg, pellet.version = 289.0, 2
    assert merge(PelletForm(instance=pellet), sent)[1] == []


class TickedForm(RecordForm):
    """A form with a box to tick."""

    class Meta:
        model = PowderLot
        fields = ("supplier", "is_synthetic")
        formfield_callback = form_field


@pytest.mark.parametrize(
    ("original", "theirs", "sent", "asked"),
    [
        ("False", True, {}, False),  # only theirs changed: kept unasked
        ("True", True, {}, False),  # only ours changed: a box that is not ticked sends nothing
        ("False", False, {"is_synthetic": "on"}, False),
        ("True", False, {"is_synthetic": "on"}, False),
        ("", True, {}, True),  # both differ from what was shown
    ],
)
def test_a_box_is_merged_like_any_field(original: str, theirs: bool, sent: dict[str, str], asked: bool) -> None:
    lot = builders.lot(is_synthetic=theirs)
    lot.version = 2
    given = data(supplier="", version="1", **sent, **{"was-is_synthetic": original, "was-supplier": lot.supplier})
    merged, conflicts, kept = merge(TickedForm(instance=lot), given)
    assert [(c.label, c.theirs, c.yours) for c in conflicts] == ([("Is synthetic", "yes", "no")] if asked else [])
    if not asked:
        ours, before = "is_synthetic" in sent, original == "True"
        assert ("is_synthetic" in merged) is (theirs if ours == before else ours)
        assert kept == (["Is synthetic"] if ours == before and theirs != before else [])


def test_choices_in_conflict_are_said_in_words() -> None:
    pellet = builders.pellet(state="recovered")
    pellet.version = 2
    given = data(state="broken", version="1", **{"was-state": "available"})
    _, conflicts, _ = merge(PelletForm(instance=pellet), given)
    assert [(c.theirs, c.yours, c.original) for c in conflicts] == [("recovered", "broken", "available")]
    _, again, _ = merge(
        PelletForm(instance=pellet),
        data(state="broken", version="2", **{"ask-state": "1", "original-state": conflicts[0].original_text}),
    )
    assert again[0].original == "available"

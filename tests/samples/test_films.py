"""Films and what lithium makes of them: names and coating of every combination, conversions, thickness, settings."""

from __future__ import annotations

import itertools

import pytest
from django.core.exceptions import ValidationError
from django.db.models import F

from lagpdb.records import restore, save_record, withdraw
from samples.coat import coat
from samples.models import Cell, Coating, FilmThickness, Pellet, SputterSetting
from samples.serializers import pellet_is_coated, pellet_name
from tests import builders

pytestmark = pytest.mark.django_db


def fresh(record):
    return type(record).objects.get(pk=record.pk)


def dismantled(cell):
    cell.state = "dismantled"
    save_record(cell, by=None)
    return fresh(cell.pellet)


# -- all combinations --------------------------------------------------------------------------------------------------
# What happens to one face, in order: a film of CuS or Ag, lithium, and lithium that was withdrawn again.
STEPS = ("CuS", "Ag", "Li", "Li withdrawn")
STORIES = [story for length in range(4) for story in itertools.product(STEPS, repeat=length)]


def name_of(story):
    """What lies outermost on a face, told by hand from what happened to it: the rule of the contract."""
    top = None
    for step in story:
        if step in ("CuS", "Ag"):
            top = step
        elif step == "Li" and top in ("CuS", "Ag"):
            top = {"CuS": "Li₂S/Cu", "Ag": "Li+Ag"}[top]
    return top


def tell(pellet, story, face):
    """Let it happen; lithium is refused where there is no film that it has not reached."""
    for number, step in enumerate(story):
        if step in ("CuS", "Ag"):
            builders.sputter_run((pellet, face), target=builders.material(step))
        elif name_of(story[:number]) not in ("CuS", "Ag"):
            with pytest.raises(ValidationError, match="nothing to convert"):
                builders.conversion(fresh(pellet), face)
        else:
            made = builders.conversion(fresh(pellet), face)
            if step == "Li withdrawn":
                withdraw(made, by=None, reason="another pellet")


@pytest.mark.parametrize("story", STORIES, ids="+".join)
@pytest.mark.parametrize("other", [(), ("CuS", "Li")], ids=["bare", "converted"])
def test_names_of_every_combination(story, other):
    pellet = builders.pellet()
    tell(pellet, story, "A")
    tell(pellet, other, "B")
    a, b = name_of(story), name_of(other)
    films = [film for film in (a, b) if film]
    expected = {0: "LAGP", 1: f"{films[0] if films else ''}@LAGP", 2: f"{a}@LAGP@{b}"}[len(films)]
    pellet = fresh(pellet)
    assert (pellet.notation, pellet.is_coated) == (expected, bool(films))
    columns = {"name": pellet_name(""), "coated": pellet_is_coated("")}
    assert Pellet.objects.filter(pk=pellet.pk).annotate(**columns).values_list(*columns).get() == (
        expected,
        bool(films),
    )
    # In a cell the left face is named first; a full cell tells the sides apart.
    symmetric = builders.symmetric_cell(pellet=pellet)
    assert (symmetric.notation, symmetric.is_coated) == (f"Li|{expected}|Li", bool(films))
    full = builders.full_cell(pellet=dismantled(symmetric), facing="B")
    turned = {0: "LAGP", 1: f"{b}@LAGP" if b else f"LAGP@{a}", 2: f"{b}@LAGP@{a}"}[len(films)]
    assert full.notation == f"Li|{turned}|LFP"


# -- conversions -------------------------------------------------------------------------------------------------------
def test_nothing_to_convert_is_said_with_the_film_that_is_missing():
    bare = builders.pellet()
    with pytest.raises(ValidationError) as refused:
        builders.conversion(bare)
    sentence = f"{bare.code} has no CuS layer, so there is nothing to convert. Record plain Li attachment instead?"
    assert refused.value.message_dict == {"pellet": [sentence]}
    builders.sputter_run((bare, "A"))
    with pytest.raises(ValidationError, match="has no CuS layer on side B, so"):
        builders.conversion(bare)
    attached = builders.conversion(bare, is_attachment=True)
    assert (fresh(bare).notation, attached.product) == ("CuS@LAGP", "")


def test_lithium_goes_through_all_layers_but_not_through_later_ones():
    pellet = builders.pellet()
    builders.sputter_run((pellet, "A"))
    builders.sputter_run((pellet, "A"))
    first = builders.conversion(pellet, "A")
    assert first.layers.count() == 2
    assert first.product == "Li₂S/Cu"
    builders.sputter_run((pellet, "A"))
    assert fresh(pellet).notation == "CuS@LAGP"
    second = builders.conversion(pellet, "A")
    assert second.layers.count() == 1
    assert fresh(pellet).notation == "Li₂S/Cu@LAGP"
    withdraw(second, by=None, reason="another pellet")
    assert fresh(pellet).notation == "CuS@LAGP"
    withdraw(first, by=None, reason="another pellet")
    third = builders.conversion(pellet, "A")
    assert third.layers.count() == 3
    with pytest.raises(ValidationError, match="nothing to convert"):
        restore(second, by=None)


def test_a_corrected_side_moves_the_conversion_and_renames_the_cells():
    pellet = builders.pellet()
    builders.sputter_run(pellet)
    made = builders.conversion(pellet, "A")
    cell = builders.full_cell(pellet=fresh(pellet))
    assert cell.notation == "Li|Li₂S/Cu@LAGP@CuS|LFP"
    made.faces = "B"
    save_record(made, by=None, reason="the other side")
    assert fresh(cell).notation == "Li|CuS@LAGP@Li₂S/Cu|LFP"
    made.is_attachment = True
    save_record(made, by=None, reason="lithium did not melt")
    assert fresh(cell).notation == "Li|CuS@LAGP@CuS|LFP"


def test_a_conversion_of_the_wrong_pellet_is_moved():
    wrong, right = builders.pellet(), builders.pellet()
    builders.sputter_run(wrong, right)
    made = builders.conversion(wrong)
    cell = builders.symmetric_cell(pellet=fresh(wrong))
    made.pellet = right
    save_record(made, by=None, reason="labels were swapped")
    assert [fresh(each).notation for each in (wrong, right)] == ["CuS@LAGP@CuS", "Li₂S/Cu@LAGP@Li₂S/Cu"]
    assert fresh(cell).notation == "Li|CuS@LAGP@CuS|Li"


def test_withdrawing_and_restoring_a_conversion_renames_what_was_built_after_it():
    pellet = builders.pellet()
    builders.sputter_run(pellet)
    before = builders.symmetric_cell(pellet=pellet)
    made = builders.conversion(dismantled(before))
    after = builders.symmetric_cell(pellet=fresh(pellet))
    names = ("Li|CuS@LAGP@CuS|Li", "Li|Li₂S/Cu@LAGP@Li₂S/Cu|Li")
    assert (fresh(before).notation, fresh(after).notation) == names
    withdraw(made, by=None, reason="not done")
    assert (fresh(before).notation, fresh(after).notation) == (names[0], names[0])
    restore(made, by=None)
    assert (fresh(before).notation, fresh(after).notation) == names
    assert fresh(after).is_coated


def test_a_recovered_pellet_is_coated_and_converted_like_any_other():
    pellet = builders.pellet()
    first = builders.blocking_cell(pellet=pellet)
    pellet = dismantled(first)
    assert pellet.state == "recovered"
    builders.sputter_run((pellet, "B"))
    builders.conversion(pellet, "B")
    second = builders.full_cell(pellet=fresh(pellet), facing="B")
    assert [cell.notation for cell in Cell.objects.order_by("pk")] == ["Ag|LAGP|Ag", "Li|Li₂S/Cu@LAGP|LFP"]
    assert second.is_coated
    assert not fresh(first).is_coated


def test_a_converted_layer_is_not_taken_off_its_run():
    pellet = builders.pellet()
    run = builders.sputter_run((pellet, "A"))
    made = builders.conversion(pellet, "A")
    with pytest.raises(ValidationError, match=f"{made.code} has converted the layer of this run on {pellet.code}"):
        coat(run, [], by=None)
    withdraw(made, by=None, reason="not done")
    coat(run, [], by=None)
    assert not Coating.objects.exists()


# -- thickness and settings --------------------------------------------------------------------------------------------
def test_a_thickness_is_the_mean_of_its_heights():
    film = builders.film_thickness(None, 48.0, 50.0, 52.0)
    assert film.film_thickness_nm == pytest.approx(50)
    assert film.film_thickness_uncertainty_nm == pytest.approx(2 / 3**0.5)  # s = 2 nm, n = 3
    single = builders.film_thickness(builders.pellet(), 61.0, face="B")
    assert (single.film_thickness_nm, single.film_thickness_uncertainty_nm, single.face) == (61.0, None, "B")
    single.heights_nm = [60.0, 62.0]
    save_record(single, by=None, reason="second step read")
    assert fresh(single).film_thickness_uncertainty_nm == pytest.approx(1.0)


@pytest.mark.parametrize("heights", [[], [0], [-5.0], ["50"], [True], "50", None])
def test_heights_are_numbers_above_0(heights):
    with pytest.raises(ValidationError) as refused:
        save_record(FilmThickness(witness_plate=builders.witness_plate(), heights_nm=heights), by=None)
    assert set(refused.value.message_dict) == {"heights_nm"}


def test_a_setting_is_made_once_and_named_by_its_values():
    one, two = builders.sputter_run(), builders.sputter_run(duration_min=20.0)
    other = builders.sputter_run(power_W=100.0)
    assert one.setting == two.setting
    assert one.setting.code == "CuS 80 W 1 Pa 5 cm"
    assert other.setting.code == "CuS 100 W 1 Pa 5 cm"
    other.pressure_Pa = None
    save_record(other, by=None, reason="not read")
    assert fresh(other).setting is None
    assert SputterSetting.objects.count() == 2


def test_withdrawing_a_run_hides_its_plate_and_what_was_read_on_it():
    film = builders.film_thickness()
    moved = withdraw(film.witness_plate.sputter_run, by=None, reason="target was dirty")
    assert {record.code for record in moved} == {
        film.code, film.witness_plate.code, film.witness_plate.sputter_run.code
    }  # fmt: skip
    assert FilmThickness.objects.annotate(plate=F("witness_plate__withdrawn_at")).get().plate is not None

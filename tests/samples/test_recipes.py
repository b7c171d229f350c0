"""P29: recipes in versions, materials and instruments."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from measurements.models import Instrument
from samples.forms import newest_recipe
from samples.models import Material, PelletBatch, Recipe
from tests import builders
from tests.samples.pages import client_of, form_of, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> Client:
    return client_of("member")


def test_a_new_version_keeps_the_old_one_and_every_record(member: Client) -> None:
    old = newest_recipe("pellet_batch")
    batch = builders.batch(recipe=old, sinter_temperature_degC=900.0)
    address = reverse("recipe_next", args=[old.code])
    sent = form_of(member.get(address))
    assert (sent["sinter_temperature_degC"], sent["sinter_temperature_degC__1"]) == ("900", "700")
    member.post(address, sent | {"sinter_temperature_degC": "950,5", "sinter_temperature_degC__1": "800"})
    new = newest_recipe("pellet_batch")
    assert (new.number, new.defaults["sinter_temperature_degC"]) == (old.number + 1, 950.5)
    assert new.limits["sinter_temperature_degC"] == [0, 800, 1000, 1400]
    before = (old.version, old.defaults)
    old.refresh_from_db()
    batch.refresh_from_db()
    assert (old.version, old.defaults) == before
    assert (batch.sinter_temperature_degC, batch.recipe, batch.version) == (900.0, old, 1)
    assert form_of(member.get(reverse("batch_new")))["sinter_temperature_degC"] == "950.5"
    assert "was 900 °C" in text_of(member.get(reverse("recipe_detail", args=[new.code])))


@pytest.mark.parametrize("kind", Recipe.Kind.values)
def test_every_kind_saves_as_it_opens(member: Client, kind: str) -> None:
    old = newest_recipe(kind)
    address = reverse("recipe_next", args=[old.code])
    sent = {name: unescape(text) for name, text in form_of(member.get(address)).items()}
    response = member.post(address, sent)
    assert response.status_code == 302, text_of(response)
    assert newest_recipe(kind).defaults == old.defaults
    for name, ends in old.limits.items():
        assert newest_recipe(kind).limits[name] == ends


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"power_W": "80 mm"}, "is not a power"),
        ({"power_W__1": "300"}, "limits rise from left to right"),
        ({"duration_min": "700"}, "The limits of this recipe refuse its own value."),
        ({"target": "XYZ"}, "XYZ is not in lagpdb."),
    ],
)
def test_what_a_recipe_refuses(member: Client, changed: dict[str, str], sentence: str) -> None:
    address = reverse("recipe_next", args=[newest_recipe("sputter_run").code])
    response = member.post(address, form_of(member.get(address)) | changed)
    assert response.status_code == 422
    assert sentence in text_of(response)
    assert Recipe.objects.filter(kind="sputter_run").count() == 1


def test_records_as_recipe(member: Client) -> None:
    made = [builders.batch(press_pressure_MPa=300.0), builders.sputter_run(duration_min=15.0), builders.conversion(),
            builders.electrode_lot(), builders.symmetric_cell()]  # fmt: skip
    for record in made:
        address = f"{reverse('recipe_new')}?from={record.code}"
        response = member.post(address, form_of(member.get(address)))
        assert response.status_code == 302, text_of(response)
    assert newest_recipe("pellet_batch").defaults["press_pressure_MPa"] == 300
    assert newest_recipe("sputter_run").defaults["duration_min"] == 15
    assert newest_recipe("conversion").defaults["film"] == "CuS"
    assert member.get(f"{reverse('recipe_new')}?from={builders.pellet().code}").status_code == 404


def test_retiring_the_newest_brings_the_one_before(member: Client) -> None:
    old = newest_recipe("cell")
    address = reverse("recipe_next", args=[old.code])
    member.post(address, form_of(member.get(address)))
    member.post(reverse("record_withdraw", args=[newest_recipe("cell").code]), {"reason": "wrong"})
    assert newest_recipe("cell") == old


def test_a_duplicate_of_a_batch(member: Client) -> None:
    batch = builders.batch(sinter_time_h=6.0)
    assert form_of(member.get(f"{reverse('batch_new')}?like={batch.code}"))["sinter_time_h"] == "6"


# -- materials and instruments -----------------------------------------------------------------------------------------
def test_a_material_is_entered_corrected_and_retired(member: Client) -> None:
    sent = form_of(member.get(reverse("material_new")))
    sent |= {"code": "LLZO", "name": "Garnet", "theoretical_density_g_cm3": "5,1"}
    member.post(reverse("material_new"), sent)
    made = Material.objects.get(code="LLZO")
    assert made.theoretical_density_g_cm3 == 5.1
    address = reverse("material_edit", args=["LLZO"])
    member.post(address, form_of(member.get(address)) | {"theoretical_density_g_cm3": "5.2", "reason": "other source"})
    lot = builders.lot(material=Material.objects.get(code="LLZO"))
    page = text_of(member.get(reverse("record_withdraw", args=["LLZO"])))
    assert "It is in use (1 powder lot), so it cannot be deleted: those records keep it and stay." in page
    member.post(reverse("record_withdraw", args=["LLZO"]), {"reason": "not used"})
    made.refresh_from_db()
    lot.refresh_from_db()
    assert (made.is_withdrawn, made.theoretical_density_g_cm3, lot.is_withdrawn) == (True, 5.2, False)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [("lagp", "LAGP exists already"), ("a b", "no blanks"), ("PEL-0007", "means something else"), ("new", "means")],
)
def test_codes_that_people_may_not_choose(member: Client, code: str, sentence: str) -> None:
    response = member.post(reverse("material_new"), {"code": code, "name": "x"})
    assert sentence in text_of(response)


def test_an_instrument_with_a_code_like_a_number(member: Client) -> None:
    member.post(reverse("instrument_new"), {"code": "afm-1", "name": "Force microscope"})
    made = Instrument.objects.get(code="afm-1")
    builders.measurement(instrument=made)
    page = text_of(member.get(reverse("instrument_detail", args=["afm-1"])))
    assert "1 measurement" in page
    assert member.get("/s/afm-1").headers["Location"] == reverse("instrument_detail", args=["afm-1"])
    assert "afm-1" in text_of(member.get(reverse("instrument_list")))


def test_viewers_read(member: Client) -> None:
    viewer = client_of("viewer")
    for name in ("recipe_list", "material_list", "instrument_list"):
        assert viewer.get(reverse(name)).status_code == 200
    for name in ("material_new", "instrument_new", "recipe_new"):
        assert viewer.get(reverse(name)).status_code == 403
    assert PelletBatch.objects.count() == 0

"""The generated names of pellets and cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lagpdb.records import save_record, withdraw
from samples.models import Coating, Material, SputterRun
from samples.notation import cell_notation, pellet_notation
from tests import spine

CUS, LI2S = "CuS", "Li₂S/Cu"


@pytest.mark.parametrize(
    ("faces", "name"),
    [
        ({}, "LAGP"),
        ({"A": CUS}, "CuS@LAGP"),
        ({"B": CUS}, "CuS@LAGP"),
        ({"B": LI2S}, "Li₂S/Cu@LAGP"),
        ({"A": CUS, "B": CUS}, "CuS@LAGP@CuS"),
        ({"A": LI2S, "B": LI2S}, "Li₂S/Cu@LAGP@Li₂S/Cu"),
        ({"B": "B-film", "A": "A-film"}, "A-film@LAGP@B-film"),
    ],
)
def test_pellets(faces, name):
    assert pellet_notation("LAGP", faces) == name


@pytest.mark.parametrize(
    ("left", "right", "faces", "left_face", "name"),
    [
        ("Ag", "Ag", {}, "A", "Ag|LAGP|Ag"),
        ("Li", "Li", {"A": LI2S, "B": LI2S}, "A", "Li|Li₂S/Cu@LAGP@Li₂S/Cu|Li"),
        ("Li", "LFP", {"A": LI2S}, "A", "Li|Li₂S/Cu@LAGP|LFP"),
        ("Li", "LFP", {"A": LI2S}, "B", "Li|LAGP@Li₂S/Cu|LFP"),
        ("Li", "LFP", {"B": LI2S}, "B", "Li|Li₂S/Cu@LAGP|LFP"),
        ("Li", "LFP", {"A": "x", "B": "y"}, "B", "Li|y@LAGP@x|LFP"),
        ("Li", "LFP", {}, "B", "Li|LAGP|LFP"),
        ("Li", "Li", {"B": CUS}, "A", "Li|CuS@LAGP|Li"),
    ],
)
def test_cells(left, right, faces, left_face, name):
    assert cell_notation(left, right, "LAGP", faces, left_face) == name


@given(st.dictionaries(st.sampled_from("AB"), st.sampled_from([CUS, LI2S])), st.sampled_from("AB"))
def test_every_film_is_named_once_per_face(faces, left_face):
    name = cell_notation("Li", "LFP", "LAGP", faces, left_face)
    assert name.count("@") == len(faces)
    assert name.startswith("Li|")
    assert name.endswith("|LFP")


# -- as records --------------------------------------------------------------------------------------------------------
def coated(pellet, *faces: str, layer: int = 1, target: str = "CuS") -> SputterRun:
    """A sputter run over faces of a pellet."""
    material, _ = Material.objects.get_or_create(code=target, defaults={"name": target})
    run = save_record(SputterRun(target=material, duration_min=10), by=None)
    for face in faces:
        Coating.objects.create(sputter_run=run, pellet=pellet, face=face, layer_number=layer)
    return run


@pytest.mark.django_db
def test_a_pellet_is_named_by_its_outermost_films():
    pellet = spine.pellet()
    assert (pellet.notation, pellet.is_coated) == ("LAGP", False)
    coated(pellet, "A", "B")
    assert (pellet.notation, pellet.is_coated) == ("CuS@LAGP@CuS", True)
    upper = coated(pellet, "A", layer=2, target="Ag")
    assert pellet.notation == "Ag@LAGP@CuS"
    withdraw(upper, by=None, reason="never run")
    assert pellet.notation == "CuS@LAGP@CuS"


@pytest.mark.django_db
def test_a_cell_keeps_its_name_as_built_until_a_step_record_is_corrected():
    pellet = spine.pellet()
    run = coated(pellet, "A")
    built = spine.cell(pellet, "symmetric")
    assert (built.notation, built.is_coated) == ("Li|CuS@LAGP|Li", True)
    coated(pellet, "B")
    built.refresh_from_db()
    assert built.notation == "Li|CuS@LAGP|Li"
    withdraw(run, by=None, reason="was another pellet")
    built.refresh_from_db()
    assert (built.notation, built.is_coated) == ("Li|LAGP|Li", False)  # the film on B came later

"""The lineage as W3C PROV JSON: a small genealogy made by hand, told completely, back, forward and both ways."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from analysis.models import AnalysisRun, Result, RunInput
from lagpdb.records import withdraw
from samples.models import SputterSetting
from tests import builders
from tests.api_client import Api

pytestmark = pytest.mark.django_db

# The ends of each relation, after https://www.w3.org/submissions/prov-json/ section 3.
ENDS = {
    "wasDerivedFrom": {"prov:generatedEntity": "entity", "prov:usedEntity": "entity"},
    "wasGeneratedBy": {"prov:entity": "entity", "prov:activity": "activity"},
    "used": {"prov:activity": "activity", "prov:entity": "entity"},
    "wasAttributedTo": {"prov:entity": "entity", "prov:agent": "agent"},
    "wasAssociatedWith": {"prov:activity": "activity", "prov:agent": "agent"},
}


def check(document: dict[str, Any]) -> None:
    """What PROV JSON asks for: known sections, qualified names, relations whose ends exist and are of their kind."""
    assert set(document) <= {"prefix", "entity", "activity", "agent", "lagpdb:note", *ENDS}
    prefixes = set(document["prefix"])
    for section in ("entity", "activity", "agent"):
        for name, about in document[section].items():
            assert name.partition(":")[0] in prefixes
            assert "prov:type" in about
            assert all(key.partition(":")[0] in prefixes for key in about)
    for relation, ends in ENDS.items():
        for name, edge in document.get(relation, {}).items():
            assert name.startswith("_:")
            assert {key for key in edge if key != "prov:role"} == set(ends)
            for end, section in ends.items():
                assert edge[end] in document[section], (relation, edge)


def nodes(document: dict[str, Any]) -> set[str]:
    """Names of all entities and activities, without the prefix of the site."""
    return {name.removeprefix("lagpdb:") for section in ("entity", "activity") for name in document[section]}


def edges(document: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Relation and both ends, in the order of `ENDS`."""
    return {
        (relation, *(edge[end].removeprefix("lagpdb:") for end in ends))
        for relation, ends in ENDS.items()
        for edge in document.get(relation, {}).values()
        if not edge.get("prov:agent")
    }


@pytest.fixture
def api() -> Api:
    return Api(role="viewer", scope="read")


@pytest.fixture
def story() -> dict[str, Any]:
    """Powder, pellet, CuS with a witness plate, lithium, a full cell, one spectrum with one number; a sputter rate."""
    cell_pellet = builders.pellet()
    run = builders.sputter_run(cell_pellet)
    plate = builders.witness_plate(run)
    film = builders.film_thickness(plate)
    conversion = builders.conversion(cell_pellet)
    cell = builders.full_cell(pellet=cell_pellet)
    test = builders.measurement(cell)
    arrival = builders.arrival(test)
    number = builders.result(test)
    setting = SputterSetting.objects.get()
    rate_run = AnalysisRun.objects.create(
        analysis="sputter_rate", version=1, sputter_setting=setting, state="succeeded", job_state="ended",
        is_current=True, inputs={"films": {"value": [{"film": film.code, "run": run.code}]}},
    )  # fmt: skip
    rate = Result.objects.create(
        run=rate_run, sputter_setting=setting, quantity="sputter_rate_nm_min", value=5.0, unit="nm min⁻¹"
    )
    return locals()


def told(story: dict[str, Any]) -> dict[str, str]:
    """Names of the nodes of the story."""
    cell, test, number = story["cell"], story["test"], story["number"]
    batch = cell.pellet.batch
    return {
        "powder": "materials/LAGP", "lot": f"powder-lots/{batch.powder_lot.code}",
        "batch": f"pellet-batches/{batch.code}", "pellet": f"pellets/{cell.pellet.code}", "target": "materials/CuS",
        "run": f"sputter-runs/{story['run'].code}",
        "plate": f"witness-plates/{story['plate'].code}", "film": f"film-thicknesses/{story['film'].code}",
        "conversion": f"conversions/{story['conversion'].code}", "sheet": f"electrode-lots/{cell.electrode_lot.code}",
        "lfp": "materials/LFP", "cell": f"cells/{cell.code}", "test": f"measurements/{test.code}",
        "bytes": f"sha256:{test.files.get().raw_file.sha256}", "upload": f"uploads/{story['arrival'].upload.code}",
        "analysis": f"runs/{number.run_id}", "number": f"results/{number.pk}",
        "rate_run": f"runs/{story['rate_run'].pk}", "rate": f"results/{story['rate'].pk}",
    }  # fmt: skip


def drawn(names: dict[str, str]) -> set[tuple[str, str, str]]:
    """Every edge of the story, told by hand."""
    by_hand = [
        ("wasDerivedFrom", "lot", "powder"), ("wasDerivedFrom", "batch", "lot"), ("wasDerivedFrom", "pellet", "batch"),
        ("used", "run", "target"), ("wasGeneratedBy", "pellet", "run"), ("wasGeneratedBy", "plate", "run"),
        ("wasDerivedFrom", "film", "plate"), ("wasGeneratedBy", "pellet", "conversion"),
        ("wasDerivedFrom", "sheet", "lfp"), ("wasDerivedFrom", "cell", "sheet"), ("wasDerivedFrom", "cell", "pellet"),
        ("wasDerivedFrom", "test", "cell"), ("wasDerivedFrom", "test", "bytes"), ("wasGeneratedBy", "bytes", "upload"),
        ("used", "analysis", "test"), ("wasGeneratedBy", "number", "analysis"), ("wasDerivedFrom", "number", "cell"),
        ("used", "rate_run", "film"), ("wasGeneratedBy", "rate", "rate_run"),
    ]  # fmt: skip
    return {(relation, names[start], names[end]) for relation, start, end in by_hand}


BACK_OF_NUMBER = {
    "powder", "lot", "batch", "pellet", "target", "run", "conversion", "sheet", "lfp", "cell", "test", "bytes",
    "upload", "analysis", "number",
}  # fmt: skip
BACK_OF_RATE = {"target", "run", "plate", "film", "rate_run", "rate"}


@pytest.mark.parametrize(
    ("start", "direction", "expected"),
    [
        ("number", "back", BACK_OF_NUMBER),
        ("number", "both", BACK_OF_NUMBER),
        ("rate", "back", BACK_OF_RATE),
        ("film", "forward", {"film", "rate_run", "rate"}),
        ("film", "back", {"film", "plate", "run", "target"}),
        ("plate", "both", BACK_OF_RATE),
        ("conversion", "back", {"conversion", "pellet", "batch", "lot", "powder", "run", "target"}),
        ("pellet", "forward", {"pellet", "run", "conversion", "cell", "test", "bytes", "analysis", "number"}),
        ("lot", "forward", {
            "lot", "batch", "pellet", "run", "conversion", "cell", "test", "bytes", "analysis", "number",
        }),
        ("sheet", "forward", {"sheet", "cell", "test", "bytes", "analysis", "number"}),
        ("upload", "forward", {"upload", "test", "bytes", "analysis", "number"}),
        ("run", "both", BACK_OF_NUMBER | BACK_OF_RATE),
    ],
)  # fmt: skip
def test_the_whole_graph_is_told(
    api: Api, story: dict[str, Any], start: str, direction: str, expected: set[str]
) -> None:
    """Exactly these nodes, and exactly those edges of the story whose two ends are among them."""
    names = told(story)
    key = names[start].partition("/")[2]
    document = api.get(f"lineage/{key}/", direction=direction).json()
    check(document)
    wanted = {names[name] for name in expected}
    assert nodes(document) == wanted
    assert edges(document) == {edge for edge in drawn(names) if {edge[1], edge[2]} <= wanted}


def test_every_kind_of_record_has_a_lineage(api: Api, story: dict[str, Any]) -> None:
    for name, node in told(story).items():
        if name == "bytes":
            continue
        folder, _, key = node.partition("/")
        answer = api.get(f"lineage/{'run-' if folder == 'runs' else ''}{key}/")
        assert answer.status_code == 200, name
        check(answer.json())
        assert node in nodes(answer.json())


def test_a_step_in_the_trash_did_not_happen(api: Api, story: dict[str, Any]) -> None:
    withdraw(story["conversion"], by=builders.user(), reason="the other pellet")
    assert told(story)["conversion"] not in nodes(api.get(f"lineage/{story['number'].pk}/").json())


def test_measurements_on_witness_plates(api: Api) -> None:
    plate = builders.witness_plate()
    test = builders.measurement(plate, kind="xrd")
    run = builders.run(test, analysis="phase")
    number = Result.objects.create(
        run=run, measurement=test, quantity="phase_match_fraction", value=0.9, unit="", label="CuS"
    )
    document = api.get(f"lineage/{number.pk}/").json()
    check(document)
    names = (f"results/{number.pk}", f"witness-plates/{plate.code}")
    assert ("wasDerivedFrom", *names) in edges(document)
    assert f"sputter-runs/{plate.sputter_run.code}" in nodes(document)


def test_numbers_made_from_numbers(api: Api, story: dict[str, Any]) -> None:
    combined = AnalysisRun.objects.create(
        analysis="activation", version=1, cell=story["cell"], state="succeeded", job_state="ended", is_current=True
    )
    RunInput.objects.create(run=combined, role="sigma", result=story["number"])
    forward = api.get(f"lineage/{story['test'].code}/", direction="forward").json()
    check(forward)
    assert ("used", f"runs/{combined.pk}", f"results/{story['number'].pk}") in edges(forward)


def test_other_directions_and_parameters_are_refused(api: Api, story: dict[str, Any]) -> None:
    for query, field in (({"direction": "sideways"}, "direction"), ({"depth": "2"}, "depth")):
        answer = api.get(f"lineage/{story['cell'].code}/", **query)
        assert answer.status_code == 400
        assert answer.json()["field"] == field


def test_the_cost_does_not_depend_on_the_size(api: Api, story: dict[str, Any]) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert api.get(f"lineage/{story['run'].code}/").status_code == 200
        return len(caught)

    api.get(f"lineage/{story['run'].code}/")
    before = queries()
    for _ in range(5):
        builders.film_thickness(story["plate"])
        builders.arrival(builders.measurement(story["cell"]))
        builders.witness_plate(story["run"])
    assert queries() == before

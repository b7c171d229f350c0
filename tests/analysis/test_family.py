"""The genealogy as people see it: what stands in the tree, how it folds, how it is drawn, what it costs."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analysis.family import MOST_NODES, Wish, edges, family_of
from analysis.family_nodes import Node
from analysis.models import Result
from analysis.tree import GAP_X_PX, GAP_Y_PX, HEIGHT_PX, WIDTH_PX, drawing_of
from lagpdb.records import save_record, withdraw
from samples.models import Pellet
from tests import builders

pytestmark = pytest.mark.django_db
DAY = dt.datetime(2026, 2, 3, 9, 0, tzinfo=dt.UTC)


def on_day(number: int) -> dt.datetime:
    return DAY + dt.timedelta(days=number)


@pytest.fixture
def story() -> dict[str, Any]:
    """One lot, two batches, four siblings; one of them coated, converted, built into a cell and measured."""
    lot = builders.lot(amount_g=500.0)
    batch = builders.batch(powder_lot=lot, pressed_at=on_day(0), sinter_started_at=on_day(0))
    pellet = builders.pellet(batch=batch)
    siblings = [builders.pellet(batch=batch) for _ in range(4)]
    other = builders.batch(powder_lot=lot)
    bare = builders.measurement(pellet, kind="xrd", measured_at=on_day(1))
    run = builders.sputter_run(pellet, siblings[0], performed_at=on_day(2))
    plate = builders.witness_plate(run)
    film = builders.film_thickness(plate, 49.0, 50.0, 51.0)
    conversion = builders.conversion(pellet, performed_at=on_day(3))
    cell = builders.symmetric_cell(pellet=pellet, assembled_at=on_day(4))
    test = builders.measurement(cell, measured_at=on_day(5))
    number = builders.result(test, value=2.5e-4)
    return locals()


def outline(node: Node) -> Any:
    """The tree as codes: {'LOT-0001': {...}}; folds by their words."""
    return {child.code or child.what: outline(child) for child in node.children}


def test_the_path_of_a_pellet(story: dict[str, Any]) -> None:
    tree = family_of(story["pellet"])
    told = {
        story["batch"].code: {
            story["pellet"].code: {
                story["run"].code: {
                    story["plate"].code: {story["film"].code: {}},
                    story["conversion"].code: {story["cell"].code: {story["test"].code: {}}},
                },
                story["bare"].code: {},
            },
            "4 more pellets": {},
        },
        "1 more batch": {},
    }
    assert outline(tree.root) == told
    nodes = {node.code: node for node in tree.root.walk() if node.code}
    assert nodes[story["lot"].code].value == "500 g"
    assert nodes[story["pellet"].code].what == "Li₂S/Cu@LAGP@Li₂S/Cu"
    assert nodes[story["pellet"].code].value == "801 µm"
    assert (nodes[story["cell"].code].state, nodes[story["cell"].code].value) == ("built", "0.785 cm²")
    assert nodes[story["run"].code].value == "10 min, both sides"
    assert nodes[story["film"].code].value == "50.0 ± 0.6 nm"  # s/√n = 1/√3 nm
    assert "2.5" in nodes[story["test"].code].value
    thick = {node.code for node in tree.root.walk() if node.is_on_path}
    made = ("lot", "batch", "pellet", "bare", "run", "conversion", "cell", "test")
    assert thick == {story[name].code for name in made}


def test_the_path_of_a_cell_leaves_other_cells_thin(story: dict[str, Any]) -> None:
    story["cell"].state = "dismantled"
    save_record(story["cell"], by=None)
    pellet = Pellet.objects.get(pk=story["pellet"].pk)
    later = builders.blocking_cell(pellet=pellet, assembled_at=on_day(9))
    thick = {node.code for node in family_of(story["cell"]).root.walk() if node.is_on_path}
    assert later.code not in thick
    assert {story[name].code for name in ("lot", "batch", "pellet", "run", "conversion", "cell", "test")} <= thick
    assert story["bare"].code not in thick
    assert story["plate"].code not in thick


def test_the_whole_lot_shows_siblings_and_a_run_tells_its_plates_once(story: dict[str, Any]) -> None:
    tree = family_of(story["pellet"], Wish(scope="lot"))
    codes = [node.code for node in tree.root.walk()]
    assert {sibling.code for sibling in story["siblings"]} <= set(codes)
    assert codes.count(story["run"].code) == 2
    assert codes.count(story["plate"].code) == 1
    assert not tree.is_folded


def test_edges_are_each_told_once(story: dict[str, Any]) -> None:
    found = edges(family_of(story["lot"], Wish(scope="lot")).root)
    assert len(set(found)) == len(found)
    pairs = {(start, end) for start, end, _ in found}
    assert (story["pellet"].code, story["run"].code) in pairs
    assert (story["siblings"][0].code, story["run"].code) in pairs
    assert (story["plate"].code, story["film"].code, "read on") in found


def test_filters_keep_the_pellet_that_was_asked_for(story: dict[str, Any]) -> None:
    Pellet.objects.filter(pk=story["siblings"][1].pk).update(state="recovered")
    shown = {node.code for node in family_of(story["lot"], Wish(scope="lot", only_with_results=True)).root.walk()}
    assert story["pellet"].code in shown
    assert not shown & {sibling.code for sibling in story["siblings"]}
    wish = Wish(scope="lot", hides_recovered=True)
    shown = {node.code for node in family_of(story["lot"], wish).root.walk()}
    assert story["siblings"][1].code not in shown
    assert story["siblings"][2].code in shown
    asked = {node.code for node in family_of(story["siblings"][1], wish).root.walk()}
    assert story["siblings"][1].code in asked


def test_what_is_in_the_trash_is_not_part_but_still_has_its_own_tree(story: dict[str, Any]) -> None:
    withdraw(story["cell"], by=builders.user(), reason="wrong pellet")
    assert story["cell"].code not in {node.code for node in family_of(story["pellet"]).root.walk()}
    assert family_of(story["cell"]).here.code == story["cell"].code


def test_steps_are_told_in_order(story: dict[str, Any]) -> None:
    titles = [event.title for event in family_of(story["pellet"]).steps]
    assert titles == ["Pressed", "Sintered", "Tested", "Sputtered, CuS", "Converted", "Cell built", "Tested"]
    assert family_of(story["pellet"]).steps[3].words == "80 W, 1 Pa, 5 cm, 10 min, both sides"


def test_a_second_coating_hangs_behind_the_first_cell(story: dict[str, Any]) -> None:
    """Recovered and coated again: the new cell hangs on the new layer, the old one stays where it was."""
    story["cell"].state = "dismantled"
    save_record(story["cell"], by=None)
    pellet = Pellet.objects.get(pk=story["pellet"].pk)
    again = builders.sputter_run((pellet, "A"), performed_at=on_day(10))
    new = builders.blocking_cell(pellet=pellet, assembled_at=on_day(11))
    found = edges(family_of(pellet).root)
    assert (story["conversion"].code, again.code, "sputtered in") in found
    assert (again.code, new.code, "built on") in found
    assert (story["conversion"].code, story["cell"].code, "built on") in found


# -- folding and cost --------------------------------------------------------------------------------------------------
def many(lot: Any, count: int, per_batch: int = 50) -> list[Pellet]:
    """Pellets by the thousand, written at once: the way they came does not matter here."""
    made: list[Pellet] = []
    for start in range(0, count, per_batch):
        batch = builders.batch(powder_lot=lot)
        rows = range(start, min(start + per_batch, count))
        made += Pellet.objects.bulk_create(
            [Pellet(batch=batch, code=f"PEL-{5000 + lot.pk * 10000 + row}", thickness_um=800.0) for row in rows]
        )
    return made


@pytest.mark.parametrize(("count", "is_folded"), [(3, False), (150, False), (180, True), (400, True)])
def test_a_tree_never_has_more_nodes_than_it_may(count: int, is_folded: bool) -> None:
    lot = builders.lot()
    pellets = many(lot, count)
    for pellet in pellets[:40]:
        builders.measurement(pellet)
    for record in (lot, pellets[0], pellets[0].batch):
        for scope in ("path", "lot"):
            tree = family_of(record, Wish(scope=scope))
            assert len(list(tree.root.walk())) <= MOST_NODES + 10  # those of the pellet itself are never folded
            assert tree.here.code == record.code
    whole = family_of(lot, Wish(scope="lot"))
    assert whole.is_folded is is_folded  # 150 pellets, 40 measurements, 3 batches and the lot are 194 nodes
    told = sum(node.kind == "pellet" for node in whole.root.walk())
    folded = sum(int(node.what.split()[0]) for node in whole.root.walk() if node.is_fold and "pellet" in node.what)
    assert told + folded == count


def test_measurements_fold_before_pellets_do() -> None:
    lot = builders.lot()
    pellets = many(lot, 100)
    for pellet in pellets[:3]:
        for _ in range(50):
            builders.measurement(pellet)
    tree = family_of(lot, Wish(scope="lot"))
    assert sum(node.kind == "pellet" for node in tree.root.walk()) == 100
    assert [node.what for node in tree.root.walk() if node.is_fold] == ["50 measurements"] * 3


def test_an_opened_batch_shows_its_pellets() -> None:
    lot = builders.lot()
    pellets = many(lot, 400)
    batch = pellets[60].batch
    shown = {node.code for node in family_of(lot, Wish(scope="lot", opened=batch.code)).root.walk()}
    assert {pellet.code for pellet in pellets if pellet.batch_id == batch.pk} <= shown
    assert pellets[0].code not in shown


def queries(path: str, client: Client) -> int:
    client.get(path)
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path).status_code == 200
    return len(caught)


def test_the_cost_does_not_depend_on_the_size(story: dict[str, Any]) -> None:
    client = Client()
    client.force_login(builders.user())
    paths = [
        f"/pellets/{story['pellet'].code}/tree/",
        f"/pellets/{story['pellet'].code}/tree/?view=lot",
        f"/lots/{story['lot'].code}/tree/?view=lot",
        f"/pellets/{story['pellet'].code}/",
    ]
    before = [queries(path, client) for path in paths]
    for _ in range(4):
        more = builders.pellet(batch=story["batch"])
        run = builders.sputter_run(more, story["siblings"][1])
        builders.film_thickness(builders.witness_plate(run))
        builders.conversion(more)
        builders.result(builders.measurement(builders.blocking_cell(pellet=more)))
        builders.result(builders.measurement(story["cell"]))
    assert [queries(path, client) for path in paths] == before
    assert max(before[:3]) <= 30


# -- drawing -----------------------------------------------------------------------------------------------------------
def test_boxes_do_not_touch_and_stand_right_of_their_parents(story: dict[str, Any]) -> None:
    drawing = drawing_of(family_of(story["lot"], Wish(scope="lot")))
    for one, two in itertools.combinations(drawing.boxes, 2):
        apart_x = abs(one.x - two.x) >= WIDTH_PX + GAP_X_PX - 1e-9
        apart_y = abs(one.y - two.y) >= HEIGHT_PX + GAP_Y_PX - 1e-9
        assert apart_x or apart_y, (one.node.code, two.node.code)
    for box in drawing.boxes:
        assert box.right <= drawing.width
        assert box.y + HEIGHT_PX <= drawing.height
        for child in box.children:
            assert child.x == box.x + WIDTH_PX + GAP_X_PX
            assert child.parent == box.number


@pytest.mark.parametrize(
    ("state", "border"),
    [
        ("available", "plain"),
        ("in_cell", "double"),
        ("recovered", "dashed"),
        ("consumed", "dashed"),
        ("broken", "dotted"),
    ],
)
def test_the_border_says_the_state_and_so_does_the_word(state: str, border: str) -> None:
    pellet = builders.pellet(state=state)
    box = next(box for box in drawing_of(family_of(pellet)).boxes if box.node.is_here)
    assert box.border == border
    assert box.node.state_words == pellet.get_state_display().lower()
    assert box.node.state_words in box.label


# -- pages -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(builders.user(role="viewer"))
    return client


def test_the_page_has_drawing_and_list(story: dict[str, Any], viewer: Client) -> None:
    answer = viewer.get(f"/pellets/{story['pellet'].code.lower()}/tree/", follow=True)
    content = answer.content.decode()
    assert answer.redirect_chain
    drawn = re.findall(r'<text class="code"[^>]*>([A-Z]{3}-\d+)</text>', content)
    listed = re.findall(
        r'<a class="code" href="[^"]+">([A-Z]{3}-\d+)</a>', content[content.index('class="tree-list"') :]
    )
    assert set(drawn) == set(listed)
    assert len(drawn) == len(listed) == 10
    assert "Nothing made from it yet" not in content
    assert "4 more pellets" in content


@pytest.mark.parametrize("kind", ["pellets", "lots", "pellet-batches", "cells"])
def test_nothing_made_from_it_yet(kind: str, viewer: Client) -> None:
    made = {"pellets": builders.pellet, "lots": builders.lot, "pellet-batches": builders.batch}
    record = made[kind]() if kind in made else builders.blocking_cell()
    content = viewer.get(f"/{kind}/{record.code}/tree/").content.decode()
    assert "Nothing made from it yet." in content


def test_list_view_has_no_drawing(story: dict[str, Any], viewer: Client) -> None:
    content = viewer.get(f"/cells/{story['cell'].code}/tree/?view=list").content.decode()
    assert 'svg class="tree' not in content
    assert story["siblings"][3].code in content


def test_the_exported_drawing_stands_alone(story: dict[str, Any], viewer: Client) -> None:
    answer = viewer.get(f"/pellets/{story['pellet'].code}/tree.svg")
    assert answer["Content-Type"] == "image/svg+xml"
    root = ET.fromstring(answer.content)
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert story["conversion"].code in texts
    links = [node.get("href") for node in root.iter("{http://www.w3.org/2000/svg}a")]
    assert all(link.startswith("http") for link in links)
    assert "var(" not in answer.content.decode()


def test_the_table_of_edges(story: dict[str, Any], viewer: Client) -> None:
    answer = viewer.get(f"/pellets/{story['pellet'].code}/tree.csv")
    rows = list(csv.reader(answer.content.decode().splitlines()))
    assert rows[0] == ["from", "to", "relation"]
    assert [story["run"].code, story["conversion"].code, "converted in"] in rows
    assert len(rows) == 1 + 9
    assert viewer.get(f"/pellets/{story['pellet'].code}/tree.gif").status_code == 404


def test_values_of_relatives_are_marked_and_not_counted(story: dict[str, Any], viewer: Client) -> None:
    sibling = story["siblings"][0]
    theirs = builders.result(builders.measurement(builders.blocking_cell(pellet=sibling)), value=7.77e-4)
    content = viewer.get(f"/pellets/{story['pellet'].code}/").content.decode()
    own = content[content.index('id="results"') : content.index('id="relatives"')]
    relatives = content[content.index('id="relatives"') : content.index('id="tests"')]
    assert "7.77" not in own
    assert "7.77" in relatives
    assert relatives.count(">from sibling<") == 1
    assert relatives.count(">from witness<") == 1
    assert "50.0 ± 0.6 nm" in relatives
    assert story["plate"].code in relatives
    assert Result.objects.get(pk=theirs.pk).pellet == sibling
    api = viewer.get(f"/api/v1/results/?pellet={story['pellet'].code}").json()["results"]
    assert [row["id"] for row in api] == [story["number"].pk]


def test_a_pellet_with_one_coated_side_has_a_page(viewer: Client) -> None:
    pellet = builders.pellet()
    builders.sputter_run((pellet, "B"))
    assert "CuS@LAGP, side B" in re.sub(r"<[^>]+>", "", viewer.get(f"/pellets/{pellet.code}/").content.decode())

"""The boxes of the genealogy and the lines of a pellet's steps: what each kind of record says of itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lagpdb import units
from lagpdb.pages import address_of
from measurements.models import Measurement
from samples.models import Cell, Conversion, FilmThickness

LONG_AGO = dt.datetime(1, 1, 1, tzinfo=dt.UTC)


@dataclass(eq=False)
class Node:
    """One box of the tree. `state` is a slug of templates and sheet, '' where the kind has none."""

    kind: str
    code: str = ""
    what: str = ""
    value: str = ""
    short: str = ""  # the value where there is no room for its uncertainty
    state: str = ""
    state_words: str = ""
    address: str = ""
    relation: str = ""  # what joins it to its parent, for the table of edges
    is_on_path: bool = False
    is_here: bool = False
    children: list[Node] = field(default_factory=list)

    def add(self, child: Node) -> Node:
        """Hang a node below this one."""
        self.children.append(child)
        return child

    def walk(self) -> Iterator[Node]:
        """This node and all below, as a reader meets them."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def is_fold(self) -> bool:
        """Whether it stands for several records."""
        return self.kind == "more"

    @property
    def words(self) -> str:
        """All of it in one line."""
        return ", ".join(part for part in (self.code, self.what, self.value, self.state_words) if part)


@dataclass
class Event:
    """One entry of the steps of a pellet."""

    when: dt.datetime | None
    title: str
    code: str = ""
    words: str = ""


def record_node(record: Any, kind: str, what: str, value: str = "", **more: Any) -> Node:
    return Node(kind=kind, code=record.code, what=what, value=value, address=address_of(record), **more)


def fold(count: int, one: str, many: str, address: str, is_beside: bool = False) -> Node:
    """'4 more pellets', or '4 pellets' where none is shown."""
    return Node("more", what=f"{count} {'more ' if is_beside else ''}{one if count == 1 else many}", address=address)


def conversion_node(step: Conversion) -> Node:
    what = "lithium attached" if step.is_attachment else "conversion"
    words = joined(exact(step.temperature_degC, "degC"), exact(step.duration_min, "min"))
    return record_node(step, "conversion", f"{what}, {sides(list(step.faces))}", words, relation="converted in")


def cell_node(cell: Cell, record: Any) -> Node:
    node = record_node(cell, "cell", cell.notation, relation="built on")
    area = cell.electrode_area_cm2
    node.value = units.format_value(area, None, "=", "cm2") if area else ""
    node.state, node.state_words, node.is_here = cell.state, state_of(cell), cell == record
    return node


def film_node(film: FilmThickness, what: str) -> Node:
    text = units.format_named("film_thickness_nm", film.film_thickness_nm, film.film_thickness_uncertainty_nm)
    return record_node(film, "film_thickness", f"thickness, {what}", text, relation="read on")


def mark_path(pellet: Node, record: Any) -> None:
    """The path: of a pellet all that was made from it, of a cell the steps before it and what was measured."""

    def leads_here(node: Node) -> bool:
        return node.is_here or any(leads_here(child) for child in node.children)

    for node in pellet.walk():
        if pellet.is_here:
            node.is_on_path = node.kind not in ("witness_plate", "film_thickness")
        elif isinstance(record, Cell):
            node.is_on_path = leads_here(node)
    if isinstance(record, Cell):
        for node in (child for each in pellet.walk() if each.is_here for child in each.walk()):
            node.is_on_path = True
    for node in pellet.walk():
        if node.kind == "witness_plate":
            for below in node.walk():
                below.is_on_path = False


def sputtered(run: Any, faces: list[str]) -> Event:
    parts = (
        exact(run.power_W, "W"), exact(run.pressure_Pa, "Pa"), exact(run.target_distance_cm, "cm"),
        exact(run.duration_min, "min"), sides(faces),
    )  # fmt: skip
    return Event(run.performed_at, f"Sputtered, {run.target.code}", run.code, joined(*parts))


def converted(step: Conversion) -> Event:
    foil = exact(step.lithium_diameter_mm, "mm")
    parts = (f"Li Ø {foil}" if foil else "", exact(step.temperature_degC, "degC"), exact(step.duration_min, "min"))
    title = "Lithium attached" if step.is_attachment else "Converted"
    return Event(step.performed_at, title, step.code, joined(*parts, sides(list(step.faces))))


def tested(tests: list[Measurement], where: str) -> Event:
    times = [test.measured_at for test in tests if test.measured_at]
    kinds = list(dict.fromkeys(test.get_kind_display() for test in tests))
    count = f"{len(tests)} measurement{'' if len(tests) == 1 else 's'}"
    words = joined(f"{count} {where}".strip(), ", ".join(kinds))
    return Event(min(times) if times else tests[0].created_at, "Tested", tests[0].code, words)


def exact(value: float | None, suffix: str) -> str:
    return "" if value is None else units.exact_value(value, suffix)


def joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def sides(faces: list[str]) -> str:
    return "both sides" if len(set(faces)) > 1 else f"side {faces[0]}"


def state_of(record: Any) -> str:
    return record.get_state_display().lower()

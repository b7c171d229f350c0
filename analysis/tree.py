"""A family as a drawing: where each box stands, and what the sheet and the exported file need to draw it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from analysis.family import Family
from analysis.family_nodes import Node

WIDTH_PX, HEIGHT_PX = 152, 60
GAP_X_PX, GAP_Y_PX = 22, 10
MARGIN_PX = 6
# Width of one letter at the sizes of the sheet, a little generous: what is longer is cut, and whole in the title.
LETTER_PX = {"code": 7.3, "what": 5.9, "value": 6.4}
ROOM_PX = WIDTH_PX - 18
SQUEEZE = 1.2
KINDS = {
    "lot": "Powder lot", "batch": "Pellet batch", "pellet": "Pellet", "sputter_run": "Sputter run",
    "witness_plate": "Witness plate", "film_thickness": "Film thickness", "conversion": "Conversion", "cell": "Cell",
    "measurement": "Measurement", "more": "",
}  # fmt: skip
_MANY = {"batch": "pellet batches", "film_thickness": "film thicknesses"}
# The border says the state as well as the word does.
BORDERS = {
    "in_cell": "double", "resting": "double", "on_test": "double",
    "recovered": "dashed", "consumed": "dashed", "dismantled": "dashed",
    "broken": "dotted", "failed": "dotted",
    "suspect": "dotted", "out_of_range": "dotted", "not_converged": "dotted", "missing": "dotted",
}  # fmt: skip
LEGEND = (
    ("plain", "at hand, built, finished"),
    ("double", "in a cell, resting, on test"),
    ("dashed", "recovered, consumed, dismantled"),
    ("dotted", "broken, failed, doubtful"),
)


@dataclass
class Box:
    """A node with its place [px]; `parent` and `number` serve the arrow keys."""

    node: Node
    number: int
    parent: int | None
    x: float
    y: float
    children: list[Box] = field(default_factory=list)

    @property
    def border(self) -> str:
        """plain, double, dashed or dotted; of a fold its own."""
        return "fold" if self.node.is_fold else BORDERS.get(self.node.state, "plain")

    @property
    def kind_words(self) -> str:
        """The kind as people say it."""
        return KINDS[self.node.kind]

    @property
    def label(self) -> str:
        """What a screen reader says and the pointer shows."""
        words = f"{self.kind_words} {self.node.words}".strip()
        return f"{words}, this record" if self.node.is_here else words

    @property
    def code(self) -> str:
        """First line."""
        return self.node.code or _cut(self.node.what, "value", ROOM_PX)

    @property
    def what(self) -> str:
        """Second line."""
        return "" if self.node.is_fold else _cut(self.node.what, "what", ROOM_PX * SQUEEZE)

    @property
    def what_length(self) -> float | None:
        """Length to which the second line is squeezed, where it is a little too long."""
        return ROOM_PX if len(self.what) * LETTER_PX["what"] > ROOM_PX else None

    @property
    def value(self) -> str:
        """Third line, beside the state."""
        taken = len(self.node.state_words) * LETTER_PX["what"] + 8 if self.node.state_words else 0
        return _cut(self.node.short or self.node.value, "value", ROOM_PX - taken)

    @property
    def middle(self) -> float:
        """Height of the joint."""
        return self.y + HEIGHT_PX / 2

    @property
    def right(self) -> float:
        """Right end."""
        return self.x + WIDTH_PX


@dataclass
class Line:
    """From one box to the next."""

    path: str
    is_on_path: bool


@dataclass
class Drawing:
    """Everything that the template draws."""

    boxes: list[Box]
    lines: list[Line]
    width: float
    height: float
    summary: str
    box_width: int = WIDTH_PX
    box_height: int = HEIGHT_PX


def drawing_of(family: Family) -> Drawing:
    """Left to right; a parent stands beside its child on the path, else beside the middle of its children.

    Parameters
    ----------
    family : Family

    Returns
    -------
    Drawing
        Boxes in reading order; no two of them touch.
    """
    boxes: list[Box] = []
    bottom = MARGIN_PX
    numbers = count()

    def place(node: Node, depth: int, parent: int | None) -> Box:
        nonlocal bottom
        box = Box(node, next(numbers), parent, MARGIN_PX + depth * (WIDTH_PX + GAP_X_PX), 0.0)
        boxes.append(box)
        box.children = [place(child, depth + 1, box.number) for child in node.children]
        if box.children:
            on_path = [child.y for child in box.children if child.node.is_on_path]
            box.y = on_path[0] if len(on_path) == 1 else (box.children[0].y + box.children[-1].y) / 2
        else:
            box.y = bottom
            bottom += HEIGHT_PX + GAP_Y_PX
        return box

    place(family.root, 0, None)
    lines = [_line(box, child) for box in boxes for child in box.children]
    lines.sort(key=lambda line: line.is_on_path)  # thick ones are drawn last, over the others
    width = max(box.right for box in boxes) + MARGIN_PX
    return Drawing(boxes, lines, width, bottom - GAP_Y_PX + MARGIN_PX, _summary(family))


def _line(box: Box, child: Box) -> Line:
    half = box.right + GAP_X_PX / 2
    path = (
        f"M{box.right:g} {box.middle:g}C{half:g} {box.middle:g} {half:g} {child.middle:g} {child.x:g} {child.middle:g}"
    )
    return Line(path, box.node.is_on_path and child.node.is_on_path)


def _summary(family: Family) -> str:
    """'Genealogy of PEL-0142: powder lot LOT-0007, …; the same tree follows as a list.'"""
    counts: dict[str, list[str]] = {}
    for node in family.root.walk():
        if node.code and node.code not in counts.setdefault(node.kind, []):
            counts[node.kind].append(node.code)
    parts = [_counted(kind, codes) for kind, codes in counts.items()]
    return f"Genealogy of {family.record.code}: {', '.join(parts)}"


def _counted(kind: str, codes: list[str]) -> str:
    if len(codes) == 1:
        return f"{KINDS[kind].lower()} {codes[0]}"
    return f"{len(codes)} {_MANY.get(kind, KINDS[kind].lower() + 's')}"


def _cut(text: str, size: str, room_px: float) -> str:
    most = max(int(room_px / LETTER_PX[size]), 1)
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def context_of(family: Family) -> dict[str, Any]:
    """What the templates of the tree need."""
    return {"family": family, "drawing": drawing_of(family), "legend": LEGEND}

"""The genealogy on pages of the lower apps: `{% load genealogy %}{% genealogy_of pellet as tree %}`."""

from __future__ import annotations

from typing import Any

from django import template

from analysis import plots, relatives
from analysis.family import Wish, family_of
from analysis.tree import KINDS, context_of

register = template.Library()
MOST_TESTS = 3  # on the page of a sample; the tree page shows all


@register.simple_tag
def genealogy_of(record: Any) -> dict[str, Any]:
    """Drawing, steps and list of the path of a pellet or cell."""
    return context_of(family_of(record, Wish(most_tests=MOST_TESTS)))


@register.simple_tag
def relatives_of(pellet: Any) -> dict[str, Any]:
    """Values that other samples gave: of siblings, and of witness plates of the same runs."""
    return {"witness": relatives.of_witnesses(pellet), "siblings": relatives.of_siblings(pellet)}


@register.simple_tag
def trend_of(cell: Any) -> plots.Plot | None:
    """The figure of a cell's interfacial resistances; None without two to compare."""
    return plots.plots_of_cell(cell).get("trend")


@register.filter
def kind_words(kind: str) -> str:
    """The kind of a node as people say it."""
    return KINDS[kind]


@register.filter
def svg(number: float) -> str:
    """A coordinate, never with a comma."""
    return f"{number:g}"


@register.filter
def add_px(number: float, more: float) -> str:
    """A coordinate beside another."""
    return f"{number + more:g}"

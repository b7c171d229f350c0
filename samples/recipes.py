"""Recipes: list, page, new version, and a record used as recipe."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from lagpdb.lists import Column, Filter, RecordList
from lagpdb.pages import detail_context, find_record, get_record, uses_of
from lagpdb.records import Record
from lagpdb.roles import role_required
from samples.api import Recipes
from samples.edits import new_page
from samples.forms import newest_recipe
from samples.lists import CODE
from samples.models import Recipe
from samples.presets import KINDS as KIND_OF
from samples.recipe_forms import LEVELS, RecipeForm, shown_rows, values_of

NEW_PAGES = {
    "pellet_batch": "batch_new",
    "sputter_run": "sputter_run_new",
    "conversion": "conversion_new",
    "electrode_lot": "electrode_new",
    "cell": "cell_new",
}


class RecipeList(RecordList):
    """Recipes in all their versions; the newest of a kind fills the forms."""

    template = "samples/recipe_list.html"
    title, api = "Recipes", "recipes"
    collection = Recipes
    empty, no_match = "No recipes. The forms begin blank.", "No recipe matches."
    columns = (
        Column("Code", "code", "id"),
        Column("Fills", "kind"),
        Column("Name", "name"),
        Column("Version", "number", is_number=True),
        Column("Used by", is_number=True),
        Column("Made", "created_at"),
    )
    filters = (CODE, Filter("kind", "Fills", "choice", choices=tuple(Recipe.Kind.choices)))
    default_order = "-id"

    def queryset(self) -> QuerySet:
        return Recipe.objects.live()

    def decorate(self, rows: list[Any]) -> None:
        """Which version is in use now, and by how many records each is named."""
        newest = {kind: recipe.pk for kind in Recipe.Kind.values if (recipe := newest_recipe(kind))}
        counts = _uses([recipe.pk for recipe in rows])
        for recipe in rows:
            recipe.is_newest = newest.get(recipe.kind) == recipe.pk
            recipe.use_count = counts.get(recipe.pk, 0)

    def extra(self) -> dict[str, Any]:
        """Kinds, for the buttons that make the next version."""
        return {"newest": [recipe for kind in Recipe.Kind.values if (recipe := newest_recipe(kind))]}


def _uses(keys: list[int]) -> dict[int, int]:
    from django.db.models import Count

    counts: dict[int, int] = {}
    for model in KIND_OF:
        rows = model._default_manager.filter(recipe__in=keys).values("recipe").annotate(n=Count("pk")).order_by()
        for row in rows:
            counts[row["recipe"]] = counts.get(row["recipe"], 0) + row["n"]
    return counts


@role_required("member")
def recipe_new(request: HttpRequest) -> HttpResponse:
    """A recipe from a record (`?from=SPT-0007`), or the first one of a kind (`?kind=cell`)."""
    source = _source(request.GET.get("from", ""))
    if source is not None:
        kind = KIND_OF[type(source)]
        base = getattr(source, "recipe", None) or newest_recipe(kind)
        defaults = {**({"film": base.defaults["film"]} if base and "film" in base.defaults else {}),
                    **values_of(source, kind)}  # fmt: skip
        name, title = f"As {source.code}", f"Use {source.code} as recipe"
    else:
        kind = request.GET.get("kind", "")
        if kind not in Recipe.Kind.values:
            raise Http404(f"‘{kind}’ is no kind of recipe.")
        base, defaults, name, title = newest_recipe(kind), {}, "", f"New recipe: {Recipe.Kind(kind).label}"
    limits = base.limits if base is not None else {}
    return _form_page(request, kind, name, title, defaults, limits, source)


@role_required("member")
def recipe_next(request: HttpRequest, code: str) -> HttpResponse:
    """The next version of a recipe. The version before stays as it is, and so do the records made with it."""
    recipe = get_record(Recipe, code)
    title = f"New version of {recipe.name}"
    return _form_page(request, recipe.kind, recipe.name, title, recipe.defaults, recipe.limits, recipe, recipe.notes)


def _form_page(
    request: HttpRequest,
    kind: str,
    name: str,
    title: str,
    defaults: dict[str, Any],
    limits: dict[str, Any],
    source: Record | None,
    notes: str = "",
) -> HttpResponse:
    context = {
        "title": title,
        "back": reverse("recipe_detail", args=[source.code]) if isinstance(source, Recipe) else reverse("recipe_list"),
        "levels": LEVELS,
        "kind_words": Recipe.Kind(kind).label,
        "source": source,
    }
    return new_page(
        request,
        RecipeForm,
        Recipe(kind=kind, name=name, notes=notes),
        "samples/recipe_form.html",
        context,
        defaults=defaults,
        limits=limits,
    )


def _source(code: str) -> Record | None:
    if not code:
        return None
    record = find_record(code)
    if record is None or type(record) not in KIND_OF:
        raise Http404(f"{code} cannot be used as recipe.")
    return record


def recipe_detail(request: HttpRequest, code: str) -> HttpResponse:
    """One version of a recipe: what it fills, its limits, the other versions."""
    recipe = get_record(Recipe, code)
    versions = list(Recipe.objects.filter(kind=recipe.kind).order_by("-number")[:50])
    before = next((each for each in versions if each.number < recipe.number), None)
    newest = newest_recipe(recipe.kind)
    context = {
        **detail_context(request, recipe),
        "recipe": recipe,
        "rows": shown_rows(recipe, before),
        "before": before,
        "versions": versions,
        "is_newest": newest is not None and newest.pk == recipe.pk,
        "newest": newest,
        "uses": uses_of(recipe),
        "new_page": NEW_PAGES.get(recipe.kind, ""),
    }
    return render(request, "samples/recipe_detail.html", context)

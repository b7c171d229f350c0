"""Where a record came from and what came of it, as W3C PROV JSON (https://www.w3.org/submissions/prov-json/).

The lineage is the foreign keys; there is no second graph. From the record asked for we walk down to everything made
from it, then from all of that up to powder lots and raw bytes. What was held is an entity, what was done an activity:
sputter runs, conversions, uploads and analysis runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.http import Http404

from analysis.models import AnalysisRun, Result, RunInput
from analysis.prov import COLLECTIONS, Ids, document_of, film_codes
from lagpdb.records import normal_code
from measurements.models import Measurement, Upload, UploadFile
from samples.models import (
    Cell,
    Conversion,
    ElectrodeLot,
    FilmThickness,
    Material,
    Pellet,
    PelletBatch,
    PowderLot,
    SputterRun,
    WitnessPlate,
)

LIMIT = 2000  # of each kind, newest first; a powder lot can have made more than a page can hold

BACK, FORWARD, BOTH = DIRECTIONS = ("back", "forward", "both")

_BY_PREFIX: dict[str, type[Model]] = {model.PREFIX: model for model in COLLECTIONS if getattr(model, "PREFIX", "")}


def start(text: str) -> tuple[type[Model], int]:
    """The record that a code, the id of a result, or ``run-<id>`` names.

    Raises
    ------
    Http404
        There is none.
    """
    if re.fullmatch(r"\d{1,18}", text.strip()):
        found: tuple[type[Model], Any] = (Result, Result.objects.filter(pk=int(text)))
    elif run := re.fullmatch(r"run-(\d{1,18})", text.strip()):
        found = (AnalysisRun, AnalysisRun.objects.filter(pk=int(run[1])))
    else:
        code = normal_code(text)
        model = _BY_PREFIX.get(code[:3], Material)
        found = (model, model._default_manager.filter(code=code))  # type: ignore[misc]
    key = found[1].values_list("pk", flat=True).first()
    if key is None:
        raise Http404(f"There is nothing with a lineage at ‘{text}’. Give a code, the id of a result, or run-<id>.")
    return found[0], key


# -- walking -----------------------------------------------------------------------------------------------------------
# From, to, and the rows of `to` that hang on the given keys of `from`. In the order in which things are made.
_Step = tuple[type[Model], type[Model], Callable[[Iterable[int]], QuerySet]]
_DOWN: tuple[_Step, ...] = (
    (Material, PowderLot, lambda ids: PowderLot.objects.filter(material__in=ids)),
    (Material, ElectrodeLot, lambda ids: ElectrodeLot.objects.filter(material__in=ids)),
    (Material, SputterRun, lambda ids: SputterRun.objects.filter(target__in=ids)),
    (PowderLot, PelletBatch, lambda ids: PelletBatch.objects.filter(powder_lot__in=ids)),
    (PelletBatch, Pellet, lambda ids: Pellet.objects.filter(batch__in=ids)),
    (SputterRun, Pellet, lambda ids: Pellet.objects.filter(coatings__sputter_run__in=ids).distinct()),
    (SputterRun, WitnessPlate, lambda ids: WitnessPlate.objects.live().filter(sputter_run__in=ids)),
    (Conversion, Pellet, lambda ids: Pellet.objects.filter(conversions__in=ids).distinct()),
    (WitnessPlate, FilmThickness, lambda ids: FilmThickness.objects.live().filter(witness_plate__in=ids)),
    (Pellet, FilmThickness, lambda ids: FilmThickness.objects.live().filter(pellet__in=ids)),
    (Pellet, Conversion, lambda ids: Conversion.objects.live().filter(pellet__in=ids)),
    (Pellet, Cell, lambda ids: Cell.objects.filter(pellet__in=ids)),
    (ElectrodeLot, Cell, lambda ids: Cell.objects.filter(electrode_lot__in=ids)),
    (Pellet, Measurement, lambda ids: Measurement.objects.filter(pellet__in=ids)),
    (Cell, Measurement, lambda ids: Measurement.objects.filter(cell__in=ids)),
    (WitnessPlate, Measurement, lambda ids: Measurement.objects.filter(witness_plate__in=ids)),
    (Upload, Measurement, lambda ids: Measurement.objects.filter(pk__in=_brought(ids))),
    (Measurement, AnalysisRun, lambda ids: AnalysisRun.objects.filter(measurement__in=ids, is_current=True)),
    (FilmThickness, AnalysisRun, lambda ids: AnalysisRun.objects.filter(pk__in=_rates_over(ids))),
    (AnalysisRun, Result, lambda ids: Result.objects.filter(run__in=ids)),
    (
        Result,
        AnalysisRun,
        lambda ids: AnalysisRun.objects.filter(run_inputs__result__in=ids, is_current=True).distinct(),
    ),
    (AnalysisRun, Result, lambda ids: Result.objects.filter(run__in=ids)),
    # What was done to the pellets is told; other pellets of the same run are not theirs.
    (Pellet, SputterRun, lambda ids: _runs_on(ids)),
)
_UP: tuple[_Step, ...] = (
    (Result, AnalysisRun, lambda ids: AnalysisRun.objects.filter(results__in=ids).distinct()),
    (AnalysisRun, Result, lambda ids: Result.objects.filter(used_in__run__in=ids).distinct()),
    (Result, AnalysisRun, lambda ids: AnalysisRun.objects.filter(results__in=ids).distinct()),
    (AnalysisRun, Measurement, lambda ids: Measurement.objects.filter(_enters(ids)).distinct()),
    (AnalysisRun, Cell, lambda ids: Cell.objects.filter(combination_runs__in=ids).distinct()),
    (AnalysisRun, Pellet, lambda ids: Pellet.objects.filter(combination_runs__in=ids).distinct()),
    (AnalysisRun, FilmThickness, lambda ids: FilmThickness.objects.filter(code__in=_films_of(ids))),
    (Measurement, Upload, lambda ids: Upload.objects.filter(files__measurements__in=ids).distinct()),
    (Measurement, Cell, lambda ids: Cell.objects.filter(measurements__in=ids).distinct()),
    (Measurement, Pellet, lambda ids: Pellet.objects.filter(measurements__in=ids).distinct()),
    (Measurement, WitnessPlate, lambda ids: WitnessPlate.objects.filter(measurements__in=ids).distinct()),
    (FilmThickness, WitnessPlate, lambda ids: WitnessPlate.objects.filter(film_thicknesses__in=ids).distinct()),
    (FilmThickness, Pellet, lambda ids: Pellet.objects.filter(film_thicknesses__in=ids).distinct()),
    (Conversion, Pellet, lambda ids: Pellet.objects.filter(conversions__in=ids).distinct()),
    (Cell, Pellet, lambda ids: Pellet.objects.filter(cells__in=ids).distinct()),
    (Cell, ElectrodeLot, lambda ids: ElectrodeLot.objects.filter(cells__in=ids).distinct()),
    (Pellet, Conversion, lambda ids: Conversion.objects.live().filter(pellet__in=ids)),
    (Pellet, SputterRun, lambda ids: _runs_on(ids)),
    (WitnessPlate, SputterRun, lambda ids: SputterRun.objects.filter(witness_plates__in=ids).distinct()),
    (Pellet, PelletBatch, lambda ids: PelletBatch.objects.filter(pellets__in=ids).distinct()),
    (PelletBatch, PowderLot, lambda ids: PowderLot.objects.filter(batches__in=ids).distinct()),
    (PowderLot, Material, lambda ids: Material.objects.filter(powder_lots__in=ids).distinct()),
    (ElectrodeLot, Material, lambda ids: Material.objects.filter(electrode_lots__in=ids).distinct()),
    (SputterRun, Material, lambda ids: Material.objects.filter(sputter_runs__in=ids).distinct()),
)


def _enters(runs: Iterable[int]) -> Q:
    return Q(runs__in=runs) | Q(
        pk__in=RunInput.objects.filter(run__in=runs, measurement__isnull=False).values("measurement")
    )


def _runs_on(pellets: Iterable[int]) -> QuerySet:
    return SputterRun.objects.live().filter(coatings__pellet__in=pellets).distinct()


def _brought(uploads: Iterable[int]) -> QuerySet:
    """Keys of the measurements that uploads brought."""
    return UploadFile.objects.filter(upload__in=uploads, measurements__isnull=False).values("measurements")


def _films_of(runs: Iterable[int]) -> set[str]:
    """Codes of the film thicknesses that entered runs on sputter settings: the frozen inputs say so."""
    frozen = AnalysisRun.objects.filter(pk__in=runs, sputter_setting__isnull=False).values_list("inputs", flat=True)
    return {code for inputs in frozen for code in film_codes(inputs)}


def _rates_over(films: Iterable[int]) -> list[int]:
    """Keys of the current runs on sputter settings that film thicknesses entered."""
    codes = set(FilmThickness.objects.filter(pk__in=films).values_list("code", flat=True))
    current = AnalysisRun.objects.filter(sputter_setting__isnull=False, is_current=True).values_list("pk", "inputs")
    return [key for key, inputs in current if codes & film_codes(inputs)]


def _walk(ids: Ids, steps: tuple[_Step, ...]) -> bool:
    """Add what the steps reach; True when something was left out. One query a step."""
    is_cut = False
    for origin, target, rows in steps:
        if not ids.get(origin):
            continue
        found = set(rows(ids[origin]).order_by("-pk").values_list("pk", flat=True)[: LIMIT + 1])
        is_cut = is_cut or len(found) > LIMIT
        ids.setdefault(target, set()).update(sorted(found, reverse=True)[:LIMIT])
    return is_cut


def prov(code: str, *, base_url: str = "/", direction: str = BOTH) -> dict[str, Any]:
    """The lineage of a record, as PROV JSON.

    Parameters
    ----------
    code : str
        Any spelling of a code, the id of a result, or ``run-<id>``.
    base_url : str
        Address of the site, for the names of the nodes.
    direction : str
        'back' to powder and raw bytes, 'forward' to what was made from it, or 'both': then also where that came from.

    Raises
    ------
    Http404
        There is no such record.
    """
    model, key = start(code)
    ids: Ids = {model: {key}}
    is_cut = False
    if direction in (FORWARD, BOTH):
        is_cut = _walk(ids, _DOWN)
    if direction in (BACK, BOTH):
        is_cut = _walk(ids, _UP) or is_cut
    document = document_of(ids, base_url)
    if is_cut:
        document["lagpdb:note"] = {"left_out": f"Only the newest {LIMIT} of each kind are shown."}
    return document

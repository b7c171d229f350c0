"""The family of a sample, as the tree shows it: lot, batch, pellet, what was done to it, cells, measurements.

A fixed number of queries, whatever the size. What would make more than `MOST_NODES` nodes is folded into nodes that
count: first measurements, then what hangs on the other pellets, then those pellets.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from analysis.family_nodes import (
    LONG_AGO,
    Event,
    Node,
    cell_node,
    conversion_node,
    converted,
    exact,
    film_node,
    fold,
    joined,
    mark_path,
    record_node,
    sides,
    sputtered,
    state_of,
    tested,
)
from analysis.models import Result
from lagpdb import units
from lagpdb.mainvalues import main_results
from measurements.models import Measurement
from samples.models import Cell, Coating, Conversion, FilmThickness, Pellet, PelletBatch, PowderLot, WitnessPlate
from samples.models.lots import faces_of
from samples.notation import pellet_notation

MOST_NODES = 200
MOST_BATCHES = 80


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see: the `scope` is 'path' or 'lot'."""

    scope: str = "path"
    only_with_results: bool = False
    hides_recovered: bool = False
    most_tests: int = MOST_NODES  # of one sample; more are folded into one node
    opened: str = ""  # code of a batch whose pellets are shown, however many others there are

    def query(self, **changes: Any) -> str:
        """The wish as the query string of an address."""
        said = {
            "view": self.scope if self.scope != "path" else "",
            "results": "1" if self.only_with_results else "",
            "recovered": "hide" if self.hides_recovered else "",
            "open": self.opened,
        } | changes
        return urlencode({name: value for name, value in said.items() if value})


@dataclass
class Family:
    """The tree of one record; `steps` are those of its pellet, in order."""

    record: Any
    root: Node
    steps: list[Event]
    is_folded: bool  # something was too many to draw

    @property
    def here(self) -> Node:
        """The node of the record itself."""
        return next((node for node in self.root.walk() if node.is_here), self.root)

    @property
    def is_barren(self) -> bool:
        """Whether nothing was made from the record, nor done to it."""
        return not self.here.children


def family_of(record: PowderLot | PelletBatch | Pellet | Cell, wish: Wish | None = None) -> Family:
    """The tree around a lot, batch, pellet or cell.

    Parameters
    ----------
    record : PowderLot, PelletBatch, Pellet or Cell
    wish : Wish, optional
        What to show; the path of the record unless said otherwise.

    Returns
    -------
    Family
    """
    return _Builder(record, wish or Wish()).build()


def edges(root: Node) -> list[tuple[str, str, str]]:
    """From, to and relation of every pair of records in the tree, each once; folded ones are left out."""
    found: dict[tuple[str, str, str], None] = {}
    for node in root.walk():
        for child in node.children:
            if not child.is_fold and not node.is_fold:
                found[node.code, child.code, child.relation] = None
    return list(found)


# -- which records -----------------------------------------------------------------------------------------------------
class _Builder:
    """Loads what the wish asks for and joins it; one use."""

    def __init__(self, record: Any, wish: Wish) -> None:
        self.record, self.wish = record, wish
        self.pellet: Pellet | None = record if isinstance(record, Pellet) else getattr(record, "pellet", None)
        self.batch: PelletBatch | None = record if isinstance(record, PelletBatch) else None
        self.batch = self.pellet.batch if self.pellet else self.batch
        self.lot: PowderLot = self.batch.powder_lot if self.batch else record
        self.is_folded = False

    def build(self) -> Family:
        shown, full, quiet = self._choose()
        rows = _Rows(self.record, self.lot, shown, full, quiet)
        root = record_node(self.lot, "lot", self.lot.material.code, exact(self.lot.amount_g, "g"), is_on_path=True)
        root.is_here = self.record == self.lot
        batches = self._batches()
        for batch in batches[:MOST_BATCHES]:
            root.add(self._batch_node(batch, rows))
        folded = len(batches) - len(batches[:MOST_BATCHES])
        others = self._other_batches() if self.wish.scope == "path" and self.batch else 0
        self.is_folded = self.is_folded or folded > 0
        if folded or others:
            root.add(fold(folded or others, "batch", "batches", self._address(self.lot, "lot"), bool(others)))
        return Family(self.record, root, rows.events(self.pellet) if self.pellet else [], self.is_folded)

    def _pellets(self) -> QuerySet:
        """The pellets of the lot that the filters leave; that of the record always stays."""
        condition = Q()
        if self.wish.hides_recovered:
            condition &= ~Q(state=Pellet.State.RECOVERED)
        if self.wish.only_with_results:
            condition &= Exists(Result.objects.current().filter(pellet=OuterRef("pk"), value__isnull=False))
        if self.pellet and condition:
            condition |= Q(pk=self.pellet.pk)
        own = Q(withdrawn_at__isnull=True) | Q(pk=self.pellet.pk if self.pellet else 0)
        return Pellet.objects.filter(own, batch__powder_lot=self.lot).filter(condition)

    def _choose(self) -> tuple[set[int], set[int], set[int]]:
        """Keys of the pellets that are shown at all, shown with all, and shown with counted measurements."""
        own = {self.pellet.pk} if self.pellet else set()
        if self.wish.scope == "path":
            of_batch = set(self._pellets().filter(batch=self.batch).values_list("pk", flat=True)[: MOST_NODES + 1])
            shown = of_batch if self.batch and not self.pellet and len(of_batch) <= MOST_NODES else set()
            self.is_folded = self.batch is not None and not self.pellet and len(of_batch) > MOST_NODES
            return shown | own, own, set()
        pellets = self._pellets()
        count = pellets.count()
        steps, tests, subjects = _sizes(pellets)
        room = MOST_NODES - 1 - min(MOST_BATCHES, self.lot.batches.count())
        keys = set(pellets.values_list("pk", flat=True)[: MOST_NODES + 1]) if count <= room else set()
        self.is_folded = count + steps + tests > room
        if count + steps + tests <= room:
            return keys, keys, set()
        if count + steps + subjects <= room:
            return keys, own, keys - own
        if count <= room:
            return keys | own, own, set()
        opened = pellets.filter(batch__code=self.wish.opened).values_list("pk", flat=True)[: MOST_NODES + 1]
        return own | set(opened[:MOST_NODES]), own, set()

    def _batches(self) -> list[PelletBatch]:
        """All batches of the lot, or the one on the path; also when it lies in the trash."""
        wanted = Q(pk=self.batch.pk if self.batch else 0)
        if self.wish.scope == "lot" or not self.batch:
            wanted |= Q(withdrawn_at__isnull=True)
        return list(self.lot.batches.filter(wanted).order_by("pk"))

    def _other_batches(self) -> int:
        return self.lot.batches.live().exclude(pk=self.batch.pk if self.batch else 0).count()

    def _counts(self) -> dict[int, int]:
        """How many pellets each batch has; one query, at first use."""
        if not hasattr(self, "_counted"):
            rows = self._pellets().values("batch").annotate(n=Count("pk")).order_by()
            self._counted = {row["batch"]: row["n"] for row in rows}
        return self._counted

    # -- nodes of lot, batch and pellet --------------------------------------------------------------------------------
    def _batch_node(self, batch: PelletBatch, rows: _Rows) -> Node:
        sintered = joined(exact(batch.sinter_temperature_degC, "degC"), exact(batch.sinter_time_h, "h"))
        pressed = exact(batch.powder_mass_mg, "mg")
        node = record_node(
            batch, "batch", f"pressed, {pressed}" if pressed else "pressed", sintered, relation="pressed from"
        )
        node.is_here, node.is_on_path = batch == self.record, batch == self.batch
        pellets = rows.pellets.get(batch.pk, [])
        for pellet in pellets:
            node.add(rows.pellet_node(pellet, self.wish.most_tests))
        left = self._counts().get(batch.pk, 0) - len(pellets)
        if left:
            address = self._address(batch, "batch", view="lot", open=batch.code)
            node.add(fold(left, "pellet", "pellets", address, bool(pellets)))
        return node

    def _address(self, record: Any, kind: str, **changes: Any) -> str:
        query = self.wish.query(**{"open": "", "view": "lot"} | changes)
        return f"{reverse(f'{kind}_tree', args=[record.code])}?{query}"


def _sizes(pellets: QuerySet) -> tuple[int, int, int]:
    """How many steps with cells, measurements, and samples that were measured, hang on pellets: five queries."""
    keys = pellets.values("pk")
    coats = Coating.objects.filter(pellet__in=keys, sputter_run__withdrawn_at__isnull=True)
    runs = coats.values("pellet", "sputter_run").distinct().count()
    conversions = Conversion.objects.live().filter(pellet__in=keys).count()
    cells = Cell.objects.live().filter(pellet__in=keys).count()
    tests = Measurement.objects.live().filter(Q(pellet__in=keys) | Q(cell__pellet__in=keys))
    subjects = tests.values("pellet", "cell").distinct().order_by().count()
    return runs + conversions + cells, tests.count(), subjects


# -- what hangs on pellets ---------------------------------------------------------------------------------------------
class _Rows:
    """Everything that hangs on the chosen pellets, read at once; `quiet` ones only count their measurements."""

    def __init__(self, record: Any, lot: PowderLot, shown: set[int], full: set[int], quiet: set[int]) -> None:
        self.record, self.lot, self.deep = record, lot, full | quiet
        self.pellets: dict[int, list[Pellet]] = defaultdict(list)
        for pellet in Pellet.objects.filter(pk__in=shown).order_by("pk"):
            self.pellets[pellet.batch_id].append(pellet)
        self.faces = faces_of(shown)
        self._read_steps()
        self._read_tests(full, quiet)
        self.told_runs: set[int] = set()

    def _read_steps(self) -> None:
        self.runs: dict[int, dict[int, tuple[Any, list[str]]]] = defaultdict(dict)
        coats = Coating.objects.filter(pellet__in=self.deep, sputter_run__withdrawn_at__isnull=True)
        for coat in coats.select_related("sputter_run__target").order_by("face", "pk"):
            _, faces = self.runs[coat.pellet_id].setdefault(coat.sputter_run_id, (coat.sputter_run, []))
            faces.append(coat.face)
        self.conversions = _grouped(Conversion.objects.live().filter(pellet__in=self.deep), "pellet_id")
        own = Q(withdrawn_at__isnull=True) | Q(pk=self.record.pk if isinstance(self.record, Cell) else 0)
        self.cells = _grouped(Cell.objects.filter(own, pellet__in=self.deep).order_by("pk"), "pellet_id")
        run_keys = {key for runs in self.runs.values() for key in runs}
        plates = WitnessPlate.objects.live().filter(sputter_run__in=run_keys).select_related("sputter_run__target")
        self.plates = _grouped(plates.order_by("pk"), "sputter_run_id")
        plate_keys = [plate.pk for plates in self.plates.values() for plate in plates]
        films = FilmThickness.objects.live().filter(Q(witness_plate__in=plate_keys) | Q(pellet__in=self.deep))
        self.films_of_plate = _grouped(films.filter(witness_plate__isnull=False), "witness_plate_id")
        self.films_of_pellet = _grouped(films.filter(pellet__isnull=False), "pellet_id")
        self.plate_keys = plate_keys

    def _read_tests(self, full: set[int], quiet: set[int]) -> None:
        """Measurements of the full ones, with their main numbers; of the others how many."""
        live = Measurement.objects.live()
        wanted = Q(pellet__in=full) | Q(cell__pellet__in=full) | Q(witness_plate__in=self.plate_keys)
        rows = list(live.filter(wanted).order_by("measured_at", "pk"))
        self.numbers = main_results(rows)
        self.tests: dict[tuple[str, int], list[Measurement]] = defaultdict(list)
        for row in rows:
            for name in ("cell", "pellet", "witness_plate"):
                if key := getattr(row, f"{name}_id"):
                    self.tests[name, key].append(row)
        counted = live.filter(Q(pellet__in=quiet) | Q(cell__pellet__in=quiet))
        self.counts: dict[tuple[str, int], int] = {}
        for row in counted.values("pellet", "cell").annotate(n=Count("pk")).order_by():
            name = "cell" if row["cell"] else "pellet"
            self.counts[name, row[name]] = row["n"]

    # -- nodes ---------------------------------------------------------------------------------------------------------
    def pellet_node(self, pellet: Pellet, most_tests: int) -> Node:
        """A pellet with its steps as a chain; cells and bare measurements hang on the step before them."""
        record = self.record
        notation = pellet_notation(self.lot.material.code, self.faces.get(pellet.pk, {}))
        node = record_node(pellet, "pellet", notation, exact(pellet.thickness_um, "um"), relation="sintered in")
        node.state, node.state_words = pellet.state, state_of(pellet)
        node.is_here = pellet == record
        node.is_on_path = node.is_here or (isinstance(record, Cell) and record.pellet_id == pellet.pk)
        if pellet.pk not in self.deep:
            return node
        chain: list[tuple[dt.datetime, Node]] = [(LONG_AGO, node)]
        runs = self.runs.get(pellet.pk, {})
        steps = [(_when(run.performed_at, run), run, faces) for run, faces in runs.values()]
        steps += [(_when(each.performed_at, each), each, list(each.faces)) for each in self.conversions[pellet.pk]]
        for when, step, faces in sorted(steps, key=lambda item: (item[0], item[1]._meta.model_name, item[1].pk)):
            made = conversion_node(step) if isinstance(step, Conversion) else self._run_node(step, faces)
            chain[-1][1].add(made)
            chain.append((when, made))
        for film in self.films_of_pellet[pellet.pk]:
            _before(chain, _when(film.measured_at, film)).add(film_node(film, f"side {film.face}"))
        self._add_tests(chain, "pellet", pellet.pk, most_tests)
        for cell in self.cells[pellet.pk]:
            made = _before(chain, _when(cell.assembled_at, cell)).add(cell_node(cell, record))
            self._add_tests([(LONG_AGO, made)], "cell", cell.pk, most_tests)
        mark_path(node, record)
        return node

    def _run_node(self, run: Any, faces: list[str]) -> Node:
        words = joined(exact(run.duration_min, "min"), sides(faces))
        node = record_node(run, "sputter_run", f"sputter {run.target.code}", words, relation="sputtered in")
        if run.pk in self.told_runs:
            return node
        self.told_runs.add(run.pk)  # its plates hang below it once
        for plate in self.plates.get(run.pk, ()):
            below = node.add(record_node(plate, "witness_plate", plate.notation, "witness plate", relation="coated in"))
            for film in self.films_of_plate[plate.pk]:
                below.add(film_node(film, film.get_method_display()))
            for test in self.tests["witness_plate", plate.pk]:
                below.add(self._test_node(test))
        return node

    def _add_tests(self, chain: list[tuple[dt.datetime, Node]], name: str, key: int, most: int) -> None:
        tests, counted = self.tests.get((name, key), []), self.counts.get((name, key), 0)
        if len(tests) > most or counted:
            node = chain[-1][1]
            node.add(fold(counted or len(tests), "measurement", "measurements", f"{node.address}#tests"))
            return
        for test in tests:
            moment = LONG_AGO if test.measured_at is None else test.measured_at
            _before(chain, moment).add(self._test_node(test))

    def _test_node(self, test: Measurement) -> Node:
        number = self.numbers.get(test.pk)
        text = units.format_named(number.quantity, number.value, number.uncertainty, number.limit) if number else ""
        node = record_node(test, "measurement", test.get_kind_display(), text, relation="measured on")
        if number and number.value is not None:
            node.short = units.format_named(number.quantity, number.value, None, number.limit)
        if number is not None and number.flag != "ok":
            node.state, node.state_words = number.flag, number.get_flag_display().lower()
        return node

    def events(self, pellet: Pellet) -> list[Event]:
        """What happened to a pellet, oldest first; what has no time comes where it must have been."""
        batch = pellet.batch
        pressed = joined(exact(batch.powder_mass_mg, "mg"), exact(batch.press_pressure_MPa, "MPa"))
        sintered = joined(exact(batch.sinter_temperature_degC, "degC"), exact(batch.sinter_time_h, "h"))
        first = [Event(batch.pressed_at, "Pressed", batch.code, pressed)]
        if sintered or batch.sinter_started_at:
            first.append(Event(batch.sinter_started_at, "Sintered", batch.code, sintered))
        later = [sputtered(run, faces) for run, faces in self.runs.get(pellet.pk, {}).values()]
        later += [converted(each) for each in self.conversions[pellet.pk]]
        for cell in self.cells[pellet.pk]:
            later.append(Event(cell.assembled_at, "Cell built", cell.code, f"{cell.notation}, {state_of(cell)}"))
        for (name, key), tests in self.tests.items():
            if name == "pellet" and key == pellet.pk:
                later.append(tested(tests, ""))
            elif name == "cell":
                cell = next((each for each in self.cells[pellet.pk] if each.pk == key), None)
                later += [tested(tests, f"in {cell.code}")] if cell else []
        return first + sorted(later, key=lambda event: event.when or LONG_AGO)


# -- small things ------------------------------------------------------------------------------------------------------
def _when(moment: dt.datetime | None, record: Any) -> dt.datetime:
    return moment or record.created_at


def _before(chain: list[tuple[dt.datetime, Node]], moment: dt.datetime) -> Node:
    """The last step of a chain that is not later than a moment; the pellet itself when all are."""
    return [node for when, node in chain if when <= moment or when == LONG_AGO][-1]


def _grouped(rows: Iterable[Any], key: str) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, key)].append(row)
    return groups

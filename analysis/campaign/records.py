"""The records of the reference campaign: made once, all or none, and found again."""

from __future__ import annotations

import statistics

from django.db import transaction

from analysis.campaign.plan import (
    ASSEMBLED_AT,
    ASSUMED,
    CELLS,
    MARKER,
    NOTE,
    PRESSED_AT,
    RECEIVED_ON,
    REPORTED,
    SPUTTERED_AT,
    SUPPLIER,
    PlannedCell,
)
from lagpdb.records import CodeCounter, save_record
from samples.models import Cell, Coating, Material, Pellet, PelletBatch, PowderLot, Recipe, SputterRun

REASON = "reference campaign"
DATES = "The study gives no dates: this one is a placeholder."


def reference_lot() -> PowderLot | None:
    """The powder lot of the campaign, withdrawn or not; None when it was never loaded."""
    return PowderLot.objects.filter(supplier_lot=MARKER, is_synthetic=True).order_by("pk").first()


def cells_of(lot: PowderLot) -> list[tuple[PlannedCell, Cell]]:
    """The planned cells with their records, told by their notes; without those that a person withdrew."""
    found = []
    for planned in CELLS:
        named = Cell.objects.live().filter(pellet__batch__powder_lot=lot, notes__contains=_place(planned))
        cell = named.select_related("pellet").order_by("pk").first()
        if cell is not None:
            found.append((planned, cell))
    return found


def _place(planned: PlannedCell) -> str:
    return f"Cell {planned.number} of the reference set."


def make_records() -> PowderLot:
    """Create lot, batch, pellets, sputter run and cells, unless they exist; in one transaction."""
    with transaction.atomic():
        # Two calls at once: the second waits here, and then finds what the first made.
        CodeCounter.objects.get_or_create(prefix=PowderLot.PREFIX)
        CodeCounter.objects.select_for_update().get(prefix=PowderLot.PREFIX)
        found = reference_lot()
        if found is not None:
            return found
        lot = _lot()
        batch = _batch(lot)
        pellets = [_pellet(planned, batch) for planned in CELLS]
        _coat([pellet for planned, pellet in zip(CELLS, pellets, strict=True) if planned.is_coated])
        for planned, pellet in zip(CELLS, pellets, strict=True):
            _cell(planned, pellet)
    return lot


def _number(record: str) -> float:
    value = REPORTED[record].value
    assert isinstance(value, float)
    return value


def _note(*sentences: str) -> str:
    return " ".join([NOTE, *sentences])


def _lot() -> PowderLot:
    lot = PowderLot(
        material=Material.objects.get(code="LAGP"),
        supplier=SUPPLIER,
        supplier_lot=MARKER,
        received_on=RECEIVED_ON,
        is_synthetic=True,
        notes=_note("The lot number is a marker, not the supplier’s.", DATES),
    )
    save_record(lot, by=None, reason=REASON)
    return lot


def _batch(lot: PowderLot) -> PelletBatch:
    batch = PelletBatch(
        powder_lot=lot,
        recipe=Recipe.objects.filter(kind=Recipe.Kind.PELLET_BATCH, number=1).first(),
        powder_mass_mg=_number("P01"),
        sinter_temperature_degC=_number("P02"),
        sinter_time_h=_number("P03"),
        grits=list(REPORTED["P04"].value or ()),
        pressed_at=PRESSED_AT,
        is_synthetic=True,
        notes=_note("Mass, sintering and grinding as in section 2.1; the press pressure is not reported.", DATES),
    )
    save_record(batch, by=None, reason=REASON)
    return batch


def _pellet(planned: PlannedCell, batch: PelletBatch) -> Pellet:
    readings = planned.thickness_readings_um
    source = (
        "Thickness after the 900 µm that the study gives for a pellet coated on one face (it also gives 850 µm for one "
        "coated on both, and 50 nm for the film: these are different pellets)."
        if planned.is_coated
        else "Thickness after the 800 µm that the study gives for a pristine pellet."
    )
    pellet = Pellet(
        batch=batch,
        thickness_um=statistics.fmean(readings),
        thickness_uncertainty_um=statistics.stdev(readings),
        thickness_readings_um=readings,
        diameter_mm=ASSUMED["pellet_diameter_mm"],
        is_synthetic=True,
        notes=_note(
            source,
            "Assumed: the scatter of the readings, and a diameter of 15 mm, which 500 mg of dense LAGP have at 800 µm. "
            "Mass and density are not reported.",
        ),
    )
    save_record(pellet, by=None, reason=REASON)
    return pellet


def _coat(pellets: list[Pellet]) -> SputterRun:
    run = SputterRun(
        target=Material.objects.get(code="CuS"),
        power_W=_number("S03"),
        pressure_Pa=_number("S04"),
        base_pressure_Pa=_number("S01"),
        base_pressure_limit="<",
        target_distance_cm=_number("S02"),
        duration_min=_number("S06"),
        performed_at=SPUTTERED_AT,
        is_synthetic=True,
        notes=_note("Settings as in section 2.2; the study reports 50 nm after 10 min.", DATES),
    )
    save_record(run, by=None, reason=REASON)
    for pellet in pellets:
        coating = Coating(sputter_run=run, pellet=pellet, face="A")
        coating.full_clean()
        coating.save()
    return run


def _cell(planned: PlannedCell, pellet: Pellet) -> Cell:
    cell = Cell(
        pellet=pellet,
        configuration=Cell.Configuration.BLOCKING,
        electrode_material=Material.objects.get(code="Ag"),
        electrode_diameter_mm=ASSUMED["electrode_diameter_mm"],
        electrode_diameter_uncertainty_mm=ASSUMED["electrode_diameter_uncertainty_mm"],
        assembled_at=ASSEMBLED_AT,
        is_synthetic=True,
        notes=_note(
            _place(planned),
            "Assumed: silver electrodes of (10.00 ± 0.05) mm diameter; the study does not report their area.",
            DATES,
        ),
    )
    save_record(cell, by=None, reason=REASON)
    cell.state = Cell.State.FINISHED
    save_record(cell, by=None, reason=REASON)
    return cell

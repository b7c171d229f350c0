"""The records of the reference campaign: made once, all or none, and found again."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet

from analysis.campaign import trend
from analysis.campaign.lithium import CONVERTED, FULL, PlannedTest
from analysis.campaign.lithium_cells import TESTS
from analysis.campaign.plan import (
    ASSEMBLED_AT,
    ASSUMED,
    CELLS,
    COATED_ON,
    CONVERTED_AT,
    FILM_READ_AT,
    MARKER,
    NOTE,
    PRESSED_AT,
    RECEIVED_ON,
    SPUTTERED_AT,
    SUPPLIER,
    PlannedCell,
    Thickness,
)
from analysis.campaign.reported import REPORTED, number
from lagpdb.records import CodeCounter, save_record
from samples.models import (
    Cell,
    Coating,
    Conversion,
    ElectrodeLot,
    FilmThickness,
    Material,
    Pellet,
    PelletBatch,
    PowderLot,
    Recipe,
    SputterRun,
    WitnessPlate,
)

Planned = TypeVar("Planned", bound=Thickness)
REASON = "reference campaign"
DATES = "The study gives no dates: this one is a placeholder."


def reference_lot() -> PowderLot | None:
    """The powder lot of the campaign, withdrawn or not; None when it was never loaded."""
    return PowderLot.objects.filter(supplier_lot=MARKER, is_synthetic=True).order_by("pk").first()


def cells_of(lot: PowderLot) -> list[tuple[PlannedCell, Cell]]:
    """The planned blocking cells with their records; without those that a person withdrew."""
    return _found(lot, CELLS)


def tests_of(lot: PowderLot) -> list[tuple[PlannedTest, Cell]]:
    """The planned lithium cells with their records; without those that a person withdrew."""
    return _found(lot, TESTS)


def _found(lot: PowderLot, planned: Iterable[Planned]) -> list[tuple[Planned, Cell]]:
    found = []
    for item in planned:
        cell = _cells_named(lot, item).live().select_related("pellet").order_by("pk").first()
        if cell is not None:
            found.append((item, cell))
    return found


def _cells_named(lot: PowderLot, planned: Thickness) -> QuerySet:
    """The records of a planned cell, told by their notes."""
    return Cell.objects.filter(pellet__batch__powder_lot=lot, notes__contains=_place(planned))


def _place(planned: Thickness) -> str:
    return f"Cell {planned.number} of the reference set."


def make_records() -> tuple[PowderLot, bool]:
    """Create what is missing of lot, batch, pellets, films and cells, in one transaction; and whether anything was.

    A cell that a person withdrew is there, and not made again.
    """
    with transaction.atomic():
        # Two calls at once: the second waits here, and then finds what the first made.
        CodeCounter.objects.get_or_create(prefix=PowderLot.PREFIX)
        CodeCounter.objects.select_for_update().get(prefix=PowderLot.PREFIX)
        found = reference_lot()
        if found is not None and found.is_withdrawn:
            return found, False
        lot = found or _lot()
        blocking = [] if found else list(CELLS)
        tests = [planned for planned in TESTS if not _cells_named(lot, planned).exists()]
        if not blocking and not tests:
            return lot, False
        batch = lot.batches.filter(is_synthetic=True).order_by("pk").first() or _batch(lot)
        _make_blocking(blocking, batch)
        _make_tests(tests, batch)
    return lot, True


def _make_blocking(planned: list[PlannedCell], batch: PelletBatch) -> None:
    pellets = [_pellet(item, batch, _BLOCKING_SOURCE[item.is_coated]) for item in planned]
    coated = [(pellet, "A") for item, pellet in zip(planned, pellets, strict=True) if item.is_coated]
    if coated:
        _coat(coated, number("S06"))
    for item, pellet in zip(planned, pellets, strict=True):
        _cell(item, pellet)


def _make_tests(planned: list[PlannedTest], batch: PelletBatch) -> None:
    """Pellets, one run per sputter time and face (the tool coats one face at a time), conversions and cells."""
    pellets = [_pellet(item, batch, _TEST_SOURCE) for item in planned]
    both = list(zip(planned, pellets, strict=True))
    faces: dict[tuple[bool, float, str], list[tuple[Pellet, str]]] = defaultdict(list)
    for face in "AB":
        for item, pellet in both:
            if face in item.faces:
                faces[item.in_series, item.sputter_min, face].append((pellet, face))
    for (in_series, minutes, face), coated in faces.items():
        run = _coat(coated, minutes)
        if in_series and face == "A":
            _witness(run, minutes)
    lot = _electrode_lot() if any(item.configuration == FULL for item in planned) else None
    for item, pellet in both:
        if item.state == CONVERTED:
            _convert(item, pellet)
        _test_cell(item, pellet, lot)


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
        powder_mass_mg=number("P01"),
        sinter_temperature_degC=number("P02"),
        sinter_time_h=number("P03"),
        grits=list(REPORTED["P04"].value or ()),
        pressed_at=PRESSED_AT,
        is_synthetic=True,
        notes=_note("Mass, sintering and grinding as in section 2.1; the press pressure is not reported.", DATES),
    )
    save_record(batch, by=None, reason=REASON)
    return batch


_BLOCKING_SOURCE = {
    False: "Thickness after the 800 µm that the study gives for a pristine pellet.",
    True: (
        "Thickness after the 900 µm that the study gives for a pellet coated on one face (it also gives 850 µm for one "
        "coated on both, and 50 nm for the film: these are different pellets)."
    ),
}
_TEST_SOURCE = "Thickness as the study gives it: 800 µm bare, 900 µm coated on one face, 850 µm coated on both."


def _pellet(planned: Thickness, batch: PelletBatch, source: str) -> Pellet:
    readings = planned.thickness_readings_um
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


def _coat(faces: list[tuple[Pellet, str]], minutes: float) -> SputterRun:
    is_reported = minutes == number("S06")
    run = SputterRun(
        target=Material.objects.get(code="CuS"),
        power_W=number("S03"),
        pressure_Pa=number("S04"),
        base_pressure_Pa=number("S01"),
        base_pressure_limit="<",
        target_distance_cm=number("S02"),
        duration_min=minutes,
        performed_at=SPUTTERED_AT,
        is_synthetic=True,
        notes=_note(
            "Settings as in section 2.2; the study reports 50 nm after 10 min.",
            *([] if is_reported else ["Assumed: this sputter time; the study names the best one alone."]),
            DATES,
        ),
    )
    save_record(run, by=None, reason=REASON)
    for pellet, face in faces:
        coating = Coating(sputter_run=run, pellet=pellet, face=face)
        coating.full_clean()
        coating.save()
    return run


def _witness(run: SputterRun, minutes: float) -> FilmThickness:
    """A silicon plate beside the pellets, and the step that was read on it."""
    plate = WitnessPlate(sputter_run=run, is_synthetic=True, notes=_note("Assumed: a plate in this run."))
    save_record(plate, by=None, reason=REASON)
    film = FilmThickness(
        witness_plate=plate,
        heights_nm=trend.heights_nm(minutes),
        measured_at=FILM_READ_AT,
        is_synthetic=True,
        notes=_note("50 nm over 10 min, and the same rate at other times (assumed). Assumed: the scatter.", DATES),
    )
    save_record(film, by=None, reason=REASON)
    return film


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


def _convert(planned: PlannedTest, pellet: Pellet) -> Conversion:
    conversion = Conversion(
        pellet=pellet,
        faces=planned.faces,
        lithium_diameter_mm=number("S12"),
        temperature_degC=number("S10"),
        duration_min=number("S11"),
        performed_at=CONVERTED_AT,
        is_synthetic=True,
        notes=_note("As in section 2.2, 230 °C for 2 min; the introduction of the study says 200 °C.", DATES),
    )
    save_record(conversion, by=None, reason=REASON)
    return conversion


def _electrode_lot() -> ElectrodeLot:
    """The cathode sheet of the campaign, made once."""
    found = ElectrodeLot.objects.live().filter(is_synthetic=True, notes__startswith=NOTE).order_by("pk").first()
    if found is not None:
        return found
    lot = ElectrodeLot(
        material=Material.objects.get(code="LFP"),
        active_fraction=0.8,
        loading_mg_cm2=number("C04"),
        diameter_mm=number("S12"),
        coated_on=COATED_ON,
        is_synthetic=True,
        notes=_note("Loading as in section 2.3, 8:1:1 by mass. Assumed: discs of 10 mm, like the lithium.", DATES),
    )
    save_record(lot, by=None, reason=REASON)
    return lot


def _test_cell(planned: PlannedTest, pellet: Pellet, lot: ElectrodeLot | None) -> Cell:
    is_full = planned.configuration == FULL
    is_wet = is_full and not planned.is_dry
    cell = Cell(
        pellet=pellet,
        configuration=planned.configuration,
        electrode_material=Material.objects.get(code="Li"),
        electrode_diameter_mm=number("S12"),
        electrode_diameter_uncertainty_mm=ASSUMED["electrode_diameter_uncertainty_mm"],
        electrode_lot=lot if is_full else None,
        liquid_uL=number("C07") if is_wet else 0.0 if is_full else None,
        liquid_name="1 M LiPF₆ in EC/DEC" if is_wet else "",
        case="CR2032" if is_full else "",
        assembled_at=ASSEMBLED_AT,
        rest_time_h=number("M02"),
        is_synthetic=True,
        notes=_note(_place(planned), *_about(planned), "Lithium discs of 10 mm as in section 2.2.", DATES),
    )
    save_record(cell, by=None, reason=REASON)
    cell.state = Cell.State.FINISHED
    save_record(cell, by=None, reason=REASON)
    return cell


def _about(planned: PlannedTest) -> list[str]:
    """What is assumed of this cell beyond the others."""
    if planned.in_series:
        return ["Assumed: how resistance and critical current depend on the sputter time; 10 min are reported."]
    if planned.is_dry:
        return ["Without liquid, as in Figure 10. Assumed: the resistance is the arc of the spectrum."]
    return []

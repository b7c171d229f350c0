"""Plain functions that make records for tests, through `save_record` as everything does.

    cell = blocking_cell(thickness_um=801.0, electrode_diameter_mm=10.0)
    number = result(measurement(cell), "ionic_conductivity_S_cm", 2.49e-4)

What a function needs and is not given, it makes.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.utils import timezone

from analysis.models import AnalysisRun, Result
from lagpdb.records import Record, save_record
from lagpdb.tokens import make_token
from lagpdb.units import symbol
from measurements.models import Instrument, Measurement, MeasurementFile, RawFile, Upload, UploadFile
from samples.coat import coat
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

_numbers = itertools.count(1)


# -- people ------------------------------------------------------------------------------------------------------------
def user(name: str = "", role: str = "member") -> Any:
    """A person with a role."""
    person = get_user_model().objects.create_user(name or f"person{next(_numbers)}", password="a long password")
    person.groups.add(Group.objects.get_or_create(name=role)[0])
    return person


def token(person: Any = None, scope: str = "write", role: str = "curator") -> str:
    """The text of an API token."""
    return make_token(person or user(role=role), scope)[0]


# -- what was made -----------------------------------------------------------------------------------------------------
def material(code: str = "LAGP", **fields: Any) -> Material:
    """A material; those that are shipped are found, not made twice."""
    found = Material.objects.filter(code=code).first()
    if found is not None:
        return found
    known = {"LAGP": {"theoretical_density_g_cm3": 3.42}, "LFP": {"theoretical_capacity_mAh_g": 170.0}}
    return saved(Material, code=code, name=code, **{**known.get(code, {}), **fields})


def lot(**fields: Any) -> PowderLot:
    """A powder lot of LAGP."""
    return saved(PowderLot, **{"material": fields.pop("material", None) or material(), "amount_g": 500.0, **fields})


def batch(**fields: Any) -> PelletBatch:
    """A batch, sintered at 900 °C for 8 h."""
    usual = {"powder_mass_mg": 500.0, "sinter_temperature_degC": 900.0, "sinter_time_h": 8.0, "grits": [400, 800]}
    return saved(PelletBatch, **{"powder_lot": fields.pop("powder_lot", None) or lot(), **usual, **fields})


def pellet(**fields: Any) -> Pellet:
    """A pellet of 801 µm and 12 mm."""
    usual = {"thickness_um": 801.0, "thickness_uncertainty_um": 3.0, "diameter_mm": 12.0, "mass_mg": 290.0}
    return saved(Pellet, **{"batch": fields.pop("batch", None) or batch(), **usual, **fields})


def sputter_run(*coated: Pellet | tuple[Pellet, str], **fields: Any) -> SputterRun:
    """A run of CuS over pellets, both faces unless said otherwise."""
    usual = {"power_W": 80.0, "pressure_Pa": 1.0, "target_distance_cm": 5.0, "duration_min": 10.0}
    made = saved(SputterRun, **{"target": fields.pop("target", None) or material("CuS"), **usual, **fields})
    coat(made, [each if isinstance(each, tuple) else (each, "AB") for each in coated], by=None, is_new=True)
    return made


def witness_plate(run: SputterRun | None = None, **fields: Any) -> WitnessPlate:
    """A piece of silicon coated in a run."""
    return saved(WitnessPlate, sputter_run=run or sputter_run(), **fields)


def film_thickness(
    on: WitnessPlate | Pellet | None = None, *heights_nm: float, face: str = "", **fields: Any
) -> FilmThickness:
    """Step heights of 50 nm within 1 nm, on a witness plate unless said otherwise."""
    on = on or witness_plate()
    where = {"pellet": on, "face": face or "A"} if isinstance(on, Pellet) else {"witness_plate": on}
    return saved(FilmThickness, **where, heights_nm=list(heights_nm) or [49.0, 50.0, 51.0], **fields)


def conversion(of: Pellet | None = None, faces: str = "AB", **fields: Any) -> Conversion:
    """Lithium at 230 °C for 2 min; a pellet that is not given was coated on both faces."""
    if of is None:
        of = pellet()
        sputter_run(of)
    usual = {"lithium_diameter_mm": 10.0, "temperature_degC": 230.0, "duration_min": 2.0}
    return saved(Conversion, **{"pellet": of, "faces": faces, **usual, **fields})


def electrode_lot(**fields: Any) -> ElectrodeLot:
    """A sheet of LFP."""
    usual = {"active_fraction": 0.8, "loading_mg_cm2": 2.5, "diameter_mm": 10.0}
    return saved(ElectrodeLot, **{"material": fields.pop("material", None) or material("LFP"), **usual, **fields})


def blocking_cell(**fields: Any) -> Cell:
    """Ag | LAGP | Ag."""
    return _cell("blocking", fields)


def symmetric_cell(**fields: Any) -> Cell:
    """Li | LAGP | Li."""
    return _cell("symmetric", fields)


def full_cell(**fields: Any) -> Cell:
    """Li | LAGP | LFP."""
    fields.setdefault("electrode_lot", None)
    fields["electrode_lot"] = fields["electrode_lot"] or electrode_lot()
    return _cell("full", fields)


def _cell(configuration: str, fields: dict[str, Any]) -> Cell:
    of_pellet = {name: fields.pop(name) for name in ("thickness_um", "mass_mg", "batch") if name in fields}
    on = fields.pop("pellet", None) or pellet(**of_pellet)
    return saved(Cell, **{"pellet": on, "configuration": configuration, "electrode_diameter_mm": 10.0, **fields})


# -- what was measured -------------------------------------------------------------------------------------------------
def instrument(code: str = "", **fields: Any) -> Instrument:
    """A device."""
    code = code or f"device-{next(_numbers)}"
    return saved(Instrument, code=code, name=fields.pop("name", code), **fields)


def raw_file(content: bytes = b"", name: str = "spectrum.z") -> RawFile:
    """The row of stored bytes; the bytes themselves are not stored."""
    content = content or f"bytes {next(_numbers)}".encode()
    digest = hashlib.sha256(content).hexdigest()
    return RawFile.objects.create(
        sha256=digest, size_bytes=len(content), original_name=name, reader="zview", reader_version=1
    )


def measurement(
    subject: Cell | Pellet | WitnessPlate | None = None, raw: RawFile | None = None, **fields: Any
) -> Measurement:
    """An impedance spectrum at 25 °C, with the row of its file."""
    subject = subject or blocking_cell()
    names = {Cell: "cell", Pellet: "pellet", WitnessPlate: "witness_plate"}
    link = {names[type(subject)]: subject}
    usual = {"kind": "eis", "temperature_degC": 25.0, "point_count": 60}
    made = saved(Measurement, **{**link, **usual, **fields})
    MeasurementFile.objects.create(measurement=made, raw_file=raw or raw_file())
    return made


def arrival(of: Measurement, name: str = "spectrum.z") -> UploadFile:
    """The row of the file that brought a measurement."""
    upload = saved(Upload)
    part = of.files.get()
    file = UploadFile.objects.create(upload=upload, raw_file=part.raw_file, name=name, state="done", job_state="ended")
    file.measurements.add(of)
    return file


# -- what it means -----------------------------------------------------------------------------------------------------
def run(of: Measurement | None = None, *, is_current: bool = True, **fields: Any) -> AnalysisRun:
    """A run that succeeded."""
    usual = {"analysis": "conductivity", "version": 1, "state": "succeeded", "job_state": "ended"}
    now = timezone.now()
    return AnalysisRun.objects.create(
        **{"measurement": of or measurement(), **usual, "started_at": now, "finished_at": now, **fields},
        is_current=is_current,
    )


def result(
    of: Measurement | None = None,
    quantity: str = "ionic_conductivity_S_cm",
    value: float | None = 2.5e-4,
    **fields: Any,
) -> Result:
    """A number of a measurement; made by a run of its own unless `run` is given."""
    made_by = fields.pop("run", None) or run(of, is_current=fields.get("is_current", True))
    source = made_by.measurement
    usual = {
        "uncertainty": None if value is None else abs(value) * 0.01,
        "unit": symbol(quantity) or "1",
        "flag": "ok" if value is not None else "missing",
        "acceptance": "accepted" if value is not None else "provisional",
        "temperature_degC": source.temperature_degC,
    }
    where = {"cell": source.cell, "pellet": source.sample_pellet, "measurement": source}
    return Result.objects.create(run=made_by, quantity=quantity, value=value, **{**where, **usual, **fields})


def saved(model: type[Record], by: Any = None, **fields: Any) -> Any:
    """Any record, as it is given."""
    return save_record(model(**fields), by=by)

"""The lineage as a document: PROV JSON (https://www.w3.org/submissions/prov-json/) of records that were chosen."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

from analysis.models import AnalysisRun, Result, RunInput
from measurements.models import Measurement, MeasurementFile, Upload, UploadFile
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
    SputterRun,
    WitnessPlate,
)

Ids = dict[type[Model], set[int]]
COLLECTIONS: dict[type[Model], str] = {
    Material: "materials", PowderLot: "powder-lots", PelletBatch: "pellet-batches", Pellet: "pellets",
    SputterRun: "sputter-runs", WitnessPlate: "witness-plates", FilmThickness: "film-thicknesses",
    Conversion: "conversions", ElectrodeLot: "electrode-lots", Cell: "cells", Upload: "uploads",
    Measurement: "measurements", AnalysisRun: "runs", Result: "results",
}  # fmt: skip


def film_codes(inputs: dict[str, Any]) -> set[str]:
    """Codes of the film thicknesses that the frozen inputs of a run on a sputter setting name."""
    return {entry["film"] for entry in (inputs.get("films") or {}).get("value") or ()}


_NODES = ("entity", "activity", "agent")


def _ends(edge: dict[str, str]) -> set[str]:
    return {name for key, name in edge.items() if key != "prov:role"}


class _Document:
    """PROV JSON in the making."""

    def __init__(self, base_url: str) -> None:
        self.content: dict[str, dict[str, Any]] = {
            "prefix": {"lagpdb": f"{base_url}api/v1/", "sha256": "urn:sha256:", "prov": "http://www.w3.org/ns/prov#"},
            "entity": {},
            "activity": {},
            "agent": {},
        }

    def entity(self, name: str, kind: str, /, **about: Any) -> str:
        return self._node("entity", name, kind, about)

    def activity(self, name: str, kind: str, /, start: Any = None, end: Any = None, **about: Any) -> str:
        times = {"prov:startTime": start, "prov:endTime": end}
        return self._node("activity", name, kind, {key: at.isoformat() for key, at in times.items() if at} | about)

    def agent(self, name: str) -> str:
        return self._node("agent", name, "prov:Person", {})

    def _node(self, section: str, name: str, kind: str, about: dict[str, Any]) -> str:
        known = {
            f"lagpdb:{key}" if ":" not in key else key: value for key, value in about.items() if value not in (None, "")
        }
        self.content[section][name] = {"prov:type": kind} | known
        return name

    def relate(self, relation: str, **ends: str) -> None:
        section = self.content.setdefault(relation, {})
        section[f"_:{relation}{len(section) + 1}"] = {f"prov:{end}": name for end, name in ends.items()}

    def close(self) -> None:
        """Leave out relations to what the asked direction does not show: both ends of an edge are in the document."""
        nodes = {name for section in _NODES for name in self.content[section]}
        for relation in [name for name in self.content if name not in ("prefix", *_NODES)]:
            known = [edge for edge in self.content[relation].values() if _ends(edge) <= nodes]
            self.content[relation] = {f"_:{relation}{number}": edge for number, edge in enumerate(known, 1)}
            if not known:
                del self.content[relation]


def _name(model: type[Model], key: str | int) -> str:
    return f"lagpdb:{COLLECTIONS[model]}/{key}"


def _materials(document: _Document, ids: Ids) -> None:
    for material in Material.objects.filter(pk__in=ids.get(Material, ())):
        document.entity(_name(Material, material.code), "lagpdb:Material", name=material.name, formula=material.formula)
    for lot in PowderLot.objects.filter(pk__in=ids.get(PowderLot, ())).select_related("material"):
        name = document.entity(
            _name(PowderLot, lot.code),
            "lagpdb:PowderLot",
            is_synthetic=lot.is_synthetic or None,
            supplier=lot.supplier,
            supplier_lot=lot.supplier_lot,
        )
        document.relate("wasDerivedFrom", generatedEntity=name, usedEntity=_name(Material, lot.material.code))
    for sheet in ElectrodeLot.objects.filter(pk__in=ids.get(ElectrodeLot, ())).select_related("material"):
        name = document.entity(
            _name(ElectrodeLot, sheet.code),
            "lagpdb:ElectrodeLot",
            is_synthetic=sheet.is_synthetic or None,
            loading_mg_cm2=sheet.loading_mg_cm2,
        )
        document.relate("wasDerivedFrom", generatedEntity=name, usedEntity=_name(Material, sheet.material.code))


def _pellets(document: _Document, ids: Ids) -> None:
    for batch in PelletBatch.objects.filter(pk__in=ids.get(PelletBatch, ())).select_related("powder_lot"):
        name = document.entity(
            _name(PelletBatch, batch.code),
            "lagpdb:PelletBatch",
            is_synthetic=batch.is_synthetic or None,
            sinter_temperature_degC=batch.sinter_temperature_degC,
            sinter_time_h=batch.sinter_time_h,
        )
        document.relate("wasDerivedFrom", generatedEntity=name, usedEntity=_name(PowderLot, batch.powder_lot.code))
    for pellet in Pellet.objects.filter(pk__in=ids.get(Pellet, ())).select_related("batch"):
        name = document.entity(
            _name(Pellet, pellet.code),
            "lagpdb:Pellet",
            is_synthetic=pellet.is_synthetic or None,
            thickness_um=pellet.thickness_um,
            diameter_mm=pellet.diameter_mm,
            mass_mg=pellet.mass_mg,
        )
        document.relate("wasDerivedFrom", generatedEntity=name, usedEntity=_name(PelletBatch, pellet.batch.code))


def _sputter_runs(document: _Document, ids: Ids) -> None:
    runs = SputterRun.objects.filter(pk__in=ids.get(SputterRun, ())).select_related("target")
    for run in runs:
        name = document.activity(
            _name(SputterRun, run.code),
            "lagpdb:SputterRun",
            is_synthetic=run.is_synthetic or None,
            start=run.performed_at,
            duration_min=run.duration_min,
        )
        document.relate("used", activity=name, entity=_name(Material, run.target.code), role="target")
    coats = Coating.objects.filter(sputter_run__in=ids.get(SputterRun, ()), pellet__in=ids.get(Pellet, ()))
    for run_code, pellet_code in sorted(set(coats.values_list("sputter_run__code", "pellet__code"))):
        # The pellet keeps its code: it goes in, and comes out coated.
        document.relate("wasGeneratedBy", entity=_name(Pellet, pellet_code), activity=_name(SputterRun, run_code))


def _films(document: _Document, ids: Ids) -> None:
    for plate in WitnessPlate.objects.filter(pk__in=ids.get(WitnessPlate, ())).select_related("sputter_run"):
        name = document.entity(
            _name(WitnessPlate, plate.code),
            "lagpdb:WitnessPlate",
            is_synthetic=plate.is_synthetic or None,
            substrate=plate.substrate,
        )
        document.relate("wasGeneratedBy", entity=name, activity=_name(SputterRun, plate.sputter_run.code))
    films = FilmThickness.objects.filter(pk__in=ids.get(FilmThickness, ()))
    for film in films.select_related("witness_plate", "pellet"):
        name = document.entity(
            _name(FilmThickness, film.code),
            "lagpdb:FilmThickness",
            is_synthetic=film.is_synthetic or None,
            method=film.method,
            face=film.face,
            film_thickness_nm=film.film_thickness_nm,
            film_thickness_uncertainty_nm=film.film_thickness_uncertainty_nm,
            measured_at=film.measured_at.isoformat() if film.measured_at else None,
        )
        subject: Any = film.subject
        document.relate("wasDerivedFrom", generatedEntity=name, usedEntity=_name(type(subject), subject.code))


def _conversions(document: _Document, ids: Ids) -> None:
    for step in Conversion.objects.filter(pk__in=ids.get(Conversion, ())).select_related("pellet"):
        name = document.activity(
            _name(Conversion, step.code),
            "lagpdb:Conversion",
            is_synthetic=step.is_synthetic or None,
            start=step.performed_at,
            faces=step.faces,
            temperature_degC=step.temperature_degC,
            duration_min=step.duration_min,
        )
        document.relate("wasGeneratedBy", entity=_name(Pellet, step.pellet.code), activity=name)


def _cells(document: _Document, ids: Ids) -> None:
    for cell in Cell.objects.filter(pk__in=ids.get(Cell, ())).select_related("pellet", "electrode_lot"):
        name = document.entity(
            _name(Cell, cell.code),
            "lagpdb:Cell",
            is_synthetic=cell.is_synthetic or None,
            notation=cell.notation,
            configuration=cell.configuration,
        )
        document.relate("wasDerivedFrom", generatedEntity=name, usedEntity=_name(Pellet, cell.pellet.code))
        if cell.electrode_lot:
            document.relate(
                "wasDerivedFrom", generatedEntity=name, usedEntity=_name(ElectrodeLot, cell.electrode_lot.code)
            )


def _measurements(document: _Document, ids: Ids) -> None:
    keys = ids.get(Measurement, ())
    for item in Measurement.objects.filter(pk__in=keys).select_related("cell", "pellet", "witness_plate", "operator"):
        name = document.entity(
            _name(Measurement, item.code),
            "lagpdb:Measurement",
            is_synthetic=item.is_synthetic or None,
            kind=item.kind,
            temperature_degC=item.temperature_degC,
            measured_at=item.measured_at.isoformat() if item.measured_at else None,
        )
        sample = item.subject
        document.relate("wasDerivedFrom", generatedEntity=name, usedEntity=_name(type(sample), sample.code))
        if item.operator:
            document.relate("wasAttributedTo", entity=name, agent=document.agent(f"lagpdb:people/{item.operator}"))
    parts = MeasurementFile.objects.filter(measurement__in=keys, superseded_at__isnull=True)
    for part in parts.select_related("raw_file", "measurement"):
        raw = part.raw_file
        document.entity(
            f"sha256:{raw.sha256}",
            "lagpdb:RawFile",
            name=raw.original_name,
            sha256=raw.sha256,
            size_bytes=raw.size_bytes,
        )
        document.relate(
            "wasDerivedFrom",
            generatedEntity=_name(Measurement, part.measurement.code),
            usedEntity=f"sha256:{raw.sha256}",
        )
    _uploads(document, ids)


def _uploads(document: _Document, ids: Ids) -> None:
    """Who brought which bytes, and when."""
    keys = ids.get(Upload, ())
    for upload in Upload.objects.filter(pk__in=keys).select_related("created_by"):
        name = document.activity(_name(Upload, upload.code), "lagpdb:Upload", start=upload.created_at)
        if upload.created_by:
            person = document.agent(f"lagpdb:people/{upload.created_by}")
            document.relate("wasAssociatedWith", activity=name, agent=person)
    brought = UploadFile.objects.filter(upload__in=keys, measurements__in=ids.get(Measurement, ()))
    for code, sha256 in sorted(set(brought.values_list("upload__code", "raw_file__sha256"))):
        document.relate("wasGeneratedBy", entity=f"sha256:{sha256}", activity=_name(Upload, code))


def _runs(document: _Document, ids: Ids) -> None:
    keys = ids.get(AnalysisRun, ())
    for run in (
        AnalysisRun.objects.filter(pk__in=keys).defer("curves", "tables").select_related("measurement", "created_by")
    ):
        name = document.activity(
            _name(AnalysisRun, run.pk),
            "lagpdb:AnalysisRun",
            start=run.started_at,
            end=run.finished_at,
            analysis=run.analysis,
            version=run.version,
            software_version=run.software_version,
            inputs=run.inputs or None,
            parameters=run.parameters or None,
        )
        if run.measurement:
            document.relate("used", activity=name, entity=_name(Measurement, run.measurement.code))
        for film in sorted(film_codes(run.inputs)):
            document.relate("used", activity=name, entity=_name(FilmThickness, film), role="film_thickness")
        if run.created_by:
            person = document.agent(f"lagpdb:people/{run.created_by}")
            document.relate("wasAssociatedWith", activity=name, agent=person)
    for entered in RunInput.objects.filter(run__in=keys).select_related("measurement"):
        if entered.measurement:
            source = _name(Measurement, entered.measurement.code)
        else:
            source = _name(Result, entered.result_id or 0)
        document.relate("used", activity=_name(AnalysisRun, entered.run_id), entity=source, role=entered.role)


def _results(document: _Document, ids: Ids) -> None:
    for result in Result.objects.filter(pk__in=ids.get(Result, ())).select_related(
        "cell", "pellet", "measurement__witness_plate"
    ):
        name = document.entity(
            _name(Result, result.pk),
            "lagpdb:Result",
            is_synthetic=result.is_synthetic or None,
            quantity=result.quantity,
            value=result.value,
            uncertainty=result.uncertainty,
            limit=result.limit,
            unit=result.unit,
            flag=result.flag,
            acceptance=result.acceptance,
        )
        document.relate("wasGeneratedBy", entity=name, activity=_name(AnalysisRun, result.run_id))
        plate = result.measurement.witness_plate if result.measurement else None
        if sample := result.cell or result.pellet or plate:  # a sputter rate speaks of a setting, which is no thing
            document.relate("wasDerivedFrom", generatedEntity=name, usedEntity=_name(type(sample), sample.code))


def document_of(ids: Ids, base_url: str) -> dict[str, Any]:
    """The document of these records; relations to others are left out."""
    document = _Document(base_url)
    for write in (_materials, _pellets, _films, _sputter_runs, _conversions, _cells, _measurements, _runs, _results):
        write(document, ids)
    document.close()
    return document.content

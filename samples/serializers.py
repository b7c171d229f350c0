"""The columns of everything that was made, as the API shows and takes them."""

from __future__ import annotations

import math
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    OuterRef,
    Q,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Concat, NullIf
from django.db.models.lookups import IsNull
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from lagpdb.mainvalues import rates_in_force
from lagpdb.serializers import HEAD, TAIL, CodeField, Number, RecordSerializer
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
from samples.models.lots import faces_of
from samples.notation import pellet_notation


# -- what is computed: once in SQL, so that lists can filter and order by it; tests compare with the models ------------
def _disc(path: str) -> Combinable:
    """Area in cm² of a disc whose diameter is given in mm."""
    return F(path) * F(path) * Value(math.pi / 400, output_field=FloatField())


def relative_density(prefix: str) -> Combinable:
    """Geometric over theoretical density of a pellet."""
    volume = _disc(f"{prefix}diameter_mm") * F(f"{prefix}thickness_um") * Value(1e-4, output_field=FloatField())
    theoretical = F(f"{prefix}batch__powder_lot__material__theoretical_density_g_cm3")
    mass = F(f"{prefix}mass_mg") * Value(1e-3, output_field=FloatField())
    return ExpressionWrapper(mass / volume / theoretical, output_field=FloatField())


def electrode_area(prefix: str) -> Combinable:
    """Area of the electrode of a cell."""
    return ExpressionWrapper(_disc(f"{prefix}electrode_diameter_mm"), output_field=FloatField())


def active_mass(prefix: str) -> Combinable:
    """Active material of a cell: loading times the area of the lot's disc, else of the electrode."""
    area = Coalesce(_disc(f"{prefix}electrode_lot__diameter_mm"), _disc(f"{prefix}electrode_diameter_mm"))
    return ExpressionWrapper(F(f"{prefix}electrode_lot__loading_mg_cm2") * area, output_field=FloatField())


def _layers(pellet: str) -> Any:
    return Coating.objects.filter(pellet=OuterRef(pellet), sputter_run__withdrawn_at__isnull=True)


def pellet_is_coated(prefix: str) -> Combinable:
    """Whether any face carries a film."""
    return Exists(_layers(f"{prefix}pk"))


def pellet_name(prefix: str) -> Combinable:
    """The notation of a pellet, for filters and ordering; what is shown comes from `notations`."""

    target, product = "sputter_run__target__code", "sputter_run__target__conversion_product"
    named = Coalesce(NullIf(F(product), Value("")), Concat(Value("Li+"), F(target)))
    is_converted = Q(conversion__isnull=False, conversion__withdrawn_at__isnull=True)
    what = Case(When(is_converted, then=named), default=F(target), output_field=CharField())

    def film(face: str) -> Subquery:
        outermost = _layers(f"{prefix}pk").filter(face=face).order_by("-layer_number")
        return Subquery(outermost.annotate(film=what).values("film")[:1])

    material, at = F(f"{prefix}batch__powder_lot__material__code"), Value("@")
    bare_a, bare_b = Q(IsNull(film("A"), True)), Q(IsNull(film("B"), True))
    return Case(
        When(bare_a & bare_b, then=material),
        When(~bare_a & ~bare_b, then=Concat(film("A"), at, material, at, film("B"))),
        default=Concat(Coalesce(film("A"), film("B")), at, material),
        output_field=CharField(),
    )


def notations(pellets: list[int]) -> dict[int, str]:
    """Generated names of many pellets, in two queries."""
    faces = faces_of(pellets)
    materials = Pellet.objects.filter(pk__in=pellets).values_list("pk", "batch__powder_lot__material__code")
    return {pk: pellet_notation(material, faces[pk]) for pk, material in materials}


def coated_pellets(runs: list[int]) -> dict[int, list[dict[str, Any]]]:
    """Pellets and faces of many sputter runs, in one query."""
    found: dict[int, dict[str, dict[str, Any]]] = {pk: {} for pk in runs}
    coats = Coating.objects.filter(sputter_run_id__in=runs).order_by("pellet_id", "face")
    for run, pellet, face in coats.values_list("sputter_run_id", "pellet__code", "face"):
        found[run].setdefault(pellet, {"pellet": pellet, "faces": ""})["faces"] += face
    return {run: list(pellets.values()) for run, pellets in found.items()}


def has_witness(prefix: str) -> Combinable:
    """Whether a witness plate was coated in the run."""
    return Exists(WitnessPlate.objects.live().filter(sputter_run=OuterRef(f"{prefix}pk")))


def witness_plates(runs: list[int]) -> dict[int, list[str]]:
    """Codes of the witness plates of many sputter runs, in one query."""
    found: dict[int, list[str]] = {pk: [] for pk in runs}
    plates = WitnessPlate.objects.live().filter(sputter_run_id__in=runs).order_by("pk")
    for run, code in plates.values_list("sputter_run_id", "code"):
        found[run].append(code)
    return found


def _of_rate(column: str, prefix: str) -> Combinable:
    """Sputter time, times a column of the rate in force at the setting of the run."""
    rate = rates_in_force().filter(sputter_setting=OuterRef(f"{prefix}setting")).values(column)[:1]
    product = F(f"{prefix}duration_min") * Subquery(rate, output_field=FloatField())
    return ExpressionWrapper(product, output_field=FloatField())


def estimated_thickness(prefix: str) -> Combinable:
    """Film on one side by rate times time; null where no rate is known at exactly this setting."""
    return _of_rate("value", prefix)


def estimated_thickness_uncertainty(prefix: str) -> Combinable:
    """Standard uncertainty of the estimate, from that of the rate."""
    return _of_rate("uncertainty", prefix)


# -- serializers -------------------------------------------------------------------------------------------------------
class MaterialSerializer(RecordSerializer):
    """A substance with the constants that computations need."""

    class Meta:
        model = Material
        fields = (
            *HEAD, "name", "formula", "theoretical_density_g_cm3", "theoretical_capacity_mAh_g", "conversion_product",
            "source", *TAIL,
        )  # fmt: skip


class RecipeSerializer(RecordSerializer):
    """Defaults and limits of one kind of record."""

    class Meta:
        model = Recipe
        fields = (*HEAD, "kind", "number", "name", "defaults", "limits", *TAIL)


class PowderLotSerializer(RecordSerializer):
    """One delivery of powder."""

    class Meta:
        model = PowderLot
        fields = (*HEAD, "material", "supplier", "supplier_lot", "amount_g", "received_on", *TAIL)


class PelletBatchSerializer(RecordSerializer):
    """Pellets pressed and sintered together."""

    grits = serializers.ListField(
        child=serializers.IntegerField(), required=False, help_text="Mesh numbers in the order of grinding."
    )
    count = serializers.IntegerField(
        write_only=True, required=False, min_value=0, max_value=50, help_text="Makes that many pellets."
    )

    class Meta:
        model = PelletBatch
        fields = (
            *HEAD, "powder_lot", "recipe", "powder_mass_mg", "die_diameter_mm", "press_pressure_MPa",
            "sinter_temperature_degC", "sinter_time_h", "sinter_ramp_degC_min", "sinter_started_at", "grits",
            "storage", "pressed_at", "count", *TAIL,
        )  # fmt: skip


class PelletBatchMadeSerializer(PelletBatchSerializer):
    """A batch that was just made, with the pellets that `count` asked for."""

    pellets = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Codes of the pellets that `count` made."
    )

    class Meta(PelletBatchSerializer.Meta):
        fields = (*PelletBatchSerializer.Meta.fields, "pellets")


class PelletSerializer(RecordSerializer):
    """One pellet; it keeps its code for life."""

    thickness_readings_um = serializers.ListField(
        child=Number(), required=False, help_text="Each reading of the caliper."
    )
    relative_density_fraction = Number(
        read_only=True, allow_null=True, help_text="Share of the theoretical density, 0…1, from mass and size."
    )
    notation = serializers.CharField(read_only=True, help_text="Generated name with the films, such as CuS@LAGP@CuS.")
    is_coated = serializers.BooleanField(read_only=True, help_text="Whether any face carries a film.")

    class Meta:
        model = Pellet
        fields = (
            *HEAD, "batch", "thickness_um", "thickness_uncertainty_um", "thickness_readings_um", "diameter_mm",
            "mass_mg", "relative_density_fraction", "notation", "is_coated", "state", *TAIL,
        )  # fmt: skip
        expressions = {
            "relative_density_fraction": relative_density,
            "is_coated": pellet_is_coated,
            "notation": pellet_name,
        }
        bulk = {"notation": notations}


@extend_schema_field(OpenApiTypes.STR)
class FacesField(serializers.Field):
    """Faces of a pellet: "A", "B", "AB", or a list of them."""

    def to_internal_value(self, data: Any) -> str:
        """The faces in order, each once."""
        letters = "".join(data) if isinstance(data, list) and all(isinstance(each, str) for each in data) else data
        if not isinstance(letters, str) or not letters or set(letters.upper()) - {"A", "B"}:
            raise serializers.ValidationError('A pellet has the faces A and B: give "A", "B" or "AB".')
        return "".join(sorted(set(letters.upper())))

    def to_representation(self, value: str) -> str:
        """As written."""
        return value


class CoatedPelletSerializer(serializers.Serializer):
    """A pellet in a sputter run, and the faces that the run coats."""

    pellet = CodeField(queryset=Pellet.objects.all(), help_text="Code of the pellet.")
    faces = FacesField(help_text="A, B or AB.")

    def to_internal_value(self, data: Any) -> Any:
        """Refuses what it does not know, as everything here does."""
        if isinstance(data, dict) and (strange := set(data) - {"pellet", "faces"}):
            raise serializers.ValidationError(dict.fromkeys(sorted(map(str, strange)), "Not a field of this list."))
        return super().to_internal_value(data)


class SputterRunSerializer(RecordSerializer):
    """One run of the sputter tool over one or several pellets."""

    pellets = CoatedPelletSerializer(many=True, required=False, help_text="Pellets and the faces that were coated.")
    sputter_setting = serializers.SlugRelatedField(
        source="setting", slug_field="code", read_only=True, help_text="Target, power, pressure and distance together."
    )
    witness = serializers.BooleanField(
        required=False, help_text="A witness plate was coated in the run; true makes one where there is none."
    )
    witness_plates = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Codes of the witness plates."
    )
    estimated_thickness_nm = Number(
        read_only=True, allow_null=True, help_text="From the sputter rate of this setting; null until one is known."
    )
    estimated_thickness_uncertainty_nm = Number(
        read_only=True, allow_null=True, help_text="Standard uncertainty, from that of the rate."
    )

    class Meta:
        model = SputterRun
        fields = (
            *HEAD, "target", "recipe", "power_W", "pressure_Pa", "gas", "base_pressure_Pa", "base_pressure_limit",
            "target_distance_cm", "stage_temperature_degC", "duration_min", "performed_at", "sputter_setting",
            "pellets", "witness", "witness_plates", "estimated_thickness_nm", "estimated_thickness_uncertainty_nm",
            *TAIL,
        )  # fmt: skip
        expressions = {
            "witness": has_witness,
            "estimated_thickness_nm": estimated_thickness,
            "estimated_thickness_uncertainty_nm": estimated_thickness_uncertainty,
        }
        bulk = {"pellets": coated_pellets, "witness_plates": witness_plates}


class WitnessPlateSerializer(RecordSerializer):
    """A piece of silicon or glass coated in a sputter run, measured in place of its pellets."""

    class Meta:
        model = WitnessPlate
        fields = (*HEAD, "sputter_run", "substrate", *TAIL)


class FilmThicknessSerializer(RecordSerializer):
    """Step heights of one film, read on a witness plate or on a face of a pellet."""

    heights_nm = serializers.ListField(child=Number(), help_text="Each step height that was read.")
    film_thickness_nm = Number(read_only=True, help_text="Mean of the heights.")
    film_thickness_uncertainty_nm = Number(
        read_only=True, allow_null=True, help_text="Standard uncertainty of the mean; null from a single height."
    )

    class Meta:
        model = FilmThickness
        fields = (
            *HEAD, "witness_plate", "pellet", "face", "heights_nm", "method", "measured_at", "film_thickness_nm",
            "film_thickness_uncertainty_nm", *TAIL,
        )  # fmt: skip


class ConversionSerializer(RecordSerializer):
    """Molten lithium on a coated face: the film becomes an interlayer."""

    faces = FacesField(required=False, help_text="Faces that met lithium: A, B or AB.")

    class Meta:
        model = Conversion
        fields = (
            *HEAD, "pellet", "faces", "recipe", "is_attachment", "lithium_diameter_mm", "lithium_thickness_um",
            "is_polished", "temperature_degC", "duration_min", "started_at", "performed_at", "h2o_ppm", "o2_ppm",
            *TAIL,
        )  # fmt: skip
        kinds = {"faces": "text"}


class ElectrodeLotSerializer(RecordSerializer):
    """One coated sheet of electrode."""

    class Meta:
        model = ElectrodeLot
        fields = (
            *HEAD, "material", "recipe", "active_fraction", "loading_mg_cm2", "loading_uncertainty_mg_cm2",
            "diameter_mm", "drying_temperature_degC", "drying_time_h", "coated_on", *TAIL,
        )  # fmt: skip


class CellSerializer(RecordSerializer):
    """A cell built on one pellet."""

    notation = serializers.CharField(read_only=True, help_text="As built, such as Li|CuS@LAGP@CuS|Li.")
    is_coated = serializers.BooleanField(read_only=True, help_text="As built: whether a face carried a film.")
    electrode_area_cm2 = Number(read_only=True, allow_null=True, help_text="Area of the electrode disc.")
    active_mass_mg = Number(
        read_only=True, allow_null=True, help_text="Loading times area of the lot's disc, else of the electrode."
    )

    class Meta:
        model = Cell
        fields = (
            *HEAD, "pellet", "configuration", "electrode_material", "electrode_diameter_mm",
            "electrode_diameter_uncertainty_mm", "electrode_lot", "facing", "recipe", "liquid_uL", "liquid_name",
            "case", "stack_pressure_MPa", "rest_time_h", "rest_started_at", "assembled_at", "state",
            "notation", "is_coated", "electrode_area_cm2", "active_mass_mg", *TAIL,
        )  # fmt: skip
        expressions = {"electrode_area_cm2": electrode_area, "active_mass_mg": active_mass}

"""Forms of powder lots, pellet batches, pellets and cells."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from lagpdb import units
from lagpdb.forms import CodeField, QuantityField, Question, RecordForm, bounds_of, form_field, noted_words
from lagpdb.quantity import Bounds, QuantityError, parse_quantity
from samples import hints
from samples.models import Cell, ElectrodeLot, Material, Pellet, PelletBatch, PowderLot, Recipe
from samples.models.lots import faces_of

# Shipped limits (product page §6); a recipe may have its own.
BOUNDS = {
    "amount_g": Bounds(None, 5000, 0, None, "g"),
    "powder_mass_mg": Bounds(200, 1000, 0, None, "mg", zero_allowed=False),
    "press_pressure_MPa": Bounds(50, 600, 0, None, "MPa", zero_allowed=False),
    "sinter_temperature_degC": Bounds(700, 1000, 0, 1400, "degC"),
    "sinter_time_h": Bounds(4, 24, 0, None, "h", zero_allowed=False),
    "mass_mg": Bounds(150, 1000, 0, None, "mg", zero_allowed=False),
    "diameter_mm": Bounds(5, 25, 0, 100, "mm", zero_allowed=False),
    "thickness_um": Bounds(500, 1200, 50, 5000, "um", zero_allowed=False),
    "relative_density_fraction": Bounds(0.8, 1.0, 0, 1.1, "fraction"),
    "electrode_diameter_mm": Bounds(5, 16, 0, 100, "mm", zero_allowed=False),
    "liquid_uL": Bounds(0, 50, 0, None, "uL"),
    "stack_pressure_MPa": Bounds(0, 100, 0, None, "MPa"),
    "power_W": Bounds(20, 200, 0, None, "W", zero_allowed=False),
    "pressure_Pa": Bounds(0.1, 10, 0, None, "Pa", zero_allowed=False),
    "base_pressure_Pa": Bounds(None, 1e-4, 0, None, "Pa", zero_allowed=False),
    "target_distance_cm": Bounds(2, 20, 0, None, "cm", zero_allowed=False),
    "duration_min": Bounds(1, 60, 0, 600, "min", zero_allowed=False),
    "stage_temperature_degC": Bounds(15, 400, -273.15, 1400, "degC"),
    "heights_nm": Bounds(2, 1000, 0, 100_000, "nm", zero_allowed=False),
}
LIMITED = {"base_pressure_Pa"}  # quantities that may be known only as a limit
REASONS = ("measured again", "typing error", "read from the lab notebook", "wrong sample", "instrument recalibrated")


def newest_recipe(kind: str) -> Recipe | None:
    """The recipe that fills a new form: the newest version, or none."""
    return Recipe.objects.live().filter(kind=kind).order_by("-number").first()


def judge(name: str, text: str, recipe: Recipe | None = None) -> tuple[str, str, str]:
    """What was understood while typing: (ok | unusual | impossible | unreadable, sentence, suggested text)."""
    bounds = bounds_of(name, recipe, BOUNDS)
    try:
        quantity = parse_quantity(text, name, allow_limit=name in LIMITED)
    except QuantityError as error:
        return "unreadable", error.sentence, ""
    level, sentence = bounds.judge(quantity.value) if bounds else ("ok", "")
    if level == "ok":
        return level, quantity.echo, ""
    if words := noted_words(name, bounds, quantity.value):
        return level, words, ""
    meant = bounds.suggestion(quantity.value) if bounds else None
    return level, sentence, units.copy_value(meant) if meant else ""


class ReasonMixin(forms.Form):
    """Asks why when something that was filled is changed; filling an empty field needs no reason."""

    reason = forms.CharField(
        required=False, max_length=500, label="Reason for the change", help_text="Kept with the history."
    )

    def check_reason(self) -> None:
        """Complain at `reason` when a filled value is replaced without one."""
        changed = overwritten(self)
        if changed and not self.cleaned_data.get("reason"):
            self.add_error("reason", f"{', '.join(changed)} changes. Say why: it is kept with the history.")


def overwritten(form: RecordForm) -> list[str]:
    """Labels of the fields that held something and shall hold something else."""
    return [
        str(form[name].label)
        for name in form.fields
        if name not in (*RecordForm.HELPERS, "notes", "state")
        and form[name].text
        and " ".join(str(form[name].data or "").split()) != " ".join(form[name].text.split())
    ]


class LotForm(RecordForm):
    """A powder lot as it is received."""

    BOUNDS = BOUNDS

    class Meta:
        model = PowderLot
        fields = ("material", "supplier", "supplier_lot", "amount_g", "received_on", "notes")
        formfield_callback = form_field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["material"].options = Material.objects.live().values_list("code", "name")
        self.fields["amount_g"].label = "Amount received"
        self.fields["supplier_lot"].label = "Supplier’s lot number"
        if self.instance.pk is None:
            last = PowderLot.objects.live().select_related("material").order_by("-id").first()
            self.initial.setdefault("supplier", last.supplier if last else "")
            self.initial["material"] = last.material if last else "LAGP"
            self.initial.setdefault("received_on", timezone.localdate())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        number = (cleaned.get("supplier_lot") or "").strip()
        if number and self.instance.pk is None:
            other = PowderLot.objects.live().filter(supplier_lot__iexact=number).order_by("id").first()
            if other is not None:
                self.ask(
                    Question(
                        "second_container",
                        f"{other.code} already has supplier lot {other.supplier_lot}. "
                        "Open it, or save this as a second container.",
                        "Save as a second container",
                        f"/lots/{other.code}/",
                        f"Open {other.code}",
                    )
                )
        return cleaned


class LotEditForm(ReasonMixin, LotForm):
    """A powder lot that is corrected."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        return cleaned


class BatchForm(RecordForm):
    """What all pellets of a batch have in common."""

    BOUNDS = BOUNDS
    count = forms.CharField(
        label="How many pellets",
        initial="6",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    class Meta:
        model = PelletBatch
        fields = (
            "powder_lot",
            "pressed_at",
            "powder_mass_mg",
            "press_pressure_MPa",
            "sinter_temperature_degC",
            "sinter_time_h",
            "grits",
            "notes",
        )
        formfield_callback = form_field

    field_order = ("powder_lot", "count")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {
            "powder_mass_mg": "Powder per pellet",
            "press_pressure_MPa": "Pressing pressure",
            "sinter_temperature_degC": "Sintering temperature",
            "sinter_time_h": "Sintering time",
            "grits": "Grinding, grit order",
        }
        for name, label in labels.items():
            self.fields[name].label = label
        if self.instance.pk is not None:
            del self.fields["count"]
        self.fields["powder_lot"].options = lot_options()

    def clean_count(self) -> int:
        """1 to 50."""
        text = self.cleaned_data["count"].strip()
        if not text.isdecimal() or not 1 <= int(text) <= 50:
            raise forms.ValidationError("A batch has 1 to 50 pellets.")
        return int(text)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        lot, count = cleaned.get("powder_lot"), cleaned.get("count")
        if lot and count:
            sentence = hints.stock_question(lot, count, cleaned.get("powder_mass_mg"))
            if sentence:
                self.ask(Question("stock", sentence, "Save anyway"))
        return cleaned


class BatchEditForm(ReasonMixin, BatchForm):
    """A batch that is corrected."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        return cleaned


def lot_options() -> list[tuple[str, str]]:
    """Lots to offer, newest first."""
    lots = PowderLot.objects.live().select_related("material").order_by("-id")[:100]
    return [(lot.code, " · ".join(filter(None, (lot.material.code, lot.supplier, lot.supplier_lot)))) for lot in lots]


class PelletRowForm(RecordForm):
    """One row of a batch: what is measured on each pellet."""

    BOUNDS = BOUNDS
    thickness_um = QuantityField(
        "thickness_um", spread="thickness_uncertainty_um", readings="thickness_readings_um", required=False
    )

    class Meta:
        model = Pellet
        fields = ("mass_mg", "diameter_mm", "thickness_um", "state", "notes")
        formfield_callback = form_field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = self.instance.state
        allowed = dict.fromkeys((own, Pellet.State.AVAILABLE, Pellet.State.BROKEN))
        if own == Pellet.State.IN_CELL:  # the cell decides
            allowed = {own: None}
        self.fields["state"] = forms.ChoiceField(
            label="State", choices=[(state, Pellet.State(state).label.lower()) for state in allowed], required=False
        )
        self.fields["notes"].widget = forms.TextInput()
        self.fields["notes"].label = "Remark"

    def clean_state(self) -> str:
        """Left out means unchanged."""
        return self.cleaned_data["state"] or self.instance.state

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        probe = Pellet(
            batch=self.instance.batch, **{n: cleaned.get(n) for n in ("mass_mg", "diameter_mm", "thickness_um")}
        )
        self.density = probe.relative_density_fraction
        if self.density is not None:
            bounds = bounds_of("relative_density_fraction", self.recipe, BOUNDS)
            level, sentence = bounds.judge(self.density)
            if level == "unusual":
                self.warnings["relative_density_fraction"] = f"Relative density {sentence}"
        return cleaned

    @property
    def is_blank(self) -> bool:
        """Nothing was typed in this row."""
        names = ("mass_mg", "diameter_mm", "thickness_um", "notes")
        texts = [str(self[name].value() or "") for name in names]
        return not any(text.strip() for text in texts) and (self["state"].value() or "available") == "available"

    @property
    def shown_density(self) -> str:
        """Relative density as it follows from the row."""
        density = getattr(self, "density", None) if self.is_bound else self.instance.relative_density_fraction
        return units.format_value(density, unit="fraction")

    @property
    def sentences(self) -> list[str]:
        """Every problem of the row."""
        return [text for errors in self.errors.values() for text in errors]


class PelletForm(ReasonMixin, PelletRowForm):
    """One pellet that is measured or corrected."""

    field_order = ("mass_mg", "diameter_mm", "thickness_um", "state", "notes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["notes"].widget = forms.Textarea(attrs={"rows": 3})
        if self.instance.state != Pellet.State.IN_CELL:
            self.fields["state"].choices = [
                (state, words.lower()) for state, words in Pellet.State.choices if state != "in_cell"
            ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        return cleaned


class CellForm(RecordForm):
    """A cell that is built on one pellet."""

    BOUNDS = BOUNDS
    configuration = forms.ChoiceField(
        choices=Cell.Configuration.choices,
        widget=forms.RadioSelect,
        help_text="Blocking: silver on both faces. Symmetric: lithium on both. Full: lithium against an electrode lot.",
    )
    facing = forms.ChoiceField(
        label="Face on the left electrode", choices=[("A", "A"), ("B", "B")], initial="A", required=False,
        widget=forms.RadioSelect, help_text="The left electrode is the lithium of a full cell.",
    )  # fmt: skip
    electrode_diameter_mm = QuantityField(
        "electrode_diameter_mm",
        spread="electrode_diameter_uncertainty_mm",
        required=False,
        help_text="Diameter of the smaller electrode: it sets the area.",
    )

    class Meta:
        model = Cell
        fields = (
            "configuration",
            "pellet",
            "electrode_diameter_mm",
            "electrode_material",
            "electrode_lot",
            "facing",
            "liquid_uL",
            "stack_pressure_MPa",
            "assembled_at",
            "state",
            "notes",
        )
        formfield_callback = form_field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["liquid_uL"].label = "Liquid electrolyte"
        self.fields["liquid_uL"].help_text = "Empty for none."
        self.fields["electrode_lot"].help_text = "Full cells only."
        self.fields["state"].required = False
        self.fields["pellet"].options = pellet_options()
        self.fields["electrode_lot"].options = electrode_options()
        self.fields["electrode_material"].options = Material.objects.live().values_list("code", "name")
        if self.instance.pk is None:
            self.fields["state"].choices = [
                (s.value, s.label) for s in (Cell.State.BUILT, Cell.State.RESTING, Cell.State.ON_TEST)
            ]
            if self.initial.get("configuration") != Cell.Configuration.FULL:
                self.initial["liquid_uL"] = ""  # silver and lithium go on dry unless somebody says otherwise
                self.recipe_texts.pop("liquid_uL", None)

    def clean_state(self) -> str:
        """Left out means unchanged."""
        return self.cleaned_data["state"] or self.instance.state

    def clean_facing(self) -> str:
        """Left out means side A."""
        return self.cleaned_data["facing"] or "A"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        configuration, pellet = cleaned.get("configuration"), cleaned.get("pellet")
        is_full, has_lot = configuration == Cell.Configuration.FULL, bool(cleaned.get("electrode_lot"))
        if configuration and "electrode_lot" not in self.errors and is_full != has_lot:
            self.add_error(
                "electrode_lot", "A full cell needs an electrode lot; blocking and symmetric cells have none."
            )
        if pellet and pellet.state in (Pellet.State.BROKEN, Pellet.State.CONSUMED) and self.instance.pk is None:
            self.add_error("pellet", f"{pellet.code} is {pellet.get_state_display().lower()}. Choose another pellet.")
        if configuration and pellet and not self.errors:
            names = ("pellet", "configuration", "facing", "electrode_material", "electrode_lot")
            probe = Cell(**{name: cleaned.get(name) for name in names})
            if question := hints.facing_question(probe, faces_of([pellet.pk])[pellet.pk]):
                self.ask(Question(*question))
        return cleaned


class CellEditForm(ReasonMixin, CellForm):
    """A cell that is corrected."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        return cleaned

    def ask(self, question: Question) -> None:
        """The questions belong to building."""


def pellet_options() -> list[tuple[str, str]]:
    """Pellets that can go into a cell, newest first, with what lies on them."""
    free: QuerySet = Pellet.objects.live().filter(state__in=["available", "recovered"]).select_related(
        "batch__powder_lot__material"
    )  # fmt: skip
    pellets = list(free.order_by("-id")[:200])
    faces = faces_of([pellet.pk for pellet in pellets])
    return [(p.code, f"{notation_of(p, faces)} · {p.get_state_display().lower()}") for p in pellets]


def notation_of(pellet: Pellet, faces: dict[int, dict[str, str]]) -> str:
    """Notation of one of many pellets whose faces were read together."""
    from samples.notation import pellet_notation

    return pellet_notation(pellet.batch.powder_lot.material.code, faces.get(pellet.pk, {}))


def electrode_options() -> list[tuple[str, str]]:
    """Electrode lots, newest first."""
    lots = ElectrodeLot.objects.live().select_related("material").order_by("-id")[:50]
    return [
        (lot.code, lot.material.code + (f", {lot.loading_mg_cm2:g} mg cm⁻²" if lot.loading_mg_cm2 else ", no loading"))
        for lot in lots
    ]


__all__ = [
    "BOUNDS", "BatchEditForm", "BatchForm", "CellEditForm", "CellForm", "CodeField", "LotEditForm", "LotForm",
    "PelletForm", "PelletRowForm", "judge", "newest_recipe",
]  # fmt: skip

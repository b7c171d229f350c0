"""Forms of powder lots, pellet batches and pellets, and what all forms of samples share."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone

from lagpdb import units
from lagpdb.fields import QuantityField, form_field
from lagpdb.forms import Question, RecordForm
from lagpdb.quantity import QuantityError, parse_quantity
from samples import hints, limits
from samples.models import Material, Pellet, PelletBatch, PowderLot, Recipe
from samples.models.lots import faces_of

BOUNDS = limits.ANY
REASONS = ("measured again", "typing error", "read from the lab notebook", "wrong sample", "instrument recalibrated")


def newest_recipe(kind: str) -> Recipe | None:
    """The recipe that fills a new form: the newest version, or none."""
    return Recipe.objects.live().filter(kind=kind).order_by("-number").first()


def judge(
    name: str, text: str, recipe: Recipe | None = None, kind: str = "", *, limit: bool = False
) -> tuple[str, str, str]:
    """What was understood while typing: (ok | unusual | impossible | unreadable, sentence, suggested text)."""
    bounds = limits.limits_of(name, kind, recipe)
    try:
        quantity = parse_quantity(text, name, allow_limit=limit)
    except QuantityError as error:
        return "unreadable", error.sentence, ""
    level, sentence = bounds.judge(quantity.value) if bounds else ("ok", "")
    if level == "ok":
        return level, quantity.echo, ""
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
            self.ask_why(changed)

    def ask_why(self, changed: list[str]) -> None:
        """Complain at `reason` that what is named changes without one."""
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
            given = kwargs.get("initial") or {}
            usual = {
                "supplier": last.supplier if last else "",
                "material": last.material if last else "LAGP",
                "received_on": timezone.localdate(),
            }
            self.initial |= {name: value for name, value in usual.items() if name not in given}

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

    BOUNDS, KIND = limits.BATCH, "pellet_batch"
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
            "die_diameter_mm",
            "press_pressure_MPa",
            "sinter_temperature_degC",
            "sinter_time_h",
            "sinter_ramp_degC_min",
            "sinter_started_at",
            "grits",
            "storage",
            "notes",
        )
        formfield_callback = form_field

    field_order = ("powder_lot", "count")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        labels = {
            "powder_mass_mg": "Powder per pellet",
            "die_diameter_mm": "Die",
            "press_pressure_MPa": "Pressing pressure",
            "sinter_temperature_degC": "Sintering temperature",
            "sinter_time_h": "Sintering time",
            "sinter_ramp_degC_min": "Ramp",
            "sinter_started_at": "Furnace started at",
            "storage": "Stored in",
            "grits": "Grinding, grit order",
        }
        for name, label in labels.items():
            self.fields[name].label = label
        if self.instance.pk is None:
            self.fields["powder_lot"].widget.attrs["autofocus"] = True  # a scan goes there at once
        else:
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
            bounds = limits.limits_of("relative_density_fraction", "pellet_batch", self.recipe)
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
    def loss_words(self) -> str:
        """'4.4 % lighter than the powder': what sintering and grinding took; '' while a mass is missing."""
        powder, mass = self.instance.batch.powder_mass_mg, self.quantities.get("mass_mg")
        if not powder or mass is None:
            return ""
        loss = 1 - mass.value / powder
        share = units.format_value(abs(loss), unit="fraction")
        return f"{share} {'lighter' if loss >= 0 else 'heavier'} than the powder." if abs(loss) >= 5e-4 else ""

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


def pellet_options(at_most: int = 200) -> list[tuple[str, str]]:
    """Pellets that can go into a cell, newest first, with what lies on them."""
    free: QuerySet = Pellet.objects.live().filter(state__in=["available", "recovered"]).select_related(
        "batch__powder_lot__material"
    )  # fmt: skip
    pellets = list(free.order_by("-id")[:at_most])
    faces = faces_of([pellet.pk for pellet in pellets])
    return [(p.code, f"{notation_of(p, faces)} · {p.get_state_display().lower()}") for p in pellets]


def notation_of(pellet: Pellet, faces: dict[int, dict[str, str]]) -> str:
    """Notation of one of many pellets whose faces were read together."""
    from samples.notation import pellet_notation

    return pellet_notation(pellet.batch.powder_lot.material.code, faces.get(pellet.pk, {}))

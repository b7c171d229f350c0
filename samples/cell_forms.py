"""Forms of cells: building one or several, and correcting one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from lagpdb import units
from lagpdb.fields import CodesField, QuantityField, form_field
from lagpdb.forms import Question, RecordForm
from samples import hints, limits
from samples.forms import ReasonMixin, pellet_options
from samples.models import Cell, ElectrodeLot, Material, Pellet
from samples.models.cells import LOT_IFF_FULL
from samples.models.lots import faces_of
from samples.several import SeveralMixin, refusal_of

ONLY_FULL = ("electrode_lot", "liquid_uL", "liquid_name")  # silver and lithium go on dry unless somebody says otherwise


class CellFieldsForm(RecordForm):
    """What a cell keeps beside its pellet."""

    BOUNDS, KIND = limits.CELL, "cell"
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
        fields: tuple[str, ...] = (
            "configuration",
            "facing",
            "electrode_diameter_mm",
            "electrode_material",
            "electrode_lot",
            "liquid_uL",
            "liquid_name",
            "case",
            "stack_pressure_MPa",
            "rest_time_h",
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
        self.fields["rest_time_h"].label = "Rest before the first test"
        self.fields["rest_time_h"].help_text = ""
        self.fields["state"].required = False
        self.fields["electrode_lot"].options = electrode_options()
        self.fields["electrode_material"].options = Material.objects.live().values_list("code", "name")

    def clean_state(self) -> str:
        """Left out means unchanged."""
        return self.cleaned_data["state"] or self.instance.state

    def clean_facing(self) -> str:
        """Left out means unchanged; of a new cell, side A."""
        return self.cleaned_data["facing"] or self.instance.facing

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        configuration = cleaned.get("configuration")
        is_full, has_lot = configuration == Cell.Configuration.FULL, bool(cleaned.get("electrode_lot"))
        if configuration and "electrode_lot" not in self.errors and is_full != has_lot:
            self.add_error("electrode_lot", LOT_IFF_FULL)
        return cleaned


class CellForm(SeveralMixin, CellFieldsForm):
    """Cells that are built: one on each pellet that is named."""

    pellet = CodesField(
        Pellet.objects.select_related("batch__powder_lot__material"),
        label="Pellets",
        help_text="Two pellets make two cells, alike but for the pellet.",
    )
    field_order = ("configuration", "pellet")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pellet"].options = pellet_options(24)
        self.fields["state"].choices = [
            (Cell.State.RESTING.value, "resting: the clock of the rest starts"),
            (Cell.State.BUILT.value, "built"),
            (Cell.State.ON_TEST.value, "on test"),
        ]
        self.initial["state"] = Cell.State.RESTING.value
        self._prepare_full()

    def _prepare_full(self) -> None:
        """What only full cells get: put in at once when one was asked for, else kept ready for the choice."""
        lot = ElectrodeLot.objects.live().order_by("-id").first()
        ready = {name: self.recipe_texts.get(name, "") for name in ONLY_FULL}
        ready["electrode_lot"] = ready["electrode_lot"] or (lot.code if lot else "")
        for name, text in ready.items():
            self.fields[name].widget.attrs["data-full"] = text
            if self.initial.get("configuration") == Cell.Configuration.FULL:
                self.initial[name] = self.initial.get(name) or text
            else:
                self.initial[name] = ""
                self.recipe_texts.pop(name, None)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.instance.recipe = self.recipe
        self.plans = []
        pellets = cleaned.get("pellet") or []
        faces = faces_of([pellet.pk for pellet in pellets])
        for pellet in pellets:
            if sentence := refusal_of(pellet):
                self.add_error("pellet", sentence)
            elif cleaned.get("configuration"):
                self.plans.append((pellet, self._plan(pellet, faces[pellet.pk], cleaned)))
        if len(pellets) > 1:  # a sentence about one of several says which
            self.questions = [_named(question) for question in self.questions]
        return cleaned

    def _plan(self, pellet: Pellet, faces: dict[str, str], cleaned: dict[str, Any]) -> dict[str, Any]:
        """How a pellet goes in; asks when its coated face looks the wrong way."""
        names = ("configuration", "facing", "electrode_material", "electrode_lot")
        probe = Cell(pellet=pellet, **{name: cleaned.get(name) for name in names})
        question = hints.facing_question(probe, faces)
        if question is None:
            return {}
        code, sentence, button = question
        turn = f"turn-{pellet.code}"
        if turn in self.confirmed:
            return {"facing": "B" if probe.facing == "A" else "A"}
        other = (turn, "Turn it") if code == "turned" else None
        self.ask(Question(f"{code}-{pellet.code}", sentence, button, other=other))
        return {}


def _named(question: Question) -> Question:
    code = question.code.partition("-")[2]
    return Question(question.code, f"{code}: {question.sentence}", question.button, other=question.other)


class CellEditForm(ReasonMixin, CellFieldsForm):
    """A cell that is corrected."""

    class Meta(CellFieldsForm.Meta):
        fields = ("configuration", "pellet", *CellFieldsForm.Meta.fields[1:-2], "rest_started_at", "state", "notes")

    field_order = ("configuration", "pellet")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["pellet"].options = pellet_options()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("state") == Cell.State.RESTING and cleaned.get("rest_started_at") is None:
            cleaned["rest_started_at"] = timezone.now()
        self.check_reason()
        return cleaned


def electrode_options() -> list[tuple[str, str]]:
    """Electrode lots, newest first."""
    lots = ElectrodeLot.objects.live().select_related("material").order_by("-id")[:50]
    return [
        (
            lot.code,
            f"{lot.material.code}, "
            + (units.exact_value(lot.loading_mg_cm2, "mg_cm2") if lot.loading_mg_cm2 else "no loading"),
        )
        for lot in lots
    ]

"""Forms of the conversion with lithium."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from lagpdb.fields import CodesField, QuantityField, form_field
from lagpdb.forms import Question, RecordForm
from samples import limits
from samples.forms import ReasonMixin, notation_of
from samples.models import Coating, Conversion, Pellet
from samples.models.lots import faces_of
from samples.several import SeveralMixin, refusal_of

LABELS = {
    "faces": "Sides",
    "is_polished": "Foil",
    "lithium_diameter_mm": "Li foil, diameter",
    "lithium_thickness_um": "Li foil, thickness",
    "temperature_degC": "Hot plate",
    "duration_min": "Time at temperature",
    "h2o_ppm": "H₂O in the glovebox",
    "o2_ppm": "O₂ in the glovebox",
}


class ConversionFieldsForm(RecordForm):
    """What a conversion keeps beside its pellet."""

    BOUNDS, KIND = limits.CONVERSION, "conversion"
    faces = forms.ChoiceField(
        choices=[("A", "A"), ("B", "B"), ("AB", "both")], widget=forms.RadioSelect, required=True
    )  # fmt: skip
    is_polished = forms.TypedChoiceField(
        choices=[("True", "polished"), ("False", "as received")],
        coerce=lambda text: text == "True",
        widget=forms.RadioSelect,
        required=False,
        empty_value=True,
    )

    class Meta:
        model = Conversion
        fields: tuple[str, ...] = (
            "faces",
            "lithium_diameter_mm",
            "lithium_thickness_um",
            "is_polished",
            "temperature_degC",
            "duration_min",
            "h2o_ppm",
            "o2_ppm",
            "performed_at",
            "notes",
        )
        formfield_callback = form_field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in LABELS.items():
            self.fields[name].label = label


class ConversionForm(SeveralMixin, ConversionFieldsForm):
    """Coated pellets meet lithium: each gets a record of its own."""

    pellet = CodesField(
        Pellet.objects.select_related("batch__powder_lot__material"),
        label="Pellets",
        help_text="Scan one after the other; each gets a record of its own.",
    )
    field_order = ("pellet",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["performed_at"].help_text = "Left alone when the timer is started: it then says when it was done."
        self.fields["pellet"].options = coated_options()

    @property
    def is_timed(self) -> bool:
        """Whether the button that starts the timer was pressed."""
        return self.data.get("timer") == "start"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.instance.recipe = self.recipe
        if self.is_timed:
            if cleaned.get("duration_min") is None and "duration_min" not in self.errors:
                self.add_error("duration_min", "The timer needs a time. Enter it, or save without the timer.")
            self.instance.started_at, cleaned["performed_at"] = timezone.now(), None
        self.plans = []
        for pellet in cleaned.get("pellet") or ():
            if sentence := refusal_of(pellet):
                self.add_error("pellet", sentence)
            elif cleaned.get("faces"):
                self.plans.append((pellet, self._plan(pellet, cleaned["faces"])))
        return cleaned

    def _plan(self, pellet: Pellet, faces: str) -> dict[str, Any]:
        """Which faces of a pellet are converted; asks where there is nothing, or only one side."""
        probe = Conversion(pellet=pellet, faces=faces, recipe=self.recipe)
        bare = probe.bare_faces()
        if not bare:
            return {}
        attach, only = f"attach-{pellet.code}", f"only-{pellet.code}"
        if attach in self.confirmed:
            return {"is_attachment": True}
        if len(bare) < len(faces):
            (face,) = set(faces) - set(bare)
            film = Coating.objects.filter(pellet=pellet, face=face).order_by("-layer_number").first()
            self.ask(
                Question(
                    only,
                    f"{pellet.code} has {film.sputter_run.target.code if film else 'a film'} on side {face} only. "
                    f"Convert side {face} alone?",
                    f"Convert side {face}",
                )
            )
            return {"faces": face}
        done = pellet.conversions.live().filter(is_attachment=False).order_by("-pk").first()
        link = (f"/conversions/{done.code}/", f"Open {done.code}") if done else ("", "")
        self.ask(Question(attach, probe.nothing_to_convert(bare), "Record plain Li attachment", *link))
        return {}


class ConversionEditForm(ReasonMixin, ConversionFieldsForm):
    """A conversion that is corrected."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        return cleaned


class TimerForm(RecordForm):
    """The end of the timer: how long the lithium really was on the hot plate."""

    BOUNDS, KIND = limits.CONVERSION, "conversion"
    duration_min = QuantityField("duration_min", label="Actual time at temperature", required=False)

    class Meta:
        model = Conversion
        fields = ("duration_min",)
        formfield_callback = form_field

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.initial["duration_min"] = ""


def coated_options() -> list[tuple[str, str]]:
    """Pellets that carry a film which lithium has not reached, newest first."""
    films = Coating.objects.filter(pellet=OuterRef("pk"), sputter_run__withdrawn_at__isnull=True).filter(
        Q(conversion__isnull=True) | Q(conversion__withdrawn_at__isnull=False)
    )
    free = Pellet.objects.live().filter(Exists(films), state__in=["available", "recovered"])
    pellets = list(free.select_related("batch__powder_lot__material").order_by("-pk")[:24])
    faces = faces_of([pellet.pk for pellet in pellets])
    return [(pellet.code, notation_of(pellet, faces)) for pellet in pellets]

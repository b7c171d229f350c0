"""What people say beside their files, and the sample of a file that waits for one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model

from lagpdb.fields import CodeField, QuantityField
from lagpdb.quantity import Bounds
from measurements.kinds import KINDS
from measurements.matching import find_subject
from measurements.models import Instrument
from measurements.moving import REASON
from samples.models import Cell, Pellet


class SubjectField(forms.CharField):
    """A pellet, a cell or a witness plate, by its code in any spelling."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}))
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return find_subject(text) if text else None


class OperatorField(forms.ModelChoiceField):
    """Somebody of the lab, by name."""

    def label_from_instance(self, user: Any) -> str:
        return user.get_full_name() or user.get_username()


class UploadForm(forms.Form):
    """Said once for all files of an upload; everything may stay empty."""

    subject = SubjectField(
        required=False, label="Sample for all files", help_text="Empty: decided for each file by the code in its name."
    )
    temperature_degC = QuantityField(
        "temperature_degC", required=False, label="Temperature", help_text="Empty: from the file, then from its name."
    )
    kind = forms.ChoiceField(
        required=False,
        label="Kind of test",
        choices=[("", "told by the content"), *((slug, name) for slug, name in KINDS.items() if slug != "eis")],
        help_text="Only for time series. Impedance is recognised.",
    )
    instrument = CodeField(Instrument.objects.all(), required=False, label="Instrument")
    operator = OperatorField(get_user_model().objects.none(), required=False, label="Operator", empty_label=None)

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = get_user_model().objects.filter(is_active=True).order_by("first_name", "username")
        self.fields["operator"].queryset = people
        self.fields["operator"].initial = user.pk
        self.fields["instrument"].options = Instrument.objects.live().values_list("code", "name")
        self.fields["temperature_degC"].bounds = Bounds(-60, 200, -273.15, 2999, "degC")

    @property
    def options_of_instrument(self) -> list[tuple[str, str]]:
        """For the list that the browser offers."""
        return list(self.fields["instrument"].options)

    def clean_temperature_degC(self) -> float | None:
        """The plain number [°C]."""
        quantity = self.cleaned_data["temperature_degC"]
        return quantity.value if quantity else None


class AssignForm(forms.Form):
    """Which sample a waiting file belongs to, and why."""

    subject = SubjectField(label="Sample", error_messages={"required": "Choose the sample: type or scan its code."})
    reason = forms.CharField(required=False, max_length=500)


class MoveForm(AssignForm):
    """To which sample measurements are moved, and why; `version` is that of the first one, as the person saw it."""

    reason = forms.CharField(max_length=500, error_messages={"required": REASON})
    version = forms.IntegerField(required=False)
    is_together = forms.BooleanField(required=False)


def sample_options() -> list[tuple[str, str]]:
    """Cells and pellets that may be measured now, newest first, with their role."""
    cells = Cell.objects.live().order_by("-id").values_list("code", "notation", "state")[:60]
    pellets = Pellet.objects.live().order_by("-id").values_list("code", "state")[:60]
    states, pellet_states = dict(Cell.State.choices), dict(Pellet.State.choices)
    return [
        *((code, f"{notation}, {states[state]}") for code, notation, state in cells),
        *((code, str(pellet_states[state])) for code, state in pellets),
    ]

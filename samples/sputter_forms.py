"""Forms of sputter runs, with their list of pellets, and of film thicknesses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction

from lagpdb.fields import QuantityField, ReadingsField, form_field
from lagpdb.forms import Question, RecordForm
from lagpdb.records import normal_code
from samples import limits
from samples.coat import coat
from samples.forms import ReasonMixin, notation_of
from samples.models import FilmThickness, Material, Pellet, SputterRun, WitnessPlate
from samples.models.films import FACE_SETS
from samples.models.lots import faces_of
from samples.several import refusal_of
from samples.sputter import keep_witness, layer_question

MOST_ROWS = 50
BLANK_ROWS = 2
YES_NO = [("yes", "yes"), ("no", "no")]


@dataclass
class PelletRow:
    """One line of the list: a pellet and the faces that the run coats, as typed."""

    number: int
    text: str = ""
    faces: str = "AB"
    pellet: Pellet | None = None
    problem: str = ""
    notation: str = field(default="", compare=False)

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()

    @property
    def key(self) -> str:
        """What tells its fields from those of other lines."""
        return str(self.number) if self.number >= 0 else "__n__"

    @property
    def label(self) -> str:
        """Number of the line as people count; a copy gets its own from the page."""
        return str(self.number + 1) if self.number >= 0 else "__label__"

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """Faces to choose from: value, words, whether chosen."""
        words = {"A": "side A", "B": "side B", "AB": "both sides"}
        return [(value, words[value], value == self.faces) for value, _ in FACE_SETS]


def rows_of(data: Any) -> list[PelletRow]:
    """The rows as sent, in order; a scanned pellet that is named again is dropped when its line is the same."""
    numbers = sorted(
        int(name.removeprefix("pellet-"))
        for name in data
        if name.startswith("pellet-") and name.removeprefix("pellet-").isdecimal()
    )
    rows = [
        PelletRow(number, data.get(f"pellet-{number}", "").strip(), data.get(f"faces-{number}", "AB"))
        for number in numbers[:MOST_ROWS]
    ]
    codes = [normal_code(row.text) for row in rows if not row.is_blank]
    known = {pellet.code: pellet for pellet in Pellet.objects.filter(code__in=codes).select_related(
        "batch__powder_lot__material")}  # fmt: skip
    seen: dict[str, PelletRow] = {}
    for row in rows:
        if not row.is_blank:
            _understand(row, known, seen)
    films = faces_of([pellet.pk for pellet in known.values()])
    for row in rows:
        if row.pellet is not None:
            row.notation = notation_of(row.pellet, films)
    return rows


def _understand(row: PelletRow, known: dict[str, Pellet], seen: dict[str, PelletRow]) -> None:
    code = normal_code(row.text)
    if row.faces not in dict(FACE_SETS):
        row.faces = "AB"
    pellet = known.get(code)
    if pellet is None:
        row.problem = f"{code} is not in lagpdb." if code.startswith("PEL-") else f"{row.text} is not a pellet."
    elif pellet.is_withdrawn:
        row.problem = f"{code} is in the trash since {pellet.withdrawn_at:%-d %b}. Restore it first."
    elif code in seen:
        row.problem = f"{code} is named twice. Name it once, with all its faces."
    else:
        row.pellet = seen[code] = pellet  # type: ignore[assignment]


class SputterRunForm(RecordForm):
    """A run of the sputter tool over several pellets."""

    BOUNDS, KIND = limits.SPUTTER, "sputter_run"
    base_pressure_Pa = QuantityField(
        "base_pressure_Pa", limit="base_pressure_limit", required=False,
        help_text="Before the gas came in; may be a limit: < 1e-4.",
    )  # fmt: skip
    witness = forms.ChoiceField(
        label="Witness Si plate", choices=YES_NO, initial="yes", required=False, widget=forms.RadioSelect,
        help_text="A piece of silicon beside the pellets, for the AFM step.",
    )  # fmt: skip

    class Meta:
        model = SputterRun
        fields = (
            "target", "power_W", "pressure_Pa", "gas", "target_distance_cm", "base_pressure_Pa", "duration_min",
            "stage_temperature_degC", "performed_at", "notes",
        )  # fmt: skip
        formfield_callback = form_field

    def __init__(self, data: Any = None, *, pellets: Iterable[Pellet] = (), **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        labels = {
            "pressure_Pa": "Working pressure", "gas": "Working gas", "duration_min": "Sputter time",
            "target_distance_cm": "Target distance", "stage_temperature_degC": "Stage temperature",
        }  # fmt: skip
        for name, label in labels.items():
            self.fields[name].label = label
        for name in ("pressure_Pa", "gas", "duration_min"):
            self.fields[name].help_text = ""  # the label says it
        self.fields["target"].options = Material.objects.live().values_list("code", "name")
        self.stood = coated_of(self.instance)
        if self.instance.pk:
            self.initial["witness"] = "yes" if self.instance.witness_plates.live().exists() else "no"
        if self.is_bound and any(name.startswith("pellet-") for name in self.data):
            self.rows = rows_of(self.data)
        else:
            chosen = list(self.stood.items()) or [(pellet.code, "AB") for pellet in pellets]
            filled = {f"pellet-{n}": code for n, (code, _) in enumerate(chosen)}
            self.rows = rows_of(filled | {f"faces-{n}": faces for n, (_, faces) in enumerate(chosen)})
        self._add_blank_rows()

    def _add_blank_rows(self) -> None:
        following = max((row.number for row in self.rows), default=-1) + 1
        blank = sum(1 for row in self.rows if row.is_blank)
        self.rows += [PelletRow(following + step) for step in range(max(0, BLANK_ROWS - blank))]

    @property
    def blank_row(self) -> PelletRow:
        """What the page copies for one more line; the number is filled in there."""
        return PelletRow(-1)

    @property
    def was_pellets(self) -> str:
        """The list as the form was opened: what somebody else adds meanwhile stays."""
        if self.is_bound and "was-pellets" in self.data:
            return str(self.data["was-pellets"])
        return ";".join(f"{code} {faces}" for code, faces in self.stood.items())

    @property
    def pellet_options(self) -> list[tuple[str, str]]:
        """Pellets that can be sputtered, newest first."""
        from samples.forms import pellet_options

        return pellet_options()

    def clean_witness(self) -> str:
        """Left out means as it is."""
        return self.cleaned_data["witness"] or str(self.initial.get("witness", "no"))

    def clean_gas(self) -> str:
        """Left out is left empty."""
        return self.cleaned_data["gas"].strip()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for row in self.rows:
            if row.pellet is not None and self.stood.get(row.pellet.code) is None:
                row.problem = refusal_of(row.pellet)
        if any(row.problem for row in self.rows):
            self.add_error(None, "Look at the list of pellets: " + " ".join(r.problem for r in self.rows if r.problem))
        self._ask_about_layers()
        return cleaned

    def _ask_about_layers(self) -> None:
        for row in self.rows:
            if row.pellet is None or row.problem:
                continue
            new = "".join(face for face in row.faces if face not in self.stood.get(row.pellet.code, ""))
            found = layer_question(row.pellet, new, self.instance) if new else None
            if found is not None:
                sentence, run = found
                self.ask(
                    Question(
                        f"layer-{row.pellet.code}-{new}", sentence, "Add a second layer",
                        f"/sputter-runs/{run.code}/edit/", f"Correct {run.code}",
                    )
                )  # fmt: skip

    @property
    def was(self) -> dict[str, str]:
        """Pellets and faces when the form was opened."""
        return dict(entry.rsplit(" ", 1) for entry in self.was_pellets.split(";") if " " in entry)

    @property
    def yours(self) -> dict[str, str]:
        """Pellets and faces as this person wants them."""
        return {row.pellet.code: row.faces for row in self.rows if row.pellet is not None}

    def wanted(self) -> list[tuple[Pellet, str]]:
        """Pellets and faces to store: what this person changed, on top of the list as it stands now."""
        was, yours = self.was, self.yours
        now = coated_of(self.instance) if self.instance.pk else {}
        merged = {
            code: now.get(code) if yours.get(code) == was.get(code) else yours.get(code)
            for code in dict.fromkeys([*now, *yours])
        }
        pellets = Pellet.objects.in_bulk([code for code, faces in merged.items() if faces], field_name="code")
        return [(pellets[code], faces) for code, faces in merged.items() if faces]

    def store(self, *, by: Any) -> bool:
        """The run, what it coated and its witness plate: all or nothing."""
        is_new = self.instance.pk is None
        reason = self.cleaned_data.get("reason") or ""
        try:
            with transaction.atomic():
                if not super().store(by=by):
                    return False
                coat(self.instance, self.wanted(), by=by, reason=reason, is_new=is_new)
                keep_witness(self.instance, self.cleaned_data["witness"] == "yes", by=by, reason=reason)
        except ValidationError as error:
            if is_new:
                self.instance.pk, self.instance.code, self.instance._state.adding = None, "", True
            self.refuse(error)
            return False
        return True


def coated_of(run: SputterRun) -> dict[str, str]:
    """Code of each pellet of a run, with its faces."""
    found: dict[str, str] = {}
    if run.pk:
        for code, face in run.coatings.order_by("pellet_id", "face").values_list("pellet__code", "face"):
            found[code] = found.get(code, "") + face
    return found


class SputterRunEditForm(ReasonMixin, SputterRunForm):
    """A run that is corrected."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        self.check_reason()
        lost = [code for code, faces in self.was.items() if self.yours.get(code) != faces]
        if lost and not self.errors and not cleaned.get("reason"):
            self.ask_why(lost)
        return cleaned


class FilmOnField(forms.CharField):
    """A witness plate or a pellet, by its code in any spelling."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        code = normal_code(text)
        model = {"WIT": WitnessPlate, "PEL": Pellet}.get(code[:3])
        if model is None:
            raise ValidationError(f"{text} is not the code of a witness plate or a pellet.", code="unknown")
        record = model._default_manager.filter(code=code).first()
        if record is None:
            raise ValidationError(f"{code} is not in lagpdb.", code="unknown")
        if record.is_withdrawn:
            raise ValidationError(
                f"{code} is in the trash since {record.withdrawn_at:%-d %b}. Restore it first.", code="withdrawn"
            )
        return record

    def prepare_value(self, value: Any) -> Any:
        return getattr(value, "code", value)


class FilmThicknessForm(ReasonMixin, RecordForm):
    """Step heights that were read on one film."""

    BOUNDS, KIND = limits.FILM, "film_thickness"
    measured_on = FilmOnField(
        label="Witness plate or pellet",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
    )
    face = forms.ChoiceField(
        label="Face of the pellet", required=False, choices=[("", "witness plate"), ("A", "side A"), ("B", "side B")]
    )
    heights_nm = ReadingsField(
        "heights_nm", help_text="All readings of the step: 49.2 50.1 51.0",
        error_messages={"required": "Give at least one step height in nm."},
    )  # fmt: skip

    field_order = ("measured_on", "face", "heights_nm", "method", "measured_at", "notes")

    class Meta:
        model = FilmThickness
        fields = ("face", "method", "measured_at", "notes")
        formfield_callback = form_field

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["heights_nm"].label = "Step heights"
        plates = WitnessPlate.objects.live().select_related("sputter_run__target").order_by("-id")[:50]
        self.fields["measured_on"].options = [
            (plate.code, f"{plate.notation}, {plate.sputter_run.code}") for plate in plates
        ]
        if self.instance.pk:
            self.initial["measured_on"] = self.instance.subject
        else:
            del self.fields["reason"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        where, face = cleaned.get("measured_on"), cleaned.get("face")
        if isinstance(where, Pellet) and not face:
            self.add_error("face", f"Say which side of {where.code} was measured.")
        if isinstance(where, WitnessPlate):
            cleaned["face"] = ""
        self.instance.witness_plate = where if isinstance(where, WitnessPlate) else None
        self.instance.pellet = where if isinstance(where, Pellet) else None
        if self.instance.pk:
            self.check_reason()
        return cleaned

    def _post_clean(self) -> None:
        """The rules of the record are checked when it is saved: its subject is no field of this form."""
        instance = self.instance
        for name in ("face", "method", "measured_at", "notes"):
            if name in self.cleaned_data and name not in self.errors:
                setattr(instance, name, self.cleaned_data[name])

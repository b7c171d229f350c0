"""Every number field of every form takes a decimal comma, and none is a number input of the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django import forms

import samples.views  # noqa: F401  the forms of all pages
from lagpdb.fields import QuantityField
from lagpdb.forms import RecordForm, bounds_of
from samples.forms import PelletRowForm
from samples.models import SputterRun

NUMBERS = (forms.IntegerField, forms.FloatField, forms.DecimalField)


def all_forms(base: type[RecordForm] = RecordForm) -> Iterator[type[RecordForm]]:
    for form in base.__subclasses__():
        if getattr(form, "_meta", None) is not None and form._meta.model is not None:
            yield form
        yield from all_forms(form)


FIELDS = [
    (form, name, field)
    for form in dict.fromkeys(all_forms())
    for name, field in form.base_fields.items()
    if isinstance(field, QuantityField)
]


def test_there_are_forms_to_look_at() -> None:
    names = {form.__name__ for form, _, _ in FIELDS}
    assert {"LotForm", "BatchForm", "PelletRowForm", "CellForm", "ConversionForm"} <= names
    assert len(FIELDS) > 30


@pytest.mark.parametrize("form", list(dict.fromkeys(all_forms())), ids=lambda form: form.__name__)
def test_no_form_has_a_number_input(form: type[RecordForm]) -> None:
    """Browsers drop what they do not take in a number input; ours are texts that the server reads."""
    for name, field in form.base_fields.items():
        if name != "version":
            assert not isinstance(field, NUMBERS), name
            assert not isinstance(field.widget, forms.NumberInput), name


@pytest.mark.parametrize(
    ("form", "name", "field"), FIELDS, ids=lambda value: getattr(value, "__name__", str(value)[:40])
)
def test_comma_and_point_are_the_same_number(form: type[RecordForm], name: str, field: QuantityField) -> None:
    bounds = bounds_of(name, None, form.BOUNDS)
    low = (bounds and (bounds.unusual_low or bounds.impossible_low)) or 0.0
    high = bounds.unusual_high if bounds and bounds.unusual_high is not None else low + 2.5
    value = round((low + high) / 2 + 0.0617 * (high - low), 7)  # not a whole number in any range
    with_point = f"{value:.7f}".rstrip("0")
    assert "." in with_point
    assert not with_point.endswith(".")
    for text in (with_point, with_point.replace(".", ","), f"  {with_point} "):
        assert field.clean(text).value == float(with_point), text
    assert field.widget.attrs["inputmode"] == "decimal"
    assert field.widget.input_type == "text"


def test_a_limit_goes_into_its_own_field() -> None:
    field = QuantityField("base_pressure_Pa", limit="base_pressure_limit")
    quantity = field.clean("< 1e-4")
    assert (quantity.value, quantity.limit, quantity.echo[0]) == (1e-4, "<", "<")
    assert field.text_of(SputterRun(base_pressure_Pa=1e-4, base_pressure_limit="<")) == "< 1e-4"
    with pytest.raises(forms.ValidationError, match="is a limit"):
        PelletRowForm.base_fields["thickness_um"].clean("< 801")

"""A table whose names mean nothing: a person says what the columns are, once per instrument."""

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from analysis.tasks import drain
from measurements import store
from measurements.mappings import describe, mapping_for
from measurements.models import UploadFile
from tests import builders, spine

pytestmark = pytest.mark.django_db
MAPPING = {"col A": ("time_s", "min"), "col B": ("potential_V", "mV"), "col C": ("current_A", "uA")}


def table(seed: int = 1) -> bytes:
    rng = np.random.default_rng(seed)
    minutes = np.arange(1200)
    current = np.where(np.floor(minutes / 60) % 2 == 0, 78.5, -78.5)
    lines = [f"{t},{i * 0.6 + rng.normal(0, 0.2):.3f},{i:.2f}" for t, i in zip(minutes, current, strict=True)]
    return ("col A,col B,col C\n" + "\n".join(lines) + "\n").encode()


def sent(cell, content, **more) -> UploadFile:
    (file,) = spine.taken_in(("strange.csv", content), subject=cell, **more)
    return file


@pytest.fixture
def cell():
    return builders.symmetric_cell()


def test_the_columns_are_shown_and_named_by_a_person(cell):
    file = sent(cell, table())
    assert file.state == "failed"
    assert "Columns seen: col A, col B, col C" in file.message
    assert [column["header"] for column in file.columns_seen] == list(MAPPING)
    describe(file, MAPPING, by=spine.person())
    drain()
    file.refresh_from_db()
    assert file.state == "done"
    frame = store.recording(file.measurements.get())
    assert frame["time_s"].iloc[-1] == 1199 * 60
    assert frame["current_A"].iloc[0] == pytest.approx(78.5e-6)
    assert frame["potential_V"].iloc[0] == pytest.approx(0.0471, abs=1e-3)


def test_an_emptied_cache_is_read_with_the_same_columns(cell):
    import shutil

    file = sent(cell, table())
    describe(file, MAPPING, by=None)
    drain()
    measurement = file.measurements.get()
    before = store.recording(measurement)
    shutil.rmtree(store.store().parsed)
    assert store.recording(measurement).equals(before)


def test_the_next_file_of_the_instrument_is_read_without_asking(cell):
    instrument = builders.instrument()
    first = sent(cell, table(), instrument=instrument)
    describe(first, MAPPING, by=None, instrument=instrument)
    drain()
    instrument.refresh_from_db()
    assert mapping_for(instrument, first.columns_seen) == {name: list(value) for name, value in MAPPING.items()}
    assert sent(builders.symmetric_cell(), table(2), instrument=instrument).state == "done"
    assert sent(builders.symmetric_cell(), table(3)).state == "failed"


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"col A": ("time_s", "")}, "Choose the time, and the potential or the current."),
        ({**MAPPING, "col B": ("time_s", "s")}, "Two columns are named"),
        ({**MAPPING, "col B": ("colour", "")}, "is not the name of a column"),
        ({**MAPPING, "col B": ("potential_V", "h")}, "is not a unit of"),
    ],
)
def test_what_cannot_be_meant_is_refused(cell, mapping, words):
    file = sent(cell, table())
    with pytest.raises(ValidationError, match=words):
        describe(file, mapping, by=None)
    file.refresh_from_db()
    assert file.state == "failed"


def test_the_dialog_on_the_page(client, cell):
    client.force_login(builders.user("ada", "member"))
    instrument = builders.instrument()
    file = sent(cell, table())
    for address in (reverse("upload_detail", args=[file.upload.code]), reverse("inbox") + "?show=failed"):
        html = client.get(address).content.decode()
        assert "Choose the columns" in html
        assert "col B" in html
    fields = {"instrument": instrument.code}
    for number, (name, unit) in enumerate(MAPPING.values()):
        fields |= {f"name-{number}": name, f"unit-{number}": unit}
    client.post(reverse("file_columns", args=[file.pk]), fields)
    drain()
    file.refresh_from_db()
    instrument.refresh_from_db()
    assert file.state == "done"
    assert len(instrument.column_mappings) == 1

"""A table whose names mean nothing: a person says what the columns are, once per instrument."""

import re

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from analysis.science import synthetic
from analysis.tasks import drain
from lagpdb.models import Revision
from measurements import ingest, store
from measurements.mappings import describe, mapping_for
from measurements.models import UploadFile
from measurements.waiting import rearm_for_reading
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
    # Other tests share the store, so only this file's tables go.
    shutil.rmtree(store.store().parsed_folder(file.raw_file.sha256))
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
        ({"col A": ("time_s", "")}, "Choose the time, and the potential or the current"),
        ({"col A": ("frequency_Hz", ""), "col B": ("z_real_ohm", "")}, "An impedance needs the frequency"),
        ({"col B": ("z_imag_ohm", ""), "col C": ("-z_imag_ohm", "")}, "Two columns are named Z″"),
        ({"col A": ("frequency_Hz", "Ω")}, "‘Ω’ is not a unit of frequency"),
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


# -- an impedance ------------------------------------------------------------------------------------------------------
SPECTRUM = {"w": ("frequency_Hz", "kHz"), "one": ("z_real_ohm", "kΩ"), "two": ("-z_imag_ohm", "kΩ")}


def spectrum(head: str = "w,one,two", seed: int = 1) -> bytes:
    """A blocking cell in kHz and kΩ, with −Z″."""
    frequency = np.logspace(6, 0, 60)
    z = synthetic.blocking_cell_spectrum(
        frequency, total_conductivity_25degC_S_cm=2.5e-4, activation_energy_eV=0.37, thickness_um=800.0,
        electrode_area_cm2=0.785, temperature_degC=25.0, noise_fraction=1e-3, rng=np.random.default_rng(seed),
    )  # fmt: skip
    rows = [f"{f / 1e3:.8g},{v.real / 1e3:.8g},{-v.imag / 1e3:.8g}" for f, v in zip(frequency, z, strict=True)]
    return (head + "\n" + "\n".join(rows) + "\n").encode()


def test_an_impedance_is_named_and_the_next_one_read_without_asking():
    instrument = builders.instrument()
    file = sent(builders.blocking_cell(), spectrum(), instrument=instrument)
    assert file.state == "failed"
    assert "or the frequency, Z′ and Z″" in file.message
    describe(file, SPECTRUM, by=None, instrument=instrument)
    drain()
    measurement = file.measurements.get()
    assert measurement.kind == "eis"
    assert store.recording(measurement)["frequency_Hz"].max() == pytest.approx(1e6)
    assert measurement.results.filter(quantity="ionic_conductivity_S_cm", is_current=True).exists()
    assert sent(builders.blocking_cell(), spectrum(seed=2), instrument=instrument).state == "done"


def test_units_of_an_impedance_are_corrected_on_its_page(client):
    client.force_login(builders.user("ada", "member"))
    file = sent(builders.blocking_cell(), spectrum("frequency,re,-im"))
    measurement = file.measurements.get()
    before = measurement.results.get(quantity="ionic_conductivity_S_cm", is_current=True).value
    html = client.get(reverse("measurement_detail", args=[measurement.code])).content.decode()
    assert f'<a href="{reverse("file_columns", args=[file.pk])}">Columns and units</a>' in html
    fields = shown(client, file)
    assert [fields[f"name-{n}"] for n in range(3)] == ["frequency_Hz", "z_real_ohm", "-z_imag_ohm"]
    assert [fields[f"unit-{n}"] for n in range(3)] == ["Hz", "Ω", "Ω"]
    fields |= {"unit-0": "kHz", "unit-1": "kΩ", "unit-2": "kΩ", "reason": "the analyser writes kHz and kΩ"}
    client.post(reverse("file_columns", args=[file.pk]), fields)
    drain()
    after = measurement.results.get(quantity="ionic_conductivity_S_cm", is_current=True).value
    assert after == pytest.approx(before / 1000, rel=0.01)
    assert "Z′ from ‘re’ in kΩ" in client.get(reverse("measurement_detail", args=[measurement.code])).content.decode()


def test_an_impedance_does_not_become_a_test_over_time():
    file = sent(builders.blocking_cell(), spectrum("frequency,re,-im"))
    other = {"frequency": ("time_s", ""), "re": ("potential_V", ""), "-im": ("current_A", "")}
    ingest.see_columns(file)
    describe(file, other, by=spine.person(), reason="a mistake")
    drain()
    file.refresh_from_db()
    assert "An impedance would become a recording over time" in file.message
    assert file.measurements.get().kind == "eis"


def test_a_missing_column_can_be_chosen_where_the_refusal_asks_for_it(client, cell):
    client.force_login(builders.user("ada", "member"))
    file = sent(cell, bare().replace(b"time,potential,current", b"time/s,Ewe/mV,reading"))
    assert (
        file.message
        == "No current column found. Columns seen: time/s, Ewe/mV, reading. Choose which column is the current."
    )
    assert "Choose the columns" in client.get(reverse("upload_detail", args=[file.upload.code])).content.decode()
    describe(
        file,
        {"time/s": ("time_s", ""), "Ewe/mV": ("potential_V", ""), "reading": ("current_A", "uA")},
        by=spine.person(),
    )
    drain()
    file.refresh_from_db()
    assert file.state == "done"
    frame = store.recording(file.measurements.get())
    assert frame["current_A"].iloc[0] == pytest.approx(78.5e-6)
    assert frame["potential_V"].iloc[0] == pytest.approx(0.0471, abs=1e-3)


# -- a table that was read, in units that it does not state ------------------------------------------------------------
TOLD = {"time": ("time_s", "s"), "potential": ("potential_V", "mV"), "current": ("current_A", "uA")}


def bare(hours: int = 20) -> bytes:
    """A symmetric cell at ±78.5 µA, 1 h each way, 600 Ω: ±47.1 mV, under headers without units."""
    seconds = np.arange(0, hours * 3600, 60)
    current = np.where(seconds // 3600 % 2 == 0, 78.5, -78.5)
    noise = np.random.default_rng(7).normal(0, 0.2, len(seconds))
    rows = [f"{t},{i * 0.6 + e:.3f},{i:.2f}" for t, i, e in zip(seconds, current, noise, strict=True)]
    return ("time,potential,current\n" + "\n".join(rows) + "\n").encode()


def shown(client, file) -> dict[str, str]:
    """The dialog as it opens: every field with what it holds."""
    form = client.get(reverse("file_columns", args=[file.pk])).content.decode()
    fields = dict(re.findall(r'<input[^>]* name="(version|reason)"[^>]*? value="([^"]*)"', form))
    for name, options in re.findall(r'<select[^>]* name="([^"]+)">(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        fields[name] = (chosen[1] if chosen[1] is not None else chosen[2]) if chosen else ""
    return fields


def test_numbers_that_are_not_plausible_in_units_taken_are_all_provisional(cell):
    measurement = sent(cell, bare()).measurements.get()
    codes = {code for code, _ in measurement.reader_warnings}
    assert codes >= {"unit_not_stated", "potential_implausible"}
    assert set(measurement.results.filter(is_current=True).values_list("acceptance", flat=True)) == {"provisional"}
    assert "units_in_doubt" in {code for code, _ in measurement.runs.get(is_current=True).warnings}


def test_plausible_numbers_in_units_taken_are_accepted(cell):
    plain = [line.split(",") for line in bare().decode().splitlines()]
    volts = [",".join((t, f"{float(u) / 1e3:.6f}", f"{float(i) / 1e6:.8f}")) for t, u, i in plain[1:]]
    measurement = sent(cell, "\n".join([",".join(plain[0]), *volts]).encode()).measurements.get()
    assert "unit_not_stated" in {code for code, _ in measurement.reader_warnings}
    assert "accepted" in measurement.results.filter(is_current=True).values_list("acceptance", flat=True)


def test_a_table_that_was_read_is_read_again_in_its_own_units(client, cell):
    client.force_login(builders.user("ada", "member"))
    instrument = builders.instrument()
    file = sent(cell, bare())
    measurement = file.measurements.get()
    former = measurement.runs.get(is_current=True)
    address = reverse("file_columns", args=[file.pk])
    for page in (
        reverse("measurement_detail", args=[measurement.code]),
        reverse("upload_detail", args=[file.upload.code]),
    ):
        html = client.get(page).content.decode()
        assert f'<a href="{address}">Columns and units</a>' in html
    fields = shown(client, file)
    assert [fields[f"name-{n}"] for n in range(3)] == [name for name, _ in TOLD.values()]
    assert [fields[f"unit-{n}"] for n in range(3)] == ["s", "V", "A"]
    fields |= {"unit-1": "mV", "unit-2": "µA", "instrument": instrument.code}
    assert "Say why" in client.post(address, fields).content.decode()
    client.post(address, fields | {"reason": "the logger writes mV and µA"})
    drain()
    file.refresh_from_db()
    measurement.refresh_from_db()
    assert (file.state, file.relation) == ("done", {})
    frame = store.recording(measurement)
    assert frame["current_A"].iloc[0] == pytest.approx(78.5e-6)
    assert frame["potential_V"].iloc[0] == pytest.approx(0.0471, abs=1e-3)
    codes = {code for code, _ in measurement.reader_warnings}
    assert not codes & {"unit_not_stated", "potential_implausible"}
    now = measurement.runs.get(is_current=True)
    assert now.pk != former.pk
    assert measurement.runs.filter(pk=former.pk).exists()
    assert now.inputs["raw_file"]["columns"]["current"] == ["current_A", "µA"]
    assert "columns" not in former.inputs["raw_file"]
    revision = Revision.objects.filter(record_code=measurement.code).order_by("-version").first()
    assert (revision.by.username, revision.reason) == ("ada", "the logger writes mV and µA")
    assert revision.changes["metadata"][1]["columns"]["potential"] == ["potential_V", "mV"]
    html = client.get(reverse("measurement_detail", args=[measurement.code])).content.decode()
    assert "potential from ‘potential’ in mV" in html
    spine.check_invariants()
    # The next file with these columns from this instrument is read so at once.
    later = sent(builders.symmetric_cell(), bare(21), instrument=instrument)
    assert store.recording(later.measurements.get())["current_A"].iloc[0] == pytest.approx(78.5e-6)


def test_a_description_that_does_not_fit_leaves_everything_as_it_was(cell):
    """The potential named as a current, and the other way round, cannot be told; a missing time can."""
    file = sent(cell, bare())
    measurement = file.measurements.get()
    version, before = measurement.version, store.recording(measurement)
    UploadFile.objects.filter(pk=file.pk).update(columns_seen=ingest.look(file.raw_file))
    asked = {"mapping": {"no such column": ["time_s", "s"]}, "reason": "a test", "by": None}
    UploadFile.objects.filter(pk=file.pk).update(relation={"columns": asked}, state="received")
    file.refresh_from_db()
    rearm_for_reading(file)
    drain()
    file.refresh_from_db()
    measurement.refresh_from_db()
    assert (file.state, measurement.version) == ("done", version)
    assert f"{measurement.code} stays as it was." in file.message
    assert store.recording(measurement).equals(before)
    spine.check_invariants()


def test_of_two_people_the_second_is_told(client, cell):
    client.force_login(builders.user("ada", "member"))
    file = sent(cell, bare())
    address = reverse("file_columns", args=[file.pk])
    fields = shown(client, file) | {"unit-1": "mV", "unit-2": "uA", "reason": "first"}
    client.post(address, fields)
    early = client.post(address, fields | {"unit-2": "mA", "reason": "second"}).content.decode()
    assert "is being read again already, perhaps by somebody else" in early
    drain()
    late = client.post(address, fields | {"unit-2": "mA", "reason": "second"})
    html = late.content.decode()
    assert "was changed meanwhile: your form shows version 1, the record is at version 2" in html
    assert 'value="second"' in html
    assert re.search(r'name="unit-2">.*?<option selected>mA</option>', html)
    assert file.measurements.get().metadata["columns"]["current"][1] == "uA"

"""A file on its way in: every state, in the words that people read."""

from __future__ import annotations

import io
import threading
import zipfile

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.utils import timezone

from analysis.tasks import drain
from lagpdb.records import Revision, restore, save_record, withdraw
from measurements import ingest
from measurements.ingest import is_junk, receive, take_in
from measurements.models import Measurement, MeasurementFile, RawFile, Upload, UploadFile
from measurements.store import StoredUpload
from measurements.waiting import assign, try_again
from tests import builders, spine

pytestmark = pytest.mark.django_db


def taken_in(name: str, content: bytes | None = None, **more) -> UploadFile:
    """One file, received and taken in; its analyses wait."""
    upload = spine.upload((name, spine.spectrum() if content is None else content), **more)
    (file,) = upload.files.all()
    take_in(file.pk)
    file.refresh_from_db()
    return file


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("inside.txt", spine.spectrum())
    return buffer.getvalue()


# -- in the request ----------------------------------------------------------------------------------------------------
def test_receive_notes_the_files_and_rings_for_each(django_capture_on_commit_callbacks, monkeypatch):
    rung = []
    monkeypatch.setattr("lagpdb.ledger.ring", rung.append)
    lin, cell = spine.person(), spine.cell()
    with django_capture_on_commit_callbacks(execute=True):
        upload = spine.upload(
            ("a.csv", b"a"), ("b.csv", b"bb"), by=lin, subject=cell, temperature_degC=60, parameters={"circuit": "B"}
        )
    assert (upload.code, upload.subject, upload.operator, upload.created_by) == ("UPB-0001", cell, lin, lin)
    assert upload.parameters == {"circuit": "B"}
    files = list(upload.files.all())
    assert [(file.name, file.state, file.raw_file.size_bytes) for file in files] == [
        ("a.csv", "received", 1),
        ("b.csv", "received", 2),
    ]
    assert rung == files


def test_junk_is_skipped_and_counted():
    upload = spine.upload(
        ("Thumbs.db", b"x"), ("~$a.xlsx", b"x"), (".DS_Store", b"x"), ("._a.csv", b"x"), ("a.csv", b"y")
    )
    assert upload.skipped_count == 4
    assert [file.name for file in upload.files.all()] == ["a.csv"]
    assert not is_junk("Thumbs.dbx")
    assert is_junk("desktop.ini")


@pytest.mark.parametrize(
    ("more", "field", "sentence"),
    [
        ({"kind": "magic"}, "kind", "‘magic’ is not a kind of measurement. Kinds: eis,"),
        ({"temperature_degC": -300}, "temperature_degC", "-300 °C cannot be. Is it in kelvin?"),
        ({"temperature_degC": 1e9}, "temperature_degC", "1e+09 °C cannot be. Is it in kelvin?"),
        ({"temperature_degC": float("nan")}, "temperature_degC", "nan °C cannot be. Is it in kelvin?"),
        ({"parameters": {"colour": 1}}, "colour", "‘colour’ is not a parameter."),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_noted(more, field, sentence):
    with pytest.raises(ValidationError) as caught:
        spine.upload(("a.csv", b"a"), **more)
    assert caught.value.message_dict[field][0].startswith(sentence)
    assert not Upload.objects.exists()


def test_an_upload_without_a_file_is_refused():
    with pytest.raises(ValidationError, match="No file came with this upload"):
        receive([], by=None)


def test_a_file_that_the_store_refused_is_failed_at_once_and_its_neighbours_go_on():
    refused = StoredUpload("large.bin", None, "The file is larger than 500 MB.", 413)
    upload = receive([refused, spine.arrived("a.csv", b"a")], by=None)
    first, second = upload.files.order_by("pk")
    assert (first.state, first.message, first.job_state, first.raw_file) == (
        "failed",
        "The file is larger than 500 MB.",
        "ended",
        None,
    )
    assert second.state == "received"
    with pytest.raises(ValidationError, match="nothing to try again"):
        try_again(first, by=None)
    with pytest.raises(ValidationError, match=r"was not stored\. Send the file again"):
        assign(first, spine.cell(), by=None)


# -- states ------------------------------------------------------------------------------------------------------------
def test_a_spectrum_of_a_known_cell_is_queued_then_done():
    cell = spine.cell()
    file = taken_in(f"{cell.code}_60degC.csv", by=spine.person())
    assert (file.state, file.message, file.matched_by) == ("queued", "", "from name")
    assert file.recognised_as
    measurement = Measurement.objects.get()
    assert list(file.measurements.all()) == [measurement]
    assert (measurement.code, measurement.kind, measurement.cell, measurement.pellet) == (
        "MEA-00001",
        "eis",
        cell,
        None,
    )
    assert (measurement.temperature_degC, measurement.temperature_origin) == (60, "name")
    assert (measurement.point_count, measurement.operator) == (71, spine.person())
    assert (file.raw_file.reader_version or RawFile.objects.get().reader_version) >= 1
    created = Revision.objects.get(record_type="measurements.measurement", record_id=measurement.pk)
    assert created.reason == f"UPB-0001: {file.name}"
    drain()
    file.refresh_from_db()
    assert (file.state, file.is_final) == ("done", True)
    assert file.started_at <= file.finished_at


def test_the_temperature_of_a_person_is_stronger_than_the_name():
    taken_in(f"{spine.cell().code}_60degC.csv", temperature_degC=25)
    measurement = Measurement.objects.get()
    assert (measurement.temperature_degC, measurement.temperature_origin) == (25, "person")


@pytest.mark.parametrize("name", ["{}.csv", "{}_5000degC.csv"])
def test_no_usable_temperature_is_said_to_be_assumed(name):
    file = taken_in(name.format(spine.cell().code))
    measurement = Measurement.objects.get()
    assert file.state == "queued"
    assert (measurement.temperature_degC, measurement.temperature_origin) == (None, "assumed")


def test_a_pellet_in_a_live_cell_means_the_cell():
    cell = spine.cell()
    taken_in(f"{cell.pellet.code}_25C.csv")
    assert Measurement.objects.get().subject == cell


def test_what_nothing_is_computed_from_is_done_with_a_sentence():
    cell = spine.cell(configuration="full")
    file = taken_in(f"{cell.code}.csv")
    assert file.state in {"done", "queued"}
    if file.state == "done":
        assert file.message.startswith("Raw data are stored. Nothing is computed from impedance of a Full cell yet")


def test_no_sample_in_the_name():
    file = taken_in("spectrum.csv")
    assert (file.state, file.message) == ("needs_sample", "No sample is named. Choose the sample.")
    assert file.is_final
    assert not Measurement.objects.exists()


def test_two_samples_in_the_name():
    one, other = spine.cell(), spine.cell()
    file = taken_in(f"{one.code}_vs_{other.code}.csv")
    assert file.state == "needs_sample"
    assert file.message == f"The name speaks of {one.code} and {other.code}. Choose the sample."
    assert [item["code"] for item in file.candidates] == [one.code, other.code]


def test_the_folder_names_the_sample():
    cell = spine.cell()
    upload = receive([spine.arrived("25C.csv", spine.spectrum(), folder=f"data/{cell.code}")], by=None)
    take_in(upload.files.get().pk)
    assert Measurement.objects.get().cell == cell


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.csv", b"", "The file is empty. Export it again, then upload that."),
        ("zeros.csv", bytes(4096), "zero bytes, so the copy is damaged"),
        ("archive.txt", zipped(), "This is a ZIP archive, although its name ends in .txt. Unpack it"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, ""),
        ("words.txt", b"Dear colleague,\nthe data follow tomorrow.\n" * 9, ""),
    ],
)
def test_what_cannot_be_read_is_failed_with_cause_and_next_step(name, content, sentence):
    file = taken_in(f"{spine.cell().code}_{name}", content)
    assert file.state == "failed"
    assert sentence in file.message
    assert file.message.endswith(".")
    assert "side (ref" not in file.message
    assert RawFile.objects.get().size_bytes == len(content)
    assert file.finished_at


def test_a_broken_line_is_named():
    lines = spine.spectrum().splitlines()
    lines[11] = b"1000,#DIV/0!,-5"
    file = taken_in(f"{spine.cell().code}.csv", b"\n".join(lines))
    assert (file.state, file.line) == ("failed", 12)
    assert "‘#DIV/0!’ is not a number" in file.message


def test_the_extension_does_not_matter():
    assert taken_in(f"{spine.cell().code}.jpg").state == "queued"


def test_three_points_are_kept_as_an_attachment():
    file = taken_in(f"{spine.cell().code}.csv", spine.spectrum(points=3))
    assert file.state == "attachment"
    assert file.message.startswith("3 points found")
    assert "kept as attachment" in file.message
    assert not Measurement.objects.exists()


def test_a_mistake_of_ours_is_final_with_a_reference(monkeypatch, caplog):
    monkeypatch.setattr(ingest, "parse", lambda *_, **__: {"bug": "Traceback: KeyError"})
    file = taken_in(f"{spine.cell().code}.csv")
    assert (file.state, file.job_state) == ("failed", "ended")
    assert "Something broke on our side (ref " in file.message
    reference = file.message.partition("(ref ")[2][:4]
    assert f"ref {reference}\nTraceback: KeyError" in caplog.text


def test_an_answer_that_cannot_be_written_is_final_with_a_reference(monkeypatch, caplog):
    real = ingest.parse
    broken = {"reader_version": "not a number"}
    monkeypatch.setattr(ingest, "parse", lambda *args, **named: real(*args, **named) | broken)
    file = taken_in(f"{spine.cell().code}.csv")
    assert (file.state, file.job_state) == ("failed", "ended")
    assert "(ref " in file.message
    assert not Measurement.objects.exists()


def test_bytes_that_are_damaged_fail_and_can_be_tried_again(own_store):
    cell = spine.cell()
    upload = spine.upload((f"{cell.code}_25C.csv", spine.spectrum()))
    file = upload.files.get()
    path = own_store.raw / file.raw_file.sha256[:2] / file.raw_file.sha256
    content = path.read_bytes()
    path.unlink()
    take_in(file.pk)
    file.refresh_from_db()
    assert file.state == "failed"
    assert "is missing from the store. Restore it from the backup" in file.message
    path.write_bytes(content)
    assert try_again(file, by=None).state == "received"
    take_in(file.pk)
    file.refresh_from_db()
    assert (file.state, file.message) == ("queued", "")


def test_a_fault_of_the_surroundings_is_tried_again(monkeypatch):
    cell = spine.cell()
    upload = spine.upload((f"{cell.code}_25C.csv", spine.spectrum()))
    file = upload.files.get()
    real = ingest.parse

    def away(*_, **__):
        raise OperationalError("no connection")

    monkeypatch.setattr(ingest, "parse", away)
    with pytest.raises(OperationalError):
        take_in(file.pk)
    file.refresh_from_db()
    assert (file.state, file.job_state, file.attempts) == ("checking", "waiting", 1)
    UploadFile.objects.update(lease_until=timezone.now())
    monkeypatch.setattr(ingest, "parse", real)
    take_in(file.pk)
    file.refresh_from_db()
    assert file.state == "queued"


def test_a_second_delivery_does_nothing():
    file = taken_in(f"{spine.cell().code}_25C.csv")
    take_in(file.pk)
    take_in(999_999)
    file.refresh_from_db()
    assert file.attempts == 1
    assert Measurement.objects.count() == 1


# -- duplicates --------------------------------------------------------------------------------------------------------
def test_the_same_bytes_again_are_a_duplicate():
    cell = spine.cell()
    first = taken_in(f"{cell.code}_25C.csv")
    again = taken_in("another name.csv")
    measurement = first.measurements.get()
    assert again.state == "duplicate"
    assert again.message == f"Skipped, already stored as {measurement.code} of {cell.code}."
    assert list(again.measurements.all()) == [measurement]
    assert RawFile.objects.count() == 1
    assert first.upload.files.get().raw_file.original_name == f"{cell.code}_25C.csv"


def test_a_duplicate_of_what_lies_in_the_trash_says_so():
    cell = spine.cell()
    measurement = taken_in(f"{cell.code}_25C.csv").measurements.get()
    withdraw(measurement, by=None, reason="wrong cell")
    today = f"{timezone.now():%-d %B}"
    again = taken_in(f"{cell.code}_25C.csv")
    assert again.state == "duplicate"
    assert (
        again.message == f"This file is in Trash ({measurement.code}, deleted {today}, reason: wrong cell). Restore it?"
    )
    restore(measurement, by=None)


def test_a_file_that_failed_or_waits_may_be_sent_again():
    waits = taken_in("spectrum.csv")
    cell = spine.cell()
    again = taken_in(f"{cell.code}.csv")
    assert (waits.state, again.state) == ("needs_sample", "queued")
    measurement = again.measurements.get()
    late = try_again(waits, by=None)
    take_in(late.pk)
    late.refresh_from_db()
    assert (late.state, list(late.measurements.all())) == ("duplicate", [measurement])


def test_twice_in_one_upload():
    cell = spine.cell()
    files = spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()), ("copy.csv", spine.spectrum()))
    assert [file.state for file in files] == ["done", "duplicate"]


@pytest.mark.django_db(transaction=True)
def test_two_uploads_of_one_file_at_once():
    cell = spine.cell()
    barrier, errors = threading.Barrier(2), []

    def send() -> None:
        try:
            file = spine.arrived(f"{cell.code}_25C.csv", spine.spectrum())
            barrier.wait()
            upload = receive([file], by=None)
            barrier.wait()
            take_in(upload.files.get().pk)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(UploadFile.objects.values_list("state", flat=True)) == ["duplicate", "queued"]
    assert Measurement.objects.count() == 1
    assert len(set(Upload.objects.values_list("code", flat=True))) == 2


# -- what people do ----------------------------------------------------------------------------------------------------
def test_assign_gives_a_waiting_file_its_sample():
    lin, cell = spine.person(), spine.cell()
    file = taken_in("spectrum.csv")
    assigned = assign(file, cell, by=lin, reason="it says so in the book")
    assert (assigned.state, assigned.cell, assigned.message) == ("received", cell, "")
    drain()
    assigned.refresh_from_db()
    assert (assigned.state, assigned.matched_by) == ("done", "chosen")
    assert Measurement.objects.get().cell == cell
    note = Revision.objects.get(record_type="measurements.uploadfile")
    assert (note.by, note.reason, note.changes) == (lin, "it says so in the book", {"subject": [None, cell.code]})


def test_assign_to_another_pellet_replaces_the_choice():
    file = taken_in("spectrum.csv")
    pellet = spine.pellet()
    assign(file, pellet, by=None)
    take_in(file.pk)
    assert Measurement.objects.get().pellet == pellet


def test_what_is_done_does_not_wait_for_a_sample():
    file = taken_in(f"{spine.cell().code}.csv")
    waiting = spine.upload(("another.csv", spine.spectrum(seed=2))).files.get()
    with pytest.raises(ValidationError, match=r"is received, it does not wait for a sample. Reload the page."):
        assign(waiting, spine.cell(), by=None)
    with pytest.raises(ValidationError, match="is queued; there is nothing to try again"):
        try_again(file, by=None)


def test_try_again_after_the_record_was_created():
    file = taken_in("CEL-0001_25C.csv")
    assert file.message == "CEL-0001 is not in lagpdb. Check the code, or create the record first."
    assert spine.cell().code == "CEL-0001"
    try_again(file, by=None)
    take_in(file.pk)
    file.refresh_from_db()
    assert (file.state, file.message) == ("queued", "")


def test_a_part_of_a_file_has_one_owner():
    from django.db import IntegrityError, transaction

    part = MeasurementFile.objects.get(measurement=builders.measurement())
    with pytest.raises(IntegrityError), transaction.atomic():
        MeasurementFile.objects.create(measurement=builders.measurement(), raw_file=part.raw_file)


def test_synthetic_uploads_make_synthetic_measurements():
    taken_in(f"{spine.cell().code}.csv", is_synthetic=True)
    assert Measurement.objects.get().is_synthetic


def test_a_synthetic_sample_makes_synthetic_measurements():
    cell = spine.cell(spine.pellet(is_synthetic=True))
    taken_in(f"{cell.code}.csv")
    assert Measurement.objects.get().is_synthetic


def test_the_measurement_keeps_what_was_said_beside_the_file():
    cell = spine.cell()
    taken_in(f"{cell.code}.csv", parameters={"circuit": "B", "measured_at": "2026-03-11T14:10"})
    measurement = Measurement.objects.get()
    assert measurement.parameters == {"circuit": "B"}
    assert measurement.measured_at.isoformat() == "2026-03-11T14:10:00+00:00"


def test_a_finished_cell_is_still_measured_by_its_own_code():
    cell = spine.cell()
    cell.state = "finished"
    save_record(cell, by=None)
    assert taken_in(f"{cell.code}.csv").state == "queued"


def test_a_person_may_go_on_without_the_damaged_rows():
    rows = spine.spectrum().decode().splitlines()
    rows[-1] = rows[-1].split(",")[0]
    cell = spine.cell()
    file = spine.upload((f"{cell.code}_25C.csv", "\n".join(rows).encode())).files.get()
    take_in(file.pk)
    file.refresh_from_db()
    assert (file.state, file.line, file.bad_rows) == ("failed", len(rows), "skippable")
    assert "good points" in file.message
    try_again(file, by=None, skips_bad_rows=True)
    drain()
    file.refresh_from_db()
    assert file.state == "done"
    measurement = Measurement.objects.get()
    assert measurement.point_count == len(rows) - 2
    named = f"Rows that could not be read were left out: line {len(rows)}."
    assert ["rows_skipped", named] in measurement.reader_warnings


def test_a_whole_file_has_no_rows_to_skip():
    file = taken_in("nobody.csv")
    with pytest.raises(ValidationError, match="did not fail at a single row"):
        try_again(file, by=None, skips_bad_rows=True)

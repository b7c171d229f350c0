"""Upload, its rows, the inbox and the list of measurements, as people use them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from analysis.models import AnalysisRun
from analysis.tasks import drain
from lagpdb.ledger import pulse
from lagpdb.models import WorkerPulse
from lagpdb.records import withdraw
from measurements.models import Measurement, Upload, UploadFile
from measurements.rows import batch_of
from tests import builders, spine

pytestmark = pytest.mark.django_db


def client_of(role: str = "member", person: Any = None) -> Client:
    client = Client()
    client.force_login(person or builders.user(role=role))
    return client


@pytest.fixture
def member() -> Client:
    return client_of("member")


def text_of(response: Any) -> str:
    """What stands on the page, without tags, with single blanks."""
    content = response.content.decode().replace("&#x27;", "'").replace("&amp;", "&").replace("&gt;", ">")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content))


def send(client: Client, *files: tuple[str, bytes], **fields: Any) -> Any:
    """Post files as the form does."""
    parts = [SimpleUploadedFile(name, content, "text/plain") for name, content in files]
    return client.post(reverse("upload"), {"files": parts, "form_key": "", **fields})


def rows_text(client: Client, upload: Upload, **query: str) -> str:
    return text_of(client.get(reverse("upload_rows", args=[upload.code]), query))


# -- sending -----------------------------------------------------------------------------------------------------------
def test_the_plain_form_uploads(member: Client) -> None:
    cell = spine.cell()
    response = send(member, (f"{cell.code}_25C.csv", spine.spectrum()), ("Thumbs.db", b"junk"))
    upload = Upload.objects.get()
    assert response.headers["Location"] == f"/uploads/{upload.code}/"
    text = text_of(member.get(response.headers["Location"]))
    assert f"{cell.code}_25C.csv" in text
    assert "1 system file skipped" in text
    assert "0 of 1 finished" in text
    drain()
    text = text_of(member.get(response.headers["Location"]))
    assert "1 of 1 finished" in text
    assert "code in file name" in text
    assert "25 °C from name" in text
    assert re.search(r"σ \(\d\.\d+ ± \d\.\d+\) × 10⁻⁴ S cm⁻¹", text)
    assert "Open result" in text


def test_folders_travel_beside_the_files(member: Client) -> None:
    cell = spine.cell()
    send(member, ("25C.csv", spine.spectrum()), folders=f"week11/{cell.code}/25C.csv")
    file = UploadFile.objects.get()
    assert file.folder == f"week11/{cell.code}"
    drain()
    assert "code in folder name" in rows_text(member, file.upload)


def test_portions_join_one_batch_and_are_sent_once(member: Client) -> None:
    headers = {"accept": "application/json"}
    parts = [SimpleUploadedFile(f"{n}.csv", spine.spectrum(seed=n)) for n in range(3)]
    first = member.post(reverse("upload"), {"files": parts[:1], "form_key": "a"}, headers=headers).json()
    again = member.post(reverse("upload"), {"files": parts[:1], "form_key": "a"}, headers=headers).json()
    assert again["url"] == first["url"]
    fields = {"files": parts[1:], "form_key": "b", "joins": first["code"]}
    second = member.post(reverse("upload"), fields, headers=headers).json()
    assert second["url"] == first["url"]
    upload = Upload.objects.get()
    assert sorted(upload.files.values_list("name", flat=True)) == ["0.csv", "1.csv", "2.csv"]


def test_nobody_joins_the_batch_of_somebody_else(member: Client) -> None:
    theirs = spine.upload(("a.csv", spine.spectrum()), by=builders.user())
    send(member, ("b.csv", spine.spectrum(seed=2)), joins=theirs.code)
    assert theirs.files.count() == 1
    assert Upload.objects.count() == 2


def test_a_preset_sample_and_temperature_hold_for_all(member: Client) -> None:
    cell = spine.cell()
    spelling = cell.code.lower().replace("-", "")
    send(member, ("a.csv", spine.spectrum()), subject=spelling, temperature_degC="333,15 K")
    drain()
    measurement = Measurement.objects.get()
    assert (measurement.cell, measurement.temperature_degC) == (cell, 60.0)
    assert "chosen for all files" in rows_text(member, Upload.objects.get())


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"subject": "PEL-9999"}, "PEL-9999 is not in lagpdb."),
        ({"temperature_degC": "warm"}, "‘warm’ is not a number."),
        ({"instrument": "nothing"}, "nothing is not in lagpdb."),
    ],
)
def test_what_cannot_be_used_is_said(member: Client, fields: dict[str, str], sentence: str) -> None:
    response = send(member, ("a.csv", spine.spectrum()), **fields)
    assert response.status_code == 400
    assert sentence in text_of(response)
    assert not Upload.objects.exists()
    script = member.post(
        reverse("upload"),
        {"files": [SimpleUploadedFile("a.csv", b"1")], **fields},
        headers={"accept": "application/json"},
    )
    assert sentence in " ".join(script.json()["errors"])


def test_an_upload_without_files_is_said(member: Client) -> None:
    assert "No file came with this upload. Choose at least one." in text_of(send(member))


def test_viewers_read_but_do_not_send() -> None:
    upload = spine.upload(("a.csv", spine.spectrum()))
    file, client = upload.files.get(), client_of("viewer")
    for address in (reverse("upload"), reverse("upload_detail", args=[upload.code]), reverse("inbox")):
        assert client.get(address).status_code == 200
    assert "You can read this." in text_of(client.get(reverse("upload")))
    assert send(client, ("b.csv", b"1")).status_code == 403
    for name in ("file_assign", "file_retry"):
        assert client.post(reverse(name, args=[file.pk]), {"subject": "x"}).status_code == 403


# -- rows --------------------------------------------------------------------------------------------------------------
def test_rows_are_asked_for_while_work_is_open(member: Client) -> None:
    upload = spine.upload(("nothing.csv", spine.spectrum()))
    page = member.get(reverse("upload_detail", args=[upload.code])).content.decode()
    assert 'hx-trigger="every 2s, shown"' in page
    assert "this page asks the server every 2 s" in page
    stamp = re.search(r"stamp=(\w+)", page)[1]
    address = reverse("upload_rows", args=[upload.code])
    assert member.get(address, {"stamp": stamp}).status_code == 204
    drain()
    response = member.get(address, {"stamp": stamp})
    assert response.status_code == 200
    assert "hx-trigger" not in response.content.decode().split("<table")[0]


def test_after_two_minutes_it_asks_less_often(member: Client) -> None:
    spine.upload(("nothing.csv", spine.spectrum()))
    long_ago = timezone.now() - timedelta(minutes=3)
    Upload.objects.update(created_at=long_ago)
    UploadFile.objects.update(created_at=long_ago)
    assert batch_of(Upload.objects.get()).interval_s == 10


def test_a_file_without_sample_waits_for_one(member: Client) -> None:
    cell = spine.cell()
    (file,) = spine.taken_in((f"cell {int(cell.code[4:])} after.csv", spine.spectrum()))
    text = rows_text(member, file.upload)
    assert "needs a sample" in text
    assert "0 of 1 finished, 1 needs you" in text
    assert f"Use {cell.code}" in text
    assert "nothing is lost, the result will wait" in text

    response = member.post(reverse("file_assign", args=[file.pk]), {"subject": "PEL-9999"}, follow=True)
    assert "PEL-9999 is not in lagpdb." in text_of(response)
    member.post(reverse("file_assign", args=[file.pk]), {"subject": cell.code, "reason": "written on the bag"})
    drain()
    assert Measurement.objects.get().cell == cell
    assert "chosen by hand" in rows_text(member, file.upload)


def test_rows_that_need_somebody_stand_first(member: Client) -> None:
    cell = spine.cell()
    files = spine.taken_in(
        (f"{cell.code}_25C.csv", spine.spectrum()), ("nobody.csv", spine.spectrum(seed=2)), ("no.csv", b"text")
    )
    states = [row.file.state for row in batch_of(files[0].upload).rows]
    assert states == ["needs_sample", "failed", "done"]
    text = rows_text(member, files[0].upload, show="done")
    assert f"{cell.code}_25C.csv" in text
    assert "nobody.csv" not in text


def test_a_line_that_cannot_be_read_is_shown(member: Client) -> None:
    cell = spine.cell()
    content = b"\n".join(spine.spectrum().splitlines()[:40]) + b"\n1.2,3"
    (file,) = spine.taken_in((f"{cell.code}.csv", content))
    assert file.state == "failed"
    text = rows_text(member, file.upload)
    assert f"cannot read line {file.line}" in text
    assert "Try again" in text
    lines = text_of(member.get(reverse("file_lines", args=[file.pk])))
    assert f"{file.line} 1.2,3" in lines
    member.post(reverse("file_retry", args=[file.pk]))
    file.refresh_from_db()
    assert file.state == "received"


def test_duplicates_link_to_what_is_stored(member: Client) -> None:
    cell = spine.cell()
    spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    (copy,) = spine.taken_in(("copy.csv", spine.spectrum()))
    measurement = Measurement.objects.get()
    assert f"Open {measurement.code}" in rows_text(member, copy.upload)


def test_duplicates_in_the_trash_offer_to_restore(member: Client) -> None:
    cell = spine.cell()
    spine.taken_in((f"{cell.code}_25C.csv", spine.spectrum()))
    withdraw(Measurement.objects.get(), by=builders.user(), reason="wrong cell")
    (copy,) = spine.taken_in(("copy.csv", spine.spectrum()))
    assert "reason: wrong cell" in rows_text(member, copy.upload)
    assert "Restore" in rows_text(client_of("curator"), copy.upload)


def test_waiting_files_say_how_many_are_ahead(member: Client) -> None:
    upload = spine.upload(*[(f"{n}.csv", spine.spectrum(seed=n)) for n in range(3)])
    long_ago = timezone.now() - timedelta(seconds=40)
    UploadFile.objects.update(created_at=long_ago, rung_at=long_ago)
    text = rows_text(member, upload)
    assert "2 files ahead" in text
    assert "1 file ahead" in text
    assert "next in line" in text


def test_a_missing_worker_is_said(member: Client) -> None:
    upload = spine.upload(("a.csv", spine.spectrum()))
    sentence = "No analysis worker is running. Your files are safe. An administrator has been told."
    assert sentence in rows_text(member, upload)
    pulse("w1")
    assert sentence not in rows_text(member, upload)
    WorkerPulse.objects.update(seen_at=timezone.now() - timedelta(seconds=90))
    assert sentence in rows_text(member, upload)


def test_several_spectra_are_summed_up(member: Client) -> None:
    cell = spine.cell()
    rows = spine.arrhenius(cell, 20, 40, 60, 80)
    text = rows_text(member, rows[0].upload)
    assert "E a 0.3" in text
    assert "80 °C from name" in text


def test_rows_need_the_same_queries_however_many(member: Client) -> None:
    cell = spine.cell()

    def queries(count: int, first: int) -> int:
        files = [(f"{cell.code}_25C_{n}.csv", spine.spectrum(seed=n, points=20)) for n in range(first, first + count)]
        upload = spine.taken_in(*files)[0].upload
        with CaptureQueriesContext(connection) as seen:
            member.get(reverse("upload_rows", args=[upload.code]))
        return len(seen)

    assert queries(2, 100) == queries(7, 200) <= 14


# -- inbox -------------------------------------------------------------------------------------------------------------
def test_the_inbox_holds_what_waits(member: Client) -> None:
    assert "Inbox is empty." in text_of(member.get(reverse("inbox")))
    me = builders.user()
    spine.taken_in(("mine.csv", spine.spectrum()), ("broken.csv", b"text"), by=me)
    spine.taken_in(("theirs.csv", spine.spectrum(seed=2)), by=builders.user())
    client = client_of(person=me)
    everything, mine = (text_of(client.get(reverse("inbox"), query)) for query in ({}, {"who": "me"}))
    assert "mine.csv" in everything
    assert "theirs.csv" in everything
    assert "theirs.csv" not in mine
    assert "broken.csv" not in everything
    assert "broken.csv" in text_of(client.get(reverse("inbox"), {"show": "failed"}))


def test_assigning_in_the_inbox_comes_back_to_it(member: Client) -> None:
    cell = spine.cell()
    (file,) = spine.taken_in(("nobody.csv", spine.spectrum()))
    fields = {"subject": cell.code, "next": "/inbox/?who=me"}
    assert member.post(reverse("file_assign", args=[file.pk]), fields).headers["Location"] == "/inbox/?who=me"
    elsewhere = member.post(reverse("file_retry", args=[file.pk]), {"next": "https://example.org/"})
    assert elsewhere.headers["Location"] == f"/uploads/{file.upload.code}/"


def test_the_frame_counts_what_waits(member: Client) -> None:
    spine.taken_in(("nobody.csv", spine.spectrum()))
    with CaptureQueriesContext(connection) as seen:
        response = member.get(reverse("lot_list"))
    assert "Inbox 1 waiting" in text_of(response)
    assert sum("uploadfile" in query["sql"] for query in seen) == 1


# -- list --------------------------------------------------------------------------------------------------------------
def test_measurements_stand_with_their_main_value(member: Client) -> None:
    assert "No measurements. Upload a file." in text_of(member.get(reverse("measurement_list")))
    cell = builders.blocking_cell()
    measured = builders.measurement(cell, temperature_degC=60.0)
    builders.result(measured, value=2.49e-4, uncertainty=3e-6)
    builders.measurement(builders.pellet(), kind="xrd")
    text = text_of(member.get(reverse("measurement_list")))
    assert "σ (2.49 ± 0.03) × 10⁻⁴ S cm⁻¹" in text
    assert "60 °C" in text
    only = text_of(member.get(reverse("measurement_list"), {"subject": cell.code.lower()}))
    assert measured.code in only
    assert "Measurements 1" in only


def test_failed_measurements_are_found(member: Client) -> None:
    bad, good = builders.measurement(), builders.measurement()
    AnalysisRun.objects.create(analysis="conductivity", version=1, measurement=bad, state="failed", job_state="ended")
    builders.result(good)
    response = member.get(reverse("measurement_list"), {"state": "failed"})
    assert bad.code in text_of(response)
    assert good.code not in text_of(response)
    assert "format=csv" not in response.content.decode()  # the API has no such filter


def test_the_list_needs_the_same_queries_however_long(member: Client) -> None:
    def queries(count: int) -> int:
        for _ in range(count):
            builders.result(builders.measurement())
        with CaptureQueriesContext(connection) as seen:
            member.get(reverse("measurement_list"))
        return len(seen)

    queries(1)
    assert queries(2) == queries(10) <= 12

"""Certificates and photographs of records."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from lagpdb.records import Revision
from measurements.models import Attachment, RawFile
from measurements.store import store
from samples.models import Pellet, PowderLot
from tests import builders

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_store")]
PDF = b"%PDF-1.4 certificate of analysis"


def client_of(role: str = "member") -> Client:
    client = Client()
    client.force_login(builders.user(role=role))
    return client


def file(content: bytes = PDF, name: str = "certificate.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_a_certificate_comes_with_its_lot_and_can_be_downloaded() -> None:
    client = client_of()
    data = {"material": "LAGP", "amount_g": "500", "form_key": "a", "certificate": file()}
    client.post("/lots/new/", data)
    lot, attachment = PowderLot.objects.get(), Attachment.objects.get()
    assert (attachment.record_code, attachment.kind, attachment.name) == (lot.code, "certificate", "certificate.pdf")
    page = client_of("viewer").get(f"/lots/{lot.code}/").content.decode()
    assert f"/attachments/{attachment.pk}/" in page
    answer = client_of("viewer").get(f"/attachments/{attachment.pk}/")
    assert b"".join(answer) == PDF
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["Content-Security-Policy"]


def test_a_file_survives_a_form_that_is_refused() -> None:
    """Without a script the file went along; the form that comes back carries it by hash."""
    client = client_of()
    data = {"material": "LAGP", "amount_g": "much", "form_key": "a"}
    refused = client.post("/lots/new/", {**data, "certificate": file()})
    assert refused.status_code == 422
    kept = f"{RawFile.objects.get().sha256}|certificate.pdf"
    assert f'name="certificate-kept" value="{kept}"' in refused.content.decode()
    client.post("/lots/new/", {**data, "amount_g": "500", "certificate-kept": kept})
    assert Attachment.objects.get().raw_file.size_bytes == len(PDF)


def test_files_are_sent_before_the_form() -> None:
    answer = client_of().post("/attachments/", {"file": file()})
    sha256 = RawFile.objects.get().sha256
    assert answer.json() == {"files": [{"value": f"{sha256}|certificate.pdf", "name": "certificate.pdf"}]}
    assert client_of("viewer").post("/attachments/", {"file": file()}).status_code == 403
    assert client_of().post("/attachments/", {}).json()["detail"] == "No file came. Choose one."
    assert "is empty" in client_of().post("/attachments/", {"file": file(b"")}).json()["detail"]


def test_a_hash_that_never_arrived_is_said() -> None:
    lot = builders.lot()
    client = client_of()
    page = client.post(f"/records/{lot.code}/files/", {"file-kept": f"{'0' * 64}|ghost.pdf"}, follow=True)
    assert "ghost.pdf has not arrived. Choose it again." in page.content.decode()
    assert not Attachment.objects.exists()


def test_removing_needs_a_reason_and_keeps_the_bytes() -> None:
    lot, client = builders.lot(), client_of()
    client.post(f"/records/{lot.code}/files/", {"file": file(), "kind": "certificate"})
    attachment = Attachment.objects.get()
    address = f"/attachments/{attachment.pk}/remove/"
    assert "Say why" in client.post(address, {"reason": " "}, follow=True).content.decode()
    client.post(address, {"reason": "of another lot"})
    attachment.refresh_from_db()
    assert attachment.removed_at is not None
    with store().open(attachment.raw_file.sha256) as stream:
        assert stream.read() == PDF
    last = Revision.objects.filter(record_code=lot.code).first()
    assert (last.reason, last.changes) == ("of another lot", {"file": ["certificate.pdf", None]})
    assert "certificate.pdf</a>" not in client.get(f"/lots/{lot.code}/").content.decode()


def test_photographs_of_rows_hang_on_their_pellets_even_when_the_row_is_bad() -> None:
    lot, client = builders.lot(), client_of()
    data = {"powder_lot": lot.code, "count": "2", "powder_mass_mg": "500", "form_key": "a"}
    for number, thickness in ((1, "801"), (2, "80o")):
        data |= {f"row{number}-mass_mg": "", f"row{number}-diameter_mm": "", f"row{number}-thickness_um": thickness}
    client.post("/pellets/new/", {**data, "row1-photo": file(b"one", "1.jpg"), "row2-photo": file(b"two", "2.jpg")})
    first, second = Pellet.objects.order_by("pk")
    found = dict(Attachment.objects.filter(kind="photo").values_list("name", "record_code"))
    assert found == {"1.jpg": first.code, "2.jpg": second.code}
    later = {f"{first.code}-mass_mg": "", f"{first.code}-photo": file(b"three", "3.jpg")}
    answer = client.post(f"/pellet-batches/{first.batch.code}/edit/", later, follow=True)
    assert "1 photograph added." in answer.content.decode()
    assert Attachment.objects.filter(record_code=first.code).count() == 2

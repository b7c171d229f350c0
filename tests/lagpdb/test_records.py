"""Records: codes, versions, history, trash, and rules that form and database state in the same words."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from lagpdb import records
from lagpdb.records import (
    CodeCounter,
    Revision,
    StaleVersion,
    dependents_of,
    next_numbers,
    normal_code,
    record_changed,
    restore,
    save_record,
    snapshot,
    withdraw,
)
from measurements.models import Measurement
from samples.models import Cell, Pellet, PelletBatch, PowderLot, Recipe
from tests import spine

pytestmark = pytest.mark.django_db


def history(record) -> list[Revision]:
    """Revisions of a record, oldest first."""
    rows = Revision.objects.filter(record_type=record._meta.label_lower, record_id=record.pk)
    return list(rows.order_by("pk"))


# -- codes -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("PEL-0142", "PEL-0142"),
        ("pel142", "PEL-0142"),
        ("Pel_0142", "PEL-0142"),
        ("pel 142", "PEL-0142"),
        (" PEL-000142 ", "PEL-0142"),
        ("PEL-12345", "PEL-12345"),
        ("mea7", "MEA-00007"),
        ("LAGP", "LAGP"),
        (" CuS ", "CuS"),
        ("PEL-", "PEL-"),
        ("PELT-12", "PELT-12"),
    ],
)
def test_spellings_of_codes(text, code):
    assert normal_code(text) == code


def test_codes_are_counted_and_never_used_twice():
    first, second = spine.pellet(), spine.pellet()
    assert int(second.code[4:]) == int(first.code[4:]) + 1
    withdraw(second, by=None, reason="broken")
    assert int(spine.pellet().code[4:]) == int(first.code[4:]) + 2


def test_a_refused_record_uses_no_code_up():
    before = spine.pellet()
    with pytest.raises(ValidationError):
        spine.pellet(thickness_um=-1)
    assert int(spine.pellet().code[4:]) == int(before.code[4:]) + 1


def test_several_numbers_at_once():
    assert list(next_numbers("XYZ", 3)) == [1, 2, 3]
    assert list(next_numbers("XYZ")) == [4]
    assert CodeCounter.objects.get(prefix="XYZ").last_number == 4


@pytest.mark.django_db(transaction=True)
def test_codes_given_out_in_threads_are_distinct():
    batch = spine.batch()
    barrier, codes, errors = threading.Barrier(4), [], []

    def make() -> None:
        try:
            barrier.wait()
            for _ in range(5):
                codes.append(save_record(Pellet(batch_id=batch.pk), by=None).code)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    numbers = sorted(int(code[4:]) for code in codes)
    assert numbers == list(range(numbers[0], numbers[0] + 20))


# -- versions and history ----------------------------------------------------------------------------------------------
def test_creation_is_the_first_revision():
    lin = spine.person()
    made = save_record(Pellet(batch=spine.batch(), thickness_um=800), by=lin, reason="made")
    (first,) = history(made)
    assert (made.version, made.created_by) == (1, lin)
    assert (first.action, first.version, first.by, first.reason) == ("created", 1, lin, "made")
    assert first.record_code == made.code
    assert first.changes["thickness_um"] == [None, 800]
    assert first.changes["batch"] == [None, made.batch.code]
    assert "mass_mg" not in first.changes
    assert "version" not in first.changes


def test_a_change_raises_the_version_and_keeps_both_values():
    made = spine.pellet(thickness_um=800)
    made.thickness_um = 790
    made.notes = "ground again"
    save_record(made, by=spine.person(), reason="ground", version=1)
    assert made.version == 2
    change = history(made)[-1]
    assert (change.action, change.version, change.reason) == ("changed", 2, "ground")
    assert change.changes == {"thickness_um": [800.0, 790], "notes": ["", "ground again"]}


def test_saving_without_a_change_makes_no_version():
    made = spine.pellet()
    save_record(made, by=None)
    assert made.version == 1
    assert len(history(made)) == 1


def test_a_stale_version_is_refused_and_nothing_is_saved():
    made = spine.pellet(thickness_um=800)
    mine, theirs = Pellet.objects.get(pk=made.pk), Pellet.objects.get(pk=made.pk)
    theirs.thickness_um = 790
    save_record(theirs, by=None, version=1)
    mine.thickness_um = 780
    with pytest.raises(StaleVersion, match="your form shows version 1, the record is at version 2") as caught:
        save_record(mine, by=None, version=1)
    assert (caught.value.stored.thickness_um, caught.value.yours.thickness_um) == (790, 780)
    made.refresh_from_db()
    assert (made.thickness_um, made.version) == (790, 2)
    assert len(history(made)) == 2


def test_a_refused_change_leaves_no_trace():
    made = spine.pellet(thickness_um=800)
    made.thickness_um = 0
    with pytest.raises(ValidationError, match="must be above 0"):
        save_record(made, by=None)
    made.refresh_from_db()
    assert (made.thickness_um, made.version) == (800, 1)
    assert len(history(made)) == 1


def test_a_snapshot_is_plain_and_names_records_by_code():
    lot = save_record(
        PowderLot(material=spine.batch().powder_lot.material, received_on=datetime(2026, 3, 1, tzinfo=UTC).date()),
        by=None,
    )
    content = snapshot(lot)
    assert content["material"] == "LAGP"
    assert content["received_on"] == "2026-03-01"
    assert not {"id", "version", "created_at", "updated_at"} & set(content)


def test_listeners_hear_of_every_change():
    heard = []

    def listen(sender, record, action, changes, **_):
        heard.append((sender, action, sorted(changes)))

    record_changed.connect(listen)
    try:
        made = spine.pellet()
        heard.clear()
        made.notes = "x"
        save_record(made, by=None)
        withdraw(made, by=None, reason="lost")
    finally:
        record_changed.disconnect(listen)
    assert heard == [(Pellet, "changed", ["notes"]), (Pellet, "withdrawn", [])]


# -- trash -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def family():
    """A batch with one pellet, its cell, and a measurement of that cell."""
    pellet = spine.pellet()
    cell = spine.cell(pellet)
    measurement = save_record(Measurement(code="MEA-00001", kind="eis", cell=cell), by=None)
    return pellet.batch, pellet, cell, measurement


def test_withdrawing_needs_a_reason(family):
    with pytest.raises(ValidationError, match="Say why"):
        withdraw(family[0], by=None, reason="  ")


def test_what_hangs_on_a_record_goes_with_it_and_comes_back(family):
    batch, pellet, cell, measurement = family
    assert {record.code for record in dependents_of(batch)} == {pellet.code, cell.code, measurement.code}
    gone = withdraw(batch, by=spine.person(), reason="wrong powder")
    assert {record.code for record in gone} == {batch.code, pellet.code, cell.code, measurement.code}
    for record in family:
        record.refresh_from_db()
        assert record.is_withdrawn
        assert record.withdrawn_reason == "wrong powder"
        assert history(record)[-1].action == "withdrawn" or isinstance(record, Pellet)
        assert record not in type(record).objects.live()
    back = restore(batch, by=None)
    assert {record.code for record in back} == {record.code for record in gone}
    for record in family:
        record.refresh_from_db()
        assert not record.is_withdrawn
        assert record.withdrawn_reason == ""


def test_versions_of_a_family_never_repeat(family):
    withdraw(family[0], by=None, reason="wrong powder")
    restore(family[0], by=None)
    for record in family:
        record.refresh_from_db()
        versions = [revision.version for revision in history(record)]
        assert versions == sorted(set(versions))
        assert versions[-1] == record.version


def test_what_was_withdrawn_before_stays_withdrawn(family):
    _, pellet, cell, measurement = family
    withdraw(measurement, by=None, reason="wrong lead")
    withdraw(cell, by=None, reason="leaked")
    restore(cell, by=None)
    measurement.refresh_from_db()
    assert measurement.is_withdrawn
    pellet.refresh_from_db()
    assert pellet.state == "in_cell"


def test_withdrawing_twice_and_restoring_what_is_there_are_refused(family):
    batch = family[0]
    with pytest.raises(ValidationError, match="not in the trash"):
        restore(batch, by=None)
    withdraw(batch, by=None, reason="wrong powder")
    with pytest.raises(ValidationError, match=r"in the trash already \(wrong powder\)"):
        withdraw(batch, by=None, reason="again")
    restore(batch, by=None)
    assert not Cell.objects.get(pk=family[2].pk).is_withdrawn


def test_a_child_does_not_come_back_before_its_parent(family):
    _, pellet, cell, _ = family
    withdraw(cell, by=None, reason="leaked")
    withdraw(pellet, by=None, reason="cracked")
    with pytest.raises(ValidationError, match=rf"{pellet.code}, which {cell.code} belongs to, is in the trash"):
        restore(cell, by=None)
    restore(pellet, by=None)
    restore(cell, by=None)


def test_a_cell_does_not_come_back_onto_a_pellet_that_is_taken(family):
    _, pellet, cell, _ = family
    withdraw(cell, by=None, reason="leaked")
    other = spine.cell(pellet)
    with pytest.raises(ValidationError, match=f"{pellet.code} is in {other.code}"):
        restore(cell, by=None)
    cell.refresh_from_db()
    assert cell.is_withdrawn


def test_withdrawing_an_old_copy_keeps_what_others_changed():
    made = spine.pellet(thickness_um=800)
    old = Pellet.objects.get(pk=made.pk)
    made.thickness_um = 790
    save_record(made, by=None)
    withdraw(old, by=None, reason="cracked")
    made.refresh_from_db()
    assert (made.thickness_um, made.version, made.is_withdrawn) == (790, 3, True)


# -- rules -------------------------------------------------------------------------------------------------------------
def test_the_database_refuses_what_the_form_refuses_in_the_same_words():
    made = spine.pellet()
    made.thickness_um = -5
    with pytest.raises(ValidationError) as caught:
        made.full_clean()
    (sentence,) = [text for text in caught.value.messages if "hickness" in text]
    (rule,) = [c for c in Pellet._meta.constraints if c.name == "pellet_thickness_um_positive"]
    assert rule.violation_error_message == sentence
    with pytest.raises(IntegrityError), transaction.atomic():
        made.save()


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), -float("inf"), 1e12])
def test_positive_refuses(value):
    with pytest.raises(IntegrityError), transaction.atomic():
        PelletBatch.objects.create(powder_lot=spine.batch().powder_lot, code="PBT-9999", powder_mass_mg=value)


def test_nan_never_becomes_a_number():
    made = spine.pellet()
    made.thickness_um = float("nan")
    with pytest.raises(ValidationError, match="must be a number, not nan"):
        made.full_clean()
    if connection.vendor == "postgresql":
        with pytest.raises(IntegrityError), transaction.atomic():
            made.save()
    else:  # SQLite stores it as NULL
        made.save()
        made.refresh_from_db()
        assert made.thickness_um is None


def test_a_person_sees_records_and_a_stranger_none():
    from django.contrib.auth.models import AnonymousUser

    spine.pellet()
    assert Pellet.objects.visible_to(spine.person()).exists()
    assert not Pellet.objects.visible_to(AnonymousUser()).exists()
    assert not Pellet.objects.visible_to(None).exists()


def test_every_record_with_a_prefix_has_three_letters_and_its_own():
    prefixes = [model.PREFIX for model in records._record_models() if model.PREFIX]
    assert len(prefixes) == len(set(prefixes))
    assert all(len(prefix) == 3 and prefix.isupper() for prefix in prefixes)
    assert Recipe.PREFIX in prefixes

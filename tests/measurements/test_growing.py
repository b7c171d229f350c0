"""A test that is uploaded again and again while it runs: new versions, questions, decisions, and the way back."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analysis.decisions import reanalyse
from analysis.models import AnalysisRun
from analysis.science import synthetic
from analysis.tasks import drain
from measurements import growing, store
from measurements.ingest import receive, take_in
from measurements.models import Measurement, MeasurementFile, UploadFile
from measurements.rows import Row
from measurements.waiting import assign
from tests import builders, spine
from tests.api_client import Api

pytestmark = pytest.mark.django_db
HALF_H, INTERVAL_S, AMPERE, OHM = 1.0, 60.0, 7.85e-5, 600.0


def series(hours: float, seed: int = 1, change: tuple[int, float] | None = None, comment: str = "") -> bytes:
    """A SYNTHETIC plating and stripping test that has run so long: the same seed gives the same beginning."""
    count = round(hours * 3600 / INTERVAL_S) + 1
    rng = np.random.default_rng(seed)
    t = np.arange(count) * INTERVAL_S
    current = AMPERE * np.where(np.floor(t / 3600 / HALF_H) % 2 == 0, 1, -1)
    noise = rng.normal(0, 2e-4, 100_000)[:count]
    potential = np.round(current * OHM + noise, 6)
    if change:
        potential[change[0]] += change[1]
    lines = [f"{a:.0f},{b:.6f},{c:.8f}" for a, b, c in zip(t, potential, current, strict=True)]
    return (comment + "time_s,potential_V,current_A\n" + "\n".join(lines) + "\n").encode()


def sent(cell, content: bytes, name: str = "test.csv", **more) -> UploadFile:
    (file,) = spine.taken_in((name, content), subject=cell, **more)
    return file


@pytest.fixture
def cell():
    return builders.symmetric_cell()


@pytest.fixture
def first(cell) -> UploadFile:
    return sent(cell, series(20))


def lifetime(cell):
    return spine.number("time_to_failure_h", cell)


# -- the longer copy ---------------------------------------------------------------------------------------------------
def test_the_first_file_is_told_and_computed(cell, first):
    assert (first.state, first.message) == ("done", "")
    measurement = first.measurements.get()
    assert (measurement.kind, measurement.subject, measurement.point_count) == ("plating_stripping", cell, 1201)
    assert (lifetime(cell).value, lifetime(cell).limit) == (pytest.approx(20, abs=0.05), ">")


def test_a_longer_copy_is_the_new_version_of_the_same_measurement(cell, first):
    old = first.measurements.get()
    file = sent(cell, series(30))
    assert (file.state, list(file.measurements.all())) == ("extends", [old])
    assert file.message == f"Longer copy of {old.code}: first 20 h identical, adds 10 h."
    assert Measurement.objects.count() == 1
    old.refresh_from_db()
    assert (old.point_count, old.version) == (1801, 2)
    assert len(store.recording(old)) == 1801
    parts = list(MeasurementFile.objects.order_by("pk"))
    assert [part.superseded_at is None for part in parts] == [False, True]
    assert lifetime(cell).value == pytest.approx(30, abs=0.05)
    assert AnalysisRun.objects.filter(is_current=True, analysis="plating").count() == 1
    spine.check_invariants()
    third = sent(cell, series(31.5))
    assert third.message == f"Longer copy of {old.code}: first 30 h identical, adds 1.5 h."
    assert Measurement.objects.count() == 1


def test_the_choices_of_a_person_stay_in_force(cell, first):
    reanalyse(first.measurements.get(), parameters={"overpotential_at_h": [12]}, by=None, reason="as in the paper")
    drain()
    sent(cell, series(30))
    run = AnalysisRun.objects.get(is_current=True, analysis="plating")
    assert run.parameters == {"overpotential_at_h": [12.0]}
    assert lifetime(cell).value == pytest.approx(30, abs=0.05)


def test_former_versions_are_known_as_duplicates(cell, first):
    sent(cell, series(30))
    again = sent(cell, series(20))
    assert again.state == "duplicate"
    assert lifetime(cell).value == pytest.approx(30, abs=0.05)


def test_content_alike_on_another_sample_is_a_test_of_its_own(first):
    other = builders.symmetric_cell()
    file = sent(other, series(30))
    assert file.state == "done"
    assert Measurement.objects.count() == 2


def test_a_withdrawn_test_does_not_grow(cell, first):
    from lagpdb.records import withdraw

    withdraw(first.measurements.get(), by=None, reason="wrong cell")
    assert sent(cell, series(30)).state == "done"


def test_a_test_may_show_later_what_it_is(cell):
    """Two levels, each with many cycles, say nothing yet; the same beginning with two more is a ramp."""
    levels = [0.05, 0.05, 0.05, 0.05, 0.1, 0.1]

    def ramp(*more: float) -> bytes:
        rows, now = ["time_s,potential_V,current_A"], 0
        noise = iter(np.random.default_rng(4).normal(0, 2e-4, 10_000))
        for level in (*levels, *more):
            for sign in (1, -1):
                for _ in range(60):
                    current = sign * level * 7.85e-4
                    rows.append(f"{now},{current * OHM + next(noise):.6f},{current:.9f}")
                    now += 60
        return ("\n".join(rows) + "\n").encode()

    file = sent(cell, ramp())
    assert file.measurements.get().kind == "plating_stripping"
    grown = sent(cell, ramp(0.15, 0.2, 0.25))
    assert (grown.state, grown.measurements.get().kind) == ("extends", "ccd_ramp")
    assert not AnalysisRun.objects.filter(is_current=True, analysis="plating").exists()
    assert spine.number("ramp_step_mA_cm2", cell).value == pytest.approx(0.05, rel=0.02)
    spine.check_invariants()


# -- undo --------------------------------------------------------------------------------------------------------------
def test_undo_makes_the_former_version_current_and_computes_it(cell, first):
    old = first.measurements.get()
    file = sent(cell, series(30))
    back = growing.decide(file, "undo", by=spine.person())
    drain()
    assert back.state == "needs_sample"
    assert back.message.startswith(f"Taken back: {old.code} is as it was.")
    assert growing.offers(back.state, back.relation) == ["replace", "separate"]
    old.refresh_from_db()
    assert (old.point_count, len(store.recording(old))) == (1201, 1201)
    assert lifetime(cell).value == pytest.approx(20, abs=0.05)
    spine.check_invariants()
    growing.decide(back, "separate", by=spine.person())
    drain()
    assert Measurement.objects.count() == 2
    spine.check_invariants()


def test_undo_ends_after_ten_minutes_or_with_the_next_version(cell, first, monkeypatch):
    second = sent(cell, series(30))
    third = sent(cell, series(40))
    with pytest.raises(ValidationError, match="newer version"):
        growing.decide(second, "undo", by=None)
    later = timezone.now() + dt.timedelta(minutes=11)
    monkeypatch.setattr(growing.timezone, "now", lambda: later)
    with pytest.raises(ValidationError, match="More than 10 minutes"):
        growing.decide(third, "undo", by=None)
    assert lifetime(cell).value == pytest.approx(40, abs=0.05)


# -- what differs waits ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (series(30, change=(822, 0.01)), "Differs from {code} at row 823. Keep as a separate test, or replace?"),
        (series(10), "Holds the first 601 rows of {code} and nothing more. Keep as a separate test, or replace?"),
        (series(20, comment="# again\n"), "Holds the same 1\u202f201 rows as {code}. "
         "Keep as a separate test, or replace?"),
    ],
    ids=["differs", "shorter", "same rows"],
)  # fmt: skip
def test_anything_else_waits_for_a_person(cell, first, content, words):
    old = first.measurements.get()
    file = sent(cell, content)
    assert (file.state, file.message) == ("needs_sample", words.format(code=old.code))
    assert Measurement.objects.count() == 1
    assert lifetime(cell).value == pytest.approx(20, abs=0.05)
    assert growing.offers(file.state, file.relation) == ["replace", "separate"]


def test_the_dashboard_asks_for_a_decision_and_not_for_a_sample(client, cell, first):
    client.force_login(builders.user())
    sent(cell, series(30, change=(822, 0.01)))
    page = client.get(reverse("dashboard")).content.decode()
    assert "1 file waits for a decision" in page
    assert "Differs from" in page
    assert "no sample" not in page


def test_a_person_replaces_or_keeps_apart(cell, first):
    old = first.measurements.get()
    file = sent(cell, series(30, change=(822, 0.01)))
    growing.decide(file, "replace", by=spine.person(), reason="spike removed by the tester")
    drain()
    file.refresh_from_db()
    assert (file.state, file.measurements.get()) == ("extends", old)
    assert lifetime(cell).value == pytest.approx(30, abs=0.05)
    other = sent(cell, series(30, change=(823, 0.01)))
    assert other.state == "needs_sample"
    growing.decide(other, "separate", by=None)
    drain()
    other.refresh_from_db()
    assert (other.state, Measurement.objects.count()) == ("done", 2)
    with pytest.raises(ValidationError, match="nothing to replace"):
        growing.decide(other, "replace", by=None)


def test_another_test_of_the_same_cell_is_no_copy(cell, first):
    file = sent(cell, series(20, seed=2))
    assert file.state == "done"
    assert Measurement.objects.count() == 2


def source_of(measurement) -> str:
    """The card of the page of a measurement that tells its files."""
    reader = Client()
    reader.force_login(builders.user())
    html = reader.get(reverse("measurement_detail", args=[measurement.code])).content.decode()
    return html.partition('id="source"')[2].partition("</section>")[0]


# -- a restarted test --------------------------------------------------------------------------------------------------
def restarted(cell) -> tuple[UploadFile, UploadFile]:
    began = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
    one = sent(cell, series(20), parameters={"measured_at": began.isoformat()})
    again = began + dt.timedelta(hours=22)
    return one, sent(cell, series(5, seed=2), "later.csv", parameters={"measured_at": again.isoformat()})


def test_a_restart_is_joined_only_by_a_person_and_parted_again(cell):
    one, file = restarted(cell)
    first, second = one.measurements.get(), file.measurements.get()
    assert file.state == "done"
    assert file.message == f"Starts 2 h after {first.code} ended, same cell. Join as one test with a gap?"
    UploadFile.objects.filter(pk=file.pk).update(
        created_at=timezone.now() - dt.timedelta(hours=3), started_at=timezone.now() - dt.timedelta(hours=3)
    )
    growing.decide(file, "join", by=spine.person())
    drain()
    file.refresh_from_db()
    first.refresh_from_db()
    assert file.finished_at - file.started_at < dt.timedelta(minutes=5)  # what a person thinks over is no work
    assert Row(file, [first]).took.endswith(" s")
    told = source_of(first)
    assert "part 2, begins 22 h after the first" in told
    assert told.count("<dt>Points</dt>") == 1
    second.refresh_from_db()
    assert (file.state, list(file.measurements.all()), second.is_withdrawn) == ("done", [first], True)
    frame = store.recording(first)
    assert (len(frame), first.point_count) == (1201 + 301, 1502)
    assert frame["time_s"].iloc[1201] == pytest.approx(22 * 3600)
    assert lifetime(cell).value == pytest.approx(27, abs=0.05)
    spine.check_invariants()
    growing.decide(file, "undo", by=spine.person())
    drain()
    assert len(store.recording(first)) == 1201
    assert set(Measurement.objects.live()) == {first, second}
    spine.check_invariants()


def test_a_restart_may_stay_apart(cell):
    _, file = restarted(cell)
    kept = growing.decide(file, "separate", by=None)
    assert (kept.state, kept.message, growing.offers(kept.state, kept.relation)) == ("done", "", [])


# -- the kind must fit -------------------------------------------------------------------------------------------------
def test_a_test_that_does_not_fit_its_cell_waits_and_can_be_kept_as_raw_data():
    blocking = builders.blocking_cell()
    file = sent(blocking, series(20))
    assert file.state == "needs_sample"
    assert file.message == (
        f"A plating and stripping needs a symmetric cell, and {blocking.code} is a blocking one. "
        "Choose the cell, or this sample to keep raw data."
    )
    assign(file, blocking, by=None)
    drain()
    file.refresh_from_db()
    assert (file.state, file.measurements.get().kind) == ("done", "plating_stripping")
    assert file.message.startswith("Raw data are stored.")


def test_the_kind_that_is_given_wins(cell):
    assert sent(cell, series(20), kind="ccd_ramp").measurements.get().kind == "ccd_ramp"


# -- spectra beside a test that grows ----------------------------------------------------------------------------------
def modulo_bat(loops: int, first_ohm: float = 340.0, ampere: float = AMPERE) -> bytes:
    """SYNTHETIC EC-Lab text: each loop is a spectrum of 40 points and one hour of plating and of stripping."""
    names = ["mode", "Ns", "time/s", "Ewe/V", "I/mA", "(Q-Qo)/mA.h", "freq/Hz", "Re(Z)/Ohm", "-Im(Z)/Ohm", "z cycle"]
    frequencies = np.geomspace(1e6, 0.1, 40)
    rows, now, charge = [], 0.0, 0.0
    noise = iter(np.random.default_rng(6).normal(0, 2e-4, 20_000))
    for loop in range(loops):
        interface = first_ohm if loop == 0 else 340.0 + 20.0 * loop
        z = synthetic.symmetric_cell_spectrum(
            frequencies, electrolyte_resistance_ohm=400.0, interfacial_resistance_ohm=interface, noise_fraction=0.001,
            rng=np.random.default_rng(100 + loop),
        )  # fmt: skip
        for f, value in zip(frequencies, z, strict=True):
            now += 5.0
            rows.append((3, 2 * loop, now, 0.0, 0.0, charge, f, value.real, -value.imag, loop + 1))
        for sign in (1, -1):
            for _ in range(60):
                now += INTERVAL_S
                charge += sign * ampere * INTERVAL_S / 3.6
                potential = sign * ampere * OHM + next(noise)
                rows.append((1, 2 * loop + 1, now, potential, sign * ampere * 1e3, charge, 0, 0, 0, 0))
    lines = ["\t".join(f"{cell:.9g}" for cell in row) for row in rows]
    head = ["EC-Lab ASCII FILE", "Nb header lines : 5", "", "Modulo Bat", "\t".join([*names, ""])]
    return "\r\n".join([*head, *lines, ""]).encode("cp1252")


def test_the_same_spectra_in_a_longer_copy_are_no_new_ones(cell):
    first = sent(cell, modulo_bat(2), "mb.mpt")
    spectra = list(first.measurements.filter(kind="eis").order_by("pk"))
    (series_,) = first.measurements.exclude(kind="eis")
    assert (first.state, len(spectra), series_.kind) == ("done", 2, "plating_stripping")
    runs = set(AnalysisRun.objects.filter(measurement__in=spectra).values_list("pk", flat=True))
    file = sent(cell, modulo_bat(4), "mb.mpt")
    assert file.state == "extends"
    assert file.message.startswith(f"Longer copy of {series_.code}: first ")
    now = list(file.measurements.filter(kind="eis").order_by("pk"))
    assert now[:2] == spectra
    assert len(now) == 4
    assert list(file.measurements.exclude(kind="eis")) == [series_]
    # The same spectrum gives the same numbers: nothing was computed again, and each stands once.
    assert (
        set(AnalysisRun.objects.filter(measurement__in=spectra, is_current=True).values_list("pk", flat=True)) == runs
    )
    assert AnalysisRun.objects.filter(analysis="interface", is_current=True).count() == 4
    for spectrum in spectra:
        assert [part.superseded_at is None for part in spectrum.files.order_by("pk")] == [False, True]
    growing.decide(file, "undo", by=None)
    drain()
    assert set(Measurement.objects.live()) == {*spectra, series_}
    assert [spectrum.files.get().superseded_at for spectrum in spectra] == [None, None]
    spine.check_invariants()


def test_rests_between_spectra_bring_no_failure(cell):
    file = sent(cell, modulo_bat(2, ampere=0.0), "rests.mpt")
    assert (file.state, file.message) == ("done", "")
    assert sorted(file.measurements.values_list("kind", flat=True)) == ["attachment", "eis", "eis"]
    assert set(AnalysisRun.objects.values_list("analysis", "state")) == {("interface", "succeeded")}


def test_a_spectrum_that_differs_is_a_measurement_of_its_own(cell):
    first = sent(cell, modulo_bat(2), "mb.mpt")
    file = sent(cell, modulo_bat(3, first_ohm=341.0), "mb.mpt")
    assert file.state == "extends"
    before, now = (set(item.measurements.filter(kind="eis")) for item in (first, file))
    assert len(before & now) == 1
    assert len(now - before) == 2
    assert len(before - now) == 1


def test_same_spectrum_compares_every_point(cell):
    first = sent(cell, modulo_bat(2), "mb.mpt")
    raw = first.raw_file
    one, other = (item.files.get() for item in first.measurements.filter(kind="eis").order_by("pk"))
    assert growing.same_spectrum(one, raw) == one
    assert growing.same_spectrum(other, raw) == other
    MeasurementFile.objects.filter(pk=one.pk).update(superseded_at=timezone.now())
    assert growing.same_spectrum(one, raw) is None  # a former version is no owner


# -- speed, pages, API -------------------------------------------------------------------------------------------------
def test_two_longer_copies_that_wait_together_are_compared_one_after_the_other(cell, first):
    upload = receive([spine.arrived("a.csv", series(30)), spine.arrived("b.csv", series(40))], by=None, subject=cell)
    for file in upload.files.all():
        take_in(file.pk)
    drain()
    assert [file.state for file in upload.files.all()] == ["extends", "extends"]
    assert lifetime(cell).value == pytest.approx(40, abs=0.05)
    spine.check_invariants()


def test_the_api_tells_and_decides(cell, first):
    api = Api()
    file = sent(cell, series(30))
    path = f"uploads/{file.upload.code}/"
    shown = api.get(path).json()["files"][0]
    assert (shown["state"], shown["offers"]) == ("extends", ["undo"])
    assert shown["measurements"] == [first.measurements.get().code]
    assert api.get(f"measurements/{shown['measurements'][0]}/").json()["files"][0]["sha256"] == shown["sha256"]
    assert api.post(f"{path}join/", {"file": file.pk}).status_code == 400
    answer = api.post(f"{path}undo/", {"file": file.pk, "reason": "wrong file"})
    assert answer.status_code == 200, answer.content
    assert answer.json()["files"][0]["offers"] == ["replace", "separate"]
    assert api.post(f"{path}undo/", {"file": 999_999}).status_code == 400
    assert api.post(f"{path}separate/", {"file": file.pk}).json()["files"][0]["state"] == "received"
    reader = Api("read", "viewer")
    assert reader.post(f"{path}undo/", {"file": file.pk}).status_code == 403


def test_the_upload_page_asks_and_acts(client, cell, first):
    client.force_login(builders.user("ada", "member"))
    file = sent(cell, series(30, change=(822, 0.01)))
    code = first.measurements.get().code
    html = client.get(reverse("upload_detail", args=[file.upload.code])).content.decode()
    assert f"Replace {code}" in html
    assert "Keep separate" in html
    assert "waits for you" in html
    client.post(reverse("file_decide", args=[file.pk]), {"decision": "replace"})
    drain()
    html = client.get(reverse("upload_detail", args=[file.upload.code])).content.decode()
    assert "Undo" in html
    assert client.post(reverse("file_decide", args=[file.pk]), {"decision": "melt"}, follow=True).status_code == 200

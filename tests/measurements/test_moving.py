"""What lies on the wrong sample gets the right one: numbers, kinds, choices, combinations, files and histories."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from analysis import pipeline
from analysis.decisions import reanalyse
from analysis.models import AnalysisRun, Result
from analysis.tasks import drain
from lagpdb.models import Revision
from lagpdb.records import StaleVersion, restore, withdraw
from measurements import growing
from measurements.ingest import receive, take_in
from measurements.models import Measurement, UploadFile
from measurements.moving import move, together
from measurements.rows import batch_of
from measurements.waiting import assign
from samples.models import Cell
from tests import builders, spine
from tests.analysis.test_bad_series import plain, ramp
from tests.measurements.test_growing import restarted, sent, series
from tests.measurements.test_growing_at_once import at_once

pytestmark = pytest.mark.django_db


def steps() -> bytes:
    """A ramp of rising currents: on a symmetric cell one of the critical current, on a full cell cycling."""
    return plain(ramp())


def shown_of(sample) -> set[str]:
    """Quantities with a current number on a sample."""
    where = {"cell": sample} if isinstance(sample, Cell) else {"pellet": sample, "cell": None}
    return set(Result.objects.current().filter(**where).values_list("quantity", flat=True))


@pytest.fixture
def wrong() -> Cell:
    return spine.cell()


@pytest.fixture
def right() -> Cell:
    return spine.cell(spine.pellet(thickness_um=400.0))


# -- numbers and histories ---------------------------------------------------------------------------------------------
def test_the_numbers_leave_one_sample_and_are_computed_for_the_other(wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    measurement = file.measurements.get()
    before = spine.number("ionic_conductivity_S_cm", wrong).value
    (moved,) = move([measurement], right, by=spine.person(), reason="labels were mixed up")
    assert (moved.subject, shown_of(wrong)) == (right, set())
    file.refresh_from_db()
    assert file.state == "queued"
    drain()
    assert spine.number("ionic_conductivity_S_cm", right).value == pytest.approx(before / 2)  # half as thick
    assert shown_of(wrong) == set()
    former, now = measurement.runs.order_by("pk")
    assert (former.is_current, now.is_current) == (False, True)
    spine.check_invariants()
    file.refresh_from_db()
    assert (file.state, file.cell, file.matched_by) == ("done", right, "chosen")
    assert file.message == f"{measurement.code} moved from {wrong.code} to {right.code}."


def test_the_histories_of_the_measurement_and_of_both_samples_tell_it(wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    code = file.measurements.get().code
    move(file.measurements.all(), right, by=spine.person("ada"), reason="wrong bag")

    def newest(record_code: str) -> Revision:
        return Revision.objects.filter(record_code=record_code).order_by("-pk").first()

    entry = newest(code)
    assert (entry.by.username, entry.reason, entry.version) == ("ada", "wrong bag", 2)
    assert entry.changes == {"cell": [wrong.code, right.code]}
    left, came = newest(wrong.code), newest(right.code)
    assert (left.changes, left.reason) == ({"measurement": [code, None]}, f"moved to {right.code}: wrong bag")
    assert (came.changes, came.reason) == ({"measurement": [None, code]}, f"moved from {wrong.code}: wrong bag")


def test_undo_is_to_move_it_back(wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    before = spine.number("ionic_conductivity_S_cm", wrong).value
    for sample in (right, wrong):
        move(file.measurements.all(), sample, by=None, reason="a try")
        drain()
    assert spine.number("ionic_conductivity_S_cm", wrong).value == pytest.approx(before)
    assert shown_of(right) == set()
    spine.check_invariants()


def test_combinations_of_both_samples_are_computed_again(wrong, right):
    spine.arrhenius(wrong, 20, 30, 40, 50, 60)
    spine.arrhenius(right, 20, 40, 60)
    points = [run.results.count() for run in AnalysisRun.objects.filter(analysis="activation", is_current=True)]
    assert len(points) == 1  # three temperatures are too few
    odd = Measurement.objects.get(cell=wrong, temperature_degC=50.0)
    move([odd], right, by=None, reason="it was the other one")
    drain()

    def temperatures(cell: Cell) -> set[float]:
        run = AnalysisRun.objects.get(analysis="activation", cell=cell, is_current=True)
        used = Result.objects.filter(used_in__run=run, quantity="ionic_conductivity_S_cm")
        return set(used.values_list("measurement__temperature_degC", flat=True))

    assert temperatures(wrong) == {20.0, 30.0, 40.0, 60.0}
    assert temperatures(right) == {20.0, 40.0, 50.0, 60.0}
    spine.check_invariants()


def test_a_combination_with_too_little_left_does_not_stand(wrong, right):
    spine.arrhenius(wrong, 20, 40, 60, 80)
    assert "activation_energy_eV" in shown_of(wrong)
    move([Measurement.objects.order_by("pk").first()], right, by=None, reason="wrong cell")
    drain()
    assert "activation_energy_eV" not in shown_of(wrong)
    spine.check_invariants()


# -- what it is on the other sample ------------------------------------------------------------------------------------
def test_a_kind_that_was_told_is_told_anew():
    symmetric, full = builders.symmetric_cell(), spine.cell(configuration="full")
    measurement = sent(symmetric, steps()).measurements.get()
    assert measurement.kind == "ccd_ramp"
    assert "critical_current_density_mA_cm2" in shown_of(symmetric)
    (moved,) = move([measurement], full, by=None, reason="it was the full cell")
    drain()
    assert moved.kind in ("cycling", "rate_test")
    assert shown_of(symmetric) == set()
    assert shown_of(full)
    assert "critical_current_density_mA_cm2" not in shown_of(full)
    spine.check_invariants()
    (back,) = move([moved], symmetric, by=None, reason="it was not")
    drain()
    assert back.kind == "ccd_ramp"
    assert "critical_current_density_mA_cm2" in shown_of(symmetric)
    spine.check_invariants()


def test_a_kind_that_a_person_gave_stays():
    symmetric, full = builders.symmetric_cell(), spine.cell(configuration="full")
    given = sent(symmetric, steps(), kind="ccd_ramp").measurements.get()
    with pytest.raises(ValidationError, match=f"stays with {symmetric.code}.*and {full.code} is a full one.*A person"):
        move([given], full, by=None)
    other = builders.symmetric_cell()
    (moved,) = move([given], other, by=None)
    assert (moved.kind, moved.subject) == ("ccd_ramp", other)


def test_a_pellet_in_a_live_cell_stands_for_the_cell(wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    (moved,) = move(file.measurements.all(), right.pellet, by=None)
    assert (moved.cell, moved.pellet) == (right, None)


def test_what_was_generated_stays_so_and_what_was_measured_too(wrong):
    demo = spine.cell(is_synthetic=True)
    (file,) = spine.taken_in((f"{demo.code}_25C.csv", spine.spectrum()))
    generated = sent(demo, spine.spectrum(seed=2), is_synthetic=True)
    assert all(item.is_synthetic for item in Measurement.objects.all())
    move([file.measurements.get(), generated.measurements.get()], wrong, by=None, reason="not of the demo")
    assert not file.measurements.get().is_synthetic
    assert generated.measurements.get().is_synthetic


# -- what is refused ---------------------------------------------------------------------------------------------------
def test_what_cannot_be_is_said(wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    measurement = file.measurements.get()

    def refusal(to, what=measurement, **more) -> str:
        with pytest.raises(ValidationError) as caught:
            move([what], to, by=None, **more)
        return " ".join(caught.value.messages)

    assert refusal(wrong) == f"{measurement.code} is a measurement of {wrong.code} already. Choose another sample."
    test = sent(builders.symmetric_cell(), steps()).measurements.get()
    needs = "A critical current ramp needs a symmetric cell"
    assert f"{needs}, and {right.code} is a blocking one." in refusal(right, test)
    assert "is a pellet without a live cell." in refusal(builders.pellet(), test)
    assert "is a witness plate." in refusal(builders.witness_plate(), test)
    gone = spine.cell()
    withdraw(gone, by=None, reason="a mistake")
    gone.refresh_from_db()
    assert refusal(gone) == f"{gone.code} is in the trash. Restore it first."
    UploadFile.objects.filter(pk=file.pk).update(state="checking")
    assert refusal(right) == f"{file.name} is being read just now. Move it when that has ended."
    UploadFile.objects.filter(pk=file.pk).update(state="done")
    withdraw(measurement, by=None, reason="wrong cell")
    assert refusal(right) == f"{measurement.code} is in the trash. Restore it first."
    assert Measurement.objects.get(pk=measurement.pk).cell == wrong
    assert Measurement.objects.get(pk=test.pk).kind == "ccd_ramp"


def test_the_second_of_two_people_is_told(wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    measurement = file.measurements.get()
    move([measurement], right, by=None, version=1)
    with pytest.raises(StaleVersion, match="your form shows version 1, the record is at version 2"):
        move([measurement], spine.cell(), by=None, version=1)
    assert file.measurements.get().cell == right


# -- a person's choices ------------------------------------------------------------------------------------------------
def test_choices_that_still_make_sense_stay(wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    chosen = {"fit_range_Hz": [1.0, 3e5], "masked_points": [3], "electrode_area_cm2": 0.5}
    reanalyse(file.measurements.get(), parameters=chosen, by=None, reason="noise")
    drain()
    (moved,) = move(file.measurements.all(), right, by=None, reason="wrong cell")
    (queued,) = moved.runs.filter(state="queued")
    assert queued.parameters == {"fit_range_Hz": [1.0, 3e5], "masked_points": [3]}  # the area was that of the cell


def test_choices_of_another_kind_go_and_spectra_stay_where_they_moved_along():
    old, new = builders.symmetric_cell(), builders.symmetric_cell()
    spectra = [builders.measurement(old), builders.measurement(old)]
    test = builders.measurement(old, kind="polarisation")
    picked = {"eis_before": spectra[0].code, "eis_after": spectra[1].code, "initial_current_A": 1e-5}
    builders.run(test, analysis="polarisation", parameters=picked)
    move([test, spectra[0]], new, by=None)
    (queued,) = test.runs.filter(state="queued")
    assert queued.parameters == {"eis_before": spectra[0].code, "initial_current_A": 1e-5}
    cell = builders.symmetric_cell()
    symmetric = sent(cell, steps()).measurements.get()
    reanalyse(symmetric, parameters={"short_step": 0.3}, by=None, reason="seen in the notebook")
    drain()
    (moved,) = move([symmetric], spine.cell(configuration="full"), by=None)
    assert [run.parameters for run in moved.runs.filter(state="queued")] == [{}]
    drain()
    (back,) = move([moved], cell, by=None)
    assert [run.parameters for run in back.runs.filter(state="queued")] == [{"short_step": 0.3}]


# -- files -------------------------------------------------------------------------------------------------------------
def test_a_file_moves_as_a_whole(wrong, right):
    files = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()), (f"{wrong.code}_40C.csv", spine.spectrum(40)))
    measurement = files[0].measurements.get()
    second = builders.measurement(wrong)
    second.files.all().delete()
    raw = files[0].raw_file
    raw.parts.create(measurement=second, part_number=1)
    files[0].measurements.add(second)
    assert together([measurement]) == [measurement, second]
    assign(files[0], right, by=None, reason="wrong cell")
    assert set(right.measurements.all()) == {measurement, second}
    assert wrong.measurements.get() == files[1].measurements.get()


def test_the_sentence_of_a_file_with_many_spectra_stays_short(wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    for number in range(1, 5):
        spectrum = builders.measurement(wrong)
        spectrum.files.all().delete()
        file.raw_file.parts.create(measurement=spectrum, part_number=number)
        file.measurements.add(spectrum)
    codes = list(file.measurements.order_by("pk").values_list("code", flat=True))
    assign(file, right, by=None, reason="wrong cell")
    assert wrong.measurements.count() == 0
    assert file.message == f"{', '.join(codes[:3])} … moved from {wrong.code} to {right.code}."


def test_a_grown_test_moves_with_all_its_parts_and_its_undo_is_over():
    old, new = builders.symmetric_cell(), builders.symmetric_cell()
    first = sent(old, series(20))
    longer = sent(old, series(30))
    assert growing.offers(longer.state, longer.relation) == ["undo"]
    assign(first, new, by=None, reason="wrong cell")
    drain()
    spine.check_invariants()
    for file, state in ((first, "done"), (longer, "extends")):
        file.refresh_from_db()
        assert (file.state, file.cell) == (state, new)
        assert growing.offers(file.state, file.relation) == []
    assert spine.number("time_to_failure_h", new).value == pytest.approx(30, abs=0.05)
    assert shown_of(old) == set()
    assert sent(new, series(40)).state == "extends"


def test_a_restarted_test_is_not_joined_to_one_of_another_sample():
    old, new = builders.symmetric_cell(), builders.symmetric_cell()
    one, file = restarted(old)
    assert "join" in growing.offers(file.state, file.relation)
    move(one.measurements.all(), new, by=None, reason="wrong cell")
    file.refresh_from_db()
    assert growing.offers(file.state, file.relation) == []
    with pytest.raises(ValidationError, match="nothing to join"):
        growing.decide(file, "join", by=None)


def test_a_joined_test_moves_with_both_parts():
    old, new = builders.symmetric_cell(), builders.symmetric_cell()
    one, file = restarted(old)
    growing.decide(file, "join", by=None)
    drain()
    count = one.measurements.get().point_count
    assign(file, new, by=None, reason="wrong cell")
    drain()
    moved = Measurement.objects.live().get()
    assert (moved.subject, moved.point_count, moved.files.count()) == (new, count, 2)
    assert UploadFile.objects.filter(cell=new).count() == 2
    spine.check_invariants()


def test_a_waiting_copy_does_not_replace_a_test_that_has_moved():
    old, new = builders.symmetric_cell(), builders.symmetric_cell()
    first = sent(old, series(20))
    differs = sent(old, series(30, change=(822, 0.01)))
    move(first.measurements.all(), new, by=None, reason="wrong cell")
    growing.decide(differs, "replace", by=None)
    drain()
    differs.refresh_from_db()
    assert differs.state == "done"
    assert first.measurements.get().point_count == 1201
    assert differs.measurements.get().subject == old


# -- copies ------------------------------------------------------------------------------------------------------------
def test_a_copy_sent_for_another_sample_offers_to_move(client, wrong, right):
    client.force_login(builders.user("ada", "member"))
    spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    measurement = Measurement.objects.get()
    copy = sent(right, spine.spectrum(), name="again.csv")
    stored = f"Skipped, already stored as {measurement.code} of "
    assert (copy.state, copy.message) == ("duplicate", f"{stored}{wrong.code}. Move it to {right.code}?")
    page = reverse("upload_detail", args=[copy.upload.code])
    assert f"Move to {right.code}" in client.get(page).content.decode()
    address, fields = reverse("file_assign", args=[copy.pk]), {"subject": right.code, "version": "1"}
    assert "Say why" in client.post(address, fields, follow=True).content.decode()
    assert Measurement.objects.get().cell == wrong
    said = client.post(address, fields | {"reason": "wrong bag"}, follow=True).content.decode()
    assert f"again.csv belongs to {right.code}, its numbers are computed again." in said
    assert Measurement.objects.get().cell == right
    late = client.post(address, fields | {"subject": wrong.code, "reason": "no"}, follow=True).content.decode()
    assert "your form shows version 1, the record is at version 2" in late
    drain()
    html = client.get(page).content.decode()
    assert f"{stored}{right.code}." in html
    assert f"Move to {right.code}" not in html
    spine.check_invariants()


@pytest.mark.parametrize("sample", ["itself", "its pellet", "none"])
def test_a_copy_of_the_same_sample_offers_nothing(wrong, sample):
    spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    name = {"itself": wrong.code, "its pellet": wrong.pellet.code, "none": "copy"}[sample]
    (copy,) = spine.taken_in((f"{name}.csv", spine.spectrum()))
    assert (copy.state, copy.candidates) == ("duplicate", [])
    assert batch_of(copy.upload).rows[0].moves_to == ""


def test_a_copy_of_what_lies_in_the_trash_is_restored_and_then_moved(wrong, right):
    spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    measurement = Measurement.objects.get()
    withdraw(measurement, by=None, reason="wrong cell")
    copy = sent(right, spine.spectrum())
    assert copy.message.endswith(f"reason: wrong cell). Restore it, then move it to {right.code}?")
    assert batch_of(copy.upload).rows[0].moves_to == ""
    with pytest.raises(ValidationError, match=r"is in the trash. Restore it first."):
        assign(copy, right, by=None)
    restore(measurement, by=None)
    assert batch_of(copy.upload).rows[0].moves_to == right.code
    assign(copy, right, by=None)
    drain()
    assert "ionic_conductivity_S_cm" in shown_of(right)
    spine.check_invariants()


# -- the page ----------------------------------------------------------------------------------------------------------
def test_the_form_of_the_page(client, wrong, right):
    client.force_login(builders.user("ada", "member"))
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    measurement = file.measurements.get()
    page, address = (reverse(f"measurement_{name}", args=[measurement.code]) for name in ("detail", "move"))
    assert "Move to another sample" in client.get(page).content.decode()
    assert client.get(address).status_code == 302

    def posted(**fields: str) -> tuple[int, str]:
        answer = client.post(address, {"subject": right.code, "reason": "wrong bag", "version": "1"} | fields)
        return answer.status_code, answer.content.decode()

    for fields, sentence in (
        ({"reason": ""}, "Say why: the reason is kept"),
        ({"subject": ""}, "Choose the sample"),
        ({"subject": "CEL-9999"}, "CEL-9999 is not in lagpdb."),
        ({"subject": wrong.code}, "Choose another sample."),
        ({"version": "7"}, "your form shows version 7, the record is at version 1"),
    ):
        status, html = posted(**fields)
        assert status == 422
        assert sentence in html
        assert re.search(r'<details class="block" id="move" open>', html)
        assert f'value="{fields.get("subject", right.code)}"' in html
        assert f'value="{fields.get("reason", "wrong bag")}"' in html
    assert Measurement.objects.get().cell == wrong
    assert posted(subject=right.code.lower().replace("-", ""))[0] == 302
    assert Measurement.objects.get().cell == right
    assert f"{measurement.code} moved to {right.code}." in client.get(page).content.decode()
    history = client.get(reverse("record_history", args=[measurement.code])).content.decode()
    assert "wrong bag" in history
    assert 'value="cell"' not in history  # brought back by moving, not as a single value


def test_viewers_do_not_move(client, wrong, right):
    (file,) = spine.taken_in((f"{wrong.code}_25C.csv", spine.spectrum()))
    measurement = file.measurements.get()
    client.force_login(builders.user(role="viewer"))
    page, address = (reverse(f"measurement_{name}", args=[measurement.code]) for name in ("detail", "move"))
    assert "Move to another sample" not in client.get(page).content.decode()
    assert client.post(address, {"subject": right.code, "reason": "x"}).status_code == 403


# -- at the same moment ------------------------------------------------------------------------------------------------
def test_a_run_that_was_queued_before_the_move_does_not_count(right):
    """A conductivity that waits while its spectrum is moved to a symmetric cell, where the interface is asked for."""
    cell, symmetric = spine.cell(), builders.symmetric_cell()
    measurement = sent(cell, spine.spectrum()).measurements.get()
    reanalyse(measurement, by=None)
    move([measurement], symmetric, by=None, reason="wrong cell")
    drain()
    assert set(measurement.runs.filter(is_current=True).values_list("analysis", flat=True)) <= {"interface"}
    assert not Result.objects.current().filter(quantity="ionic_conductivity_S_cm").exists()
    spine.check_invariants()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_two_people_and_a_worker_at_once(wrong, right, attempt):
    file = receive([spine.arrived("a.csv", spine.spectrum())], by=None, subject=wrong).files.get()
    take_in(file.pk)
    run, third = AnalysisRun.objects.get(), spine.cell()
    measurement = Measurement.objects.get()
    raised = at_once(
        lambda: pipeline.run(run.pk),
        lambda: move([measurement], right, by=None, version=1),
        lambda: move([measurement], third, by=None, version=1),
    )
    assert [type(error) for error in raised if error is not None] == [StaleVersion]
    drain()
    measurement = Measurement.objects.get()
    assert measurement.version == 2
    assert measurement.cell in (right, third)
    (number,) = Result.objects.current().filter(quantity="ionic_conductivity_S_cm")
    assert number.cell == measurement.cell
    spine.check_invariants()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_a_sample_that_is_withdrawn_in_that_moment_holds_nothing(wrong, right, attempt):
    measurement = sent(wrong, spine.spectrum()).measurements.get()
    raised = at_once(
        lambda: move([measurement], right, by=None),
        lambda: withdraw(Cell.objects.get(pk=right.pk), by=None, reason="x"),
    )
    assert all(error is None or isinstance(error, ValidationError) for error in raised), raised
    drain()
    measurement.refresh_from_db()
    assert measurement.cell == wrong or measurement.is_withdrawn
    spine.check_invariants()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_a_move_and_a_join_at_once(attempt):
    old, new = builders.symmetric_cell(), builders.symmetric_cell()
    one, file = restarted(old)
    first = one.measurements.get()
    raised = at_once(lambda: move([first], new, by=None), lambda: growing.decide(file, "join", by=None))
    assert all(error is None or isinstance(error, ValidationError) for error in raised), raised
    drain()
    first.refresh_from_db()
    live = Measurement.objects.live()
    assert {item.subject for item in live} in ({new}, {old, new}, {old})
    assert AnalysisRun.objects.filter(is_current=True, measurement__in=live).count() == live.count()
    spine.check_invariants()

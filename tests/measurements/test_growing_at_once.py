"""Workers and people at the same moment: of two longer copies, decisions or a join nothing is lost or done twice."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from analysis import pipeline
from analysis.models import AnalysisRun
from analysis.tasks import drain
from measurements import growing, store
from measurements.ingest import receive, take_in
from measurements.models import Measurement, MeasurementFile, UploadFile
from tests import builders, spine
from tests.measurements.test_growing import lifetime, restarted, sent, series


def at_once(*works: Callable[[], object]) -> list[BaseException | None]:
    """Do all of them at the same moment, each on a connection of its own; what each raised."""
    barrier, raised = threading.Barrier(len(works)), [None] * len(works)

    def perform(place: int) -> None:
        try:
            barrier.wait(30)
            works[place]()
        except BaseException as error:
            raised[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=perform, args=(place,)) for place in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return raised


def waiting(cell, hours: float, **more) -> UploadFile:
    """A longer copy that was received and not yet read."""
    return receive([spine.arrived(f"{hours}.csv", series(hours, **more))], by=None, subject=cell).files.get()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_two_longer_copies_at_once_make_one_test_with_the_longest(attempt):
    cell = builders.symmetric_cell()
    old = sent(cell, series(20)).measurements.get()
    files = [waiting(cell, 30), waiting(cell, 40)]
    assert at_once(*[lambda pk=file.pk: take_in(pk) for file in files]) == [None, None]
    drain()
    for file in files:
        file.refresh_from_db()
    # Whichever was first: the shorter one came before the longer one and grew, or after it and waits.
    assert files[1].state == "extends"
    assert files[0].state in ("extends", "needs_sample")
    if files[0].state == "needs_sample":
        assert files[0].message.startswith(f"Holds the first 1\u202f801 rows of {old.code} and nothing more.")
    old.refresh_from_db()
    assert (Measurement.objects.count(), old.point_count) == (1, 2401)
    assert MeasurementFile.objects.filter(superseded_at__isnull=True).count() == 1
    assert lifetime(cell).value == pytest.approx(40, abs=0.05)
    spine.check_invariants()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_a_test_may_grow_while_its_former_run_is_written(attempt):
    cell = builders.symmetric_cell()
    first = waiting(cell, 20)
    take_in(first.pk)
    run, longer = AnalysisRun.objects.get(), waiting(cell, 30)
    assert at_once(lambda: pipeline.run(run.pk), lambda: take_in(longer.pk)) == [None, None]
    drain()
    for file in (first, longer):
        file.refresh_from_db()
    assert (first.state, longer.state) == ("done", "extends")
    assert lifetime(cell).value == pytest.approx(30, abs=0.05)
    assert AnalysisRun.objects.filter(is_current=True).count() == 1
    spine.check_invariants()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("prepare", "decisions", "measurements"),
    [
        (lambda cell: sent(cell, series(30)), ("undo", "undo"), {1}),
        (lambda cell: sent(cell, series(30, change=(822, 0.01))), ("replace", "separate"), {1, 2}),
        (lambda cell: sent(cell, series(30, change=(822, 0.01))), ("separate", "separate"), {2}),
    ],
    ids=["undo twice", "replace or separate", "separate twice"],
)
def test_of_two_people_who_decide_at_once_one_is_heard(prepare, decisions, measurements):
    cell = builders.symmetric_cell()
    sent(cell, series(20))
    file = prepare(cell)
    works = [lambda what=what: growing.decide(file, what, by=None) for what in decisions]
    raised = at_once(*works)
    drain()
    assert [type(error) for error in raised if error is not None] == [ValidationError]
    assert Measurement.objects.live().count() in measurements
    assert AnalysisRun.objects.filter(is_current=True).count() == Measurement.objects.live().count()
    spine.check_invariants()


@pytest.mark.django_db(transaction=True)
def test_a_join_and_a_longer_copy_at_once():
    """The former test grows in the moment in which the restarted one is joined to it."""
    cell = builders.symmetric_cell()
    one, file = restarted(cell)
    first = one.measurements.get()
    began = {"measured_at": dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC).isoformat()}
    longer = receive([spine.arrived("21.csv", series(21))], by=None, subject=cell, parameters=began).files.get()
    raised = at_once(lambda: growing.decide(file, "join", by=None), lambda: take_in(longer.pk))
    drain()
    assert all(error is None or isinstance(error, ValidationError) for error in raised), raised
    first.refresh_from_db()
    parts = first.files.filter(superseded_at__isnull=True)
    assert (
        first.point_count
        == len(store.recording(first))
        == sum(store.packing.row_count(store.parsed_path(part)) for part in parts)
    )
    assert 1261 in [store.packing.row_count(store.parsed_path(part)) for part in parts]
    assert AnalysisRun.objects.filter(is_current=True, measurement=first).count() == 1
    spine.check_invariants()

"""The ledger: claims, leases, fencing tokens, the sweep, the bell."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from lagpdb import ledger
from lagpdb.ledger import Job
from lagpdb.models import WorkerPulse
from measurements.models import Upload, UploadFile

pytestmark = pytest.mark.django_db
WAITING, WORKING, ENDED = Job.JobState.WAITING, Job.JobState.WORKING, Job.JobState.ENDED


@pytest.fixture
def rung(monkeypatch) -> list[int]:
    """Keys of the jobs for which the bell was rung."""
    heard: list[int] = []
    monkeypatch.setattr(ledger, "ring", lambda job: heard.append(job.pk))
    return heard


def new_job() -> UploadFile:
    upload, _ = Upload.objects.get_or_create(code="UPB-0001")
    return UploadFile.objects.create(upload=upload, name="a.csv")


def claimed(job: UploadFile) -> ledger.Claim | None:
    return ledger.claim(UploadFile.objects.get(pk=job.pk))


def lapse(job: UploadFile) -> None:
    """Let the lease of a job lie in the past."""
    UploadFile.objects.filter(pk=job.pk, lease_until__isnull=False).update(
        lease_until=timezone.now() - timedelta(seconds=1)
    )


def state_of(job: UploadFile) -> str:
    return UploadFile.objects.values_list("job_state", flat=True).get(pk=job.pk)


# -- claims ------------------------------------------------------------------------------------------------------------
def test_claim_notes_its_changes_and_takes_a_lease():
    job = new_job()
    held = ledger.claim(job, state=UploadFile.State.CHECKING)
    job.refresh_from_db()
    assert (job.job_state, job.attempts, job.state) == (WORKING, 1, "checking")
    assert job.lease_until > timezone.now()
    assert held == ledger.Claim(UploadFile, job.pk, 1)
    assert held.mine().exists()


def test_a_second_delivery_finds_nothing():
    job = new_job()
    stale = UploadFile.objects.get(pk=job.pk)
    assert claimed(job)
    assert claimed(job) is None
    assert ledger.claim(stale) is None


def test_an_ended_job_cannot_be_claimed():
    job = new_job()
    ledger.close(claimed(job), state=UploadFile.State.DONE)
    assert state_of(job) == ENDED
    assert claimed(job) is None


def test_a_lapsed_lease_can_be_claimed_and_the_zombie_cannot_write():
    job = new_job()
    zombie = claimed(job)
    lapse(job)
    heir = claimed(job)
    assert heir.token == 2
    with pytest.raises(ledger.LostClaim, match=rf"UploadFile {job.pk}, attempt 1"):
        ledger.close(zombie, state=UploadFile.State.FAILED)
    ledger.close(heir, state=UploadFile.State.DONE)
    with pytest.raises(ledger.LostClaim):
        ledger.close(zombie, state=UploadFile.State.FAILED)
    job.refresh_from_db()
    assert job.state == "done"


def test_a_lost_claim_rolls_back_what_was_written_with_it():
    job = new_job()
    zombie = claimed(job)
    lapse(job)
    claimed(job)

    @transaction.atomic
    def write() -> None:
        UploadFile.objects.filter(pk=job.pk).update(message="written by a zombie")
        ledger.close(zombie)

    with pytest.raises(ledger.LostClaim):
        write()
    job.refresh_from_db()
    assert job.message == ""


def test_a_job_that_was_given_back_waits_longer_each_time(settings):
    settings.LEASE_S = 12.0
    job = new_job()
    pauses = []
    for _ in range(2):
        held = claimed(job)
        ledger.give_back(held)
        job.refresh_from_db()
        assert job.job_state == WAITING
        assert claimed(job) is None
        pauses.append((job.lease_until - timezone.now()).total_seconds())
        lapse(job)
    assert pauses == pytest.approx([2, 4], abs=0.5)
    assert claimed(job).token == 3


def test_waiting_lists_what_may_be_claimed_oldest_first():
    free, held, back, ended, lapsed = (new_job() for _ in range(5))
    claimed(held)
    ledger.give_back(claimed(back))
    ledger.close(claimed(ended))
    claimed(lapsed)
    lapse(lapsed)
    assert ledger.waiting(UploadFile) == [free.pk, lapsed.pk]
    assert ledger.waiting(UploadFile, at_most=1) == [free.pk]


# -- staying alive -----------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_work_that_lasts_renews_its_lease(settings):
    settings.LEASE_S = 0.3
    job = new_job()
    held = claimed(job)
    with ledger.kept_alive(held):
        for _ in range(6):
            time.sleep(0.15)
            assert claimed(job) is None
    ledger.close(held)
    assert state_of(job) == ENDED


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_of_a_lost_claim_stops(settings):
    settings.LEASE_S = 0.3
    job = new_job()
    held = claimed(job)
    with ledger.kept_alive(held):
        UploadFile.objects.filter(pk=job.pk).update(attempts=5)
        time.sleep(0.3)
        until = UploadFile.objects.get(pk=job.pk).lease_until
        time.sleep(0.3)
        assert UploadFile.objects.get(pk=job.pk).lease_until == until
    assert threading.active_count() < 10


def test_short_work_starts_no_beat():
    held = claimed(new_job())
    with ledger.kept_alive(held):
        pass
    time.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


@pytest.mark.django_db(transaction=True)
def test_a_closing_transaction_is_tried_again_while_the_database_is_away(caplog):
    calls = []

    def write():
        calls.append(1)
        if len(calls) < 3:
            raise OperationalError("the server closed the connection")
        return "written"

    assert ledger.retried(write) == "written"
    assert len(calls) == 3
    assert "trying again" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_trying_again_has_an_end():
    def write():
        raise OperationalError("away for good")

    with pytest.raises(OperationalError):
        ledger.retried(write, tries=2)


def test_results_that_cannot_be_written_end_the_job_with_a_reference(caplog):
    job = new_job()
    held = claimed(job)

    def write():
        with transaction.atomic():
            ledger.close(held, state="done", no_such_column=1)

    def fail(reference):
        ledger.close(held, state="failed", message=reference)

    ledger.conclude(held, write, fail)
    job.refresh_from_db()
    assert (job.state, job.job_state) == ("failed", ENDED)
    assert f"ref {job.message}" in caplog.text
    assert "no_such_column" in caplog.text


def test_a_lost_claim_ends_in_silence(caplog):
    job = new_job()
    zombie = claimed(job)
    lapse(job)
    claimed(job)
    ledger.conclude(zombie, lambda: ledger.close(zombie), lambda reference: pytest.fail(reference))
    assert "taken over" in caplog.text
    assert state_of(job) == WORKING


# -- the sweep ---------------------------------------------------------------------------------------------------------
def test_sweep_leaves_fresh_work_alone(rung):
    waits, works = new_job(), new_job()
    claimed(works)
    assert ledger.sweep() == {"rung": 0, "freed": 0, "given_up": 0}
    assert rung == []
    assert (state_of(waits), state_of(works)) == (WAITING, WORKING)


def test_sweep_rings_again_for_what_nobody_took_once_per_interval(rung, settings):
    job = new_job()
    UploadFile.objects.update(rung_at=timezone.now() - timedelta(seconds=settings.RING_AGAIN_S + 1))
    assert ledger.sweep()["rung"] == 1
    assert ledger.sweep()["rung"] == 0
    assert rung == [job.pk]


def test_sweep_frees_and_rings_for_a_job_whose_worker_is_gone(rung):
    job = new_job()
    claimed(job)
    lapse(job)
    assert ledger.sweep() == {"rung": 1, "freed": 1, "given_up": 0}
    assert rung == [job.pk]
    assert claimed(job).token == 2


def test_sweep_ends_a_job_after_its_last_attempt_with_a_sentence(rung):
    job = new_job()
    for _ in range(ledger.ATTEMPTS):
        assert claimed(job)
        lapse(job)
    assert claimed(job) is None
    assert ledger.sweep() == {"rung": 0, "freed": 0, "given_up": 1}
    job.refresh_from_db()
    assert (job.state, job.job_state, job.lease_until) == ("failed", ENDED, None)
    assert "begun 3 times" in job.message
    assert "The file is safe" in job.message
    assert ledger.sweep()["given_up"] == 0


def test_sweep_ends_a_job_that_was_given_back_on_its_last_attempt(rung):
    job = new_job()
    for _ in range(ledger.ATTEMPTS):
        ledger.give_back(claimed(job))
        lapse(job)
    ledger.sweep()
    assert state_of(job) == ENDED


def test_giving_up_spares_a_worker_that_came_back(rung):
    job = new_job()
    UploadFile.objects.update(attempts=2)
    held = claimed(job)
    spent = ledger.Q(job_state=WORKING, lease_until__lt=timezone.now())
    held.mine().update(lease_until=timezone.now() + timedelta(minutes=1))
    assert ledger._give_up(UploadFile, job.pk, spent) == 0
    assert held.mine().exists()


def test_rearm_gives_three_more_attempts(rung, django_capture_on_commit_callbacks):
    job = new_job()
    for _ in range(ledger.ATTEMPTS):
        claimed(job)
        lapse(job)
    ledger.sweep()
    with django_capture_on_commit_callbacks(execute=True):
        ledger.rearm(job)
    assert rung == [job.pk]
    for token in (4, 5, 6):
        assert claimed(job).token == token
        lapse(job)
    assert claimed(job) is None


def test_the_kinds_of_jobs():
    assert [model.__name__ for model in ledger.job_models()] == ["AnalysisRun", "UploadFile"]
    assert all(model.TASK and callable(model.give_up) for model in ledger.job_models())


# -- the bell ----------------------------------------------------------------------------------------------------------
def test_the_bell_is_heard_on_the_socket(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    ledger.ring(new_job())  # nobody listens: no error
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.bind(str(ledger.bell_path()))
        bell.settimeout(2)
        ledger.ring(new_job())
        assert bell.recv(16) == b"1"


def test_a_full_bell_does_not_block(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    job = new_job()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.bind(str(ledger.bell_path()))
        started = time.monotonic()
        for _ in range(2000):
            ledger.ring(job)
        assert time.monotonic() - started < 2


def test_a_long_data_folder_gets_a_short_bell(settings, tmp_path):
    settings.DATA_DIR = tmp_path / ("long" * 30)
    assert len(str(ledger.bell_path())) < 100
    assert ledger.bell_path() == ledger.bell_path()


def test_a_broker_that_is_away_costs_one_call_and_raises_nothing(settings, monkeypatch, caplog):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(ledger, "_silent_until", 0.0)
    calls = []

    class Away:
        def send_task(self, *args, **kwargs):
            calls.append(args)
            raise ConnectionError("refused")

    monkeypatch.setattr("celery.current_app", Away())
    job = new_job()
    for _ in range(5):
        ledger.ring(job)
    assert calls == [("analysis.tasks.take_in",)]
    assert "the sweep will ring" in caplog.text


# -- signs of life -----------------------------------------------------------------------------------------------------
def test_pulse_and_age():
    assert ledger.worker_age_s() is None
    ledger.pulse("a")
    ledger.pulse("a")
    ledger.pulse("b")
    assert WorkerPulse.objects.count() == 2
    assert 0 <= ledger.worker_age_s() < 5


# -- two workers, really at once ---------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_of_many_threads_one_gets_the_job():
    jobs = [new_job() for _ in range(5)]
    barrier = threading.Barrier(4)
    won: list[int] = []

    def compete() -> None:
        try:
            barrier.wait()
            for job in jobs:
                if claimed(job):
                    won.append(job.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=compete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == sorted(job.pk for job in jobs)

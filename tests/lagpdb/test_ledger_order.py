"""The ledger under any order of events: claims, crashes, late writers, double deliveries and sweeps."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from lagpdb import ledger
from measurements.models import UploadFile
from tests.lagpdb.test_ledger import ENDED, WORKING, claimed, lapse, new_job, state_of

pytestmark = pytest.mark.django_db


class LedgerMachine(RuleBasedStateMachine):
    """Claims, crashes, late writers, double deliveries and sweeps in any order."""

    def __init__(self) -> None:
        super().__init__()
        UploadFile.objects.all().delete()
        self.jobs: list[UploadFile] = []
        self.claims: list[ledger.Claim] = []
        self.generation: dict[int, int] = {}
        self.ends: dict[tuple[int, int], int] = {}

    def pick(self, items: list, number: int):
        return items[number % len(items)]

    def ended(self, pk: int) -> None:
        key = (pk, self.generation[pk])
        self.ends[key] = self.ends.get(key, 0) + 1

    @precondition(lambda self: len(self.jobs) < 2)
    @rule()
    def upload(self) -> None:
        job = new_job()
        self.jobs.append(job)
        self.generation[job.pk] = 0

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 9), times=st.integers(1, 2))
    def deliver(self, number: int, times: int) -> None:
        job = self.pick(self.jobs, number)
        got = [held for held in (claimed(job) for _ in range(times)) if held]
        assert len(got) <= 1
        self.claims += got

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 9))
    def worker_falls_silent(self, number: int) -> None:
        lapse(self.pick(self.jobs, number))

    @precondition(lambda self: self.jobs)
    @rule(number=st.integers(0, 9), times=st.integers(1, 4))
    def workers_die_one_after_the_other(self, number: int, times: int) -> None:
        for _ in range(times):
            self.worker_falls_silent(number)
            self.deliver(number, 1)

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 9))
    def heartbeat(self, number: int) -> None:
        held = self.pick(self.claims, number)
        held.mine().update(lease_until=timezone.now() + timedelta(seconds=60))

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 9))
    def close_perhaps_as_a_zombie(self, number: int) -> None:
        held = self.pick(self.claims, number)
        newest = [claim for claim in self.claims if claim.pk == held.pk][-1]
        try:
            ledger.close(held, state=UploadFile.State.DONE)
        except ledger.LostClaim:
            return
        assert held == newest, "a zombie wrote"
        self.ended(held.pk)

    @precondition(lambda self: self.claims)
    @rule(number=st.integers(0, 9))
    def give_back(self, number: int) -> None:
        ledger.give_back(self.pick(self.claims, number))

    @rule()
    def sweep(self) -> None:
        before = {job.pk: state_of(job) for job in self.jobs}
        ledger.sweep()
        for job in self.jobs:
            if before[job.pk] != ENDED and state_of(job) == ENDED:
                self.ended(job.pk)

    @precondition(lambda self: any(state_of(job) == ENDED for job in self.jobs))
    @rule(number=st.integers(0, 9))
    def try_again(self, number: int) -> None:
        job = self.pick([job for job in self.jobs if state_of(job) == ENDED], number)
        self.generation[job.pk] += 1
        ledger.rearm(job)

    @invariant()
    def no_generation_ends_twice(self) -> None:
        assert all(count == 1 for count in self.ends.values()), self.ends

    @invariant()
    def rows_are_sound(self) -> None:
        for job in UploadFile.objects.all():
            assert job.attempts <= job.attempts_limit
            assert (job.lease_until is None) or job.job_state != ENDED
            assert job.lease_until is not None or job.job_state != WORKING
            assert sum(held.mine().exists() for held in self.claims if held.pk == job.pk) <= 1

    def teardown(self) -> None:
        """Whatever happened: working days pass, and nothing is left lying."""
        for _ in range(ledger.ATTEMPTS + 1):
            for job in self.jobs:
                lapse(job)
            ledger.sweep()
            for pk in ledger.waiting(UploadFile):
                ledger.close(claimed(UploadFile.objects.get(pk=pk)))
        assert not UploadFile.objects.exclude(job_state=ENDED).exists()


def test_any_order_of_events(monkeypatch):
    monkeypatch.setattr(ledger, "ring", lambda job: None)
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

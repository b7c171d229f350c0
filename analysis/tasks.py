"""Who does the work when the bell rings: the Celery tasks, and `drain()` for a worker that asks the database."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from celery import shared_task
from django.conf import settings
from django.db import close_old_connections

from analysis import pipeline
from analysis.models import AnalysisRun
from lagpdb import ledger
from measurements import ingest
from measurements.models import UploadFile
from measurements.store import store

logger = logging.getLogger(__name__)
# A worker that was rung goes on with what waits, for so long; then it gives way and rings for the rest.
BURST_S = 5.0
AT_ONCE = 4  # files begun before it looks again for analyses
WINDOW = 32  # of the oldest files it takes any, so that two workers seldom reach for the same


@shared_task(name="analysis.tasks.take_in")
def take_in(file_id: int) -> None:
    """Read one uploaded file, compute the first thing that it calls for, and go on."""
    close_old_connections()
    read(file_id)
    _go_on()


@shared_task(name="analysis.tasks.analyse")
def analyse(run_id: int) -> None:
    """Compute one run, and go on."""
    close_old_connections()
    pipeline.run(run_id)
    _go_on()


@shared_task(name="analysis.tasks.combine")
def combine(run_id: int) -> None:
    """Compute one combination, and go on."""
    close_old_connections()
    pipeline.run(run_id)
    _go_on()


@shared_task(name="analysis.tasks.sweep")
def sweep() -> None:
    """Find lost work, drop what cut-off uploads left, and show that a worker is alive."""
    ledger.pulse("celery" if settings.REDIS_URL else "supervised")
    ledger.sweep()
    store().tidy()


def read(file_id: int) -> None:
    """Take a file in and go on with its first run: the worker that read it has everything at hand."""
    begun = ingest.take_in(file_id, goes_on=True)
    if isinstance(begun, AnalysisRun):
        pipeline.go_on(begun)


def _go_on() -> None:
    """Do what else waits, without a message for each; the broker's message only woke this worker."""
    until = time.monotonic() + BURST_S
    drain(lambda: time.monotonic() < until and not ledger.stopping.value, beside_others=True)
    if time.monotonic() >= until:
        ledger.ring_for_the_rest()


def drain(goes_on: Callable[[], bool] = lambda: True, *, beside_others: bool = False) -> int:
    """Do all work that waits, in this process; returns how many jobs were begun.

    Finishing what has begun comes first: analyses before files, so that the first file's numbers do not wait for the
    last file of a folder to be read. Combinations come last: once after ten spectra, not after each. With
    `beside_others` other workers do the same just now: it takes files and runs from among the oldest at random.
    """
    begun = 0
    while goes_on():
        work = [(pipeline.run, pk) for pk in _runs(beside_others)]
        work = work or [(read, pk) for pk in _files(beside_others)]
        work = work or [(pipeline.run, pk) for pk in ledger.waiting(AnalysisRun, 1)]
        if not work:
            return begun
        for perform, pk in work:
            if not goes_on():
                break
            begun += 1
            try:
                perform(pk)
            except ledger.ENVIRONMENT_ERRORS as error:
                logger.warning("Job %s was interrupted (%s); it will be tried again.", pk, error)
    return begun


def _files(beside_others: bool) -> list[int]:
    """Files to read next."""
    if not beside_others:
        return ledger.waiting(UploadFile, 1)
    return random.sample(found := ledger.waiting(UploadFile, WINDOW), min(AT_ONCE, len(found)))


def _runs(beside_others: bool) -> list[int]:
    """Analyses of files that were read."""
    found = ledger.waiting(AnalysisRun, WINDOW, measurement__isnull=False)
    return random.sample(found, min(AT_ONCE, len(found))) if beside_others else found

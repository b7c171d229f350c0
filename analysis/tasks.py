"""Who does the work when the bell rings: the Celery tasks, and `drain()` for a worker that asks the database."""

from __future__ import annotations

import logging
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


@shared_task(name="analysis.tasks.take_in")
def take_in(file_id: int) -> None:
    """Read one uploaded file, and compute the first thing that it calls for."""
    close_old_connections()
    read(file_id)


@shared_task(name="analysis.tasks.analyse")
def analyse(run_id: int) -> None:
    """Compute one run."""
    close_old_connections()
    pipeline.run(run_id)


@shared_task(name="analysis.tasks.combine")
def combine(run_id: int) -> None:
    """Compute one combination."""
    close_old_connections()
    pipeline.run(run_id)


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


def drain(goes_on: Callable[[], bool] = lambda: True) -> int:
    """Do all work that waits, in this process; returns how many jobs were begun.

    Finishing what has begun comes first: analyses before files, so that the first file's numbers do not wait for the
    last file of a folder to be read. Combinations come last: once after ten spectra, not after each.
    """
    begun = 0
    while goes_on():
        work = [(pipeline.run, pk) for pk in ledger.waiting(AnalysisRun, 20, measurement__isnull=False)]
        work = work or [(read, pk) for pk in ledger.waiting(UploadFile, 1)]
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

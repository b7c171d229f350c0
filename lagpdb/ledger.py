"""The ledger: background work as rows that are claimed, kept alive, closed and swept. The broker is only a bell.

A job is a row of a model that inherits `Job`. Its `attempts` is the fencing token: a claim raises it, and every later
write carries it, so that a worker that was thought dead can no longer write.
"""

from __future__ import annotations

import logging
import secrets
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ctypes import c_bool
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any, ClassVar
from zlib import crc32

from django.apps import apps
from django.conf import settings
from django.db import (
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    close_old_connections,
    connection,
    models,
    transaction,
)
from django.db.models import F, Q
from django.utils import timezone

logger = logging.getLogger(__name__)

ATTEMPTS = 3
BELLS = 16  # enough to wake every worker
# The database is away, or has ended our connection: InternalError, when that was for an idle transaction.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
# What the surroundings do to a job, as opposed to what its file does: worth another attempt.
ENVIRONMENT_ERRORS = (*DATABASE_AWAY, ConnectionError, TimeoutError, OSError)


# Shared with the processes of a worker's pool: set when the worker is told to stop, so that they begin nothing more.
stopping = RawValue(c_bool, False)


class LostClaim(Exception):
    """Another worker has taken this job over; whatever was computed here is dropped."""


class Job(models.Model):
    """A row that stands for work to do. A `state` of the model is for people; these columns are for workers."""

    class JobState(models.TextChoices):
        WAITING = "waiting"
        WORKING = "working"
        ENDED = "ended"

    TASK: ClassVar[str] = ""  # name of the Celery task that performs it

    job_state = models.CharField(max_length=8, choices=JobState, default=JobState.WAITING, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    attempts_limit = models.PositiveIntegerField(default=ATTEMPTS, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    rung_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    # Every concrete job has `give_up(sentence)`: end for good after the last attempt was lost, inside a transaction.


@dataclass(frozen=True)
class Claim:
    """The right to work on one job, until the lease lapses."""

    model: type[Job]
    pk: int
    token: int

    def __str__(self) -> str:
        return f"{self.model.__name__} {self.pk}, attempt {self.token}"

    def mine(self) -> models.QuerySet:
        """The row, as long as this claim holds it."""
        return self.model._default_manager.filter(pk=self.pk, attempts=self.token, job_state=Job.JobState.WORKING)


def claimable() -> Q:
    """Waiting, or left by a worker whose lease lapsed; not one that was told to wait a little."""
    free = Q(lease_until__isnull=True, job_state=Job.JobState.WAITING)
    lapsed = Q(lease_until__lt=timezone.now()) & ~Q(job_state=Job.JobState.ENDED)
    return (free | lapsed) & Q(attempts__lt=F("attempts_limit"))


def claim(job: Job, **changes: Any) -> Claim | None:
    """Take a job that was just loaded and note `changes` on it, or None when it is done, taken, or out of attempts."""
    if job.job_state == Job.JobState.ENDED:
        return None
    taken = (
        type(job)
        ._default_manager.filter(claimable(), pk=job.pk, attempts=job.attempts)
        .update(
            attempts=job.attempts + 1,
            job_state=Job.JobState.WORKING,
            lease_until=timezone.now() + timedelta(seconds=settings.LEASE_S),
            **changes,
        )
    )
    return Claim(type(job), job.pk, job.attempts + 1) if taken else None


def begun(job: Job) -> Job:
    """Mark a job that is not stored yet as taken by this worker, which goes on with it as soon as it is."""
    job.attempts, job.job_state = 1, Job.JobState.WORKING
    job.lease_until = timezone.now() + timedelta(seconds=settings.LEASE_S)
    return job


def claim_of(job: Job) -> Claim:
    """The claim on a job that this worker stored as begun."""
    return Claim(type(job), job.pk, job.attempts)


def close(held: Claim, **changes: Any) -> None:
    """End the job with these changes. Inside the transaction that writes its results.

    Raises
    ------
    LostClaim
        The claim has lapsed and somebody else works on it; the transaction rolls back.
    """
    if not held.mine().update(job_state=Job.JobState.ENDED, lease_until=None, **changes):
        raise LostClaim(str(held))


def give_back(held: Claim) -> None:
    """Return the job after a fault of the surroundings, to be tried again a little later, each time later."""
    now = timezone.now()
    pause = timedelta(seconds=settings.LEASE_S / 12 * 2 ** (held.token % ATTEMPTS))
    held.mine().update(job_state=Job.JobState.WAITING, lease_until=now + pause, rung_at=now)


@contextmanager
def kept_alive(held: Claim) -> Iterator[None]:
    """Renew the lease from a thread of its own while the body works."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(settings.LEASE_S / 3):
                with suppress(DatabaseError, InterfaceError):
                    until = timezone.now() + timedelta(seconds=settings.LEASE_S)
                    if not held.mine().update(lease_until=until):
                        return
        finally:
            connection.close()

    # The thread starts only if the work outlasts a third of the lease: most jobs end in milliseconds.
    timer = threading.Timer(settings.LEASE_S / 3, beat)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        done.set()
        timer.cancel()


def conclude(held: Claim, write: Callable[[], Any], fail: Callable[[str], Any]) -> Any:
    """End a job: `write` its results, or, when they cannot be written, `fail` with a reference into the log.

    Both are closing transactions. A claim that was lost meanwhile ends it in silence: somebody else writes. Returns
    what `write` returned, else None.
    """
    try:
        try:
            return retried(write)
        except (LostClaim, *ENVIRONMENT_ERRORS):
            raise
        except Exception:
            reference = log_fault(f"The results of {held}")
            retried(lambda: fail(reference))
    except LostClaim:
        logger.warning("Another worker has taken over %s.", held)
    return None


def log_fault(what: str, details: str = "") -> str:
    """Log a fault of our own; returns the reference that people are told."""
    reference = secrets.token_hex(2).upper()
    logger.error("%s failed, ref %s\n%s", what, reference, details, exc_info=not details)
    return reference


def retried(write: Callable[[], Any], tries: int = 40) -> Any:
    """Run a closing transaction again while the database is away: what was computed is not thrown away."""
    for attempt in range(tries):
        try:
            return write()
        except DATABASE_AWAY:
            if attempt == tries - 1 or connection.in_atomic_block:
                raise
            logger.warning("The database did not take the result; trying again.")
            close_old_connections()
            connection.close()
            time.sleep(min(2.0, 0.05 * 2**attempt))
    return None  # pragma: no cover - the loop returns or raises


# -- the bell ----------------------------------------------------------------------------------------------------------
_silent_until = 0.0


def bell_path() -> Path:
    """The socket on which the supervised worker listens; short, as the system allows only about 100 characters."""
    path = settings.DATA_DIR / "worker.sock"
    if len(str(path)) < 90:
        return path
    return Path(tempfile.gettempdir()) / f"lagpdb-{crc32(str(path).encode()):08x}.sock"


def ring(job: Job) -> None:
    """Say that a job waits. Never raises: a bell that nobody hears is rung again by the sweep."""
    global _silent_until
    if settings.REDIS_URL:
        if time.monotonic() < _silent_until:
            return
        from celery import current_app

        began = time.monotonic()
        try:
            current_app.send_task(job.TASK, args=[job.pk], retry=False)
        except Exception as error:  # the broker's client raises many kinds; none may reach the person who uploads
            # One failed call costs a tenth of a second, seconds when the broker hangs: a folder of a thousand files
            # must not wait for each, nor every upload for a broker that hangs.
            _silent_until = time.monotonic() + max(2.0, 5 * (time.monotonic() - began))
            logger.warning("The broker did not answer (%s); the sweep will ring for %s.", error, job)
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        bell.sendto(b"1", str(bell_path()))


def ring_on_commit(*jobs: Job) -> None:
    """Ring when the transaction that made the jobs is committed.

    Not for each of a thousand: whoever is awake goes on with what waits, so that a few bells do for all.
    """
    for job in jobs[:BELLS]:
        transaction.on_commit(lambda job=job: ring(job), robust=True)


def ring_for_the_rest() -> None:
    """Ring once if anything waits: a worker that pauses hands it on."""
    for model in job_models():
        job = model._default_manager.filter(claimable()).order_by("pk").first()
        if job is not None:
            ring(job)
            return


# -- the sweep ---------------------------------------------------------------------------------------------------------
def job_models() -> list[type[Job]]:
    """Every kind of job, in the order in which a worker looks at them."""
    return sorted((model for model in apps.get_models() if issubclass(model, Job)), key=lambda m: m._meta.label)


def sweep() -> dict[str, int]:
    """Find jobs that nobody heard of or whose worker is gone. Safe to run anywhere, any number of times.

    Returns
    -------
    dict
        ``rung``: jobs announced again; ``freed``: taken from lost workers; ``given_up``: ended after the last attempt.
    """
    counts = {"rung": 0, "freed": 0, "given_up": 0}
    now = timezone.now()
    for model in job_models():
        manager = model._default_manager
        lapsed = Q(job_state=Job.JobState.WORKING, lease_until__lt=now)
        counts["freed"] += manager.filter(lapsed, attempts__lt=F("attempts_limit")).update(
            job_state=Job.JobState.WAITING, lease_until=None, rung_at=now - timedelta(days=1)
        )
        # Lost on the last attempt, or handed back on it: nobody may claim it any more.
        spent = (lapsed | Q(job_state=Job.JobState.WAITING)) & Q(attempts__gte=F("attempts_limit"))
        for pk in manager.filter(spent).values_list("pk", flat=True):
            counts["given_up"] += _give_up(model, pk, spent)
        quiet = now - timedelta(seconds=settings.RING_AGAIN_S)
        unheard = list(manager.filter(job_state=Job.JobState.WAITING, rung_at__lt=quiet).order_by("pk")[:1000])
        manager.filter(pk__in=[job.pk for job in unheard]).update(rung_at=now)
        for job in unheard[:BELLS]:
            ring(job)
        counts["rung"] += len(unheard)
    return counts


def waiting(model: type[Job], at_most: int = 50, **only: Any) -> list[int]:
    """Keys of the jobs that may be claimed now, oldest first: what the supervised worker asks for."""
    rows = model._default_manager.filter(claimable(), **only)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:at_most])


def _give_up(model: type[Job], pk: int, spent: Q) -> int:
    with transaction.atomic():
        job = model._default_manager.select_for_update().filter(spent, pk=pk).first()
        if job is None:  # its worker came back meanwhile
            return 0
        job.give_up(
            f"The work was begun {job.attempts} times and never came to its end: the worker stopped each time, or ran "
            "out of memory. The file is safe. Ask an administrator to look at the log, then run it again."
        )
    return 1


def rearm(job: Job) -> None:
    """Let an ended job run again (a sample was chosen, the file was sent again). Inside a transaction."""
    type(job)._default_manager.filter(pk=job.pk).update(
        job_state=Job.JobState.WAITING,
        attempts_limit=F("attempts") + ATTEMPTS,
        lease_until=None,
        rung_at=timezone.now(),
    )
    ring_on_commit(job)


# -- signs of life -----------------------------------------------------------------------------------------------------
def pulse(name: str) -> None:
    """Note that a worker is alive."""
    from lagpdb.models import WorkerPulse

    WorkerPulse.objects.update_or_create(name=name, defaults={"seen_at": timezone.now()})


def worker_age_s() -> float | None:
    """Seconds since any worker was seen, or None when there never was one."""
    from lagpdb.models import WorkerPulse

    newest = WorkerPulse.objects.aggregate(newest=models.Max("seen_at"))["newest"]
    return None if newest is None else (timezone.now() - newest).total_seconds()

"""The Celery application: the bell that is rung when a broker is configured."""

import gc
import logging
import os
import signal
import threading
from contextlib import suppress
from typing import Any

from billiard import active_children
from celery import Celery, Task
from celery.signals import worker_process_init, worker_process_shutdown, worker_shutting_down
from celery.worker.request import Request

logger = logging.getLogger(__name__)
STOP_S = 8.0  # from SIGTERM to the end of a worker, whatever it has in hand

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lagpdb.settings")


class Answered(Request):
    """A message whose acknowledgement may come too late: the broker has gone meanwhile, and it is noted in the log.

    Celery lets only the errors of a live connection pass. A channel that is closed already raises AttributeError, which
    would end the worker instead of letting it connect again. A message that comes twice does no harm: the ledger knows
    what was done.
    """

    def __init__(self, *args: Any, connection_errors: tuple[type[Exception], ...] = (), **more: Any) -> None:
        super().__init__(*args, connection_errors=(*connection_errors, AttributeError), **more)


class Rung(Task):
    """What a bell wakes."""

    Request = Answered


app = Celery("lagpdb", task_cls=Rung)
app.set_default()  # in every thread of the web server, not only in the one that imports this
app.config_from_object("django.conf:settings", namespace="CELERY")
# Celery would close the database connection around every task, and a new one costs more than most of our work; the
# tasks themselves ask for a sound one.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000_000
app.autodiscover_tasks(["analysis"])


@worker_process_init.connect
def start_fence(**_: object) -> None:
    """Each pool process has its own child for vendor files, started before the first file arrives."""
    from analysis.queueing import analyses, combinations
    from measurements.ingest import fence

    fence().start()
    analyses()
    combinations()
    gc.collect()
    gc.freeze()  # the libraries stay for good: the collector need not walk through them after every few files


@worker_process_shutdown.connect
def stop_fence(**_: object) -> None:
    """The child ends with its pool process."""
    from measurements.ingest import fence

    fence().stop()


@worker_shutting_down.connect
def end_in_time(**_: object) -> None:
    """A worker that is told to stop begins nothing more, and ends within ten seconds whatever holds it.

    What it had in hand is not lost: its lease lapses, and another worker takes it up.
    """
    from lagpdb import ledger

    ledger.stopping.value = True
    last = threading.Timer(STOP_S, _end_now)
    last.daemon = True
    last.start()


def _end_now() -> None:
    logger.warning("The worker did not end by itself within %.0f s and is ended; its jobs will be taken up.", STOP_S)
    for child in active_children():
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
    os._exit(0)

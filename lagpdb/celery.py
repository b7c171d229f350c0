"""The Celery application: the bell that is rung when a broker is configured."""

import gc
import os

from celery import Celery
from celery.signals import worker_process_init, worker_process_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lagpdb.settings")
app = Celery("lagpdb")
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

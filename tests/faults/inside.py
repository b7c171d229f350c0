"""The helper inside a site: one question a line on stdin, one answer a line on stdout. Not a test.

It runs with the settings of the site, so that it sees its database and store, and rings its bell.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import django
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, connection

_patched: list[Any] = []


def set_up() -> None:
    """Make the tables and gather the static files."""
    from lagpdb.management.commands.serve import collect_static

    call_command("migrate", verbosity=0)
    collect_static()


def token() -> str:
    """A token of somebody who may upload."""
    from tests import builders

    return builders.token()


def person() -> tuple[str, str]:
    """Name and password of somebody new."""
    from tests import builders

    return builders.user().get_username(), "a long password"


def cells(number: int) -> list[str]:
    """Codes of new cells."""
    from tests import spine

    return [spine.cell().code for _ in range(number)]


def receive(number: int, cells: int, seed: int) -> list[int]:
    """Take spectra of new cells, at four temperatures each, as an upload does; ring for them."""
    from tests import spine
    from tests.faults.site import TEMPERATURES

    codes = [spine.cell().code for _ in range(cells)]
    files = []
    for n in range(number):
        heat = TEMPERATURES[n // cells % len(TEMPERATURES)]
        files.append((f"{codes[n % cells]}_{heat}C_{n}.csv", spine.spectrum(heat, seed=seed + n)))
    return list(spine.upload(*files).files.values_list("pk", flat=True))


def look() -> dict[str, Any]:
    """How far the work is."""
    from lagpdb.ledger import job_models
    from measurements.models import UploadFile

    states = {
        model.__name__: dict(
            Counter(f"{state} ({job})" for state, job in model.objects.values_list("state", "job_state"))
        )
        for model in job_models()
    }
    jobs = sum(model.objects.exclude(job_state="ended").count() for model in job_models())
    files = UploadFile.objects.exclude(state__in=UploadFile.FINAL).count()
    return {"jobs": jobs, "files": files, "states": states}


def in_work() -> list[tuple[int, int]]:
    """The runs that a worker has in hand: key and claim."""
    from analysis.models import AnalysisRun

    return list(AnalysisRun.objects.filter(job_state="working").values_list("pk", "attempts"))


def files() -> list[dict[str, Any]]:
    """Every file of every upload."""
    from measurements.models import UploadFile

    return list(UploadFile.objects.order_by("pk").values("id", "name", "state", "message", "attempts"))


def runs() -> list[dict[str, Any]]:
    """Every run."""
    from analysis.models import AnalysisRun

    return list(AnalysisRun.objects.order_by("pk").values("id", "analysis", "state", "attempts", "is_current"))


def numbers(quantity: str) -> list[float]:
    """The current values of a quantity."""
    from analysis.models import Result

    return list(Result.objects.current().filter(quantity=quantity).order_by("pk").values_list("value", flat=True))


def silence() -> None:
    """Nobody hears this helper ring until `listen`: jobs are noted, and only the sweep finds them."""
    from lagpdb import ledger

    _patched.append(patch.object(ledger, "ring"))
    _patched[-1].start()


def listen() -> None:
    """The end of `silence`."""
    _patched.pop().stop()


def check() -> dict[str, Any]:
    """What must hold after every fault: all is final, nothing is lost, nothing counts twice, the store is sound."""
    from analysis.models import AnalysisRun
    from analysis.queueing import analyses_for
    from lagpdb.ledger import job_models
    from measurements.models import Measurement, UploadFile
    from measurements.store import store
    from tests import spine

    problems = []
    try:
        spine.check_invariants()
    except AssertionError as error:
        problems.append(f"{error} {traceback.format_exc(limit=-1)}")
    for model in job_models():
        for job in model.objects.exclude(job_state="ended"):
            problems.append(f"{model.__name__} {job.pk} is {job.job_state}")
        for job in model.objects.filter(lease_until__isnull=False):
            problems.append(f"{model.__name__} {job.pk} ended with a lease")
    for file in UploadFile.objects.filter(state="done"):
        if file.measurements.count() != 1:
            problems.append(f"{file} is done with {file.measurements.count()} measurements")
    for measurement in Measurement.objects.all():
        for item in analyses_for(measurement):
            of_it = measurement.runs.filter(analysis=item.slug)
            if of_it.count() != 1:
                problems.append(f"{measurement.code} has {of_it.count()} runs of {item.slug}")
            if of_it.filter(is_current=True, state="succeeded").count() != 1:
                problems.append(f"{measurement.code} has no run of {item.slug} in force")
        if not measurement.results.filter(is_current=True).exists():
            problems.append(f"{measurement.code} has no number in force")
    for run in AnalysisRun.objects.filter(state="succeeded", results=None):
        problems.append(f"{run} has no numbers")
    incoming = [path.name for path in (store().raw / "incoming").glob("*")]
    problems += [f"{name} was left in incoming" for name in incoming]
    problems += [f"{path} was left half-written" for path in store().parsed.glob("*/*/*/.*")]
    jobs = [row for model in job_models() for row in model.objects.values_list("state", "attempts")]
    words = io.StringIO()
    try:
        call_command("verify_store", stdout=words)
    except SystemExit:
        problems.append(words.getvalue())
    return {
        "problems": problems,
        "files": dict(Counter(UploadFile.objects.values_list("state", flat=True))),
        "runs": dict(Counter(AnalysisRun.objects.values_list("state", flat=True))),
        "failed": UploadFile.objects.filter(state="failed").count()
        + AnalysisRun.objects.filter(state="failed").count(),
        "measurements": Measurement.objects.count(),
        "again": sum(attempts > 1 for _, attempts in jobs),
        "verify_store": words.getvalue().strip(),
    }


COMMANDS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (set_up, token, person, cells, receive, look, in_work, files, runs, numbers, silence, listen, check)
}


def main() -> None:
    """Answer until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a command prints goes to the log
    django.setup()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"answer": COMMANDS[name](**arguments)}
        except (OperationalError, InterfaceError) as error:
            answer = {"away": str(error)}
        except Exception:
            answer = {"broken": traceback.format_exc()}
        finally:
            connection.close()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

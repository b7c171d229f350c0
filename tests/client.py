"""The client of an installation under test: uploads and looks, as told on stdin, one line of JSON at a time.

Run by `tests.installation` as ``python -m tests.client`` with the environment of that installation.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
import traceback
from typing import Any

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import InterfaceError, OperationalError, connection  # noqa: E402

from analysis.models import AnalysisRun, Result  # noqa: E402
from analysis.queueing import analyses_for  # noqa: E402
from lagpdb import ledger  # noqa: E402
from measurements.models import Measurement, UploadFile  # noqa: E402
from measurements.store import store  # noqa: E402
from tests import builders, spine  # noqa: E402


def upload(count: int = 1, name: str = "{cell}_{t}C.csv", cells: int = 1, same: bool = False) -> float:
    """Upload that many spectra over new cells; returns the seconds that receiving took."""
    made = [spine.cell() for _ in range(cells)]
    files = []
    for number in range(count):
        temperature = 20 + 5 * (number // cells % 16)
        content = spine.spectrum(temperature, seed=0 if same else number + 1000 * made[0].pk)
        files.append((name.format(cell=made[number % cells].code, t=temperature), content))
    stored = [spine.arrived(*file) for file in files]
    started = time.monotonic()
    spine.receive(stored, by=None)
    return time.monotonic() - started


def upload_in_silence(count: int) -> None:
    """Upload, and let the bell be lost, as when the server dies right after the commit."""
    ring, ledger.ring = ledger.ring, lambda job: None
    try:
        upload(count)
    finally:
        ledger.ring = ring


def states() -> dict[str, int]:
    """How many files are in which state."""
    found: dict[str, int] = {}
    for state in UploadFile.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def settled() -> bool:
    """Whether all work is final. A file that was read leaves its runs behind in the same moment: both are asked."""
    return not any(unfinished().values())


def unfinished() -> dict[str, int]:
    """How many jobs and files wait for something."""
    jobs = sum(model.objects.exclude(job_state="ended").count() for model in ledger.job_models())
    return {"jobs": jobs, "files": UploadFile.objects.exclude(state__in=UploadFile.FINAL).count()}


def succeeded() -> int:
    """How many runs have numbers."""
    return AnalysisRun.objects.filter(state="succeeded").count()


def in_work() -> list[tuple[int, int]]:
    """The runs that a worker has in hand: key and claim."""
    return list(AnalysisRun.objects.filter(job_state="working").values_list("pk", "attempts"))


def idle_transactions(longer_than_s: float) -> int:
    """How many connections of this database wait within a transaction for their client for so long."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        " AND clock_timestamp() - state_change > make_interval(secs => %s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [longer_than_s])
        return int(cursor.fetchone()[0])


def token() -> str:
    """A token of somebody new who may upload."""
    return builders.token()


def person() -> tuple[str, str]:
    """Name and password of somebody new."""
    return builders.user().get_username(), "a long password"


def cell() -> str:
    """Code of a new cell."""
    return spine.cell().code


def files() -> list[dict[str, Any]]:
    """Every file of every upload."""
    return list(UploadFile.objects.order_by("pk").values("name", "state", "message"))


def messages() -> dict[str, str]:
    """What the files say, by name."""
    return dict(UploadFile.objects.values_list("name", "message"))


def check(once: bool = True) -> dict[str, int]:
    """Fail when an invariant is broken; else counts. `once`: nobody asked for anything to be computed again."""
    spine.check_invariants()
    for model in ledger.job_models():
        assert not model.objects.exclude(job_state="ended", lease_until=None).exists()
    for file in UploadFile.objects.filter(state="done"):
        assert file.measurements.count() == 1, file
    assert not AnalysisRun.objects.filter(state="succeeded", results=None).exists()
    for measurement in Measurement.objects.all():
        for item in analyses_for(measurement):
            runs = measurement.runs.filter(analysis=item.slug)
            assert not once or runs.count() == 1, (measurement, item.slug, runs.count())
            if not runs.filter(state="failed").exists():
                assert runs.filter(is_current=True, state="succeeded").count() == 1, (measurement, item.slug)
                assert measurement.results.filter(run__analysis=item.slug, is_current=True).exists(), measurement
    left = [*store().raw.glob("incoming/*"), *store().parsed.glob("*/*/*/.*")]
    assert not left, f"half-written files in the store: {left}"
    words = io.StringIO()
    try:
        call_command("verify_store", stdout=words)
    except SystemExit:
        raise AssertionError(words.getvalue()) from None
    jobs = [row for model in ledger.job_models() for row in model.objects.values_list("state", "attempts")]
    return {
        "measurements": Measurement.objects.count(),
        "runs": AnalysisRun.objects.count(),
        "succeeded": AnalysisRun.objects.filter(state="succeeded").count(),
        "failed": sum(state == "failed" for state, _ in jobs),
        "again": sum(begun > 1 for _, begun in jobs),
        "sigma": Result.objects.current().filter(quantity="ionic_conductivity_S_cm").count(),
        "energies": Result.objects.current().filter(quantity="activation_energy_eV", label="sigma_T").count(),
        "most_attempts": max(
            UploadFile.objects.order_by("-attempts").values_list("attempts", flat=True)[:1], default=0
        ),
    }


def attempts() -> int:
    """Attempts of the run that needed most."""
    return max(AnalysisRun.objects.values_list("attempts", flat=True), default=0)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer: dict[str, Any] = {"value": globals()[name](**arguments)}
        except (OperationalError, InterfaceError) as error:
            answer = {"away": str(error)}
        except Exception:
            answer = {"error": traceback.format_exc(limit=-3)}
        finally:
            connection.close()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

"""The client of an installation under test: uploads and looks, as told on stdin, one line of JSON at a time.

Run by `tests.installation` as ``python -m tests.client`` with the environment of that installation.
"""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
import time
import traceback
from typing import Any

import django

django.setup()

from django.core.handlers.wsgi import WSGIRequest  # noqa: E402
from django.db import close_old_connections  # noqa: E402
from django.test import RequestFactory  # noqa: E402

from analysis.models import AnalysisRun, Result  # noqa: E402
from lagpdb import ledger  # noqa: E402
from measurements.models import Measurement, UploadFile  # noqa: E402
from measurements.store import Writer, store  # noqa: E402
from tests import spine  # noqa: E402


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


def upload_bytes(megabytes: list[int]) -> list[dict[str, Any]]:
    """Send noise of these sizes as one form through Django's own parser and our upload handler."""
    if limit := os.environ.get("LAGPDB_TEST_FILE_LIMIT_MB"):
        _fill_up_at(int(limit) * 1_000_000)
    boundary = "limit"
    body = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{number}.bin"\r\n\r\n'.encode()
        + os.urandom(size * 1_000_000)
        + b"\r\n"
        for number, size in enumerate(megabytes)
    )
    body += f"--{boundary}--\r\n".encode()
    environ = RequestFactory()._base_environ(
        REQUEST_METHOD="POST",
        CONTENT_TYPE=f"multipart/form-data; boundary={boundary}",
        CONTENT_LENGTH=str(len(body)),
        **{"wsgi.input": io.BytesIO(body)},
    )
    request = WSGIRequest(environ)
    request.user = spine.person()
    # The check before the body is read is a favour; what counts is the disk that fills up on the way.
    store().free_bytes = lambda: 10**12
    files = request.FILES.getlist("files")
    spine.receive(files, by=None)
    return [{"status": file.refused_status, "refused": file.refused} for file in files]


def _fill_up_at(size_bytes: int) -> None:
    """Writing more than so much into one file says that the disk is full."""
    write = Writer.write

    def limited(self: Writer, chunk: bytes) -> None:
        if self.size_bytes + len(chunk) > size_bytes:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, chunk)

    Writer.write = limited


def states() -> dict[str, int]:
    """How many files are in which state."""
    found: dict[str, int] = {}
    for state in UploadFile.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def settled() -> bool:
    """Whether all work is final."""
    return not any(model.objects.exclude(job_state="ended").exists() for model in ledger.job_models())


def messages() -> dict[str, str]:
    """What the files say, by name."""
    return dict(UploadFile.objects.values_list("name", "message"))


def check() -> dict[str, int]:
    """Fail when an invariant is broken; else counts."""
    spine.check_invariants()
    left = [path.name for path in store().raw.glob("incoming/*")]
    assert not left, f"temporary files in the store: {left}"
    for sha256 in store().hashes():
        store().check(sha256)
    return {
        "measurements": Measurement.objects.count(),
        "runs": AnalysisRun.objects.count(),
        "succeeded": AnalysisRun.objects.filter(state="succeeded").count(),
        "sigma": Result.objects.current().filter(quantity="ionic_conductivity_S_cm").count(),
        "energies": Result.objects.current().filter(quantity="activation_energy_eV", label="sigma_T").count(),
        "most_attempts": max(
            UploadFile.objects.order_by("-attempts").values_list("attempts", flat=True)[:1], default=0
        ),
    }


def attempts() -> int:
    """Attempts of the run that needed most."""
    return max(AnalysisRun.objects.values_list("attempts", flat=True), default=0)


def freeze_running(pids: list[int], timeout_s: float = 20.0) -> bool:
    """Stop these processes in the very moment in which a run is being computed; they stay stopped."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if AnalysisRun.objects.filter(job_state="working").exists():
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(0.02)
            if AnalysisRun.objects.filter(job_state="working").exists():
                return True
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.001)
    return False


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            close_old_connections()
            answer: dict[str, Any] = {"value": globals()[name](**arguments)}
        except Exception:
            answer = {"error": traceback.format_exc(limit=-3)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()

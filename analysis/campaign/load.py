"""Load the reference campaign through the real upload path: records, files, and the wait for their results."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, Q, Sum

from analysis.campaign.lithium import PlannedFile, PlannedTest
from analysis.campaign.plan import NOTE, TEMPERATURES_DEGC, PlannedCell
from analysis.campaign.records import cells_of, make_records, tests_of
from analysis.campaign.reported import number
from analysis.campaign.writers import LAYOUTS
from analysis.decisions import reanalyse
from analysis.models import AnalysisRun
from analysis.tasks import drain
from lagpdb import ledger
from measurements.ingest import fence, receive
from measurements.models import Measurement, Upload, UploadFile
from measurements.store import StoredUpload, put_bytes
from measurements.waiting import try_again
from samples.models import Cell, SputterSetting

PATIENCE_S = 60.0
POLL_S = 0.25
AGAIN = "load_demo was called again"

Say = Callable[[str], object]


class CampaignError(Exception):
    """The campaign could not be completed; the sentence says why and what to do."""


class Stopped(CampaignError):
    """Somebody asked to stop; calling again completes it."""


@dataclass
class Campaign:
    """What is loaded.

    Attributes
    ----------
    cells : list of (PlannedCell, Cell)
        The blocking cells.
    tests : list of (PlannedTest, Cell)
        The symmetric and full cells.
    problems : list of str
        A sentence per file or run that failed.
    withdrawn : str
        The sentence to show when the whole set lies in the trash.
    """

    cells: list[tuple[PlannedCell, Cell]] = field(default_factory=list)
    tests: list[tuple[PlannedTest, Cell]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    withdrawn: str = ""

    @property
    def cell_keys(self) -> list[int]:
        """Primary keys of all its cells."""
        return [cell.pk for _, cell in [*self.cells, *self.tests]]


def load(say: Say = lambda text: None, goes_on: Callable[[], bool] = lambda: True) -> Campaign:
    """Load what is missing, and return when all runs are final.

    Parameters
    ----------
    say : callable
        Told in a line what happens.
    goes_on : callable
        Asked between two jobs; once it says no, `Stopped` is raised.

    Raises
    ------
    CampaignError
        Nothing moves any more.
    """
    lot, is_new = make_records()
    if lot.is_withdrawn:
        why = f"{lot.code}: {lot.withdrawn_reason}"
        return Campaign(withdrawn=f"The reference set is in the trash ({why}). Restore it to see it again.")
    campaign = Campaign(cells_of(lot), tests_of(lot))
    if is_new:
        say(
            f"{lot.code}: one pellet batch, sputter runs and conversions, "
            f"{len(campaign.cells)} blocking cells, {len(campaign.tests)} symmetric and full cells."
        )
    sent = 0
    for planned, cell in campaign.cells:
        if not goes_on():
            raise _stopped()
        sent += _send(planned, cell)
    for test, cell in campaign.tests:
        if not goes_on():
            raise _stopped()
        sent += sum(_send_test(test, file, cell) for file in test.files)
    if sent:
        say(f"{sent} instrument files uploaded; reading them and computing …")
    else:
        say(f"The reference set is there already ({lot.code}): no file was sent again.")
        _try_failed_again(campaign)
    try:
        _wait(campaign, say, goes_on)
    finally:
        # The caller may live on for days without reading another file (`serve --demo`).
        if not settings.REDIS_URL:
            fence().stop()
    campaign.problems = _problems(campaign)
    return campaign


def _stopped() -> Stopped:
    return Stopped("Stopped on request. Nothing is lost: call load_demo again and it goes on from here.")


# -- files -------------------------------------------------------------------------------------------------------------
def _files(**of: Any) -> models.QuerySet[UploadFile]:
    """The files that the campaign sent."""
    return UploadFile.objects.filter(upload__is_synthetic=True, upload__notes=NOTE, **of)


def _send(planned: PlannedCell, cell: Cell) -> int:
    """Write and upload the files of a cell that were never sent; returns how many."""
    folder = planned.folder_of(cell.code)
    names = {planned.name_of(cell.code, celsius): celsius for celsius in TEMPERATURES_DEGC}
    there = set(_files(folder=folder, name__in=names).values_list("name", flat=True))
    missing = [name for name in names if name not in there]
    if not missing:
        return 0
    files = [put_bytes(name, LAYOUTS[planned.layout].write(planned.sweep(names[name]))) for name in missing]
    for file in files:
        file.folder = folder
    _note_upload(files, subject=cell if planned.is_chosen else None)
    return len(files)


def _send_test(planned: PlannedTest, file: PlannedFile, cell: Cell) -> int:
    """Write and upload one file of a lithium cell unless it was sent before; returns how many went."""
    name = file.name.format(code=cell.code)
    if _files(name=name).exists():
        return 0
    stored = put_bytes(name, planned.content(file))
    _note_upload([stored], kind=file.kind, temperature_degC=number("M01"), parameters=file.said)
    return 1


def _note_upload(files: list[StoredUpload], **more: Any) -> None:
    # The note is how these files are found again: it comes with them or not at all.
    with transaction.atomic():
        upload = receive(files, by=None, is_synthetic=True, **more)
        Upload.objects.filter(pk=upload.pk).update(notes=NOTE)


# -- waiting -----------------------------------------------------------------------------------------------------------
def _own_measurements() -> models.QuerySet[Measurement]:
    """The measurements that the campaign's files made, without those that a person withdrew."""
    return Measurement.objects.live().filter(upload_files__in=_files())


def _runs(campaign: Campaign) -> models.QuerySet[AnalysisRun]:
    """The runs on the measurements of the campaign, and the combinations on its cells and its sputter settings."""
    own = Q(cell__in=campaign.cell_keys) | Q(measurement__in=_own_measurements())
    pellets = [cell.pellet_id for _, cell in [*campaign.cells, *campaign.tests]]
    settings_used = SputterSetting.objects.filter(runs__coatings__pellet__in=pellets)
    return AnalysisRun.objects.filter(own | Q(sputter_setting__in=settings_used))


def _progress(campaign: Campaign) -> dict[str, Any]:
    """How many files and runs are open, and numbers that change whenever something moves."""
    files = _files().aggregate(
        all=Count("pk"), begun=Sum("attempts"), open=Count("pk", filter=~Q(state__in=UploadFile.FINAL))
    )
    runs = _runs(campaign).aggregate(
        all=Count("pk"), begun=Sum("attempts"), open=Count("pk", filter=~Q(state__in=AnalysisRun.FINAL))
    )
    return {"files": files, "runs": runs}


def _wait(campaign: Campaign, say: Say, goes_on: Callable[[], bool]) -> None:
    """Until every run is final. Without a broker the work is done here; a worker beside it takes its share."""
    patience_s = PATIENCE_S if settings.REDIS_URL else PATIENCE_S + settings.LEASE_S
    seen, moved_at, swept_at = None, time.monotonic(), time.monotonic()
    while goes_on():
        if not settings.REDIS_URL:
            drain(goes_on)
        now = _progress(campaign)
        if not now["files"]["open"] and not now["runs"]["open"]:
            return
        if now != seen:
            seen, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > patience_s:
            raise CampaignError(_stuck(now, patience_s))
        if time.monotonic() - swept_at > settings.SWEEP_S:
            swept_at = time.monotonic()
            ledger.sweep()
            open_count, count = now["files"]["open"], now["files"]["all"]
            lapse = f"what a killed worker held is taken over after {settings.LEASE_S:.0f} s"
            say(f"… {open_count} of {count} files are not done yet; {lapse}.")
        time.sleep(POLL_S)
    raise _stopped()


def _stuck(now: dict[str, Any], patience_s: float) -> str:
    what = f"{now['files']['open']} files and {now['runs']['open']} analyses"
    where = (
        "Is a worker running? Start one with ‘celery -A lagpdb worker’"
        if settings.REDIS_URL
        else "Another worker holds them: look at its log"
    )
    return f"Nothing has moved for {patience_s:.0f} s; {what} wait. {where}, then call load_demo again."


# -- what failed -------------------------------------------------------------------------------------------------------
def _failed_runs(campaign: Campaign) -> list[AnalysisRun]:
    """The failed runs that the campaign's files caused, and that no newer one on the same question followed.

    What people do to the cells afterwards (withdraw a measurement, try a bad file) is not the campaign's failure.
    """
    newest: dict[tuple[Any, ...], AnalysisRun] = {}
    for run in _runs(campaign).defer("curves", "tables", "inputs", "warnings").order_by("pk"):
        newest[run.analysis, run.measurement_id, run.cell_id] = run
    failed = [run.pk for run in newest.values() if run.state == AnalysisRun.State.FAILED]
    own = Q(caused_by__in=_files()) | Q(reason=AGAIN)
    return list(AnalysisRun.objects.filter(own, pk__in=failed).distinct().select_related("cell", "measurement__cell"))


def _try_failed_again(campaign: Campaign) -> None:
    """A second call is also a second chance for what failed in the first."""
    for file in _files(state__in=[UploadFile.State.FAILED, UploadFile.State.NEEDS_SAMPLE], raw_file__isnull=False):
        try_again(file, by=None)
    for run in _failed_runs(campaign):
        # A combination runs again when one of its numbers comes in again.
        measurement = run.measurement or _own_measurements().filter(cell=run.cell).first()
        if measurement is not None:
            reanalyse(measurement, by=None, reason=AGAIN)


def _problems(campaign: Campaign) -> list[str]:
    bad = _files(state__in=[UploadFile.State.FAILED, UploadFile.State.NEEDS_SAMPLE])
    sentences = [f"{file.name}: {file.message}" for file in bad]
    return sentences + [f"{run.analysis} of {run.subject.code}: {run.message}" for run in _failed_runs(campaign)]

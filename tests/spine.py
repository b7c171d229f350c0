"""Files and uploads for tests of the spine, and what must hold after any of them: small, synthetic, in a few lines."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.contrib.auth import get_user_model

from analysis.models import AnalysisRun, Result
from analysis.science import synthetic
from analysis.tasks import drain
from lagpdb.records import save_record
from measurements.ingest import receive
from measurements.models import Upload, UploadFile
from measurements.store import StoredUpload, put_bytes
from samples.models import Cell, Pellet, PelletBatch
from tests import builders

SIGMA_25_S_CM = 2.0e-4
ACTIVATION_EV = 0.35


def person(name: str = "lin") -> Any:
    """Somebody who works in the lab."""
    return get_user_model().objects.get_or_create(username=name)[0]


def batch(**fields: Any) -> PelletBatch:
    """A batch of LAGP pellets."""
    return builders.batch(**fields)


def pellet(of: PelletBatch | None = None, **fields: Any) -> Pellet:
    """A pellet, 800 µm thick and 12 mm wide unless told, not weighed."""
    known = {"batch": of, "thickness_um": 800.0, "thickness_uncertainty_um": 4.0, "mass_mg": None}
    return builders.pellet(**known | fields)


def cell(on: Pellet | None = None, configuration: str = "blocking", **fields: Any) -> Cell:
    """A cell, with electrodes of 10 mm unless told."""
    lot = {"electrode_lot": builders.electrode_lot(diameter_mm=12.0)} if configuration == "full" else {}
    known = {"electrode_diameter_mm": 10.0} | lot | fields
    return save_record(Cell(pellet=on or pellet(), configuration=configuration, **known), by=None)


def spectrum(temperature_degC: float = 25.0, seed: int = 1, thickness_um: float = 800.0, points: int = 71) -> bytes:
    """A SYNTHETIC spectrum of a blocking cell as text with one header line."""
    frequency = np.geomspace(1.0e6, 0.1, points)
    z = synthetic.blocking_cell_spectrum(
        frequency,
        total_conductivity_25degC_S_cm=SIGMA_25_S_CM,
        activation_energy_eV=ACTIVATION_EV,
        thickness_um=thickness_um,
        electrode_area_cm2=np.pi / 4,
        temperature_degC=temperature_degC,
        noise_fraction=0.002,
        rng=np.random.default_rng(seed),
    )
    lines = [f"{f:.6g},{v.real:.8g},{v.imag:.8g}" for f, v in zip(frequency, z, strict=True)]
    return ("frequency_Hz,z_real_ohm,z_imag_ohm\n" + "\n".join(lines) + "\n").encode()


def arrived(name: str, content: bytes, folder: str = "") -> StoredUpload:
    """A file as the upload handler hands it over."""
    file = put_bytes(name, content)
    file.folder = folder
    return file


def upload(*files: tuple[str, bytes], by: Any = None, **more: Any) -> Upload:
    """Receive files given as (name, content)."""
    return receive([arrived(name, content) for name, content in files], by=by, **more)


def taken_in(*files: tuple[str, bytes], **more: Any) -> list[UploadFile]:
    """Receive files, do all work that waits, and return their rows."""
    rows = upload(*files, **more)
    drain()
    return list(rows.files.order_by("pk"))


def arrhenius(sample: Cell, *temperatures: float) -> list[UploadFile]:
    """One spectrum per temperature, all computed."""
    named = [(f"{sample.code}_{t:g}C.csv", spectrum(t, seed=int(t) + sample.pk)) for t in temperatures]
    return taken_in(*named)


def number(quantity: str, sample: Cell | Pellet | None = None, **more: Any) -> Result:
    """The one current number of a quantity."""
    where = {} if sample is None else {"cell" if isinstance(sample, Cell) else "pellet": sample}
    return Result.objects.current().get(quantity=quantity, **where, **more)


def check_invariants() -> None:
    """What holds whatever happened: all work is final, and nothing counts twice."""
    waiting = UploadFile.objects.exclude(state__in=UploadFile.FINAL)
    assert not waiting.exists(), [(file.name, file.state, file.job_state, file.attempts) for file in waiting]
    running = AnalysisRun.objects.exclude(state__in=AnalysisRun.FINAL)
    assert not running.exists(), [(run.pk, run.state, run.job_state, run.attempts) for run in running]
    current = AnalysisRun.objects.filter(is_current=True)
    targets = list(current.values_list("analysis", "measurement_id", "cell_id", "pellet_id"))
    assert len(targets) == len(set(targets))
    places = list(Result.objects.values_list("run_id", "quantity", "position"))
    assert len(places) == len(set(places))
    assert not Result.objects.filter(is_current=True).exclude(run__is_current=True).exists()
    assert not Result.objects.filter(is_current=False, run__is_current=True).exists()

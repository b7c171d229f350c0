"""The contracts of an analysis and of a combination. Pure: no Django, no database, no settings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd

FLAGS = ("ok", "suspect", "out_of_range", "not_converged", "missing")
LIMITS = ("=", "<", ">", "<=", ">=")

Parameters = Mapping[str, Any]
"""What is known beside the recording and the sample. Keys are those of the upload (``fit_range_Hz``: [low, high],
``circuit``: str, ``masked_points``: list of row numbers from 0, ``electrode_area_cm2``: float, ...), and from the
measurement ``temperature_degC`` (float or absent) and ``temperature_origin`` ('file', 'name', 'person', 'assumed')."""


class AnalysisError(Exception):
    """Nothing can be computed; the message (place, cause, next step) is shown to people and ends the run as failed."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True)
class Subject:
    """The sample as an analysis sees it; ``None`` where the record is silent. Units stand in the names."""

    kind: str  # "cell", "pellet", "witness_plate", "sputter_setting"
    code: str
    configuration: str | None = None  # "blocking", "symmetric", "full"
    notation: str = ""
    is_coated: bool = False
    thickness_um: float | None = None
    thickness_uncertainty_um: float | None = None
    pellet_diameter_mm: float | None = None
    electrode_diameter_mm: float | None = None
    electrode_diameter_uncertainty_mm: float | None = None
    electrode_area_cm2: float | None = None
    active_mass_mg: float | None = None
    theoretical_capacity_mAh_g: float | None = None  # of the active material; 1 C is this many mA per gram


@dataclass(frozen=True)
class Finding:
    """One number that an analysis reports, before it becomes a row.

    `value` None goes with flag ``missing`` (or ``not_converged``), no uncertainty. `uncertainty` is standard (k = 1).
    `is_open`: a person is asked for a choice that may replace the number; it is provisional until then, without a flag.
    """

    quantity: str
    value: float | None
    uncertainty: float | None = None
    limit: str = "="
    flag: str = "ok"
    label: str = ""
    position: int = 0
    temperature_degC: float | None = None
    cycle_number: int | None = None
    reference_cycle: int | None = None
    current_density_mA_cm2: float | None = None
    c_rate: float | None = None
    is_open: bool = False


@dataclass
class Outcome:
    """All that a run leaves behind.

    Attributes
    ----------
    findings : list of Finding
    warnings : list of (code, sentence)
    curves : dict
        Series for the plots: ``{"data": {"frequency_Hz": [...], "z_real_ohm": [...], ...}, "fit": {...}}``.
    tables : dict
        Tables for people: ``{"fit": [{"parameter": ..., "value": ..., "uncertainty": ..., "unit": ...}, ...]}``.
    inputs : dict
        Every value used that is not in the recording, with its uncertainty and where it came from:
        ``{"thickness_um": {"value": 801.0, "uncertainty": 3.0, "origin": "PEL-0142"}}``.
    used : list of int
        For a Combination: ids of the results that entered.
    """

    findings: list[Finding] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    curves: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    inputs: dict[str, Any] = field(default_factory=dict)
    used: list[int] = field(default_factory=list)

    def warn(self, code: str, sentence: str) -> None:
        """Say something that bends no number."""
        self.warnings.append((code, sentence))


class Analysis(ABC):
    """Turns one Recording into numbers."""

    slug: ClassVar[str] = ""
    version: ClassVar[int] = 1  # raised whenever any number may change
    name: ClassVar[str] = ""
    kinds: ClassVar[tuple[str, ...]] = ()  # measurement kinds it is run on without being asked
    subjects: ClassVar[tuple[str, ...]] = ()  # cell configurations, "pellet", or "witness_plate"
    yields: ClassVar[tuple[str, ...]] = ()
    looks_up: ClassVar[tuple[str, ...]] = ()  # accepted numbers of cell and pellet that come as parameters["known"]

    @abstractmethod
    def run(self, recording: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute. `recording` is the frame of the Recording in canonical columns."""


class Combination(ABC):
    """Turns the accepted, unflagged, current numbers of one subject into other numbers."""

    slug: ClassVar[str] = ""
    version: ClassVar[int] = 1
    name: ClassVar[str] = ""
    over: ClassVar[str] = "cell"  # "pellet"; "sputter_setting", whose numbers are film thicknesses
    needs: ClassVar[tuple[str, ...]] = ()
    needs_at_least: ClassVar[int] = 1  # distinct temperatures below which it is not begun
    begins_with: ClassVar[tuple[str, ...]] = ()  # quantities that must all be there before it is begun
    chosen_with: ClassVar[tuple[str, ...]] = ()  # kinds of measurement whose parameters come as parameters["beside"]
    takes_provisional: ClassVar[bool] = False  # whether flagged numbers, not yet judged, enter too (then in `flag`)
    yields: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def run(self, numbers: pd.DataFrame, subject: Subject, parameters: Parameters) -> Outcome:
        """Compute from one row per result: columns ``result_id, quantity, value, uncertainty, temperature_degC,
        measured_at, measurement, label`` (and the other conditions of `Finding`), ``flag``, ``acceptance``, and of the
        recording ``file_name`` and ``uploaded_order``. Over a sputter setting: one row per
        film thickness."""

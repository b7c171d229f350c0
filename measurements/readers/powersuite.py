"""Princeton PowerSuite text: the names Frequency, Zre, Zimg without units (Hz and Ω by the format), nothing else."""

from __future__ import annotations

from pathlib import Path

from measurements.readers.base import Peek, Reader, Recording
from measurements.readers.spectrum import recordings
from measurements.readers.table import read_table
from measurements.readers.text import load, split_lines


class PowerSuiteReader(Reader):
    """PowerSuite export; Zimg has its true sign, lines end with CR CR LF."""

    slug, version, name = "powersuite", 1, "PowerSuite text"

    def recognises(self, peek: Peek) -> bool:
        return split_lines(peek.text[:1024])[0].lstrip("\ufeff").split() == ["Frequency", "Zre", "Zimg"]

    def read(self, path: Path) -> list[Recording]:
        return recordings([read_table(load(path), 0)], {"instrument": "PowerSuite"})

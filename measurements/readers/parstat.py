"""Princeton Applied Research (PARSTAT) text: one table, direct-current rows with frequency 0 before the sweep."""

from __future__ import annotations

from pathlib import Path

from measurements.readers.base import Peek, Reader, Recording
from measurements.readers.spectrum import recordings
from measurements.readers.table import read_table
from measurements.readers.text import load, split_lines


class ParstatReader(Reader):
    """PARSTAT export with Elapsed Time (s), Frequency (Hz), Zre (ohms), Zim (ohms); Zim has its true sign."""

    slug, version, name = "parstat", 1, "PARSTAT text"

    def recognises(self, peek: Peek) -> bool:
        first = split_lines(peek.text[:4096])[0]
        return all(name in first for name in ("Elapsed Time (s)", "Frequency (Hz)", "Zre (ohms)", "Zim (ohms)"))

    def read(self, path: Path) -> list[Recording]:
        return recordings([read_table(load(path), 0)], {"instrument": "PARSTAT"})

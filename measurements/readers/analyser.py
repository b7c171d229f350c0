"""Impedance analyser text (Novocontrol style): title, "Fixed value(s)" line, then Freq. [Hz], Zs' [Ohms], Zs'' [Ohms].

Title and lines before the table may state temperature and geometry; both are handed on, and never used unasked.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from measurements.readers.base import Peek, Reader, ReaderError, Recording, Warnings
from measurements.readers.columns import plain, short
from measurements.readers.facts import header_facts, put_moment, title_temperature_degC
from measurements.readers.spectrum import header_lines, recordings
from measurements.readers.table import read_table
from measurements.readers.text import load

_HEADING = re.compile(r"^\W*Freq\.?\s*\[\w*Hz\]\s.*Zs'\s*\[\w*(?:Ω|ohms?)\].*Zs''\s*\[", re.IGNORECASE | re.MULTILINE)


class AnalyserReader(Reader):
    """Impedance analyser ASCII with Freq., Zs' and Zs'' (series form, Zs'' with its true sign)."""

    slug, version, name = "analyser", 1, "Impedance analyser text"

    def recognises(self, peek: Peek) -> bool:
        text = peek.text
        return ("Zs'" in text or "Zs′" in text) and _HEADING.search(plain(text)) is not None

    def read(self, path: Path) -> list[Recording]:
        document = load(path)
        header = next((i for i, line in enumerate(document.lines[:1000]) if _HEADING.match(plain(line))), None)
        if header is None:
            raise ReaderError(
                "Expected a line of column names ‘Freq. [Hz]  Zs' [Ohms]  Zs'' [Ohms]’; found none. "
                "Export the file again."
            )
        table = read_table(document, header, comments=("#",))
        head = document.lines[:header]
        metadata: dict[str, Any] = {"instrument": "impedance analyser", **header_facts(head)}
        warnings: Warnings = []
        title = next((line for line in head if line.strip()), "")
        put_moment(metadata, warnings, title)
        temperature = title_temperature_degC(title)
        if temperature is not None and "temperature_degC" not in metadata:
            metadata["temperature_degC"] = temperature
            sentence = f"The temperature {temperature:g} °C was read from the title line ‘{short(title)}’."
            warnings.append(("temperature_from_title", sentence))
        metadata["header"] = header_lines(head)
        return recordings([table], metadata, warnings)

"""Which files are read, told from the registry of readers alone: for the upload page and the page about formats."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from typing import Any

from measurements.readers.recognise import readers

NOT_CONFIRMED = "not yet confirmed with a vendor file"


def formats() -> list[dict[str, Any]]:
    """Every format in the words of its reader, and whether a file of the vendor has confirmed it; generic ones last."""
    found = []
    for reader in readers().values():
        words = " ".join((sys.modules[type(reader).__module__].__doc__ or "").split())
        first = re.split(r"\.\s+(?=[A-Z][a-z])", words)[0].rstrip(".").replace("`", "")
        found.append(
            {
                "name": reader.name,
                "version": reader.version,
                "words": first,
                "is_generic": reader.is_generic,
                "is_installed": not reader.needs_module or find_spec(reader.needs_module) is not None,
                "is_confirmed": NOT_CONFIRMED not in words,
            }
        )
    return sorted(found, key=lambda item: (item["is_generic"], item["name"].lower()))


def names() -> str:
    """'Arbin csv/xlsx, Gamry DTA, …, and any table with named columns, as text or Excel workbook'."""
    specific = [each["name"] for each in formats() if each["is_installed"] and not each["is_generic"]]
    return f"{', '.join(specific)}, and any table with named columns, as text or Excel workbook"

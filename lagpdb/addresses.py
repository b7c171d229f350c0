"""The one list of where each kind of record has its page."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse

PAGES = {
    "LOT": "lot_detail",
    "PBT": "batch_detail",
    "PEL": "pellet_detail",
    "CEL": "cell_detail",
    "SPT": "sputter_run_detail",
    "WIT": "witness_plate_detail",
    "FLM": "film_thickness_detail",
    "CNV": "conversion_detail",
    "ELD": "electrode_detail",
    "RCP": "recipe_detail",
    "MEA": "measurement_detail",
    "UPB": "upload_detail",
    # Their codes are chosen by people.
    "material": "material_detail",
    "instrument": "instrument_detail",
}


def address_of(record: Any) -> str:
    """The page of a record or of anything else with a code, '' where it has none."""
    return address_of_code(getattr(record, "PREFIX", "") or record._meta.model_name, record.code)


def address_of_code(kind: str, code: str) -> str:
    """The page of a code of a kind: its prefix, or the model's name where people choose the codes; else ''."""
    try:
        return reverse(PAGES.get(kind, ""), args=[code])
    except NoReverseMatch:
        return ""

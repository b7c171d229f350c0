"""The closed list of measurement kinds. Pure."""

KINDS: dict[str, str] = {
    "eis": "impedance",
    "polarisation": "polarisation",
    "ccd_ramp": "critical current ramp",
    "plating_stripping": "plating and stripping",
    "cycling": "cycling",
    "rate_test": "rate test",
    "xrd": "X-ray diffraction",
    "xps": "photoelectron spectrum",
    "afm": "atomic force microscopy",
    "sem": "electron microscopy",
    "photo": "photograph",
    "attachment": "attachment",
}


def kind_choices() -> list[tuple[str, str]]:
    """Choices of a model field; a callable, so that a new kind needs no migration."""
    return list(KINDS.items())

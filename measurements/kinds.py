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


def unknown_kind(kind: str) -> str:
    """What is said of a kind that is none."""
    return f"‘{kind}’ is not a kind of measurement. Kinds: {', '.join(KINDS)}."


# Kinds of recordings over time, and the cells that each can be measured in.
FITS: dict[str, tuple[str, ...]] = {
    "polarisation": ("blocking", "symmetric", "full"),
    "ccd_ramp": ("symmetric",),
    "plating_stripping": ("symmetric",),
    "cycling": ("full",),
    "rate_test": ("full",),
}
SERIES_KINDS = tuple(FITS)

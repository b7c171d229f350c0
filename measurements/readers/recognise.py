"""Which reader a file belongs to: the content decides, and exactly one specific reader must know it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from lagpdb.registry import discover
from measurements.readers.base import Peek, Reader, ReaderError, Recording
from measurements.readers.signatures import refuse_binary


@cache
def readers() -> dict[str, Reader]:
    """One instance of every reader by slug; they hold no state."""
    # `Reader` is abstract, so mypy doubts that it may be searched for.
    found = discover("measurements.readers", Reader)  # type: ignore[type-abstract]
    return {slug: kind() for slug, kind in found.items()}


def recognise(path: Path, name: str) -> Reader:
    """The reader of a file.

    Parameters
    ----------
    path : Path
        Where the bytes are.
    name : str
        The file's name as uploaded.

    Raises
    ------
    ReaderError
        If no reader knows the file, or several do.
    """
    peek = Peek(path, name)
    if not peek.head.strip(b"\r\n\t \x1a"):
        raise ReaderError("The file is empty. Export it again, then upload that.")
    specific = [reader for reader in readers().values() if not reader.is_generic and reader.recognises(peek)]
    if len(specific) == 1:
        return specific[0]
    if specific:
        names = " and ".join(reader.name for reader in specific)
        raise ReaderError(f"The file looks like {names} at once. Export it again in one of these formats.")
    refuse_binary(peek.head, peek.suffix)
    generic = [reader for reader in readers().values() if reader.is_generic and reader.recognises(peek)]
    if len(generic) == 1:
        return generic[0]
    known = ", ".join(reader.name for reader in readers().values() if not reader.is_generic)
    raise ReaderError(
        f"The format of this file is not known. Known are {known}, and text with columns for frequency, Z′ and Z″. "
        "Export it in one of these, then upload that."
    )


def read_file(path: Path, name: str) -> tuple[Reader, list[Recording]]:
    """Recognise a file and read all its Recordings.

    Raises
    ------
    ReaderError
        With the sentence and line for the person.
    """
    reader = recognise(path, name)
    return reader, reader.read(path)

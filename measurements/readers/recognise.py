"""Which reader a file belongs to: the content decides, and exactly one specific reader must know it."""

from __future__ import annotations

import codecs
import tempfile
from functools import cache
from pathlib import Path

from lagpdb.registry import discover
from measurements.readers.base import BadRow, Peek, Reader, ReaderError, Recording
from measurements.readers.signatures import looks_like_workbook, refuse_binary
from measurements.readers.text import EMPTY, decoded

_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # all that some editors write of an empty file
MOST_SKIPPED = 20  # a file with more bad rows than this is not a file with a few bad rows


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
    if not peek.head.strip(b"\r\n\t \x1a") or peek.head in _MARKS:
        raise ReaderError(EMPTY)
    specific = [reader for reader in readers().values() if not reader.is_generic and reader.recognises(peek)]
    if len(specific) == 1:
        return specific[0]
    if specific:
        names = " and ".join(reader.name for reader in specific)
        raise ReaderError(f"The file looks like {names} at once. Export it again in one of these formats.")
    if not looks_like_workbook(peek.head):
        refuse_binary(peek.head, peek.suffix)
    generic = [reader for reader in readers().values() if reader.is_generic and reader.recognises(peek)]
    if len(generic) == 1:
        return generic[0]
    known = ", ".join(reader.name for reader in readers().values() if not reader.is_generic)
    raise ReaderError(
        f"The format of this file is not known. Known are {known}, and tables with columns for frequency, Z′ and Z″, "
        "or for time, potential and current. "
        "Export it in one of these, then upload that."
    )


def read_file(path: Path, name: str, *, skips_bad_rows: bool = False) -> tuple[Reader, list[Recording]]:
    """Recognise a file and read all its Recordings.

    Parameters
    ----------
    path, name :
        As for `recognise`.
    skips_bad_rows : bool
        A person chose to go on without the rows that cannot be read; each is named in a warning.

    Raises
    ------
    ReaderError
        With the sentence and line for the person.
    """
    reader = recognise(path, name)
    if not skips_bad_rows:
        return reader, reader.read(path)
    skipped: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        data = path.read_bytes()
        text, encoding = decoded(data)
        # A line of UTF-16 does not begin after the byte of a line end.
        lines = (text.encode() if encoding.startswith("utf-16") else data).split(b"\n")
        while True:
            # An emptied line keeps the numbers of all others, and no format counts an empty line as a row.
            copy.write_bytes(b"\n".join(b"" if number in skipped else line for number, line in enumerate(lines, 1)))
            try:
                recordings = reader.read(copy)
                break
            except BadRow as error:
                if error.line is None or error.line in skipped or len(skipped) >= MOST_SKIPPED:
                    raise
                skipped.append(error.line)
    for recording in recordings if skipped else []:
        words = ", ".join(str(number) for number in sorted(skipped))
        recording.warnings.append(("rows_skipped", f"Rows that could not be read were left out: line {words}."))
    return reader, recordings

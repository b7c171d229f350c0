"""Files that are not text, told by their first bytes, and what their owner can do instead."""

from __future__ import annotations

from measurements.readers.base import ReaderError

LAND_SIGNATURE = bytes.fromhex("10110988")
MPR_SIGNATURE = b"BIO-LOGIC MODULAR FILE"

_ZIP = b"PK\x03\x04"
_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"), (b"BM", "BMP"),
    (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"),
)  # fmt: skip
_OTHERS = (
    (MPR_SIGNATURE, "This is an EC-Lab binary file (.mpr). Export it from EC-Lab as text (.mpt), then upload that."),
    (b"%PDF", "This is a PDF document. Upload the file of the instrument, or an export with one row per point."),
    (b"\xd0\xcf\x11\xe0", "This is an old Office file (.xls or .doc). Save it as .xlsx or CSV, then upload that."),
    (b"\x1f\x8b", "This is a gzip archive. Unpack it, then upload the file inside."),
    (b"7z\xbc\xaf\x27\x1c", "This is a 7-Zip archive. Unpack it, then upload the files inside."),
    (b"Rar!\x1a\x07", "This is a RAR archive. Unpack it, then upload the files inside."),
    (b"\x89HDF", "This is an HDF5 file. Export it as text with one row per point, then upload that."),
)
_BY_SUFFIX = {
    ".nox": "This is a NOVA project file (.nox). Export the measurement from NOVA as ASCII, then upload that.",
    ".cex": "This is a LAND binary file. Export it from LAND as text or Excel with ‘all records’, then upload that.",
    ".ccs": "This is a LAND binary file. Export it from LAND as text or Excel with ‘all records’, then upload that.",
    ".mpr": "This is an EC-Lab binary file that is damaged. Export it from EC-Lab as text (.mpt), then upload that.",
}
# Bytes that text holds: tab, line ends, form feed, the old end-of-file mark and ESC are rare but harmless.
_NOT_TEXT = bytes(set(range(32)) - {9, 10, 12, 13, 26, 27}) + b"\x7f"


def refuse_binary(head: bytes, suffix: str) -> None:
    """Say what a binary file is and what to do with it.

    Raises
    ------
    ReaderError
        If the bytes are not text.
    """
    if not head.strip(b"\x00"):
        what = "holds only zero bytes, so the copy is damaged" if head else "is empty"
        raise ReaderError(f"The file {what}. Export it again, then upload that.")
    if head.startswith(LAND_SIGNATURE):
        raise ReaderError(_BY_SUFFIX[".cex"])
    if head.startswith(_ZIP):
        raise ReaderError(_archive(head, suffix))
    for signature, sentence in _OTHERS:
        if head.startswith(signature):
            raise ReaderError(sentence)
    is_binary = _is_binary(head)
    for signature, kind in _IMAGES:
        if is_binary and head.startswith(signature):
            raise ReaderError(f"This is a {kind} image, not a table of values. Upload the instrument’s export.")
    # Zeros at the end alone make no binary file: see `refuse_zeros`.
    if is_binary and _is_binary(head.rstrip(b"\x00")):
        raise ReaderError(
            _BY_SUFFIX.get(suffix)
            or "This is a binary file of a kind that is not known. "
            "Export the data from the instrument’s software as text, then upload that."
        )


def refuse_zeros(data: bytes) -> None:
    """Refuse a text that ends in zero bytes, which a computer leaves that stopped while it wrote.

    Raises
    ------
    ReaderError
        With the line where they begin.
    """
    count = len(data) - len(data.rstrip(b"\x00"))
    if count > 2:  # the last character of UTF-16 may hold one
        line = data.count(b"\n") + 1
        raise ReaderError(
            f"The file ends in {count} zero bytes from line {line} on: the computer stopped before the rows were "
            "written. Export it again from the tester.",
            line=line,
        )


def looks_like_workbook(head: bytes) -> bool:
    """Whether the first bytes are those of an Excel workbook (.xlsx)."""
    return head.startswith(_ZIP) and (b"[Content_Types].xml" in head or b"xl/" in head)


def _archive(head: bytes, suffix: str) -> str:
    if looks_like_workbook(head):
        return "This is an Excel workbook. Save the sheet with the data as CSV, then upload that."
    name = f", although its name ends in {suffix}" if suffix and suffix != ".zip" else ""
    return f"This is a ZIP archive{name}. Unpack it, then upload the files inside."


def _is_binary(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and len(head) > 3:
        # UTF-16: the zeros are letters' halves; real text has few zero pairs.
        return head.count(b"\x00\x00\x00\x00") > 0
    zeros = head.count(0)
    if zeros and not _looks_utf16(head):
        return True
    controls = len(head) - len(head.translate(None, _NOT_TEXT)) - zeros
    return controls > 0.02 * len(head)


def _looks_utf16(head: bytes) -> bool:
    """Whether zeros stand in every second place only, as in UTF-16 text without a mark."""
    part = head[: len(head) // 2 * 2][:4096]
    if len(part) < 8:
        return False
    even, odd = part[0::2].count(0), part[1::2].count(0)
    half = len(part) // 2
    return max(even, odd) > 0.8 * half and min(even, odd) < 0.05 * half

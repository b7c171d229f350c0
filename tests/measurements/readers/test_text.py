"""Encodings by signature, separators and decimal signs by content."""

import pytest

from measurements.readers.text import Layout, decode, detect_layout, split_cells, split_lines

WORDS = "Frequency (Hz)\t-Z'' (Ω)\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_unicode_with_and_without_mark(encoding: str) -> None:
    assert decode((WORDS * 3).encode(encoding)).lstrip("\ufeff") == WORDS * 3


def test_chinese_windows() -> None:
    text = "记录序号,频率/Hz,实部/Ohm\n1,1000,5\n"
    assert decode(text.encode("gb18030")) == text


@pytest.mark.parametrize("text", ["surface area : 0.500 cm²\n", "I Range 10 µA\t25 °C", "Größe Ärger £ ±5"])
def test_western_windows_is_not_taken_for_chinese(text: str) -> None:
    assert decode(text.encode("cp1252")) == text


def test_a_cut_character_at_the_end_does_no_harm() -> None:
    data = ("Ω" * 50).encode()[:-1]
    assert decode(data, cut=True) == "Ω" * 49


def test_never_raises() -> None:
    for data in (b"", b"\x81\x8d\x8f", b"\xff\xfe\x00", b"\x00" * 20, bytes(range(256))):
        assert isinstance(decode(data), str)


def test_line_ends() -> None:
    assert split_lines("a\r\r\nb\r\nc\rd\ne\x85f") == ["a", "b", "c", "d", "e\x85f"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["1.5\t2\t-3", "1\t2.5\t3"], Layout("\t", ".")),
        (["1,5\t2\t-3E-2", "1\t2\t3"], Layout("\t", ",")),
        (["1,5;2,25;-3", "1;2;3"], Layout(";", ",")),
        (["9.9e4, 9.8e1, -2.7e0", "8.2e4, 9.9e1, 1.6e0"], Layout(",", ".")),
        (["1000,0,5", "900,1,6"], Layout(",", ".")),
        (["1000,5 3,2 -1,1", "900 3 -1"], Layout(None, ",")),
        ([" 1e6 2e3   -5e3", " 1e5 2e3 -5e3"], Layout(None, ".")),
        (["1.5:2:-3", "1:2:3"], Layout(":", ".")),
        (["1.5;2;1 µA", "1;2;10 µA"], Layout(";", ".")),
        (["1.5;#DIV/0!;3", "1;2;3"], Layout(";", ".")),
    ],
)
def test_layout(rows: list[str], expected: Layout) -> None:
    assert detect_layout(rows) == expected


def test_no_layout_in_prose() -> None:
    assert detect_layout(["This is a note.", "And another one."]) is None


def test_quoted_cells_and_the_quote_of_z_double_prime() -> None:
    assert split_cells('"a, b", 2', ",") == ["a, b", "2"]
    assert split_cells("Freq/Hz, Z'/ohm, Z\"/ohm", ",") == ["Freq/Hz", "Z'/ohm", 'Z"/ohm']

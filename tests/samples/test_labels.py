"""Labels: what stands on them, that their QR code says the address, and that PDF and ZPL hold what was asked for."""

from __future__ import annotations

import base64
import re
import zlib
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import pytest
import segno
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from reportlab.pdfbase.pdfmetrics import stringWidth

from lagpdb.records import withdraw
from samples.label_files import pdf, zpl
from samples.label_layout import MM_PER_PT, SIZES, place, qr_modules, unprintable
from samples.labels import Label, codes_in, labels_of
from tests import builders

pytestmark = pytest.mark.django_db
PELLET = Label("PEL-0142", "Li₂S/Cu@LAGP@Li₂S/Cu", "2026-02-03")


# -- reading a PDF: as far as our own files need it, from the standard (ISO 32000-1, 7.3 to 9.4) -----------------------
def streams(content: bytes) -> list[str]:
    """The drawing commands of each page."""
    found = []
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        body = match[1].strip()
        found.append(zlib.decompress(base64.a85decode(body, adobe=False) if not body.endswith(b"~>") else _a85(body)))
    return [each.decode("latin-1") for each in found]


def _a85(body: bytes) -> bytes:
    return base64.a85decode(body.removesuffix(b"~>"))


def drawn(page: str) -> list[tuple[str, float, float, float]]:
    """Text, size [pt], x and y [pt] of every piece of text."""
    found = []
    size = 0.0
    pattern = r"/F\d+(?:\+0)? ([\d.]+) Tf|1 0 0 1 ([-\d.]+) ([-\d.]+) Tm|\(((?:\\.|[^\\)])*)\) Tj"
    x = y = 0.0
    for match in re.finditer(pattern, page):
        if match[1]:
            size = float(match[1])
        elif match[2]:
            x, y = float(match[2]), float(match[3])
        else:
            text = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), match[4])
            found.append((re.sub(r"\\(.)", r"\1", text), size, x, y))
    return found


def spoken(page: str) -> list[str]:
    """The lines as a reader copies them."""
    return [bytes.fromhex(code).decode("utf-16-be") for code in re.findall(r"/ActualText <FEFF([0-9A-F]+)>", page)]


def black_squares(page: str, label_height_pt: float, module_pt: float) -> set[tuple[int, int]]:
    """Row and column of every black module, from the rectangles of the page."""
    found = set()
    for match in re.finditer(r"([-\d.]+) ([-\d.]+) ([-\d.]+) ([-\d.]+) re", page):
        x, y, width, height = (float(each) for each in match.groups())
        row = round((label_height_pt - y - height) / module_pt)
        first = round(x / module_pt)
        found |= {(row, first + step) for step in range(round(width / module_pt))}
    return found


# -- what stands on a label --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("PEL-0142", ["PEL-0142"]),
        ("pel142, CEL_98\nmea 1877;PEL-0142", ["PEL-0142", "CEL-0098", "MEA-01877"]),
        ("pel 7 pel 8", ["PEL-0007", "PEL-0008"]),
        (" ,\n ", []),
    ],
)
def test_codes_are_read_in_any_spelling(text: str, codes: list[str]) -> None:
    assert codes_in([text]) == codes


def test_every_kind_of_record_has_a_label(settings: Any) -> None:
    settings.PUBLIC_URL = "https://lab.example"
    film = builders.film_thickness()
    conversion = builders.conversion()
    test = builders.measurement(builders.full_cell())
    arrival = builders.arrival(test)
    pellet = conversion.pellet
    records = [
        pellet.batch.powder_lot, pellet.batch, pellet, film.witness_plate, film.witness_plate.sputter_run, film,
        conversion, test.cell.electrode_lot, test.cell, test, arrival.upload,
    ]  # fmt: skip
    labels, problems = labels_of(record.code for record in records)
    assert problems == []
    assert [label.code for label in labels] == [record.code for record in records]
    said = {label.code[:3]: label.notation for label in labels}
    assert said["PEL"] == "Li₂S/Cu@LAGP@Li₂S/Cu"
    assert said["CEL"] == "Li|LAGP|LFP"
    assert said["WIT"] == "CuS@Si"
    assert all(said.values())
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", label.date) for label in labels)
    assert labels[2].address == f"https://lab.example/s/{pellet.code}"


def test_unknown_codes_are_named_and_withdrawn_ones_still_print() -> None:
    pellet = builders.pellet()
    withdraw(pellet, by=builders.user(), reason="lost")
    labels, problems = labels_of([pellet.code, "PEL-0999", "nonsense"])
    assert [label.code for label in labels] == [pellet.code]
    assert problems == ["PEL-0999 is not in lagpdb.", "nonsense is not in lagpdb."]


def test_many_labels_cost_as_few_queries_as_one() -> None:
    pellets = [builders.pellet() for _ in range(6)]
    with CaptureQueriesContext(connection) as one:
        labels_of([pellets[0].code])
    with CaptureQueriesContext(connection) as six:
        labels_of([pellet.code for pellet in pellets])
    assert len(six) == len(one) == 2


# -- QR code -----------------------------------------------------------------------------------------------------------
def test_the_quiet_zone_is_four_modules_wide() -> None:
    modules = qr_modules("http://127.0.0.1:8000/s/PEL-0142")
    side = len(modules)
    for row in range(side):
        for column in range(side):
            if min(row, column, side - 1 - row, side - 1 - column) < 4:
                assert not modules[row][column]
    assert modules[4][4:11] == (True,) * 7  # the upper edge of the finder pattern


def payload(modules: list[list[bool]]) -> str:
    """The text of a QR code with a byte segment: unmasked, read and told apart after ISO/IEC 18004, 7.7 and 7.4.

    Errors are not corrected: a module that is wrong makes the text wrong. Versions 1 to 5, level L or M: one block, and
    level Q and H of version 1 and 2.
    """
    side = len(modules)
    version = (side - 17) // 4
    form = [modules[8][column] for column in (0, 1, 2, 3, 4, 5, 7, 8)] + [
        modules[row][8] for row in (7, 5, 4, 3, 2, 1, 0)
    ]
    bits = int("".join("1" if bit else "0" for bit in form), 2) ^ 0b101010000010010
    mask = bits >> 10 & 0b111
    masks = [
        lambda i, j: (i + j) % 2, lambda i, j: i % 2, lambda i, j: j % 3, lambda i, j: (i + j) % 3,
        lambda i, j: (i // 2 + j // 3) % 2, lambda i, j: i * j % 2 + i * j % 3,
        lambda i, j: (i * j % 2 + i * j % 3) % 2, lambda i, j: ((i + j) % 2 + i * j % 3) % 2,
    ]  # fmt: skip

    def is_fixed(row: int, column: int) -> bool:
        if row == 6 or column == 6:
            return True
        if (row < 9 and column < 9) or (row < 9 and column >= side - 8) or (row >= side - 8 and column < 9):
            return True
        return version > 1 and abs(row - (side - 7)) <= 2 and abs(column - (side - 7)) <= 2

    read = []
    up = True
    for right in range(side - 1, 0, -2):
        right -= right <= 6
        for row in range(side - 1, -1, -1) if up else range(side):
            for column in (right, right - 1):
                if not is_fixed(row, column):
                    read.append(modules[row][column] ^ (masks[mask](row, column) == 0))
        up = not up
    text = "".join("1" if bit else "0" for bit in read)
    assert text[:4] == "0100", "not a byte segment"
    length = int(text[4:12], 2)
    return bytes(int(text[12 + 8 * k : 20 + 8 * k], 2) for k in range(length)).decode()


@pytest.mark.parametrize("code", ["PEL-0142", "MEA-01877", "UPB-0318"])
def test_the_code_says_the_address(code: str, settings: Any) -> None:
    settings.PUBLIC_URL = "https://lagpdb.example.org"
    label = Label(code, "", "")
    modules = [list(row[4:-4]) for row in qr_modules(label.address)[4:-4]]
    assert payload(modules) == f"https://lagpdb.example.org/s/{code}"


def test_the_modules_are_those_of_the_encoder() -> None:
    address = "http://127.0.0.1:8000/s/CEL-0098"
    code = segno.make(address, error="l", micro=False)
    own = [row[4:-4] for row in qr_modules(address)[4:-4]]
    assert own == [tuple(bool(cell) for cell in row) for row in code.matrix]


# -- PDF ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("slug", list(SIZES))
def test_the_pdf_says_what_the_label_says(slug: str) -> None:
    (page,) = streams(pdf([PELLET], SIZES[slug]))
    first, *notation, last = spoken(page)
    assert (first, "".join(notation), last) == ("PEL-0142", "Li₂S/Cu@LAGP@Li₂S/Cu", "2026-02-03")
    pieces = drawn(page)
    assert "".join(text for text, *_ in pieces) == "PEL-0142Li2S/Cu@LAGP@Li2S/Cu2026-02-03"
    subscripts = [(size, y) for text, size, _, y in pieces if text == "2"]
    letters = [(size, y) for (text, size, _, y), (following, *_) in pairwise(pieces) if following == "2"]
    assert len(subscripts) == len(letters) == 2
    for (small, low), (large, base) in zip(subscripts, letters, strict=True):
        assert small < 0.75 * large
        assert base - large < low < base


@pytest.mark.parametrize("slug", ["25x10", "38x19"])
def test_the_qr_code_of_the_pdf_decodes_to_the_address(slug: str) -> None:
    size = SIZES[slug]
    (page,) = streams(pdf([PELLET], size))
    placed = place(PELLET, size)
    side = len(placed.modules)
    module = placed.qr_mm / side / MM_PER_PT
    black = black_squares(page, (size.height_mm + placed.qr_mm) / 2 / MM_PER_PT, module)
    modules = [[(row, column) in black for column in range(4, side - 4)] for row in range(4, side - 4)]
    assert payload(modules) == PELLET.address
    assert module * MM_PER_PT >= 0.25  # two dots of a 203 dpi head


@pytest.mark.parametrize("slug", list(SIZES))
@pytest.mark.parametrize("notation", ["Ag|LAGP|Ag", "Li|Li₂S/Cu@LAGP@Li₂S/Cu|Li", "W" * 80, "σ of α-phase, 10⁻⁴"])
def test_nothing_stands_outside_the_label(slug: str, notation: str) -> None:
    size = SIZES[slug]
    placed = place(Label("MEA-018777", notation, "2026-02-03"), size)
    for line in placed.lines:
        for run in line.runs:
            assert run.x_mm >= placed.qr_mm
            assert run.x_mm + stringWidth(run.text, run.font, run.size_pt) * MM_PER_PT <= size.width_mm
            assert 0 < run.y_mm < size.height_mm
    assert placed.lines[0].text == "MEA-018777"
    if len(notation) < 40:
        assert "".join(line.text.replace(" ", "") for line in placed.lines[1:-1]) == notation.replace(" ", "")


def test_sheets_begin_where_asked_and_go_on() -> None:
    size = SIZES["A4"]
    labels = [Label(f"PEL-{number:04d}", "LAGP", "2026-02-03") for number in range(1, 4)]
    pages = streams(pdf(labels, size, copies=2, start=64))
    assert [spoken(page)[::3] for page in pages] == [
        ["PEL-0001", "PEL-0001"], ["PEL-0002", "PEL-0002", "PEL-0003", "PEL-0003"],
    ]  # fmt: skip
    # 13 rows of 21.2 mm stand in the middle of 297 mm, 5 columns at 40.6 mm in the middle of 210 mm.
    assert size.corner(0) == pytest.approx(((210 - 4 * 40.6 - 38.1) / 2, (297 - 13 * 21.2) / 2))
    assert size.corner(64) == pytest.approx((size.corner(0)[0] + 4 * 40.6, size.corner(0)[1] + 12 * 21.2))


def test_the_page_of_a_roll_is_the_label() -> None:
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf([PELLET], SIZES["25x10"]))
    assert box is not None
    assert [float(each) * 25.4 / 72 for each in box.groups()] == pytest.approx([25.0, 10.0], abs=1e-3)


def test_what_the_fonts_lack() -> None:
    assert unprintable("Li₂S/Cu@LAGP σ⁻¹ µ é −") == set()
    assert unprintable("粉末 LAGP") == {"粉", "末"}


# -- ZPL ---------------------------------------------------------------------------------------------------------------
def test_zpl_holds_address_and_lines() -> None:
    text = zpl([PELLET, Label("CEL-0098", "Ag|LAGP|Ag", "2026-02-04")], SIZES["38x19"], copies=3)
    assert text.count("^XA") == text.count("^XZ") == 2
    assert text.count("^PQ3") == 2
    assert f"^FDLA,{PELLET.address}^FS" in text
    assert "".join(re.findall(r"\^FD(Li2S[^^]*|@[^^]*)\^FS", text)) == "Li2S/Cu@LAGP@Li2S/Cu"
    assert "^PW304" in text  # 38 mm at 8 dots
    assert "^LL152" in text


def test_zpl_signs_cannot_be_commands() -> None:
    text = zpl([Label("LOT-0007", "^XA~JR_é", "2026-02-03")], SIZES["38x19"])
    assert "^FD_5EXA_7EJR_5F_C3_A9^FS" in text
    assert text.count("^XA") == 1


def test_zpl_is_for_rolls() -> None:
    with pytest.raises(ValueError, match="rolls"):
        zpl([PELLET], SIZES["A4"])
    with pytest.raises(ValueError, match="203 or 300"):
        zpl([PELLET], SIZES["38x19"], dpi=96)


# -- pages -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def viewer() -> Client:
    client = Client()
    client.force_login(builders.user(role="viewer"))
    return client


def test_the_page_shows_what_will_be_printed(viewer: Client) -> None:
    pellets = [builders.pellet() for _ in range(3)]
    codes = ",".join(pellet.code for pellet in pellets)
    content = viewer.get("/labels/", {"codes": f"{codes},PEL-0999", "copies": "2", "size": "A4", "start": "64"}).content
    page = content.decode()
    assert "PEL-0999 is not in lagpdb." in page
    assert page.count('<svg class="label"') == 3
    assert "on 2 sheets" in page
    assert "/s/PEL-0001" in page


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"copies": "0"}, "Copies is a whole number from 1 to 50, not ‘0’."),
        ({"copies": "many"}, "not ‘many’."),
        ({"size": "A4", "start": "66"}, "Start position is a whole number from 1 to 65, not ‘66’."),
    ],
)
def test_wrong_numbers_are_named(given: dict[str, str], sentence: str, viewer: Client) -> None:
    pellet = builders.pellet()
    assert sentence in viewer.get("/labels/", {"codes": pellet.code, **given}).content.decode()


def test_files_are_made_of_long_selections_too(viewer: Client) -> None:
    pellets = [builders.pellet() for _ in range(2)]
    codes = [pellet.code for pellet in pellets] + [f"PEL-{number}" for number in range(5000, 5600)]
    answer = viewer.post("/labels/labels.pdf", {"codes": codes, "size": "25x10"})
    assert answer["Content-Type"] == "application/pdf"
    assert [spoken(page)[0] for page in streams(answer.content)] == [pellet.code for pellet in pellets]
    assert viewer.get("/labels/labels.zpl", {"codes": pellets[0].code}).content.startswith(b"^XA")
    assert viewer.get("/labels/labels.zpl", {"codes": pellets[0].code, "size": "A4"}).status_code == 400
    assert viewer.get("/labels/labels.pdf", {"codes": "PEL-0999"}).status_code == 400
    assert viewer.get("/labels/labels.gif", {"codes": pellets[0].code}).status_code == 404


def test_pages_of_records_lead_to_their_label(viewer: Client) -> None:
    cell = builders.blocking_cell()
    test = builders.measurement(cell)
    batch = cell.pellet.batch
    for address, codes in (
        (f"/pellets/{cell.pellet.code}/", cell.pellet.code),
        (f"/cells/{cell.code}/", cell.code),
        (f"/lots/{batch.powder_lot.code}/", batch.powder_lot.code),
        (f"/measurements/{test.code}/", test.code),
        (f"/pellet-batches/{batch.code}/", f"{batch.code},{cell.pellet.code}"),
    ):
        assert f'href="/labels/?codes={codes}"' in viewer.get(address).content.decode(), address


# -- the short address -------------------------------------------------------------------------------------------------
def test_every_kind_opens_by_its_short_address(viewer: Client) -> None:
    film, conversion = builders.film_thickness(), builders.conversion()
    test = builders.measurement(builders.full_cell())
    arrival = builders.arrival(test)
    batch = conversion.pellet.batch
    places = {
        batch.powder_lot: "lots", batch: "pellet-batches", conversion.pellet: "pellets", conversion: "conversions",
        film: "film-thicknesses", film.witness_plate: "witness-plates", film.witness_plate.sputter_run: "sputter-runs",
        test: "measurements", test.cell: "cells", test.cell.electrode_lot: "electrodes", arrival.upload: "uploads",
    }  # fmt: skip
    for record, folder in places.items():
        prefix, number = record.code.split("-")
        for text in (record.code, f"{prefix.lower()}{int(number)}", f"{prefix}_{number}"):
            answer = viewer.get(f"/s/{text}")
            assert (answer.status_code, answer.url) == (302, f"/{folder}/{record.code}/")
            assert viewer.get(answer.url).status_code == 200


def test_the_short_address_asks_for_sign_in_first() -> None:
    pellet = builders.pellet()
    name = builders.user().get_username()
    client = Client()
    answer = client.get(f"/s/{pellet.code}")
    assert answer.status_code == 302
    assert answer.url.startswith("/login/?next=/s/")
    form = urlencode({"login": name, "password": "a long password"})
    answer = client.post(answer.url, form, content_type="application/x-www-form-urlencoded", follow=True)
    assert answer.redirect_chain[-1][0] == f"/pellets/{pellet.code}/"


@pytest.mark.parametrize(("role", "offers"), [("viewer", False), ("member", True)])
def test_an_unknown_code_is_said_and_may_be_created(role: str, offers: bool) -> None:
    client = Client()
    client.force_login(builders.user(role=role))
    answer = client.get("/s/pel999")
    content = answer.content.decode()
    assert answer.status_code == 404
    assert "PEL-0999 is not in lagpdb." in content
    assert ('href="/pellets/new/"' in content) is offers
    assert "is not in lagpdb" in client.get("/s/", {"q": "http://other/s/CEL-0999"}).content.decode()


def test_a_scanned_address_in_the_field_counts_as_its_code(viewer: Client) -> None:
    pellet = builders.pellet()
    answer = viewer.get("/s/", {"q": f"http://127.0.0.1:8000/s/{pellet.code}"})
    assert answer.url == f"/pellets/{pellet.code}/"


def test_a_withdrawn_record_says_that_it_is_in_the_trash(viewer: Client) -> None:
    pellet = builders.pellet()
    withdraw(pellet, by=builders.user(), reason="broken in the press")
    content = viewer.get(f"/s/{pellet.code}", follow=True).content.decode()
    assert "In Trash since" in content
    assert "broken in the press" in content

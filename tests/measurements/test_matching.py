"""Which sample a file belongs to, and what its name says."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from lagpdb.records import save_record, withdraw
from measurements.matching import codes_in, find_subject, in_cell, match, similar, temperature_in_name
from measurements.models import Upload, UploadFile
from samples.models import Cell
from tests import spine


# -- temperatures ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "temperature"),
    [
        ("CEL-0098_25C.txt", 25.0),
        ("CEL-0098-25C.txt", 25.0),
        ("-25C.txt", -25.0),
        ("PEIS_LPSCl_IonBlocking_-25C.mpr", -25.0),
        ("PEIS −25C.mpr", -25.0),
        ("sample 60degC.z", 60.0),
        ("s04147-140deg.txt", 140.0),
        ("s04147_140 deg.txt", 140.0),
        ("cell 25 °C.csv", 25.0),
        ("cell 25.5°C.csv", 25.5),
        ("cell 25,5 °C.csv", 25.5),
        ("cell_25p5degC.csv", 25.5),
        ("cell_100C.csv", 100.0),
        ("cell (-10C).csv", -10.0),
        ("298K.csv", 24.85),
        ("cell_298.15K.csv", 25.0),
        ("80grad.csv", 80.0),
        # Rates, amounts and others that only look like one
        ("CEL-0098_0.1C.csv", None),
        ("CEL-0098_0p1C.csv", None),
        ("CEL-0098_1C.csv", None),
        ("CEL-0098_5C.csv", None),
        ("25CEL-0098.csv", None),
        ("run25.csv", None),
        ("CuS25Cu.csv", None),
        ("10kHz.csv", None),
        ("2K.csv", None),
        ("CELL298Kx.csv", None),
        ("plain.csv", None),
        ("", None),
        # Two different ones say nothing; the same one twice is one
        ("25C_to_60C.csv", None),
        ("25C_25degC.csv", 25.0),
    ],
)
def test_temperatures_in_names(name, temperature):
    assert temperature_in_name(name) == temperature


@given(st.integers(-99, 999), st.sampled_from(["C", "degC", "°C", " °C", "deg"]), st.sampled_from([".csv", ".txt", ""]))
def test_every_whole_temperature_after_a_separator(number, unit, suffix):
    if abs(number) < 10 and unit == "C":
        return  # a rate
    assert temperature_in_name(f"CEL-0098_{number}{unit}{suffix}") == number


# -- codes -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("CEL-0098", ["CEL-0098"]),
        ("cel98", ["CEL-0098"]),
        ("Cel_98", ["CEL-0098"]),
        ("CEL 0098", ["CEL-0098"]),
        ("CEL-000098", ["CEL-0098"]),
        ("CEL-0098_25C", ["CEL-0098"]),
        ("CEL-0098-25C", ["CEL-0098"]),
        ("PEL0142side A", ["PEL-0142"]),
        ("2026-03-01_pel-142_eis", ["PEL-0142"]),
        ("CEL-0098 on PEL-0142", ["CEL-0098", "PEL-0142"]),
        ("CEL-0098 CEL98 cel_098", ["CEL-0098"]),
        ("CEL-12345", ["CEL-12345"]),
        ("CEL--98", []),
        ("CEL- 98", []),
        ("CEL", []),
        ("XCEL-98", []),
        ("PANEL-5", []),
        ("camel12", []),
        ("SPT-0003", []),
        ("", []),
    ],
)
def test_codes_in_texts(text, codes):
    assert codes_in(text) == codes


# -- samples -----------------------------------------------------------------------------------------------------------
def file(name: str, folder: str = "", **fields) -> UploadFile:
    preset = {key[7:]: fields.pop(key) for key in list(fields) if key.startswith("preset_")}
    upload = Upload.objects.create(code=f"UPB-{Upload.objects.count() + 1:04d}", **preset)
    return UploadFile.objects.create(upload=upload, name=name, folder=folder, **fields)


@pytest.mark.django_db
class TestMatch:
    def test_the_code_in_the_name(self):
        cell = spine.cell()
        found = match(file(f"{cell.code.lower()}_25C.txt"))
        assert (found.subject, found.how, found.sentence) == (cell, "from name", "")

    def test_the_code_in_the_folder(self):
        cell = spine.cell()
        assert match(file("a.txt", folder=f"march/{cell.code}")).how == "from folder"

    def test_the_name_is_stronger_than_the_folder(self):
        one, other = spine.cell(), spine.cell()
        assert match(file(f"{one.code}.txt", folder=other.code)).subject == one

    def test_the_preset_is_stronger_than_the_name(self):
        one, other = spine.cell(), spine.cell()
        found = match(file(f"{one.code}.txt", preset_cell=other))
        assert (found.subject, found.how) == (other, "preset")

    def test_a_persons_choice_is_strongest(self):
        one, other, third = spine.cell(), spine.cell(), spine.pellet()
        found = match(file(f"{one.code}.txt", preset_cell=other, pellet=third))
        assert (found.subject, found.how) == (third, "chosen")

    def test_two_samples_are_a_question(self):
        one, other = spine.cell(), spine.cell()
        found = match(file(f"{one.code}_and_{other.code}.txt"))
        assert found.subject is None
        assert found.sentence == f"The name speaks of {one.code} and {other.code}. Choose the sample."
        assert [item["code"] for item in found.candidates] == [one.code, other.code]
        assert found.candidates[0]["role"].lower() == "ag|lagp|ag, built"

    def test_a_cell_and_its_own_pellet_are_one_sample(self):
        cell = spine.cell()
        assert match(file(f"{cell.pellet.code}_{cell.code}.txt")).subject == cell

    def test_a_cell_and_another_pellet_are_two(self):
        assert match(file(f"{spine.pellet().code}_{spine.cell().code}.txt")).subject is None

    def test_a_code_that_nobody_gave_out(self):
        found = match(file("CEL-4711_25C.txt"))
        assert found.subject is None
        assert found.sentence == "CEL-4711 is not in lagpdb. Check the code, or create the record first."

    def test_a_sample_in_the_trash(self):
        cell = spine.cell()
        withdraw(cell, by=None, reason="leaked")
        assert match(file(f"{cell.code}.txt")).sentence == f"{cell.code} is in the trash (leaked). Restore it first."

    def test_no_sample_is_never_a_guess(self):
        cell = spine.cell()
        found = match(file(f"run {int(cell.code[4:])}.txt"))
        assert found.subject is None
        assert found.sentence == "No sample is named. Choose the sample."
        assert cell.code in [item["code"] for item in found.candidates]

    def test_numbers_in_a_name_offer_samples(self):
        cell = spine.cell()
        number = int(cell.code[4:])
        assert {item["code"] for item in similar(f"0{number}.csv")} == {cell.code, cell.pellet.code} or number != int(
            cell.pellet.code[4:]
        )
        assert similar("no number.csv") == []


@pytest.mark.django_db
@pytest.mark.parametrize("spelling", ["{0}-{1:04d}", "{0}{1}", "{0}_{1}", " {0} {1:06d} "])
@pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
def test_any_spelling_finds_the_subject(spelling, change):
    cell = spine.cell()
    assert find_subject(change(spelling.format("cel", int(cell.code[4:])))) == cell


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("CEL-9999", "CEL-9999 is not in lagpdb. Check the code, or create the record first."),
        (
            "SPT-0001",
            "‘SPT-0001’ is not the code of a pellet, a cell or a witness plate. Codes look like PEL-0142, CEL-0098 or "
            "WIT-0031.",
        ),
        ("nonsense", "‘nonsense’ is not the code of a pellet, a cell or a witness plate"),
        ("", "‘’ is not the code of a pellet, a cell or a witness plate"),
    ],
)
def test_what_is_no_subject(text, sentence):
    with pytest.raises(ValidationError) as caught:
        find_subject(text)
    assert caught.value.messages[0].startswith(sentence)


@pytest.mark.django_db
def test_a_pellet_in_a_live_cell_means_that_cell():
    cell = spine.cell()
    pellet = cell.pellet
    assert in_cell(pellet, "eis") == cell
    assert in_cell(pellet, "xrd") == pellet
    assert in_cell(cell, "eis") == cell
    cell.state = "finished"
    save_record(cell, by=None)
    assert in_cell(pellet, "eis") == pellet
    assert Cell.objects.count() == 1

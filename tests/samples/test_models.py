"""Rules of what was made: each holds in the database, and where people see it, in the same words."""

from __future__ import annotations

import itertools

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction

from analysis.models import AnalysisRun, Result
from lagpdb.records import save_record, withdraw
from measurements.models import Measurement, RawFile, Upload, UploadFile
from samples.models import (
    Cell,
    Coating,
    Conversion,
    ElectrodeLot,
    FilmThickness,
    Material,
    Pellet,
    PelletBatch,
    PowderLot,
    SputterRun,
    SputterSetting,
)
from samples.models.lots import add_pellets
from tests import builders, spine

pytestmark = pytest.mark.django_db
_numbers = itertools.count(1)


def code(prefix: str) -> str:
    return f"{prefix}-9{next(_numbers):03d}"


def rows() -> dict[str, models.Model]:
    """One sound unsaved row of every model with rules."""
    pellet, blocking = spine.pellet(), spine.cell()
    measurement = save_record(Measurement(code=code("MEA"), kind="eis", cell=blocking), by=None)
    run = AnalysisRun.objects.create(analysis="conductivity", version=1, measurement=measurement)
    material = pellet.batch.powder_lot.material
    return {
        "material": Material(code=code("MAT"), name="x"),
        "powderlot": PowderLot(code=code("LOT"), material=material),
        "pelletbatch": PelletBatch(code=code("PBT"), powder_lot=pellet.batch.powder_lot),
        "pellet": Pellet(code=code("PEL"), batch=pellet.batch),
        "sputterrun": SputterRun(code=code("SPT"), target=material),
        "coating": Coating(
            sputter_run=save_record(SputterRun(target=material), by=None), pellet=pellet, face="A", layer_number=1
        ),
        "sputtersetting": SputterSetting(target=material, power_W=80, pressure_Pa=1, target_distance_cm=5, code="x"),
        "filmthickness": FilmThickness(
            code=code("FLM"), pellet=pellet, face="A", heights_nm=[50.0], film_thickness_nm=50.0
        ),
        "conversion": Conversion(code=code("CNV"), pellet=pellet),
        "electrodelot": ElectrodeLot(code=code("ELD"), material=material),
        "cell": Cell(code=code("CEL"), pellet=pellet, configuration="blocking"),
        "rawfile": RawFile(sha256="a" * 64, size_bytes=1, original_name="x"),
        "measurement": Measurement(code=code("MEA"), kind="eis", cell=blocking),
        "upload": Upload(code=code("UPB")),
        "uploadfile": UploadFile(upload=Upload.objects.create(code=code("UPB")), name="x"),
        "run": AnalysisRun(analysis="conductivity", version=1, measurement=measurement),
        "runinput": None,
        "result": Result(run=run, pellet=pellet, quantity="q", value=1.0, unit="S", flag="ok"),
    }


BROKEN = {
    "material_theoretical_density_g_cm3_positive": {"theoretical_density_g_cm3": 0},
    "material_theoretical_capacity_mah_g_positive": {"theoretical_capacity_mAh_g": -1},
    "powderlot_amount_g_positive": {"amount_g": -0.1},
    "pelletbatch_powder_mass_mg_positive": {"powder_mass_mg": 0},
    "pelletbatch_press_pressure_mpa_positive": {"press_pressure_MPa": -1},
    "pelletbatch_sinter_time_h_positive": {"sinter_time_h": 0},
    "pelletbatch_die_diameter_mm_positive": {"die_diameter_mm": 0},
    "pelletbatch_sinter_ramp_degc_min_positive": {"sinter_ramp_degC_min": 0},
    "pellet_thickness_um_positive": {"thickness_um": 0},
    "pellet_diameter_mm_positive": {"diameter_mm": -12},
    "pellet_mass_mg_positive": {"mass_mg": float("inf")},
    "pellet_thickness_uncertainty_um_positive": {"thickness_uncertainty_um": -1},
    "pellet_state_is_known": {"state": "lost"},
    "sputterrun_power_w_positive": {"power_W": 0},
    "sputterrun_pressure_pa_positive": {"pressure_Pa": 0},
    "sputterrun_base_pressure_pa_positive": {"base_pressure_Pa": 0},
    "sputterrun_target_distance_cm_positive": {"target_distance_cm": 0},
    "sputterrun_duration_min_positive": {"duration_min": 0},
    "coating_face_a_or_b": {"face": "C"},
    "sputtersetting_power_w_positive": {"power_W": 0},
    "sputtersetting_pressure_pa_positive": {"pressure_Pa": -1},
    "sputtersetting_target_distance_cm_positive": {"target_distance_cm": 0},
    "filmthickness_film_thickness_nm_positive": {"film_thickness_nm": 0},
    "filmthickness_film_thickness_uncertainty_nm_positive": {"film_thickness_uncertainty_nm": -1},
    "filmthickness_has_one_subject": {"face": ""},
    "conversion_lithium_diameter_mm_positive": {"lithium_diameter_mm": 0},
    "conversion_lithium_thickness_um_positive": {"lithium_thickness_um": -1},
    "conversion_duration_min_positive": {"duration_min": 0},
    "conversion_h2o_ppm_positive": {"h2o_ppm": -0.1},
    "conversion_o2_ppm_positive": {"o2_ppm": -0.1},
    "conversion_faces_a_b_or_both": {"faces": "BA"},
    "conversion_temperature_is_physical": {"temperature_degC": -274},
    "electrodelot_loading_mg_cm2_positive": {"loading_mg_cm2": 0},
    "electrodelot_diameter_mm_positive": {"diameter_mm": 0},
    "electrodelot_active_fraction_is_share": {"active_fraction": 1.2},
    "electrodelot_drying_time_h_positive": {"drying_time_h": 0},
    "electrodelot_loading_uncertainty_mg_cm2_positive": {"loading_uncertainty_mg_cm2": -0.1},
    "cell_electrode_diameter_mm_positive": {"electrode_diameter_mm": 0},
    "cell_electrode_diameter_uncertainty_mm_positive": {"electrode_diameter_uncertainty_mm": -1},
    "cell_liquid_ul_positive": {"liquid_uL": -1},
    "cell_stack_pressure_mpa_positive": {"stack_pressure_MPa": -1},
    "cell_rest_time_h_positive": {"rest_time_h": -1},
    "cell_electrode_lot_iff_full": {"configuration": "full"},
    "rawfile_sha256_is_64_hex": {"sha256": "z" * 64},
    "rawfile_size_not_negative": {"size_bytes": -1},
    "measurement_has_one_subject": {"cell": None},
    "measurement_temperature_is_physical": {"temperature_degC": -300},
    "uploadfile_state_is_known": {"state": "lost"},
    "run_has_one_subject": {"measurement": None},
    "run_current_has_succeeded": {"is_current": True, "state": "running"},
    "result_value_is_finite": {"value": float("inf")},
    "result_missing_is_flagged": {"value": None},
    "result_uncertainty_not_negative": {"uncertainty": -1},
    "result_limit_is_known": {"limit": "~"},
    "result_speaks_of_something": {"pellet": None},
}
ELSEWHERE = {
    "runinput_is_measurement_or_result",  # below
    "upload_skipped_count_positive",  # Django's own check of the column says it first
}


def own_models() -> list[type[models.Model]]:
    owners = (apps.get_app_config(name) for name in ("samples", "measurements", "analysis"))
    return [model for owner in owners for model in owner.get_models()]


def test_every_check_is_in_the_table_below():
    rules = (rule for model in own_models() for rule in model._meta.constraints)
    checks = {rule.name for rule in rules if isinstance(rule, models.CheckConstraint)}
    assert checks == set(BROKEN) | ELSEWHERE


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_the_database_refuses(rule):
    row = rows()[rule.partition("_")[0]]
    row.save_base(force_insert=True)
    row.pk, row._state.adding = None, True
    for field, value in BROKEN[rule].items():
        setattr(row, field, value)
    if hasattr(row, "code"):
        row.code = code("XXX")
    if isinstance(row, RawFile):
        row.sha256 = BROKEN[rule].get("sha256", "b" * 64)
    if isinstance(row, Coating):
        row.layer_number = 2
        row.sputter_run = save_record(SputterRun(target=Material.objects.first()), by=None)
    if isinstance(row, SputterSetting):
        row.code, row.power_W = "y", BROKEN[rule].get("power_W", 81)
    if isinstance(row, Cell):
        row.state = "finished"
    if isinstance(row, Result):
        row.position = 1
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        row.save_base(force_insert=True)


def test_a_run_input_is_one_thing():
    from analysis.models import RunInput

    run = rows()["result"].run
    with pytest.raises(IntegrityError), transaction.atomic():
        RunInput.objects.create(run=run, role="x")


# -- pellets -----------------------------------------------------------------------------------------------------------
def test_relative_density():
    pellet = spine.pellet(mass_mg=286.0)
    assert pellet.density_g_cm3 == pytest.approx(3.161, abs=0.001)
    assert pellet.relative_density_fraction == pytest.approx(0.927, abs=0.001)
    assert spine.pellet().relative_density_fraction is None


def test_more_than_all_cannot_be_dense():
    with pytest.raises(ValidationError, match=r"relative density of 1[23]\d%. More than 110 % is impossible"):
        spine.pellet(mass_mg=401.0)


def test_a_batch_makes_its_pellets():
    batch = spine.batch()
    made = add_pellets(batch, 3, by=None)
    assert len({pellet.code for pellet in made}) == 3
    with pytest.raises(ValidationError, match="1 to 50"):
        add_pellets(batch, 51, by=None)


def test_powder_that_is_left():
    batch = spine.batch(powder_mass_mg=500)
    lot = batch.powder_lot
    lot.amount_g = 10
    add_pellets(batch, 3, by=None)
    assert (lot.used_g, lot.left_g) == (1.5, 8.5)
    withdraw(batch.pellets.first(), by=None, reason="never pressed")
    assert lot.used_g == 1.0


@pytest.mark.parametrize("grits", ["400", [400, "800"], [0], {"a": 1}])
def test_grits_are_mesh_numbers(grits):
    with pytest.raises(ValidationError, match="mesh numbers in order"):
        spine.batch(grits=grits)


# -- cells -------------------------------------------------------------------------------------------------------------
def test_an_electrode_larger_than_the_pellet_is_refused():
    pellet = spine.pellet(diameter_mm=10)
    with pytest.raises(ValidationError, match=rf"Ø 12 mm\) is larger than the face of {pellet.code} \(Ø 10 mm\)"):
        spine.cell(pellet, electrode_diameter_mm=12)
    assert spine.cell(pellet, electrode_diameter_mm=10)


def test_a_pellet_is_in_one_live_cell_at_most():
    first = spine.cell()
    with pytest.raises(ValidationError, match=rf"(?i)is in {first.code}, built. Finish or dismantle that cell first."):
        spine.cell(first.pellet)
    first.state = "finished"
    save_record(first, by=None)
    assert spine.cell(first.pellet)


def test_the_database_itself_refuses_a_second_live_cell():
    first = spine.cell()
    second = Cell(code=code("CEL"), pellet=first.pellet, configuration="blocking")
    with pytest.raises(IntegrityError), transaction.atomic():
        second.save()
    second.state = "failed"
    second.save()


@pytest.mark.parametrize("configuration", ["blocking", "symmetric"])
def test_only_a_full_cell_has_an_electrode_lot(configuration):
    sentence = "A full cell needs an electrode lot; blocking and symmetric cells have none."
    with pytest.raises(ValidationError, match=sentence):
        spine.cell(configuration=configuration, electrode_lot=builders.electrode_lot())
    with pytest.raises(ValidationError, match=sentence):
        spine.cell(configuration="full", electrode_lot=None)
    assert spine.cell(configuration="full").electrodes == ("Li", "LFP")


def test_the_pellet_follows_its_cell():
    cell = spine.cell()

    def pellet_state() -> str:
        return Pellet.objects.get(pk=cell.pellet_id).state

    seen = [pellet_state()]
    for state in ("on_test", "finished", "dismantled"):
        cell.state = state
        save_record(cell, by=None)
        seen.append(pellet_state())
    assert seen == ["in_cell", "in_cell", "in_cell", "recovered"]


def test_a_withdrawn_cell_lets_its_pellet_go():
    cell = spine.cell()
    withdraw(cell, by=None, reason="typing error")
    assert Pellet.objects.get(pk=cell.pellet_id).state == "available"


def test_active_mass_is_loading_times_the_disc():
    cell = spine.cell(configuration="full")
    assert cell.active_mass_mg == pytest.approx(2.5 * 1.13097, rel=1e-4)
    lot = cell.electrode_lot
    lot.diameter_mm = None
    assert cell.active_mass_mg == pytest.approx(2.5 * 0.785398, rel=1e-4)
    assert spine.cell().active_mass_mg is None


def test_a_synthetic_pellet_makes_a_synthetic_cell():
    assert spine.cell(spine.pellet(is_synthetic=True)).is_synthetic


def test_a_coating_is_one_layer_of_one_run():
    pellet, material = spine.pellet(), Material.objects.get(code="LAGP")
    run = save_record(SputterRun(target=material), by=None)
    Coating.objects.create(sputter_run=run, pellet=pellet, face="A", layer_number=1)
    for layer in (1, 2):  # the layer again; the run again
        with pytest.raises(IntegrityError), transaction.atomic():
            Coating.objects.create(sputter_run=run, pellet=pellet, face="A", layer_number=layer)


def test_a_film_does_not_reach_back_to_a_cell_built_before_it():
    pellet = builders.pellet()
    bare = builders.blocking_cell(pellet=pellet)
    bare.state = "dismantled"
    save_record(bare, by=None)
    run = builders.sputter_run((pellet, "A"))
    coated = builders.blocking_cell(pellet=Pellet.objects.get(pk=pellet.pk))
    run.duration_min = 12.0
    save_record(run, by=None, reason="the clock ran slow")
    bare.refresh_from_db()
    coated.refresh_from_db()
    assert (bare.notation, bare.is_coated) == ("Ag|LAGP|Ag", False)
    assert (coated.notation, coated.is_coated) == ("Ag|CuS@LAGP|Ag", True)

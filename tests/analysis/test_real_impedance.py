"""Every real impedance file from the upload to its stored resistance, against what the manifest states or fitted."""

from pathlib import Path

import pytest

from analysis.models import AnalysisRun
from tests import spine
from tests.measurements.readers.test_real_files import FILES

pytestmark = [pytest.mark.real, pytest.mark.django_db]

EIS = [name for name in FILES if name.startswith("eis/")] + ["reconstructed/nova_eis_semicolon.txt"]
LPSCL = [name for name in EIS if "LPSCl" in name] + ["reconstructed/nova_eis_semicolon.txt"]
# Sums of the resistances in the manifest, from fits that are not ours, and how near ours must come: the dummy cells are
# known to their makers; of the others the choice of circuit alone moves the total by some percent.
RESISTANCES_OHM = {
    "eis/s04147-140deg.txt": (1.462e5 + 2.012e6, 0.01),
    "eis/s04147-160deg.txt": (7.949e4 + 6.673e5, 0.01),
    "eis/s04147-180deg.txt": (3.984e4 + 2.430e5, 0.01),
    "eis/s04147-200deg.txt": (2.246e4 + 9.502e4, 0.01),
    "eis/LAGP_Example2b.txt": (9.147e4, 0.01),
    "eis/Circuit1_EIS_1.z": (29.13 + 46.65, 0.01),
    "eis/Circuit2_EIS_1.z": (149.6 + 500.2, 0.01),
    **dict.fromkeys(LPSCL, (1468.0, 0.03)),
}


def sent(real_data: Path, name: str):
    path = real_data / name
    cell = spine.cell(configuration="blocking")
    (file,) = spine.taken_in((path.name, path.read_bytes()), subject=cell)
    return file, cell


@pytest.mark.parametrize("name", EIS)
def test_every_spectrum_is_stored_and_computed(real_data, name):
    file, _ = sent(real_data, name)
    spine.check_invariants()
    assert (file.state, file.message) == ("done", "")
    measurements = file.measurements.order_by("pk")
    assert [(item.kind, item.point_count) for item in measurements] == [("eis", count) for count in FILES[name][1]]
    runs = AnalysisRun.objects.filter(measurement__in=measurements)
    assert {(run.analysis, run.state) for run in runs} == {("conductivity", "succeeded")}
    assert runs.count() == len(FILES[name][1])
    for measurement in measurements:  # one row each, with a value or with a flag
        (total,) = measurement.results.filter(is_current=True, quantity="total_resistance_ohm")
        assert (total.value is None) == (total.flag in ("missing", "not_converged"))


@pytest.mark.parametrize("name", RESISTANCES_OHM)
def test_resistances_are_those_of_the_manifest(real_data, name):
    expected, tolerance = RESISTANCES_OHM[name]
    _, cell = sent(real_data, name)
    assert spine.number("total_resistance_ohm", cell).value == pytest.approx(expected, rel=tolerance)


def test_one_spectrum_in_four_formats_gives_one_number(real_data):
    found = [spine.number("total_resistance_ohm", sent(real_data, name)[1]).value for name in LPSCL]
    assert len(found) == 4
    assert found[1:] == pytest.approx([found[0]] * 3, rel=1e-4)

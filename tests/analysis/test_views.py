"""The pages about numbers: what each state shows, what people may do there, and that nothing breaks the policy."""

import re

import pytest
from django.urls import reverse
from django.utils.html import escape

from analysis.models import AnalysisRun, Result
from analysis.start import TOPICS
from lagpdb.models import Revision
from measurements.store import put_bytes
from tests import builders
from tests.analysis.figures.test_arrhenius import line
from tests.analysis.figures.test_impedance import arc

pytestmark = pytest.mark.django_db

TABLE = b"frequency_Hz,z_real_ohm,z_imag_ohm\n" + b"\n".join(
    f"{10 ** (6 - n / 10):.6e},{150 + n:.3f},{-10 - n:.3f}".encode() for n in range(60)
)


@pytest.fixture
def member(client):
    person = builders.user("ada", "member")
    client.force_login(person)
    return person


@pytest.fixture
def viewer(client):
    person = builders.user("vera", "viewer")
    client.force_login(person)
    return person


def measured(**fields):
    """A measurement with a current run, its curves, and a conductivity."""
    measurement = builders.measurement(**fields)
    run = builders.run(
        measurement,
        curves=arc(masked=(3,)),
        inputs={
            "thickness_um": {"value": 801.0, "uncertainty": 3.0, "origin": measurement.subject.code},
            "electrode_area_cm2": {"value": 0.7854, "uncertainty": 0.016, "origin": measurement.subject.code},
            "formula": {"text": "σ = L / (A · R)", "filled": "σ = 0.0801 cm / (0.785 cm² × 400 Ω)"},
        },
        tables={"fit": [{"parameter": "R0", "symbol": "R_b", "value": 150.0, "uncertainty": 1.0, "unit": "Ω"}]},
        warnings=[["kk_marginal", "Kramers–Kronig residual 1.2 %, above 1 %."]],
    )
    builders.result(measurement, "ionic_conductivity_S_cm", 2.49e-4, run=run, uncertainty=6e-6)
    builders.result(measurement, "kramers_kronig_residual_fraction", 0.012, run=run, uncertainty=None)
    return measurement


def page(client, name, *args, status=200, **kwargs):
    answer = client.get(reverse(name, args=args), **kwargs)
    assert answer.status_code == status
    return answer.content.decode()


# -- the policy and the frame ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["dashboard", "glossary", "help"])
def test_pages_carry_no_inline_styles_or_scripts(client, member, name):
    html = page(client, name)
    assert not re.search(r"<[^>]+\sstyle=", html)
    assert not re.search(r"<script(?![^>]*\ssrc=)", html)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


@pytest.mark.parametrize("topic", TOPICS)
def test_help_pages_exist(client, member, topic):
    assert "<h1>" in page(client, "help_topic", topic)


def test_unknown_help_page_is_not_found(client, member):
    page(client, "help_topic", "nonsense", status=404)


def test_formats_say_which_are_not_confirmed(client, member):
    html = page(client, "help_topic", "formats")
    assert "NOVA" in html
    assert "not yet confirmed with a vendor file" in html


def test_glossary_shows_every_quantity_with_its_slug(client, member):
    from analysis.science.quantities import QUANTITIES

    html = page(client, "glossary")
    assert all(f'id="{slug}"' in html for slug in QUANTITIES)
    assert "E<sub>a</sub>" in html
    assert "hard_short" in html  # a label, not a symbol


# -- the measurement ---------------------------------------------------------------------------------------------------
def test_measurement_page_shows_value_source_inputs_and_checks(client, member):
    measurement = measured()
    html = page(client, "measurement_detail", measurement.code)
    for words in (
        "(2.49", "± 0.06) × 10⁻⁴ S cm⁻¹", "σ = 0.0801 cm", "801 ± 3 µm", "above 1 %", "kk_marginal",
        measurement.cell.code, measurement.cell.pellet.code, measurement.files.get().raw_file.sha256, "zview",
        f"/api/v1/measurements/{measurement.code}/file/",
    ):  # fmt: skip
        assert words in html, words
    assert not re.search(r"<[^>]+\sstyle=", html)


def test_every_plot_works_as_a_table_and_as_csv(client, member):
    measurement = measured()
    html = page(client, "measurement_detail", measurement.code)
    assert html.count("Show as table") >= 3
    address = re.search(r'href="([^"]+nyquist\.csv)"', html)[1]
    lines = client.get(address).content.decode().splitlines()
    assert lines[0] == f"# {measurement.code}"
    assert lines[3] == "frequency_Hz,z_real_ohm,z_imag_ohm,is_used"
    assert len(lines) == 4 + 81


def test_figures_come_as_json_with_roles_for_colours(client, member):
    run = measured().runs.get()
    figure = client.get(reverse("run_figure", args=[run.pk, "nyquist", "json"])).json()
    assert figure["kind"] == "nyquist"
    assert "role:fit" in str(figure)
    page(client, "run_figure", run.pk, "arrhenius", "json", status=404)
    page(client, "run_figure", run.pk, "nyquist", "exe", status=404)


def test_page_without_a_run_draws_the_raw_data(client, member, own_store):
    content = put_bytes("raw.csv", TABLE)
    raw = builders.raw_file(TABLE, "raw.csv")
    raw.reader, raw.reader_version = "generic", 1
    raw.save()
    assert raw.sha256 == content.sha256
    measurement = builders.measurement(raw=raw)
    html = page(client, "measurement_detail", measurement.code)
    assert "No analysis has been run" in html
    assert "as in the file" in html
    assert len(client.get(f"/measurements/{measurement.code}/figures/nyquist.json").json()["traces"][0]["x"]) == 60
    table = page(client, "measurement_table", measurement.code)
    assert "60 rows" in table
    assert "Z′ (Ω)" in table


def test_failed_analysis_says_why_and_that_data_are_stored(client, member):
    measurement = builders.measurement()
    builders.run(measurement, is_current=False, state="failed", message="No plateau was found.")
    html = page(client, "measurement_detail", measurement.code)
    assert "No plateau was found." in html
    assert "Raw data are stored" in html


def test_open_work_is_asked_for_again_until_it_ends(client, member):
    measurement = builders.measurement()
    run = builders.run(measurement, is_current=False, state="running", finished_at=None)
    assert 'hx-trigger="every 2s"' in page(client, "measurement_detail", measurement.code)
    assert "Analysing" in page(client, "measurement_live", measurement.code)
    AnalysisRun.objects.filter(pk=run.pk).update(state="succeeded", is_current=True)
    answer = client.get(reverse("measurement_live", args=[measurement.code]))
    assert answer["HX-Retarget"] == "#measurement-body"
    assert "every 2s" not in answer.content.decode()


def test_withdrawn_measurement_says_so(client, member):
    from lagpdb.records import withdraw

    measurement = measured()
    withdraw(measurement, by=member, reason="wrong cell")
    html = page(client, "measurement_detail", measurement.code)
    assert "In the trash" in html
    assert "wrong cell" in html
    assert 'id="rerun"' not in html


def test_any_spelling_of_the_code_leads_to_the_page(client, member):
    measurement = measured()
    answer = client.get(reverse("measurement_detail", args=[measurement.code.lower()]))
    assert answer["Location"] == reverse("measurement_detail", args=[measurement.code])


# -- decisions ---------------------------------------------------------------------------------------------------------
def test_rerun_carries_the_choices_of_the_person(client, member):
    measurement = measured()
    form = {"circuit": "C", "fit_from_Hz": "1 kHz", "fit_to_Hz": "1e6", "masked_points": "3, 7-9", "reason": "tail"}
    client.post(reverse("measurement_reanalyse", args=[measurement.code]), form)
    run = measurement.runs.latest("pk")
    assert run.parameters == {"circuit": "C", "fit_range_Hz": [1000.0, 1e6], "masked_points": [3, 7, 8, 9]}
    assert (run.reason, run.created_by, run.state) == ("tail", member, "queued")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"fit_from_Hz": "1"}, "both ends"),
        ({"fit_from_Hz": "1 V", "fit_to_Hz": "2"}, "Frequency range"),
        ({"masked_points": "x"}, "not a row number"),
        ({"masked_points": "9-3"}, "not a range"),
        ({"circuit": "Z"}, "circuit must be one of"),
    ],
)
def test_choices_that_cannot_be_read_are_refused_with_a_sentence(client, member, form, words):
    measurement = measured()
    form |= {"reason": "noise <above> 1 MHz"}
    answer = client.post(reverse("measurement_reanalyse", args=[measurement.code]), form)
    assert answer.status_code == 422
    html = answer.content.decode().partition('id="rerun" open')[2].partition("</form>")[0]
    assert words in html
    for name, text in form.items():  # nothing typed is lost; a circuit that does not exist cannot be shown
        assert name == "circuit" or re.search(rf'name="{name}"[^>]* value="{escape(text)}"', html)
    assert measurement.runs.count() == 1


def test_viewers_read_and_do_not_decide(client, viewer):
    measurement = measured()
    html = page(client, "measurement_detail", measurement.code)
    assert 'id="rerun"' not in html
    number = measurement.results.first().pk
    for name, argument in (("measurement_reanalyse", measurement.code), ("result_judge", number)):
        answer = client.post(reverse(name, args=[argument]), {"acceptance": "rejected", "reason": "x"})
        assert answer.status_code == 403


def test_a_decision_needs_a_reason_and_is_kept(client, member):
    result = measured().results.get(quantity="ionic_conductivity_S_cm")
    address = reverse("result_judge", args=[result.pk])
    assert "Say why" in client.post(address, {"acceptance": "rejected"}, follow=True).content.decode()
    client.post(address, {"acceptance": "rejected", "reason": "short circuit", "version": result.version})
    result.refresh_from_db()
    assert (result.acceptance, result.acceptance_reason) == ("rejected", "short circuit")
    stale = client.post(address, {"acceptance": "accepted", "reason": "no", "version": 1}, follow=True)
    assert "Somebody else decided" in stale.content.decode()
    assert Result.objects.get(pk=result.pk).acceptance == "rejected"


def test_a_temperature_is_corrected_with_unit_and_history(client, member):
    measurement = builders.measurement(temperature_degC=None)
    address = reverse("measurement_temperature", args=[measurement.code])
    client.post(address, {"temperature_degC": "303.15 K", "reason": "oven log", "version": measurement.version})
    measurement.refresh_from_db()
    assert (measurement.temperature_degC, measurement.temperature_origin) == (pytest.approx(30.0), "person")
    assert Revision.objects.filter(record_code=measurement.code, reason="oven log").exists()
    answer = client.post(address, {"temperature_degC": "warm"}, follow=True)
    assert "Temperature:" in answer.content.decode()


# -- runs, dashboard ---------------------------------------------------------------------------------------------------
def test_runs_stand_side_by_side_with_differences(client, member):
    measurement = builders.measurement()
    assert "Nothing to compare" in page(client, "measurement_runs", measurement.code)
    old = builders.run(measurement, is_current=False, curves=arc())
    builders.result(measurement, value=2.45e-4, run=old, is_current=False)
    new = builders.run(measurement, curves=arc(), parameters={"circuit": "C"})
    builders.result(measurement, value=2.5e-4, run=new)
    html = page(client, "measurement_runs", measurement.code)
    assert "−2 %" in html
    assert "circuit C" in html


def test_empty_dashboard_says_what_to_do(client, member):
    assert "Nothing here yet. Receive a powder lot, or load the demo data." in page(client, "dashboard")


def test_dashboard_shows_what_waits_and_what_came(client, member):
    first = measured()
    second = builders.measurement()
    builders.result(second, value=3e-4, flag="suspect", acceptance="provisional")
    html = page(client, "dashboard")
    assert f"{second.code} waits for you" in html
    assert f"{first.code} waits for you" not in html
    assert "(2.49 ± 0.06) × 10⁻⁴ S cm⁻¹" in html
    assert "n = 1 / 0" in html


def test_measured_and_synthetic_are_never_mixed(member):
    from analysis.start import conductivity_strip

    measurement = measured()
    made = builders.measurement()
    builders.result(made, value=9e-4, is_synthetic=True)
    strip = conductivity_strip()
    assert (strip["is_synthetic"], strip["left_out"], strip["counts"]["pristine"]) == (False, 1, 1)
    measurement.results.all().delete()
    assert conductivity_strip()["is_synthetic"] is True


def test_the_activation_energy_of_the_cell_stands_on_the_page(client, member):
    measurement = measured()
    run = AnalysisRun.objects.create(
        analysis="activation", version=1, cell=measurement.cell, state="succeeded", is_current=True, curves=line(),
        tables={"fit": [{"symbol": "E_a from ln(σT)", "value": 0.373, "lower": 0.366, "upper": 0.380}]},
        inputs={"points": {"value": 4}},
    )  # fmt: skip
    Result.objects.create(
        run=run, pellet=measurement.cell.pellet, cell=measurement.cell, quantity="activation_energy_eV",
        label="sigma_T", value=0.373, uncertainty=0.003, unit="eV", acceptance="accepted",
    )  # fmt: skip
    html = page(client, "measurement_detail", measurement.code)
    assert "Arrhenius" in html
    assert "0.373" in html
    figure = client.get(reverse("run_figure", args=[run.pk, "arrhenius", "json"])).json()
    assert "0.366 to 0.380" in figure["layout"]["annotations"][0]["text"]

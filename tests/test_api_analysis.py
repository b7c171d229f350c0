"""Runs, results, quantities and lineage."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analysis.models import AnalysisRun, Result, RunInput
from analysis.science.quantities import QUANTITIES
from tests import builders
from tests.api_client import Api

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def api() -> Api:
    return Api()


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return sorted(row["id"] for row in rows)


# -- results -----------------------------------------------------------------------------------------------------------
def test_a_result_explains_itself(api: Api) -> None:
    cell = builders.blocking_cell()
    number = builders.result(builders.measurement(cell), value=2.49e-4, uncertainty=3e-6)
    (row,) = api.rows("results/")
    assert row["value"] == 2.49e-4
    assert {name: row[name] for name in ("quantity", "uncertainty", "limit", "unit", "flag", "acceptance")} == {
        "quantity": "ionic_conductivity_S_cm",
        "uncertainty": 3e-6,
        "limit": "=",
        "unit": "S cm⁻¹",
        "flag": "ok",
        "acceptance": "accepted",
    }
    assert (row["subject"], row["pellet"]) == (cell.code, cell.pellet.code)
    assert (row["run"], row["analysis"], row["version"]) == (number.run_id, "conductivity", 1)
    assert row["row_version"] == 1
    contract = (
        "quantity value uncertainty limit unit flag acceptance label position temperature_degC cycle_number "
        "reference_cycle current_density_mA_cm2 c_rate subject pellet measurement run analysis version"
    )
    assert set(contract.split()) <= set(row)


def test_only_current_rows_unless_asked(api: Api) -> None:
    measurement = builders.measurement()
    old = builders.result(measurement, is_current=False)
    new = builders.result(measurement)
    assert ids(api.rows("results/")) == [new.pk]
    assert ids(api.rows("results/", current="false")) == [old.pk, new.pk]
    assert ids(api.rows("results/", current="false", is_current="false")) == [old.pk]
    assert api.get(f"results/{old.pk}/").status_code == 200
    assert api.get("results/", current="maybe").status_code == 400


def test_limit_is_a_page_size_and_a_column(api: Api) -> None:
    plain = builders.result()
    at_least = builders.result(quantity="critical_current_density_mA_cm2", value=0.6, limit=">=")
    assert len(api.rows("results/", limit=1)) == 1
    assert ids(api.rows("results/", limit=">=")) == [at_least.pk]
    assert ids(api.rows("results/", limit__in="=,<")) == [plain.pk]


def test_missing_values_come_last_and_can_be_found(api: Api) -> None:
    measurement = builders.measurement()
    missing = builders.result(measurement, value=None)
    low = builders.result(quantity="total_resistance_ohm", value=10.0)
    high = builders.result(quantity="total_resistance_ohm", value=20.0)
    assert [row["id"] for row in api.rows("results/", ordering="-value")] == [high.pk, low.pk, missing.pk]
    assert ids(api.rows("results/", value__isnull="true", flag="missing")) == [missing.pk]
    assert ids(api.rows("results/", value__range="5,15")) == [low.pk]


def test_results_speak_of_the_pellet_as_it_was_when_the_cell_was_built(api: Api) -> None:
    """One pellet, three cells: bare, then coated for 5 min, then again for 20 min. No row twice, none too early."""
    noon = timezone.now().replace(microsecond=0) - dt.timedelta(days=10)
    pellet = builders.pellet()

    def cell(day: int) -> Any:
        made = builders.symmetric_cell(pellet=pellet, assembled_at=noon + dt.timedelta(days=day), state="finished")
        return builders.result(builders.measurement(made), "interfacial_asr_ohm_cm2", 100.0 * day)

    bare = cell(1)
    builders.sputter_run(pellet, duration_min=5.0, performed_at=noon + dt.timedelta(days=2))
    once = cell(3)
    builders.sputter_run(pellet, duration_min=20.0, performed_at=noon + dt.timedelta(days=4))
    twice = cell(5)
    assert ids(api.rows("results/", pellet=pellet.code)) == [bare.pk, once.pk, twice.pk]
    assert ids(api.rows("results/", is_coated="false")) == [bare.pk]
    assert ids(api.rows("results/", is_coated="true")) == [once.pk, twice.pk]
    assert ids(api.rows("results/", sputter_run__duration_min__gte=1)) == [once.pk, twice.pk]
    assert ids(api.rows("results/", sputter_run__duration_min__gte=15)) == [twice.pk]
    assert ids(api.rows("results/", sputter_run__duration_min__range="5,15")) == [once.pk, twice.pk]
    assert ids(api.rows("results/", sputter_run__duration_min__gt=5, sputter_run__duration_min__lt=20)) == []
    assert int(api.get("results/", sputter_run__duration_min__gte=1, count=1)["X-Total-Count"]) == 2


def test_results_through_the_genealogy(api: Api) -> None:
    thin, thick = builders.pellet(thickness_um=500.0, mass_mg=185.0), builders.pellet(thickness_um=900.0)
    full = builders.full_cell(pellet=thin)
    capacity = builders.result(builders.measurement(full, kind="cycling"), "discharge_capacity_mAh", 1.2)
    sigma = builders.result(builders.measurement(builders.blocking_cell(pellet=thick)))
    on_bare = builders.result(builders.measurement(thin, kind="xrd"), "unmatched_peak_count", 2.0)

    def found(**query: Any) -> list[int]:
        return ids(api.rows("results/", **query))

    assert found(pellet__thickness_um__lt=600) == [capacity.pk, on_bare.pk]
    assert found(pellet__thickness_um__lt=600, configuration="full") == [capacity.pk]
    assert found(electrode_lot__loading_mg_cm2__gte=2) == [capacity.pk]
    assert found(electrode_lot=full.electrode_lot.code) == [capacity.pk]
    assert found(batch=thick.batch.code) == [sigma.pk]
    assert found(powder_lot=thick.batch.powder_lot.code.lower()) == [sigma.pk]
    assert found(batch__sinter_temperature_degC=900, quantity="ionic_conductivity_S_cm") == [sigma.pk]
    assert found(subject=full.code) == [capacity.pk]
    assert found(subject=thin.code) == [on_bare.pk]
    assert found(measurement__kind="xrd") == [on_bare.pk]
    assert found(pellet__relative_density_fraction__gt=0.99) == found(
        pellet__code__in=",".join(
            pellet.code for pellet in (thin, thick) if (pellet.relative_density_fraction or 0) > 0.99
        )
        or "PEL-9999"
    )


def test_the_list_is_one_query(api: Api) -> None:
    builders.result()
    api.get("results/")
    with CaptureQueriesContext(connection) as caught:
        api.get("results/", powder_lot="LOT-0001", sputter_run__duration_min__gte=1, value__gte=0)
    assert len(caught) == 2  # the token, the rows


def test_a_persons_word_on_a_number(api: Api) -> None:
    number = builders.result(acceptance="provisional", flag="suspect")
    path = f"results/{number.pk}/"
    done = api.patch(path, {"acceptance": "accepted", "reason": "looked at it", "row_version": 1})
    assert done.status_code == 200, done.content
    assert (done.json()["acceptance"], done.json()["row_version"]) == ("accepted", 2)
    assert done.json()["acceptance_reason"] == "looked at it"
    late = api.patch(path, {"acceptance": "rejected", "row_version": 1})
    assert late.status_code == 409
    assert late.json()["stored"]["row_version"] == 2
    assert late.json()["yours"] == {"acceptance": "rejected", "row_version": 1}
    assert api.patch(path, {"acceptance": "rejected", "version": 7}).status_code == 409
    assert api.patch(path, {"acceptance": "rejected", "version": 1}).status_code == 200
    assert api.patch(path, {"value": 1}).status_code == 400
    assert api.patch(path, {"acceptance": "wonderful"}).status_code == 400
    assert api.patch("results/999999/", {"acceptance": "accepted"}).status_code == 404
    missing = builders.result(value=None)
    assert api.patch(f"results/{missing.pk}/", {"acceptance": "accepted"}).status_code == 400
    assert Api(role="member").patch(path, {"acceptance": "accepted"}).status_code == 403


# -- runs --------------------------------------------------------------------------------------------------------------
def test_runs_their_curves_and_tables(api: Api) -> None:
    rows = [{"parameter": "R1", "value": 10.5, "unit": "Ω"}, {"parameter": "n1", "value": 0.9, "unit": ""}]
    run = builders.run(curves={"data": {"z_real_ohm": [1.0, 2.0]}}, tables={"fit": rows}, warnings=[["kk", "Look."]])
    shown = api.get(f"runs/{run.pk}/").json()
    assert (shown["subject"], shown["measurement"]) == (run.subject.code, run.measurement.code)
    assert shown["warnings"] == [["kk", "Look."]]
    assert api.get(f"runs/{run.pk}/curves/").json() == {"data": {"z_real_ohm": [1.0, 2.0]}}
    assert api.get(f"runs/{run.pk}/tables/fit/").json()["rows"] == rows
    assert api.text(f"runs/{run.pk}/tables/fit/", format="csv") == "parameter,value,unit\nR1,10.5,Ω\nn1,0.9,\n"
    missing = api.get(f"runs/{run.pk}/tables/cycles/")
    assert missing.status_code == 404
    assert "fit" in missing.json()["detail"]
    assert ids(api.rows("runs/", analysis="conductivity", state="succeeded")) == [run.pk]
    assert ids(api.rows("runs/", warnings__contains="kk")) == [run.pk]
    assert api.rows("runs/", warnings__contains="other") == []
    over_cell = AnalysisRun.objects.create(analysis="activation", version=1, cell=builders.blocking_cell())
    assert api.get(f"runs/{over_cell.pk}/").json()["subject"] == over_cell.cell.code


def test_reanalyse(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    measurement = builders.measurement()
    asked: dict[str, Any] = {}

    def queued(of: Any, **what: Any) -> list[AnalysisRun]:
        asked.update(what, measurement=of)
        return [builders.run(of, is_current=False, state="queued", job_state="ended")]

    monkeypatch.setattr("analysis.api.reanalyse", queued)
    path = f"measurements/{measurement.code}/reanalyse/"
    answer = api.post(path, {"parameters": {"circuit": "A"}, "reason": "other circuit"})
    assert answer.status_code == 202, answer.content
    assert answer.json()["runs"][0]["state"] == "queued"
    assert api.get(answer.json()["runs"][0]["url"]).status_code == 200
    assert asked == {
        "measurement": measurement,
        "parameters": {"circuit": "A"},
        "reason": "other circuit",
        "by": api.person,
    }
    assert api.post(path, {"parameter": {}}).status_code == 400
    assert Api(scope="upload").post(path).status_code == 403


def test_reanalyse_checks_parameters(api: Api) -> None:
    refused = api.post(f"measurements/{builders.measurement().code}/reanalyse/", {"parameters": {"magic": 1}})
    assert refused.status_code == 400
    assert refused.json()["field"] == "magic"


# -- quantities --------------------------------------------------------------------------------------------------------
def test_quantities_are_the_glossary(api: Api) -> None:
    rows = api.rows("quantities/")
    assert [row["slug"] for row in rows] == list(QUANTITIES)
    sigma = api.get("quantities/ionic_conductivity_S_cm/").json()
    assert (sigma["unit"], sigma["symbol"]) == ("S cm⁻¹", "σ")
    assert sigma["iri"].startswith("https://w3id.org/emmo")
    assert sigma["definition"]
    assert {row["group"] for row in api.rows("quantities/", group="eis")} == {"eis"}
    assert set(api.rows("quantities/", fields="slug,unit")[0]) == {"slug", "unit"}
    assert api.text("quantities/", format="csv", fields="slug").splitlines()[0] == "slug"
    assert api.get("quantities/", groop="eis").status_code == 400
    missing = api.get("quantities/ionic_conductivity/")
    assert missing.status_code == 404
    assert "ionic_conductivity_S_cm" in missing.json()["detail"]
    assert api.client.get("/api/v1/quantities/").status_code == 401


# -- lineage -----------------------------------------------------------------------------------------------------------
@pytest.fixture
def story() -> dict[str, Any]:
    """Powder to activation energy: two spectra of one coated full cell, and a combination of their numbers."""
    cell = builders.full_cell(pellet=builders.pellet())
    run = builders.sputter_run(cell.pellet)
    sigmas = [builders.result(builders.measurement(cell, temperature_degC=t), value=1e-4 * t) for t in (25.0, 45.0)]
    combined = AnalysisRun.objects.create(
        analysis="activation", version=1, cell=cell, state="succeeded", job_state="ended", is_current=True
    )
    for sigma in sigmas:
        RunInput.objects.create(run=combined, role="number", result=sigma)
    energy = Result.objects.create(
        run=combined, pellet=cell.pellet, cell=cell, quantity="activation_energy_eV", value=0.35, unit="eV"
    )
    return {"cell": cell, "run": run, "sigmas": sigmas, "energy": energy}


def test_lineage_of_a_number_reaches_powder_and_bytes(api: Api, story: dict[str, Any]) -> None:
    found = api.get(f"lineage/{story['energy'].pk}/").json()
    cell, batch = story["cell"], story["cell"].pellet.batch
    for name in (
        f"lagpdb:results/{story['energy'].pk}",
        *(f"lagpdb:results/{sigma.pk}" for sigma in story["sigmas"]),
        *(f"lagpdb:measurements/{sigma.measurement.code}" for sigma in story["sigmas"]),
        *(f"sha256:{sigma.measurement.files.get().raw_file.sha256}" for sigma in story["sigmas"]),
        f"lagpdb:cells/{cell.code}",
        f"lagpdb:pellets/{cell.pellet.code}",
        f"lagpdb:pellet-batches/{batch.code}",
        f"lagpdb:powder-lots/{batch.powder_lot.code}",
        f"lagpdb:electrode-lots/{cell.electrode_lot.code}",
        "lagpdb:materials/LAGP",
    ):
        assert name in found["entity"], name
    assert f"lagpdb:sputter-runs/{story['run'].code}" in found["activity"]
    assert f"lagpdb:runs/{story['energy'].run_id}" in found["activity"]
    generated = {tuple(edge.values()) for edge in found["wasGeneratedBy"].values()}
    assert (f"lagpdb:results/{story['energy'].pk}", f"lagpdb:runs/{story['energy'].run_id}") in generated


def test_every_edge_joins_two_nodes(api: Api, story: dict[str, Any]) -> None:
    for start in (story["energy"].pk, story["cell"].code, story["cell"].pellet.batch.powder_lot.code):
        found = api.get(f"lineage/{start}/").json()
        nodes = set(found["entity"]) | set(found["activity"]) | set(found["agent"])
        for relation in ("used", "wasGeneratedBy", "wasDerivedFrom"):
            for edge in found[relation].values():
                ends = {value for key, value in edge.items() if key != "prov:role"}
                assert ends <= nodes, edge


def test_lineage_leads_forward_but_not_to_siblings(api: Api, story: dict[str, Any]) -> None:
    sibling = builders.pellet(batch=story["cell"].pellet.batch)
    lot = story["cell"].pellet.batch.powder_lot.code
    forward = api.get(f"lineage/{lot}/").json()["entity"]
    assert f"lagpdb:results/{story['energy'].pk}" in forward
    assert f"lagpdb:pellets/{sibling.code}" in forward
    one = api.get(f"lineage/{story['cell'].code}/").json()["entity"]
    assert f"lagpdb:pellets/{sibling.code}" not in one
    assert f"lagpdb:results/{story['energy'].pk}" in one


def test_lineage_of_nothing_is_404(api: Api) -> None:
    for text in ("CEL-9999", "999999", "run-999999", "XYZ"):
        assert api.get(f"lineage/{text}/").status_code == 404
    run = builders.run()
    assert api.get(f"lineage/run-{run.pk}/").status_code == 200
    assert api.get(f"lineage/{run.measurement.code.lower()}/").status_code == 200
    assert api.get(f"lineage/{run.measurement.code}/", depth=3).status_code == 400


def test_lineage_costs_the_same_for_many_results(api: Api, story: dict[str, Any]) -> None:
    path = f"lineage/{story['cell'].code}/"

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert api.get(path).status_code == 200
        return len(caught)

    api.get(path)  # notes when the token was used
    before = queries()
    for _ in range(20):
        builders.result(builders.measurement(story["cell"]))
    assert queries() == before

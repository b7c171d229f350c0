"""What a generator made says so on every page and in every export, and what was measured never does."""

from __future__ import annotations

import csv
import io

import openpyxl
import pytest
from django.urls import reverse

from analysis.models import Result
from lagpdb.synthetic import SENTENCE
from samples.models import Conversion
from tests import builders, spine

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[True, False], ids=["synthetic", "measured"])
def lab(request, client):
    """A cell with everything around it, all synthetic or none."""
    client.force_login(builders.user())
    lot = builders.lot(is_synthetic=request.param)
    pellet = spine.pellet(builders.batch(powder_lot=lot))
    run = builders.sputter_run((pellet, "A"), is_synthetic=request.param)
    plate = builders.witness_plate(run)
    film = builders.film_thickness(plate)
    step = builders.saved(Conversion, pellet=pellet, faces="A", temperature_degC=230.0, duration_min=2.0)
    cell = spine.cell(pellet)
    files = [(f"{cell.code}_{celsius}C.csv", spine.spectrum(celsius, seed=celsius)) for celsius in (20, 25, 40, 60)]
    rows = spine.taken_in(*files, is_synthetic=request.param)
    return {
        "is_synthetic": request.param, "lot": lot, "pellet": pellet, "run": run, "plate": plate, "film": film,
        "step": step, "cell": cell, "upload": rows[0].upload, "measurement": rows[0].measurements.get(),
    }  # fmt: skip


PAGES = (
    ("dashboard", ""), ("search", ""), ("result_list", ""), ("lot_list", ""), ("pellet_list", ""), ("cell_list", ""),
    ("measurement_list", ""), ("sputter_run_list", ""), ("conversion_list", ""), ("sputter_rates", ""),
    ("lot_detail", "lot"), ("pellet_detail", "pellet"), ("cell_detail", "cell"), ("sputter_run_detail", "run"),
    ("witness_plate_detail", "plate"), ("film_thickness_detail", "film"), ("conversion_detail", "step"),
    ("measurement_detail", "measurement"), ("measurement_runs", "measurement"), ("measurement_table", "measurement"),
    ("upload_detail", "upload"), ("lot_tree", "lot"), ("pellet_tree", "pellet"), ("cell_tree", "cell"),
)  # fmt: skip


def test_pages_carry_the_sentence_where_they_show_synthetic_data(lab, client):
    for name, key in PAGES:
        query = {"q": lab["cell"].code[:3]} if name == "search" else {}
        answer = client.get(reverse(name, args=[lab[key].code] if key else []), query, follow=True)
        assert (SENTENCE in answer.content.decode()) is lab["is_synthetic"], name


def test_exports_carry_the_sentence_or_the_mark(lab, client):
    is_synthetic, cell, measurement = lab["is_synthetic"], lab["cell"], lab["measurement"]
    for run in (measurement.runs.get(is_current=True), cell.combination_runs.get(is_current=True)):
        name = {"conductivity": "nyquist", "activation": "arrhenius"}[run.analysis]
        text = client.get(reverse("run_figure", args=[run.pk, name, "csv"])).content.decode()
        assert (f"# {SENTENCE}\n" in text) is is_synthetic, run.analysis
    text = client.get(reverse("measurement_figure", args=[measurement.code, "bode", "csv"])).content.decode()
    assert (f"# {SENTENCE}\n" in text) is is_synthetic
    page = client.get(reverse("measurement_detail", args=[measurement.code])).content.decode()
    assert ("· synthetic, not measured" in page) is is_synthetic  # the source line of PNG and SVG

    book = openpyxl.load_workbook(io.BytesIO(b"".join(client.get(reverse("result_list"), {"format": "xlsx"}))))
    assert (SENTENCE in [row[1] for row in book["About"].values]) is is_synthetic
    drawing = client.get(reverse("cell_tree_file", args=[cell.code, "svg"]))
    assert (SENTENCE in drawing.content.decode()) is is_synthetic
    for address in (
        reverse("cell_tree_file", args=[cell.code, "csv"]),
        f"/api/v1/measurements/{measurement.code}/recording/?format=csv",
        f"/api/v1/runs/{measurement.runs.get(is_current=True).pk}/tables/fit/?format=csv",
    ):
        assert ("-synthetic.csv" in client.get(address)["Content-Disposition"]) is is_synthetic


def test_the_api_marks_every_row(lab, client):
    told = str(lab["is_synthetic"]).lower()
    for collection in ("results", "measurements", "cells", "pellets", "powder-lots", "sputter-runs", "conversions",
                       "film-thicknesses", "witness-plates", "uploads", "runs"):  # fmt: skip
        rows = client.get(f"/api/v1/{collection}/").json()["results"]
        assert rows, collection
        assert {row["is_synthetic"] for row in rows} == {lab["is_synthetic"]}, collection
        text = b"".join(client.get(f"/api/v1/{collection}/", {"format": "csv"})).decode()
        assert {row["is_synthetic"] for row in csv.DictReader(io.StringIO(text))} == {told}, collection
    nodes = client.get(f"/api/v1/lineage/{lab['cell'].code}/").json()["entity"]
    marked = {node["prov:type"] for node in nodes.values() if node.get("lagpdb:is_synthetic")}
    wanted = {"lagpdb:PowderLot", "lagpdb:PelletBatch", "lagpdb:Pellet", "lagpdb:Cell", "lagpdb:Measurement",
              "lagpdb:Result"}  # fmt: skip
    assert marked >= wanted if lab["is_synthetic"] else not marked


def test_all_numbers_of_the_lab_are_marked(lab):
    assert set(Result.objects.values_list("is_synthetic", flat=True)) == {lab["is_synthetic"]}


def test_one_plot_never_mixes_measured_and_synthetic_numbers(client):
    client.force_login(builders.user())
    for is_synthetic in (False, True, True):
        run = builders.run(builders.measurement(is_synthetic=is_synthetic))
        for position in range(2):
            builders.result(run=run, position=position, is_synthetic=is_synthetic)
    address, query = reverse("result_list"), {"quantity": "ionic_conductivity_S_cm"}
    page = client.get(address, query).content.decode()
    assert "Measured values only: those of the reference set are not drawn with them." in page
    assert "is_synthetic=false" in page  # the same rows as CSV
    figure = client.get(address, query | {"format": "figure"}).json()
    assert sum(len(trace["x"]) for trace in figure["traces"] if trace.get("meta")) == 2
    Result.objects.filter(is_synthetic=False, position=1).delete()
    assert "one measured value is not drawn with it" in client.get(address, query).content.decode()
    chosen = client.get(address, query | {"format": "figure", "is_synthetic": "true"}).json()
    assert sum(len(trace["x"]) for trace in chosen["traces"] if trace.get("meta")) == 4

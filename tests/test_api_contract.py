"""What holds for every collection: list, detail, filter, sparse rows, exports, refusals, rights, constant cost."""

from __future__ import annotations

import csv
import io
from functools import cached_property
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from lagpdb import filters
from lagpdb.api import COLLECTIONS
from lagpdb.resources import Records
from measurements.models import Upload, UploadFile
from samples.models import Recipe
from tests import builders
from tests.api_client import ROOT, Api

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def api() -> Api:
    return Api()


class Shelf:
    """What the rows of one test share, made when it is first needed: a hundred rows need not have a hundred lots."""

    @cached_property
    def batch(self) -> Any:
        return builders.batch()

    @cached_property
    def electrode_lot(self) -> Any:
        return builders.electrode_lot()

    @cached_property
    def cell(self) -> Any:
        return builders.blocking_cell(batch=self.batch)

    @cached_property
    def sputter_run(self) -> Any:
        return builders.sputter_run()

    @cached_property
    def witness_plate(self) -> Any:
        return builders.witness_plate(self.sputter_run)

    @cached_property
    def measurement(self) -> Any:
        return builders.measurement(self.cell)

    def upload(self) -> Any:
        made = builders.saved(Upload, cell=self.cell)
        file = UploadFile.objects.create(upload=made, raw_file=builders.raw_file(), name="a.z", job_state="ended")
        file.measurements.add(self.measurement)
        return made

    def recipe(self) -> Any:
        number = Recipe.objects.count() + 100
        return builders.saved(Recipe, kind="cell", number=number, name="usual", defaults={"electrode_diameter_mm": 10})


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


# How one more row of each collection is made.
MAKERS: dict[str, Any] = {
    "materials": lambda on: builders.material(f"M{next(builders._numbers)}"),
    "recipes": lambda on: on.recipe(),
    "powder-lots": lambda on: builders.lot(),
    "pellet-batches": lambda on: builders.batch(powder_lot=on.batch.powder_lot),
    "pellets": lambda on: builders.pellet(batch=on.batch),
    "sputter-runs": lambda on: builders.sputter_run(builders.pellet(batch=on.batch)),
    "witness-plates": lambda on: builders.witness_plate(on.sputter_run),
    "film-thicknesses": lambda on: builders.film_thickness(on.witness_plate),
    "conversions": lambda on: builders.conversion(on.cell.pellet, is_attachment=True),
    "electrode-lots": lambda on: builders.electrode_lot(),
    "cells": lambda on: builders.full_cell(batch=on.batch, electrode_lot=on.electrode_lot),
    "uploads": lambda on: on.upload(),
    "measurements": lambda on: builders.measurement(on.cell),
    "instruments": lambda on: builders.instrument(),
    "runs": lambda on: builders.run(on.measurement, is_current=False),
    "results": lambda on: builders.result(on.measurement, run=builders.run(on.measurement, is_current=False)),
}
WITHOUT_ROWS = {"quantities", "lineage"}


def address(name: str, record: Any) -> str:
    return f"{name}/{getattr(record, 'code', None) or record.pk}/"


def test_every_collection_has_a_maker() -> None:
    assert set(MAKERS) | WITHOUT_ROWS == set(COLLECTIONS)


@pytest.mark.parametrize("name", MAKERS)
class TestEveryCollection:
    def test_list_and_detail_show_the_same_columns(self, api: Api, shelf: Shelf, name: str) -> None:
        record = MAKERS[name](shelf)
        found = api.get(f"{name}/").json()
        assert set(found) == {"next", "previous", "results"}
        row = found["results"][0]
        detail = api.get(address(name, record))
        assert detail.status_code == 200
        shown = detail.json()
        assert row.items() <= shown.items()
        assert shown["url"] == f"http://testserver{ROOT}{address(name, record)}"
        assert {"created_at", "updated_at", "version", "is_synthetic"} <= set(shown)
        assert api.get(shown["url"].removeprefix(f"http://testserver{ROOT}")).status_code == 200

    def test_sparse_rows(self, api: Api, shelf: Shelf, name: str) -> None:
        MAKERS[name](shelf)
        key = "id" if name in ("runs", "results") else "code"
        assert set(api.rows(f"{name}/", fields=f"{key},created_at")[0]) == {key, "created_at"}
        refused = api.get(f"{name}/", fields="creatd_at")
        assert refused.status_code == 400
        assert "created_at" in refused.json()["detail"]

    def test_csv_and_parquet_are_the_same_rows(self, api: Api, shelf: Shelf, name: str) -> None:
        for _ in range(3):
            MAKERS[name](shelf)
        rows = api.rows(f"{name}/")
        text = b"".join(api.get(f"{name}/", format="csv", limit=1).streaming_content).decode()
        table = list(csv.DictReader(io.StringIO(text)))
        assert list(table[0]) == list(rows[0])
        assert [row["url"] for row in table] == [row["url"] for row in rows]
        parquet = pq.read_table(io.BytesIO(b"".join(api.get(f"{name}/", format="parquet").streaming_content)))
        assert parquet.column_names == list(rows[0])
        assert parquet.column("url").to_pylist() == [row["url"] for row in rows]

    def test_empty_lists_export_a_header(self, api: Api, shelf: Shelf, name: str) -> None:
        query = {"created_at__gt": "2999-01-01"}
        lines = b"".join(api.get(f"{name}/", format="csv", **query).streaming_content).decode().splitlines()
        assert len(lines) == 1
        parquet = pq.read_table(io.BytesIO(b"".join(api.get(f"{name}/", format="parquet", **query).streaming_content)))
        assert parquet.num_rows == 0

    def test_unknown_parameters_are_refused_with_the_nearest(self, api: Api, shelf: Shelf, name: str) -> None:
        refused = api.get(f"{name}/", creatd_at__gte="2026-01-01")
        assert refused.status_code == 400
        problem = refused.json()
        assert problem["type"] == "unknown_parameter"
        assert problem["field"] == "creatd_at__gte"
        assert "created_at" in problem["detail"]
        assert set(problem) >= {"type", "title", "detail", "field", "line", "ref"}

    def test_nobody_is_401_and_unknown_is_404(self, api: Api, shelf: Shelf, name: str) -> None:
        record = MAKERS[name](shelf)
        for path in (f"{name}/", address(name, record)):
            nobody = Client().get(ROOT + path)
            assert nobody.status_code == 401
            assert nobody.json()["type"] == "not_signed_in"
        missing = api.get(f"{name}/ZZZ-9999/")
        assert missing.status_code == 404
        assert missing.json()["type"] == "not_found"

    def test_a_token_that_reads_may_not_write(self, shelf: Shelf, name: str) -> None:
        record = MAKERS[name](shelf)
        reader = Api(scope="read")
        viewset = COLLECTIONS[name]
        if issubclass(viewset, Records):
            assert reader.post(f"{name}/", {"nothing": 1}).status_code == 403
        if hasattr(viewset, "partial_update"):
            assert reader.patch(address(name, record), {"notes": "x"}).status_code == 403
        if hasattr(viewset, "withdraw"):
            assert reader.post(f"{address(name, record)}withdraw/", {"reason": "x"}).status_code == 403

    def test_cost_does_not_grow_with_rows(self, api: Api, shelf: Shelf, name: str) -> None:
        api.get(f"{name}/")

        def queries() -> int:
            with CaptureQueriesContext(connection) as caught:
                assert api.get(f"{name}/", count=1, limit=1000).status_code == 200
            return len(caught)

        for _ in range(10):
            MAKERS[name](shelf)
        at_ten = queries()
        for _ in range(90):
            MAKERS[name](shelf)
        assert queries() == at_ten
        assert at_ten <= 6

    def test_detail_costs_at_most_a_few_queries(self, api: Api, shelf: Shelf, name: str) -> None:
        record = MAKERS[name](shelf)
        api.get(f"{name}/")
        with CaptureQueriesContext(connection) as caught:
            assert api.get(address(name, record)).status_code == 200
        assert len(caught) <= 6

    def test_every_declared_filter_is_a_query_that_runs(self, shelf: Shelf, name: str) -> None:
        MAKERS[name](shelf)
        view = COLLECTIONS[name]()
        model = view.serializer_class.Meta.model
        samples = {"number": "1", "integer": "1", "flag": "true", "time": "2026-01-01", "date": "2026-01-01"}
        for used in view.filters.values():
            value = samples.get(used.kind, "x")
            texts = {"isnull": "true", "in": f"{value},{value}", "range": f"{value},{value}"}
            for lookup in ("", *used.lookups):
                parameter = f"{used.name}__{lookup}" if lookup else used.name
                filters.apply(model.objects.all(), {parameter: texts.get(lookup, value)}, view.filters).exists()

    def test_every_declared_order_answers(self, api: Api, shelf: Shelf, name: str) -> None:
        MAKERS[name](shelf)
        MAKERS[name](shelf)
        view = COLLECTIONS[name]()
        for column in view.columns.values():
            if column.is_declared and column.kind != "json":
                rows = api.rows(f"{name}/", ordering=f"-{column.name}", limit=1)
                assert len(rows) == 1, column.name


@pytest.mark.parametrize("name", [name for name in MAKERS if hasattr(COLLECTIONS[name], "withdraw")])
class TestEveryRecord:
    def test_trash_and_history(self, api: Api, shelf: Shelf, name: str) -> None:
        record = MAKERS[name](shelf)
        path = address(name, record)
        empty = api.post(f"{path}withdraw/")
        assert empty.status_code == 400
        assert empty.json()["field"] == "reason"
        gone = api.post(f"{path}withdraw/", {"reason": "double"})
        assert gone.status_code == 200, gone.content
        assert gone.json()["withdrawn_at"]
        assert api.rows(f"{name}/", code=record.code) == []
        assert len(api.rows(f"{name}/", code=record.code, withdrawn="true")) == 1
        assert api.get(path).json()["withdrawn_at"]
        assert api.post(f"{path}withdraw/", {"reason": "again"}).status_code == 400
        assert api.post(f"{path}restore/", {"reason": "was right"}).status_code == 200
        assert len(api.rows(f"{name}/", code=record.code)) == 1
        history = api.rows(f"{path}history/")
        assert [each["action"] for each in history][:2] == ["restored", "withdrawn"]
        assert history[1]["reason"] == "double"

    def test_restoring_is_for_curators(self, shelf: Shelf, name: str) -> None:
        record = MAKERS[name](shelf)
        member = Api(role="member")
        assert member.post(f"{address(name, record)}withdraw/", {"reason": "x"}).status_code == 200
        assert member.post(f"{address(name, record)}restore/").status_code == 403

"""Uploads and measurements: files through the form, states, parsed tables, raw bytes, corrections."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from analysis import pipeline
from analysis.models import AnalysisRun
from analysis.science.synthetic import blocking_cell_spectrum, frequencies_Hz
from analysis.tasks import drain
from measurements import ingest, store
from measurements.curve import cut, reach, thinned
from measurements.models import UploadFile
from tests import builders, spine
from tests.api_client import ROOT, Api

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


@pytest.fixture
def api() -> Api:
    return Api()


def upload(api: Api, *files: tuple[str, bytes], **fields: Any) -> Any:
    content = {"files": [SimpleUploadedFile(name, body) for name, body in files], **fields}
    return api.client.post(f"{ROOT}uploads/", content, headers=api.headers)


# -- uploads -----------------------------------------------------------------------------------------------------------
def test_files_are_stored_and_noted(api: Api) -> None:
    cell = builders.blocking_cell()
    answer = upload(
        api,
        ("a.z", b"first"),
        ("b.z", b"second"),
        subject=cell.code.lower(),
        temperature_degC="25.5",
        parameters='{"voltage_limit_V": 5}',
    )
    assert answer.status_code == 201, answer.content
    made = answer.json()
    assert made["code"].startswith("UPB-")
    assert made["subject"] == cell.code
    assert (made["temperature_degC"], made["parameters"]) == (25.5, {"voltage_limit_V": 5.0})
    assert answer["Location"] == made["url"]
    assert [file["name"] for file in made["files"]] == ["a.z", "b.z"]
    assert made["files"][0]["sha256"] == hashlib.sha256(b"first").hexdigest()
    assert made["files"][0]["state"] == "received"
    assert {"id", "name", "sha256", "state", "message", "line", "measurements"} <= set(made["files"][0])
    assert api.get(made["url"]).json() == made
    assert api.rows("uploads/")[0]["states"] == {"received": 2}
    with store.open_raw(made["files"][1]["sha256"]) as stream:
        assert stream.read() == b"second"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"subject": "CEL-9999"}, "subject"),
        ({"subject": "LOT-0001"}, "subject"),
        ({"kind": "voodoo"}, "kind"),
        ({"temperature_degC": "warm"}, "temperature_degC"),
        ({"temperature_degC": "5000"}, "temperature_degC"),
        ({"parameters": "{"}, "parameters"),
        ({"parameters": "[1]"}, "parameters"),
        ({"parameters": '{"voltage": 5}'}, "voltage"),
        ({"instrument": "nowhere"}, "instrument"),
        ({"colour": "red"}, "colour"),
        ({"is_synthetic": "maybe"}, "is_synthetic"),
    ],
)
def test_what_comes_beside_the_files_is_checked(api: Api, fields: dict[str, str], field: str) -> None:
    refused = upload(api, ("a.z", b"x"), **fields)
    assert refused.status_code == 400, refused.content
    assert refused.json()["field"] == field
    assert not UploadFile.objects.exists()


def test_no_file_is_refused(api: Api) -> None:
    assert upload(api).status_code == 400
    elsewhere = api.client.post(f"{ROOT}uploads/", {"file": SimpleUploadedFile("a", b"x")}, headers=api.headers)
    assert elsewhere.status_code == 400
    assert elsewhere.json()["field"] == "file"
    assert api.post("uploads/", {"files": []}).status_code == 415


def test_too_large_is_413_and_full_is_507(api: Api, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.UPLOAD_MAX_MB = 0.001
    assert upload(api, ("a.z", b"x" * 2000)).status_code == 413
    mixed = upload(api, ("a.z", b"x" * 2000), ("b.z", b"small"))
    assert mixed.status_code == 201
    assert [file["state"] for file in mixed.json()["files"]] == ["failed", "received"]
    monkeypatch.setattr(store.LocalStore, "free_bytes", lambda self: 0)
    assert upload(api, ("a.z", b"x")).status_code == 507


def test_rights_of_uploads() -> None:
    assert upload(Api(scope="upload", role="member"), ("a.z", b"x")).status_code == 201
    reader = Api(scope="read", role="member")
    refused = upload(reader, ("a.z", b"never stored"))
    assert refused.status_code == 403
    assert (
        not (store.store().raw / hashlib.sha256(b"never stored").hexdigest()[:2])
        .joinpath(hashlib.sha256(b"never stored").hexdigest())
        .exists()
    )
    uploader = Api(scope="upload", role="member")
    assert uploader.post("powder-lots/", {}).status_code == 403
    assert (
        uploader.post(f"uploads/{uploader.rows('uploads/')[0]['code']}/withdraw/", {"reason": "x"}).status_code == 403
    )


def test_assign(api: Api) -> None:
    cell = builders.blocking_cell()
    made = upload(api, ("a.z", b"whose?")).json()
    path, file = f"uploads/{made['code']}/assign/", made["files"][0]["id"]
    waiting = api.post(path, {"file": file, "subject": cell.code})
    assert waiting.status_code == 400  # it does not wait yet
    UploadFile.objects.filter(pk=file).update(state="needs_sample", job_state="ended")
    assert api.post(path, {"file": file, "subject": "CEL-9999"}).json()["field"] == "subject"
    assert api.post(path, {"file": 10**12, "subject": cell.code}).json()["field"] == "file"
    assert api.post(path, {"file": file, "subject": cell.code, "sample": 1}).status_code == 400
    done = api.post(path, {"file": file, "subject": cell.code, "reason": "label"})
    assert done.status_code == 200, done.content
    assert done.json()["files"][0]["state"] == "received"


def test_assign_moves_what_was_measured(api: Api) -> None:
    wrong, right = builders.blocking_cell(), builders.blocking_cell()
    made = upload(api, ("a.csv", spine.spectrum()), subject=wrong.code).json()
    drain()
    path, file = f"uploads/{made['code']}/assign/", made["files"][0]["id"]
    (code,) = api.get(made["url"]).json()["files"][0]["measurements"]
    stale = api.post(path, {"file": file, "subject": right.code, "version": 9})
    assert (stale.status_code, stale.json()["type"]) == (409, "stale_version")
    same = api.post(path, {"file": file, "subject": wrong.code})
    assert (same.status_code, same.json()["detail"]) == (
        400,
        f"{code} is a measurement of {wrong.code} already. Choose another sample.",
    )
    done = api.post(path, {"file": file, "subject": right.code, "version": 1, "reason": "wrong cell"})
    assert done.status_code == 200, done.content
    assert done.json()["files"][0]["state"] == "queued"
    assert api.rows("results/", subject=wrong.code) == []
    drain()
    assert api.get(made["url"]).json()["files"][0]["state"] == "done"
    assert api.get(f"measurements/{code}/").json()["subject"] == right.code
    assert {row["measurement"] for row in api.rows("results/", subject=right.code)} == {code}
    history = api.get(f"measurements/{code}/history/").json()["results"][0]
    assert (history["changes"], history["reason"]) == ({"cell": [wrong.code, right.code]}, "wrong cell")
    assert api.get(f"cells/{wrong.code}/history/").json()["results"][0]["changes"] == {"measurement": [code, None]}


def test_a_copy_for_another_sample_is_moved(api: Api) -> None:
    wrong, right = builders.blocking_cell(), builders.blocking_cell()
    upload(api, ("a.csv", spine.spectrum()), subject=wrong.code)
    drain()
    made = upload(api, ("b.csv", spine.spectrum()), subject=right.code).json()
    drain()
    (copy,) = api.get(made["url"]).json()["files"]
    assert copy["state"] == "duplicate"
    assert copy["message"].endswith(f"of {wrong.code}. Move it to {right.code}?")
    assert [candidate["code"] for candidate in copy["candidates"]] == [right.code]
    moved = api.post(f"uploads/{made['code']}/assign/", {"file": copy["id"], "subject": right.code})
    assert moved.status_code == 200, moved.content
    assert moved.json()["files"][0]["state"] == "duplicate"
    assert api.get(f"measurements/{copy['measurements'][0]}/").json()["subject"] == right.code


def test_patch_of_the_subject_moves(api: Api) -> None:
    wrong, right = builders.blocking_cell(), builders.blocking_cell()
    measurement = builders.measurement(wrong)
    path = f"measurements/{measurement.code}/"
    both = api.patch(path, {"subject": right.code, "notes": "x"})
    assert (both.status_code, both.json()["field"]) == (400, "subject")
    for subject in ("CEL-9999", 5, None):
        assert api.patch(path, {"subject": subject}).json()["field"] == "subject"
    moved = api.patch(path, {"subject": right.code.lower(), "version": 1, "reason": "wrong cell"})
    assert (moved.status_code, moved.json()["subject"], moved.json()["version"]) == (200, right.code, 2)
    stale = api.patch(path, {"subject": wrong.code, "version": 1})
    assert stale.status_code == 409
    assert stale.json()["stored"]["subject"] == right.code
    assert stale.json()["yours"] == {"subject": wrong.code, "version": 1}
    reader = Api(scope="read", role="member")
    assert reader.patch(path, {"subject": wrong.code}).status_code == 403


# -- parsed tables -----------------------------------------------------------------------------------------------------
@pytest.fixture
def cycling(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A measurement whose recording is known: 1 000 points in 10 cycles."""
    frame = pd.DataFrame(
        {
            "time_s": [float(second) for second in range(1000)],
            "potential_V": [3.0 + (second % 100) / 100 for second in range(1000)],
            "cycle_number": [second // 100 + 1 for second in range(1000)],
            "comment": ["x"] * 1000,
        }
    )
    frame.loc[5, "potential_V"] = float("nan")
    monkeypatch.setattr("measurements.api.recording", lambda measurement, reach: frame)
    return builders.measurement(kind="cycling")


def test_the_table_in_three_formats(api: Api, cycling: Any) -> None:
    path = f"measurements/{cycling.code}/recording/"
    found = api.get(path).json()
    assert found["row_count"] == 1000
    assert found["columns"][1] == {"name": "potential_V", "unit": "V", "label": "Potential (V)"}
    assert found["data"]["potential_V"][4:6] == [3.04, None]
    lines = api.text(path, format="csv").splitlines()
    assert lines[0] == "time_s,potential_V,cycle_number,comment"
    assert len(lines) == 1001
    table = pq.read_table(io.BytesIO(b"".join(api.get(path, format="parquet").streaming_content)))
    assert table.num_rows == 1000


def test_cuts_of_the_table(api: Api, cycling: Any) -> None:
    path = f"measurements/{cycling.code}/recording/"

    def data(**query: Any) -> dict[str, list[Any]]:
        answer = api.get(path, **query)
        assert answer.status_code == 200, answer.content
        return answer.json()["data"]

    assert list(data(columns="potential_V,time_s")) == ["potential_V", "time_s"]
    assert set(data(cycle=3)["cycle_number"]) == {3}
    assert set(data(cycle="3-5")["cycle_number"]) == {3, 4, 5}
    assert data(from_s=10, to_s=12)["time_s"] == [10.0, 11.0, 12.0]
    thin = data(envelope=40)["potential_V"]
    assert len(thin) <= 40
    assert max(value for value in thin if value is not None) == 3.99
    for query in (
        {"columns": "voltage"},
        {"cycle": "x"},
        {"from_s": "a"},
        {"envelope": 1},
        {"envelope": "a"},
        {"x": 1},
    ):
        assert api.get(path, **query).status_code == 400


NAMES = ["time_s", "potential_V", "current_A", "cycle_number", "comment"]


@pytest.mark.parametrize(
    ("cuts", "columns", "spans"),
    [
        ({}, None, {}),
        ({"cycles": (3, 5)}, None, {"cycle_number": (3, 5)}),
        ({"from_s": 5.0}, None, {"time_s": (5.0, float("inf"))}),
        ({"columns": ["time_s"]}, ["time_s"], {}),
        ({"columns": ["comment"], "cycles": (1, 1)}, ["comment", "cycle_number"], {"cycle_number": (1, 1)}),
        ({"columns": ["current_A"], "envelope": 100}, ["current_A", "potential_V"], {}),
        ({"columns": ["voltage"]}, None, {}),  # the refusal names all columns
    ],
)
def test_what_a_cut_looks_at(cuts: Any, columns: Any, spans: Any) -> None:
    assert reach(NAMES, **cuts) == (columns, spans)


def test_an_envelope_of_other_columns_needs_all() -> None:
    assert reach(["time_s", "Aux"], columns=["time_s"], envelope=100) == (None, {})


def test_an_envelope_passes_over_gaps() -> None:
    values = np.where(np.arange(10_000) < 5000, np.nan, np.arange(10_000) % 777)
    thin = thinned(pd.DataFrame({"time_s": range(10_000), "potential_V": values}), 400)
    assert len(thin) <= 400
    assert thin["potential_V"].max() == 776
    assert {0, 9999} <= set(thin["time_s"])


def test_an_envelope_keeps_first_last_and_every_extreme() -> None:
    frame = pd.DataFrame({"time_s": range(100_000), "potential_V": [0.0] * 100_000})
    frame.loc[[777, 88_888], "potential_V"] = [5.0, -5.0]
    thin = thinned(frame, 4000)
    assert len(thin) <= 4000
    assert {0, 99_999, 777, 88_888} <= set(thin["time_s"])
    assert thinned(frame.head(10), 4000) is not None
    assert len(thinned(pd.DataFrame({"name": ["x"] * 100}), 10)) == 10
    assert cut(frame, from_s=5, to_s=6)["time_s"].tolist() == [5, 6]


def test_a_measurement_without_data_says_so(api: Api) -> None:
    from measurements.models import Measurement

    cell = builders.blocking_cell()
    bare = builders.saved(Measurement, cell=cell, kind="photo")
    assert api.get(f"measurements/{bare.code}/recording/").status_code == 404
    assert api.get(f"measurements/{bare.code}/file/").status_code == 404


# -- raw bytes ---------------------------------------------------------------------------------------------------------
def test_raw_bytes_are_never_shown_by_a_browser(api: Api) -> None:
    content = b"<script>alert(1)</script>"
    stored = store.put_bytes("evil.html", content)
    raw = builders.raw_file(content, name='evil".html')
    assert raw.sha256 == stored.sha256
    answer = api.get(f"measurements/{builders.measurement(raw=raw).code}/file/")
    assert b"".join(answer.streaming_content) == content
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"


# -- corrections -------------------------------------------------------------------------------------------------------
def test_patch_of_a_measurement(api: Api) -> None:
    measurement = builders.measurement(parameters={"circuit": "A"})
    device = builders.instrument("autolab-1")
    path = f"measurements/{measurement.code}/"
    content = {
        "temperature_degC": 60,
        "instrument": device.code,
        "parameters": {"fit_range_Hz": [0.1, 1e6], "measured_at": "2026-03-11T14:10:00Z", "circuit": None},
        "version": 1,
        "reason": "from the notebook",
    }
    answer = api.patch(path, content)
    assert answer.status_code == 200, answer.content
    shown = answer.json()
    assert (shown["temperature_degC"], shown["temperature_origin"]) == (60.0, "person")
    assert shown["instrument"] == "autolab-1"
    assert shown["parameters"] == {"fit_range_Hz": [0.1, 1000000.0]}
    assert shown["measured_at"] == "2026-03-11T14:10:00Z"
    assert api.patch(path, {"parameters": {"magic": 1}}).json()["field"] == "magic"
    assert api.patch(path, {"temperature_degC": 5000}).status_code == 400
    assert api.patch(path, {"kind": "cycling"}).json()["type"] == "unknown_field"
    assert api.patch(path, {"notes": "x", "version": 1}).status_code == 409
    assert api.post("measurements/", {}).status_code == 405


def test_measurements_through_the_genealogy(api: Api) -> None:
    hot, cold = builders.batch(sinter_temperature_degC=900.0), builders.batch(sinter_temperature_degC=850.0)
    in_cell = builders.measurement(builders.symmetric_cell(batch=hot))
    bare = builders.measurement(builders.pellet(batch=cold, mass_mg=None), kind="xrd")
    builders.sputter_run((bare.pellet, "A"), duration_min=10.0)

    def found(**query: Any) -> list[str]:
        return sorted(row["code"] for row in api.rows("measurements/", **query))

    assert found(batch=hot.code) == [in_cell.code]
    assert found(pellet=bare.pellet.code) == [bare.code]
    assert found(pellet=in_cell.cell.pellet.code) == [in_cell.code]
    assert found(subject=in_cell.cell.code) == [in_cell.code]
    assert found(subject=in_cell.cell.pellet.code) == []
    assert found(pellet__mass_mg__isnull="true") == [bare.code]
    assert found(batch__sinter_temperature_degC__lt=880) == [bare.code]
    assert found(configuration="symmetric") == [in_cell.code]
    assert found(is_coated="true") == [bare.code]
    assert found(is_coated="false") == [in_cell.code]
    assert found(sputter_run__duration_min=10) == [bare.code]
    assert found(kind__in="xrd,afm") == [bare.code]


def test_json_bodies_of_any_shape_do_no_harm(api: Api) -> None:
    path = f"measurements/{builders.measurement().code}/"
    for content in ({"parameters": "x"}, {"parameters": [1]}, {"parameters": 5}, {"parameters": None}):
        assert api.patch(path, content).status_code == 400, content
    assert orjson.loads(api.get(path).content)["parameters"] == {}


# -- the whole way -----------------------------------------------------------------------------------------------------
def test_a_file_becomes_a_number(api: Api) -> None:
    """POST a spectrum, let the worker's two functions run, GET the number, the table, the bytes and the lineage."""
    frequencies = frequencies_Hz(low_Hz=1.0)
    spectrum = blocking_cell_spectrum(
        frequencies,
        total_conductivity_25degC_S_cm=2.5e-4,
        activation_energy_eV=0.35,
        thickness_um=801.0,
        electrode_area_cm2=0.7854,
        temperature_degC=25.0,
        noise_fraction=1e-3,
        rng=np.random.default_rng(7),
    )
    lines = ["frequency_Hz,z_real_ohm,z_imag_ohm"]
    lines += [f"{f:.6g},{z.real:.9g},{z.imag:.9g}" for f, z in zip(frequencies, spectrum, strict=True)]
    content = ("\n".join(lines) + "\n").encode()
    cell = builders.blocking_cell(thickness_um=801.0, electrode_diameter_mm=10.0)
    made = upload(api, (f"{cell.code}_25C.csv", content)).json()
    ingest.take_in(made["files"][0]["id"])
    for run in AnalysisRun.objects.filter(job_state="waiting"):
        pipeline.run(run.pk)
    file = api.get(made["url"]).json()["files"][0]
    assert file["state"] == "done", file
    (code,) = file["measurements"]
    measurement = api.get(f"measurements/{code}/").json()
    assert (measurement["subject"], measurement["temperature_degC"]) == (cell.code, 25.0)
    (number,) = api.rows("results/", measurement=code, quantity="ionic_conductivity_S_cm")
    assert (number["subject"], number["pellet"], number["unit"]) == (cell.code, cell.pellet.code, "S cm⁻¹")
    assert number["value"] == pytest.approx(2.5e-4, rel=0.05)
    lines = api.text(f"measurements/{code}/recording/", format="csv").splitlines()
    assert len(lines) == len(frequencies) + 1
    assert b"".join(api.get(f"measurements/{code}/file/").streaming_content) == content
    assert f"sha256:{file['sha256']}" in api.get(f"lineage/{number['id']}/").json()["entity"]
    assert api.get(f"runs/{number['run']}/curves/").json()
    queued = api.post(f"measurements/{code}/reanalyse/", {"reason": "again"})
    assert [run["state"] for run in queued.json()["runs"]] == ["queued"]


# -- columns and units -------------------------------------------------------------------------------------------------
def test_columns_and_units_are_told(api: Api) -> None:
    cell = builders.symmetric_cell()
    rows = "\n".join(f"{60 * row},{40 + row % 7},{78.5 if row // 60 % 2 == 0 else -78.5}" for row in range(600))
    made = upload(api, ("bare.csv", f"time,potential,current\n{rows}\n".encode()), subject=cell.code).json()
    drain()
    path, file = f"uploads/{made['code']}/columns/", made["files"][0]["id"]
    told = {
        "time": {"name": "time_s", "unit": "s"},
        "potential": {"name": "potential_V", "unit": "mV"},
        "current": {"name": "current_A", "unit": "uA"},
    }
    assert "Say why" in api.post(path, {"file": file, "columns": told}).json()["detail"]
    unknown = {"file": file, "columns": told | {"colour": {"name": "current_A"}}, "reason": "logger"}
    assert api.post(path, unknown).json()["field"] == "columns"
    stale = api.post(path, {"file": file, "columns": told, "reason": "logger", "version": 99})
    assert (stale.status_code, stale.json()["type"].rpartition("/")[2]) == (409, "stale_version")
    done = api.post(path, {"file": file, "columns": told, "reason": "logger"})
    assert done.status_code == 200, done.content
    assert done.json()["files"][0]["state"] == "received"
    drain()
    frame = store.recording(UploadFile.objects.get(pk=file).measurements.get())
    assert frame["current_A"].iloc[0] == pytest.approx(78.5e-6)
    assert frame["potential_V"].iloc[0] == pytest.approx(0.040)

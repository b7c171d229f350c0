"""The curation pages: every one loads at a constant cost, records change with a reason, nothing is deleted."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from analysis.models import AnalysisRun, Result, RunInput
from lagpdb import curation
from lagpdb.ledger import pulse
from lagpdb.models import ApiToken, Draft, Revision, SavedView
from lagpdb.records import Record, save_record, withdraw
from lagpdb.roles import ROLES, set_role
from lagpdb.tokens import make_token
from measurements.models import Attachment, Instrument, Measurement, MeasurementFile, RawFile, Upload, UploadFile
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
    Recipe,
    SputterRun,
    WitnessPlate,
)

pytestmark = pytest.mark.django_db
User = get_user_model()
ONLY_ADMINISTRATORS = {"auth.user", "ground.apitoken", "ground.codecounter"}
READ_ONLY = {
    "samples.coating", "samples.sputtersetting", "measurements.attachment", "ground.draft", "ground.savedview",
    "measurements.rawfile", "measurements.measurementfile", "measurements.uploadfile",
    "analysis.analysisrun", "analysis.runinput", "analysis.result",
    "ground.revision", "ground.workerpulse", "ground.apitoken", "ground.codecounter",
}  # fmt: skip
MODELS = sorted((model for model in admin.site._registry), key=lambda model: model._meta.label_lower)


def names(models):
    return [model._meta.label_lower for model in models]


def person(role, name=None):
    user = User.objects.create_user(name or role, password="a-long-password")
    set_role(user, role)
    return user


def signed_in(client, role):
    client.force_login(person(role))
    return client


def make_samples(mark=""):
    """One of everything that is made by hand."""
    lagp, _ = Material.objects.get_or_create(code="LAGP", defaults={"name": "LAGP", "theoretical_density_g_cm3": 3.4})
    lot = save_record(PowderLot(material=lagp, supplier=f"Supplier {mark}"), by=None)
    batch = save_record(PelletBatch(powder_lot=lot, powder_mass_mg=500), by=None)
    pellet = save_record(Pellet(batch=batch, thickness_um=800, diameter_mm=16, mass_mg=450), by=None)
    power = 80 + SputterRun.objects.count()
    run = save_record(
        SputterRun(target=lagp, duration_min=10, power_W=power, pressure_Pa=1, target_distance_cm=5), by=None
    )
    plate = save_record(WitnessPlate(sputter_run=run), by=None)
    save_record(FilmThickness(witness_plate=plate, heights_nm=[49.0, 51.0]), by=None)
    Coating.objects.create(sputter_run=run, pellet=pellet, face="A")
    save_record(Conversion(pellet=pellet, faces="A"), by=None)
    electrode = save_record(ElectrodeLot(material=lagp, loading_mg_cm2=2.5), by=None)
    cell = save_record(
        Cell(pellet=pellet, configuration="full", electrode_lot=electrode, electrode_diameter_mm=10), by=None
    )
    last = Recipe.objects.filter(kind="cell").count()
    save_record(Recipe(kind="cell", number=last + 1, name="Full cell"), by=None)
    return cell


def make_results(cell, mark):
    """One of everything that comes from a file."""
    instrument = save_record(Instrument(code=f"autolab-{mark}", name="Autolab"), by=None)
    raw = RawFile.objects.create(sha256=f"{mark:064x}", size_bytes=5, original_name=f"file {mark}.txt")
    upload = save_record(Upload(cell=cell, instrument=instrument), by=None)
    arrived = UploadFile.objects.create(upload=upload, raw_file=raw, name=raw.original_name, cell=cell, state="done")
    measurement = save_record(
        Measurement(kind="eis", cell=cell, instrument=instrument, operator=User.objects.first()), by=None
    )
    arrived.measurements.add(measurement)
    MeasurementFile.objects.create(measurement=measurement, raw_file=raw)
    run = AnalysisRun.objects.create(
        analysis="conductivity", version=1, measurement=measurement, state="succeeded", job_state="ended"
    )
    run.caused_by.add(arrived)
    result = Result.objects.create(
        run=run, measurement=measurement, pellet=cell.pellet, cell=cell, value=1e-4,
        quantity="ionic_conductivity_S_cm", unit="S_cm",
    )  # fmt: skip
    RunInput.objects.create(run=run, role="spectrum", measurement=measurement)
    RunInput.objects.create(run=run, role="resistance", result=result)
    pulse(f"worker-{mark}")


def make_world(mark):
    user = User.objects.create_user(f"person-{mark}")
    user.groups.set([])
    make_token(user)
    cell = make_samples(mark)
    make_results(cell, mark)
    Draft.objects.create(user=user, form="cell_new", key=f"{mark}", address="/cells/new/")
    SavedView.objects.create(user=user, list_name="cells", name="coated")
    raw = RawFile.objects.first()
    Attachment.objects.create(record_type="samples.cell", record_code=cell.code, raw_file=raw, name="photo.jpg")


@pytest.fixture
def world():
    make_world(1)


def url(model, page="changelist", *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def may_see(role, model):
    return role == "administrator" or model._meta.label_lower not in ONLY_ADMINISTRATORS


# -- who gets in -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ROLES)
def test_curators_and_administrators_enter(client, role):
    signed_in(client, role)
    answer = client.get("/admin/", follow=True)
    enters = role in ("curator", "administrator")
    assert answer.status_code == (200 if enters else 403)
    assert ("Nothing is deleted" if enters else "for curators and administrators") in answer.content.decode()


def test_a_flag_alone_opens_nothing(client):
    client.force_login(User.objects.create_user("stray", is_staff=True))
    assert client.get("/admin/", follow=True).status_code == 403


def test_signing_in_happens_on_one_page(client):
    person("curator")
    answer = client.post("/admin/login/", {"username": "curator", "password": "a-long-password"})
    assert answer["Location"].startswith("/login/")
    assert client.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/login/")


def test_all_models_are_there():
    from django.apps import apps

    ours = {m._meta.label_lower for m in apps.get_models() if m._meta.app_label in (
        "samples", "measurements", "analysis", "ground"
    )}  # fmt: skip
    assert ours | {"auth.user"} == set(names(MODELS))


# -- every page loads, at a constant cost ------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ["administrator", "curator"])
@pytest.mark.parametrize("model", MODELS, ids=names(MODELS))
def test_pages_load(client, world, model, role):
    signed_in(client, role)
    status = 200 if may_see(role, model) else 403
    record = model._default_manager.order_by("pk").first()
    assert record is not None
    assert client.get(url(model)).status_code == status
    searched = client.get(url(model), {"q": "pel1 autolab"})
    assert searched.status_code == status
    assert client.get(url(model, "change", record.pk)).status_code == status
    may_add = status == 200 and model._meta.label_lower not in READ_ONLY | {"measurements.upload"}
    assert client.get(url(model, "add")).status_code == (200 if may_add else 403)
    if role == "administrator":
        links = re.findall(r'href="(\?[^"]+)"', searched.content.decode())  # filters and headings
        for link in links[:24]:
            assert client.get(url(model) + link.replace("&amp;", "&")).status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=names(MODELS))
def test_lists_cost_the_same_for_many(client, world, model):
    signed_in(client, "administrator")
    counts = []
    for marks in (range(2, 3), range(3, 8)):
        for mark in marks:
            make_world(mark)
        client.get(url(model))
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url(model)).status_code == 200
        counts.append(len(queries))
    assert counts[1] <= counts[0]
    assert counts[0] <= 12


# -- nothing is deleted ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("role", ["administrator", "curator"])
@pytest.mark.parametrize("model", MODELS, ids=names(MODELS))
def test_nothing_is_deleted(client, world, model, role):
    signed_in(client, role)
    record = model._default_manager.order_by("pk").first()
    before = model._default_manager.count()
    address = url(model, "delete", record.pk)
    assert client.get(address).status_code == 403
    assert client.post(address, {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [record.pk], "post": "yes", "index": 0}
    client.post(url(model), chosen)
    assert model._default_manager.count() == before


@pytest.mark.parametrize("model", [m for m in MODELS if m._meta.label_lower in READ_ONLY])
def test_raw_data_and_numbers_do_not_change(client, world, model):
    signed_in(client, "administrator")
    record = model._default_manager.order_by("pk").first()
    page = client.get(url(model, "change", record.pk)).content.decode()
    assert 'name="_save"' not in page
    assert client.post(url(model, "change", record.pk), {"sha256": "0" * 64, "value": "7"}).status_code == 403


# -- records change through save_record --------------------------------------------------------------------------------
def form_of(client, address):
    """What a browser would send back unchanged."""
    page = client.get(address)
    form = page.context["adminform"].form
    data = {}
    for name in form.fields:
        bound = form[name]
        data |= {part: value for part, value in _parts(bound, bound.value()) if value is not None}
        if bound.field.show_hidden_initial:
            data |= re.findall(r'name="([^"]+)" value="([^"]*)"', bound.as_hidden(only_initial=True))
    return data


def _parts(bound, value):
    widget = getattr(bound.field.widget, "widget", bound.field.widget)
    context = widget.get_context(bound.html_name, value, {})["widget"]
    for part in context.get("subwidgets") or [context]:
        shown = part.get("value")
        if isinstance(shown, list):
            shown = shown[0] if shown else None
        if part.get("type") == "checkbox":
            shown = "on" if value else None
        yield part["name"], shown


@pytest.mark.parametrize("model", [m for m in MODELS if issubclass(m, Record)], ids=lambda m: m._meta.model_name)
def test_records_change_with_a_reason(client, world, model):
    signed_in(client, "curator")
    record = model._default_manager.order_by("pk").last()
    address = url(model, "change", record.pk)
    data = form_of(client, address) | {"notes": "looked at", "reason": ""}
    answer = client.post(address, data)
    assert answer.status_code == 200
    assert "reason" in answer.context["adminform"].form.errors
    answer = client.post(address, data | {"reason": "seen on Friday"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    record.refresh_from_db()
    revision = Revision.objects.filter(record_type=model._meta.label_lower, record_id=record.pk).first()
    assert record.notes == "looked at"
    assert (revision.version, revision.reason) == (record.version, "seen on Friday")
    assert revision.by.username == "curator"
    assert revision.changes == {"notes": ["", "looked at"]}


def test_a_form_that_shows_an_older_version_is_refused(client, world):
    signed_in(client, "curator")
    pellet = Pellet.objects.get()
    data = form_of(client, url(Pellet, "change", pellet.pk)) | {"mass_mg": "451", "reason": "typo"}
    save_record(Pellet.objects.get(), by=None)
    theirs = Pellet.objects.get()
    theirs.notes = "by somebody else"
    save_record(theirs, by=None)
    answer = client.post(url(Pellet, "change", pellet.pk), data)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "was changed meanwhile" in page
    assert 'value="451"' in page
    pellet.refresh_from_db()
    assert (pellet.mass_mg, pellet.notes) == (450, "by somebody else")


def test_a_broken_rule_is_a_sentence_in_the_form(client, world):
    signed_in(client, "curator")
    pellet = Pellet.objects.get()
    data = form_of(client, url(Pellet, "change", pellet.pk)) | {"mass_mg": "4500", "reason": "typo"}
    answer = client.post(url(Pellet, "change", pellet.pk), data)
    assert answer.status_code == 200
    assert "relative density" in answer.content.decode()


@pytest.mark.parametrize("field", ["thickness_um", "metadata"])
def test_what_saving_refuses_comes_back_with_all_that_was_typed(client, world, monkeypatch, field):
    """A rule that only `save_record()` knows, about a field in the form or not."""
    from django.core.exceptions import ValidationError

    def refuse(*args, **kwargs):
        raise ValidationError({field: "Not on a Sunday."})

    signed_in(client, "curator")
    pellet = Pellet.objects.get()
    data = form_of(client, url(Pellet, "change", pellet.pk)) | {"mass_mg": "451", "reason": "typo"}
    monkeypatch.setattr(curation, "save_record", refuse)
    answer = client.post(url(Pellet, "change", pellet.pk), data)
    assert answer.status_code == 200
    assert "Not on a Sunday." in answer.content.decode()
    assert 'value="451"' in answer.content.decode()


def test_new_records_get_their_code(client, world):
    signed_in(client, "curator")
    lagp = Material.objects.get(code="LAGP")
    data = form_of(client, url(PowderLot, "add")) | {"material": lagp.pk, "amount_g": "100"}
    answer = client.post(url(PowderLot, "add"), data)
    assert answer.status_code == 302
    lot = PowderLot.objects.order_by("pk").last()
    assert re.fullmatch(r"LOT-\d{4}", lot.code)
    assert lot.created_by.username == "curator"


def test_history_leads_to_the_revisions_of_the_record(client, world):
    signed_in(client, "curator")
    pellet = Pellet.objects.get()
    answer = client.get(url(Pellet, "history", pellet.pk), follow=True)
    assert answer.status_code == 200
    assert answer.context["cl"].queryset.count() == Revision.objects.filter(record_code=pellet.code).count()


# -- search and choosers -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spelling", ["PEL-0001", "pel1", "pel_1", "PEL 0001", "pel 1", "pbt1", "lot1 pbt1"])
def test_codes_are_found_in_any_spelling(client, world, spelling):
    signed_in(client, "curator")
    answer = client.get(url(Pellet), {"q": spelling})
    assert [pellet.code for pellet in answer.context["cl"].queryset] == ["PEL-0001"]


def test_choosers_find_codes_and_leave_the_trash_out(client, world):
    signed_in(client, "curator")
    query = {"app_label": "samples", "model_name": "cell", "field_name": "pellet", "term": "pel1"}
    found = client.get("/admin/autocomplete/", query).json()["results"]
    assert [choice["text"] for choice in found] == ["PEL-0001"]
    withdraw(Pellet.objects.get(), by=None, reason="cracked")
    assert client.get("/admin/autocomplete/", query).json()["results"] == []


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        (User, "password__startswith"),
        (ApiToken, "digest__startswith"),
        (ApiToken, "user__password__startswith"),
        (Revision, "by__password__startswith"),
        (Pellet, "created_by__password__startswith"),
        (Measurement, "operator__password__startswith"),
    ],
)
def test_secrets_cannot_be_guessed_through_filters(client, world, model, lookup):
    signed_in(client, "administrator")
    answer = client.get(url(model), {lookup: "a"})
    assert answer.status_code == 400


# -- withdraw and restore ----------------------------------------------------------------------------------------------
def test_withdrawing_asks_why_and_names_what_goes_along(client, world):
    signed_in(client, "curator")
    pellet, cell = Pellet.objects.get(), Cell.objects.get()
    chosen = {"action": "withdraw_selected", "_selected_action": [pellet.pk], "index": 0}
    page = client.post(url(Pellet), chosen)
    assert cell.code in page.content.decode()
    page = client.post(url(Pellet), {**chosen, "apply": "Withdraw", "reason": " "})
    assert "Say why" in page.content.decode()
    assert not Pellet.objects.get().is_withdrawn
    client.post(url(Pellet), {**chosen, "apply": "Withdraw", "reason": "cracked"})
    pellet, cell = Pellet.objects.get(), Cell.objects.get()
    assert pellet.is_withdrawn
    assert cell.is_withdrawn
    assert pellet.withdrawn_reason == "cracked"
    chosen["action"] = "restore_selected"
    client.post(url(Pellet), {**chosen, "apply": "Restore", "reason": ""})
    assert not Pellet.objects.get().is_withdrawn
    assert not Cell.objects.get().is_withdrawn


def test_chosen_records_that_hang_together_are_withdrawn_once(client, world):
    signed_in(client, "curator")
    chosen = {"action": "withdraw_selected", "_selected_action": [1, 2], "apply": "x", "reason": "wrong"}
    lot = PowderLot.objects.get()
    batch = save_record(PelletBatch(powder_lot=lot), by=None)
    chosen["_selected_action"] = list(PelletBatch.objects.values_list("pk", flat=True))
    client.post(url(PelletBatch), chosen)
    batch.refresh_from_db()
    assert batch.is_withdrawn
    assert Revision.objects.filter(record_code=batch.code, action="withdrawn").count() == 1
    answer = client.post(url(PelletBatch), chosen, follow=True)
    assert "Nothing chosen can be withdrawn." in answer.content.decode()

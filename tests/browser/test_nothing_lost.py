"""Nothing typed is lost: network gone, session over, browser closed, two people at one record."""

from __future__ import annotations

from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from lagpdb.models import Draft
from samples.models import Pellet, PowderLot
from tests import builders


def wait_for_draft(page: Page) -> None:
    expect(page.locator(".draft-line")).to_contain_text("Draft saved")


def test_a_draft_survives_the_browser_and_ends_with_saving(site):
    page = site.open("/lots/new/", name="ann")
    page.locator("#id_supplier").fill("Example Powders")
    page.locator("#id_amount_g").fill("0,5 kg")
    page.locator("#id_notes").fill("opened in the glovebox")
    wait_for_draft(page)
    draft = Draft.objects.get()
    assert draft.data["amount_g"] == ["0,5 kg"]
    page.goto("/")  # left without saving
    page.locator("#drafts").get_by_role("link", name="Receive a powder lot").click()
    expect(page.locator("#id_supplier")).to_have_value("Example Powders")
    expect(page.locator("#id_notes")).to_have_value("opened in the glovebox")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("LOT-0001 is saved.")).to_be_visible()
    assert PowderLot.objects.get().amount_g == 500.0
    assert not Draft.objects.exists()


def test_opening_the_form_again_offers_the_draft_or_throws_it_away(site):
    page = site.open("/lots/new/")
    page.locator("#id_supplier").fill("Example Powders")
    wait_for_draft(page)
    page.goto("/lots/new/")
    offer = page.locator(".draft-offer")
    expect(offer).to_contain_text("You typed something here")
    expect(page.locator("#id_supplier")).not_to_have_value("Example Powders")
    offer.get_by_role("button", name="Continue the draft").click()
    expect(page.locator("#id_supplier")).to_have_value("Example Powders")
    page.goto("/lots/new/")
    with page.expect_response(lambda answer: "/delete/" in answer.url):
        page.locator(".draft-offer").get_by_role("button", name="Throw it away").click()
    assert not Draft.objects.exists()


def test_with_the_network_gone_typing_goes_on_and_is_sent_later(site):
    page = site.open("/lots/new/")
    with site.cut(page):
        page.locator("#id_supplier").fill("Example Powders")
        page.locator("#id_supplier_lot").fill("22-118")
        expect(page.locator(".draft-line")).to_contain_text("No connection. Kept on this tablet, will be sent.")
        page.get_by_role("button", name="Save").last.click()
        expect(page.locator(".draft-line")).to_contain_text("Press Save again when it is back.")
        expect(page.locator("#id_supplier_lot")).to_have_value("22-118")
        assert not Draft.objects.exists()
    wait_for_draft(page)
    assert Draft.objects.get().data["supplier_lot"] == ["22-118"]
    page.locator("#id_amount_g").fill("500")
    page.get_by_role("button", name="Save").last.click()
    expect(page.get_by_text("LOT-0001 is saved.")).to_be_visible()


def test_what_was_typed_offline_is_there_after_the_browser_was_closed(site):
    page = site.open("/lots/new/")
    with site.cut(page):
        page.locator("#id_supplier").fill("Example Powders")
        expect(page.locator(".draft-line")).to_contain_text("Kept on this tablet")
    Draft.objects.all().delete()
    second = page.context.new_page()  # the same tablet, another tab; the first is gone
    page.close()
    Draft.objects.all().delete()
    second.goto("/lots/new/")
    second.locator(".draft-offer").get_by_role("button", name="Continue the draft").click()
    expect(second.locator("#id_supplier")).to_have_value("Example Powders")


def test_the_session_ended_while_somebody_typed(site):
    page = site.open("/lots/new/", name="ann")
    page.locator("#id_supplier").fill("Example Powders")
    wait_for_draft(page)
    Session.objects.all().delete()
    page.locator("#id_amount_g").fill("500")
    expect(page.locator(".draft-line")).to_contain_text("You are signed out.")
    page.get_by_role("button", name="Save").last.click()
    dialog = page.get_by_role("dialog", name="Sign in to save")
    expect(dialog.get_by_label("Name")).to_have_value("ann")
    dialog.get_by_label("Password").fill("not this one")
    dialog.get_by_role("button", name="Sign in and save").click()
    expect(dialog.get_by_role("alert")).to_have_text("Name or password is wrong.")
    dialog.get_by_label("Password").fill("a long password")
    dialog.get_by_role("button", name="Sign in and save").click()
    expect(page.get_by_text("LOT-0001 is saved.")).to_be_visible()
    assert PowderLot.objects.get().supplier == "Example Powders"


def test_two_browsers_at_one_record_are_asked_field_by_field(site):
    pellet = builders.pellet(thickness_um=801.0, mass_mg=290.0)
    address = f"/pellets/{pellet.code}/edit/"
    ann, bob = site.open(address, name="ann"), site.open(address, name="bob")
    for page, thickness, mass in ((ann, "810", "290"), (bob, "820", "295")):
        page.locator(f"#id_{pellet.code}-thickness_um, #id_thickness_um").fill(thickness)
        page.locator(f"#id_{pellet.code}-mass_mg, #id_mass_mg").fill(mass)
        page.locator("#id_reason").fill("measured again")
    ann.get_by_role("button", name="Save").last.click()
    expect(ann.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    bob.get_by_role("button", name="Save").last.click()
    conflict = bob.locator(".conflict")
    expect(conflict).to_contain_text("was changed meanwhile by ann")
    expect(conflict).to_contain_text("801")
    conflict.get_by_label("keep mine").check()
    bob.get_by_role("button", name="Save").last.click()
    expect(bob.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    stored = Pellet.objects.get(pk=pellet.pk)
    assert (stored.thickness_um, stored.mass_mg, stored.version) == (820.0, 295.0, 3)

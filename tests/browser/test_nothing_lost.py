"""Nothing typed is lost: the network cut, the session ended, the browser closed, two browsers at one record."""

from __future__ import annotations

import re

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from playwright.sync_api import Page, Route, expect

from lagpdb.models import Draft
from samples.models import Pellet, PelletBatch, PowderLot
from tests import builders
from tests.browser.site import until

STATE = "[data-draft-state]"
PASSWORD = "a long password"


def until_saved(page: Page) -> None:
    """The form says that its draft has arrived."""
    expect(page.locator(STATE)).to_have_text(re.compile(r"^draft saved \d\d:\d\d$"))


def save(page: Page) -> None:
    page.locator(".save-bar .btn.main").click()


def end_session(site) -> None:
    """All sessions end on the server; what it then answers is meant."""
    Session.objects.all().delete()


def only_signed_out(site) -> None:
    """The refusals of the test are no complaints."""
    meant = re.compile(r"401: \w+ \S+/drafts/|400: POST \S+/login/|error: Failed to load resource.* 40[01] ")
    site.watch.complaints = [text for text in site.watch.complaints if not meant.match(text)]


# -- drafts ------------------------------------------------------------------------------------------------------------
def test_a_draft_is_saved_while_typing_and_goes_with_the_saving(site):
    builders.lot()
    page = site.open("/lots/new/")
    page.locator("#id_supplier").fill("Toshima")
    until_saved(page)  # after three seconds, without leaving the field
    draft = Draft.objects.get()
    assert draft.data["supplier"] == ["Toshima"]
    page.locator("#id_supplier_lot").fill("22-118")
    page.locator("#id_supplier_lot").blur()
    expect(page.locator(STATE)).to_contain_text("draft saved")
    page.wait_for_timeout(300)
    draft.refresh_from_db()
    assert draft.data["supplier_lot"] == ["22-118"]

    page.goto("/")
    card = page.locator("#drafts")
    expect(card).to_contain_text("Receive a powder lot")
    card.get_by_role("link").click()
    expect(page.locator("#id_supplier")).to_have_value("Toshima")
    expect(page.locator("#draft-shown")).to_contain_text("It is not saved yet.")
    save(page)
    expect(page.get_by_text("LOT-0002 is saved.")).to_be_visible()
    assert not Draft.objects.exists()
    assert PowderLot.objects.get(code="LOT-0002").supplier_lot == "22-118"
    page.goto("/")
    expect(page.locator("#drafts")).to_have_count(0)


def test_the_browser_is_closed_and_opened_again(site):
    builders.lot()
    page = site.page()
    page.goto("/pellets/new/")
    page.locator("#id_row1-mass_mg").fill("290,4")
    page.locator("#id_row2-thickness_um").fill("801 803 799")
    until_saved(page)
    cookies = page.context.cookies()
    page.context.close()

    again = site.page(role="")
    again.context.add_cookies(cookies)
    again.goto("/pellets/new/")
    offer = again.locator(".draft-offer")
    expect(offer).to_contain_text("2 fields filled in")
    offer.get_by_role("link", name="Continue it").click()
    expect(again.locator("#id_row1-mass_mg")).to_have_value("290,4")
    expect(again.locator("#id_row2-thickness_um")).to_have_value("801 803 799")
    save(again)
    expect(again.get_by_text("PBT-0001 is saved: PEL-0001 to PEL-0006.")).to_be_visible()
    assert Pellet.objects.get(code="PEL-0001").mass_mg == 290.4
    assert not Draft.objects.exists()


def test_the_page_that_comes_is_older_than_the_draft(site):
    """A form is opened again while its draft is on its way: the page shows what was typed, not what the server knew."""
    pellet = builders.pellet(mass_mg=290.0)
    address = f"/pellets/{pellet.code}/edit/"
    page = site.open(address)
    held: list[Route] = []

    def answer_before_the_draft_arrives(route: Route) -> None:
        response = route.fetch()
        page.unroute("**/drafts/")
        held.pop().continue_()
        page.wait_for_timeout(500)
        route.fulfill(response=response)

    page.route("**/drafts/", lambda route: held.append(route))
    page.locator("#id_notes").fill("a chip at the rim")
    page.locator("#id_notes").blur()
    until(page, "Object.keys(localStorage).some((name) => name.startsWith('lagpdb-draft:'))")
    page.route(f"**{address}", answer_before_the_draft_arrives)
    page.goto(address)
    expect(page.locator("#draft-shown")).to_have_count(0)  # the page is older
    expect(page.locator("#id_notes")).to_have_value("a chip at the rim")
    until_saved(page)
    assert Draft.objects.get().data["notes"] == ["a chip at the rim"]


def test_a_form_left_while_typing_is_whole_when_it_is_opened_again(site):
    """Left at once after the last letter, as often as it takes for all orders of arriving to happen."""
    pellet = builders.pellet(mass_mg=290.0)
    address = f"/pellets/{pellet.code}/edit/"
    page = site.open(address)
    for number in range(8):
        page.locator("#id_notes").fill(f"chip {number}")
        page.locator("#id_reason").fill(f"seen {number} times")
        page.wait_for_timeout(number * 15)
        page.goto(address)
        expect(page.locator("#id_notes")).to_have_value(f"chip {number}")
        expect(page.locator("#id_reason")).to_have_value(f"seen {number} times")


def test_a_draft_is_deleted_from_the_form(site):
    builders.lot()
    page = site.open("/lots/new/")
    page.locator("#id_supplier").fill("Toshima")
    until_saved(page)
    page.goto("/lots/new/")
    page.locator(".draft-offer").get_by_role("button", name="Delete the draft").click()
    expect(page.locator(".msg.ok")).to_contain_text("is deleted.")
    expect(page.locator(".draft-offer")).to_have_count(0)
    assert not Draft.objects.exists()


# -- the network is gone -----------------------------------------------------------------------------------------------
def test_the_network_is_cut_while_typing(site):
    pellet = builders.pellet(mass_mg=None, thickness_um=None, thickness_uncertainty_um=None)
    page = site.open(f"/pellets/{pellet.code}/edit/")
    with site.cut(page):
        page.locator("#id_mass_mg").fill("291,5")
        page.locator("#id_mass_mg").blur()
        expect(page.locator(STATE)).to_have_text("No connection. Kept on this tablet, will be sent.")
        save(page)  # stays on the form
        page.wait_for_timeout(500)
        expect(page.locator("#id_mass_mg")).to_have_value("291,5")
        assert not Draft.objects.exists()
        assert len(page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('lagpdb-draft:'))")) == 1
    until_saved(page)  # sent by itself when the network is back
    assert Draft.objects.get().data["mass_mg"] == ["291,5"]
    save(page)
    expect(page.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    pellet.refresh_from_db()
    assert pellet.mass_mg == 291.5
    assert not Draft.objects.exists()
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('lagpdb-draft:'))") == []


def test_the_tablet_is_switched_off_without_a_network(site):
    """What the browser alone holds is sent by the next page that it opens."""
    pellet = builders.pellet(mass_mg=None, thickness_um=None, thickness_uncertainty_um=None)
    page = site.open(f"/pellets/{pellet.code}/edit/")
    with site.cut(page):
        page.locator("#id_notes").fill("a chip at the rim")
        page.locator("#id_notes").blur()
        expect(page.locator(STATE)).to_contain_text("No connection.")
        page.close()
    assert not Draft.objects.exists()
    again = site.contexts[-1].new_page()
    again.goto("/cells/")
    until(again, "Object.keys(localStorage).every((name) => !name.startsWith('lagpdb-draft:'))")
    assert Draft.objects.get().data["notes"] == ["a chip at the rim"]
    again.goto(f"/pellets/{pellet.code}/edit/")
    expect(again.locator("#id_notes")).to_have_value("a chip at the rim")


# -- the session ends --------------------------------------------------------------------------------------------------
def test_the_session_ends_while_typing(site):
    pellet = builders.pellet(mass_mg=None, thickness_um=None, thickness_uncertainty_um=None)
    page = site.open(f"/pellets/{pellet.code}/edit/", name="lin")
    end_session(site)
    page.locator("#id_mass_mg").fill("291,5")
    save(page)
    dialog = page.get_by_role("dialog", name="Sign in to go on")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("Name")).to_have_value("lin")
    expect(dialog.get_by_label("Password")).to_be_focused()
    dialog.get_by_label("Password").fill("not this one")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("Name or password is wrong.")
    dialog.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    pellet.refresh_from_db()
    assert pellet.mass_mg == 291.5
    only_signed_out(site)


def test_a_draft_meets_the_end_of_the_session(site):
    builders.lot()
    page = site.open("/lots/new/", name="lin")
    end_session(site)
    page.locator("#id_supplier").fill("Toshima")
    page.locator("#id_supplier").blur()
    dialog = page.get_by_role("dialog", name="Sign in to go on")
    dialog.get_by_role("button", name="Later").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#id_supplier")).to_have_value("Toshima")
    page.locator("#id_supplier").fill("Toshima Ltd")
    page.locator("#id_supplier").blur()
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    until_saved(page)
    assert Draft.objects.get().data["supplier"] == ["Toshima Ltd"]
    only_signed_out(site)


def test_a_second_factor_is_finished_in_another_tab(site):
    """The password is taken, but nobody is signed in yet: the dialog waits until somebody is."""
    pellet = builders.pellet(mass_mg=None, thickness_um=None, thickness_uncertainty_um=None)
    page = site.open(f"/pellets/{pellet.code}/edit/", name="lin")
    person = get_user_model().objects.get(username="lin")
    end_session(site)
    page.route("**/login/", lambda route: route.fulfill(json={"location": "/account/2fa/authenticate/"}))
    page.locator("#id_mass_mg").fill("291,5")
    save(page)
    dialog = page.get_by_role("dialog", name="Sign in to go on")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    link = dialog.get_by_role("link", name="Finish signing in in a new tab")
    expect(link).to_have_attribute("target", "_blank")
    expect(dialog).to_be_visible()
    client = Client()
    client.force_login(person)
    cookie = settings.SESSION_COOKIE_NAME
    page.context.add_cookies([{"name": cookie, "value": client.cookies[cookie].value, "url": site.address}])
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    only_signed_out(site)


def test_somebody_else_is_signed_in_by_now(site):
    """A form is saved by the person who filled it in, whoever uses the browser meanwhile."""
    pellet = builders.pellet(mass_mg=None, thickness_um=None, thickness_uncertainty_um=None)
    page = site.open(f"/pellets/{pellet.code}/edit/", name="lin")
    page.locator("#id_mass_mg").fill("291,5")
    site.sign_in(page, "member", "mara")
    save(page)
    dialog = page.get_by_role("dialog", name="Sign in to go on")
    expect(dialog).to_contain_text("mara is signed in now, and this form is somebody else’s.")
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    assert not Draft.objects.exists()
    only_signed_out(site)


# -- two browsers ------------------------------------------------------------------------------------------------------
def test_a_draft_meets_what_somebody_saved_meanwhile(site):
    pellet = builders.pellet(thickness_um=801.0, mass_mg=290.0)
    address = f"/pellets/{pellet.code}/edit/"
    mara = site.open(address, name="mara")
    mara.locator("#id_thickness_um").fill("798")
    mara.locator("#id_notes").fill("a chip at the rim")
    mara.locator("#id_reason").fill("typing error")
    until_saved(mara)
    lin = site.open(address, name="lin")
    expect(lin.locator("#draft-shown")).to_have_count(0)  # drafts are private
    lin.locator("#id_thickness_um").fill("805")
    lin.locator("#id_mass_mg").fill("291")
    lin.locator("#id_reason").fill("measured again")
    save(lin)
    expect(lin.get_by_text(f"{pellet.code} is saved.")).to_be_visible()

    mara.goto(address)
    expect(mara.locator("#draft-shown")).to_contain_text("The record was changed meanwhile")
    expect(mara.locator("#id_thickness_um")).to_have_value("798")
    save(mara)
    conflict = mara.locator(".conflict")
    expect(conflict).to_contain_text(f"{pellet.code} was changed meanwhile by lin")
    row = conflict.get_by_role("row", name="Thickness")
    expect(row).to_contain_text("805")
    expect(row).to_contain_text("798")
    expect(row).to_contain_text("801 ± 3")
    expect(conflict).to_contain_text("Kept from that change: Mass.")
    conflict.get_by_text("keep mine").click()
    save(mara)
    expect(mara.get_by_text(f"{pellet.code} is saved.")).to_be_visible()
    pellet.refresh_from_db()
    assert (pellet.thickness_um, pellet.mass_mg, pellet.notes) == (798.0, 291.0, "a chip at the rim")
    assert not Draft.objects.exists()


# -- files and labels --------------------------------------------------------------------------------------------------
def test_a_certificate_dropped_on_the_form_stays_with_its_draft(site):
    builders.material("LAGP")
    page = site.open("/lots/new/")
    page.locator("#attach-certificate").set_input_files(
        {"name": "certificate 22-118.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 purity 99.9 %"}
    )
    expect(page.locator(".kept")).to_contain_text("certificate 22-118.pdf")
    page.locator("#id_amount_g").fill("0,5 kg")
    until_saved(page)
    page.goto("/lots/new/")
    page.get_by_role("link", name="Continue it").click()
    expect(page.locator(".kept")).to_contain_text("certificate 22-118.pdf")
    save(page)
    expect(page.get_by_text("LOT-0001 is saved.")).to_be_visible()
    card = page.locator("#attachments")
    with page.expect_download() as download:
        card.get_by_role("link", name="certificate 22-118.pdf").click()
    assert download.value.path().read_bytes() == b"%PDF-1.4 purity 99.9 %"
    card.get_by_text("Remove certificate").click()
    card.get_by_label("Reason").fill("of another lot")
    card.get_by_role("button", name="Remove it").click()
    expect(page.get_by_text("Its bytes are kept.")).to_be_visible()
    expect(page.locator("#history")).to_contain_text("of another lot")


def test_fifty_rows_with_three_bad_ones(site):
    builders.lot()
    page = site.open("/pellets/new/")
    page.locator("#id_count").fill("50")
    page.locator("#id_count").blur()
    expect(page.locator("table.rows tr[data-row]")).to_have_count(50)
    column = [str(790 + number) for number in range(50)]
    column[6], column[20], column[49] = "8010", "80o", "1.000,5"
    page.locator("#id_row1-thickness_um").focus()
    page.evaluate(
        """(text) => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text", text);
          const paste = new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true});
          document.activeElement.dispatchEvent(paste);
        }""",
        "\n".join(column),
    )
    expect(page.locator("[data-save-words]")).to_have_text("Save 47, keep PEL-0007, PEL-0021, PEL-0050 as draft")
    save(page)
    expect(page.get_by_text("PEL-0007, PEL-0021, PEL-0050 are kept as draft.")).to_be_visible()
    assert Pellet.objects.filter(thickness_um__isnull=False).count() == 47
    draft = Draft.objects.get()
    assert draft.key == PelletBatch.objects.get().code
    assert draft.data["PEL-0021-thickness_um"] == ["80o"]
    page.goto("/")
    page.locator("#drafts").get_by_role("link").click()
    expect(page.locator("#id_PEL-0050-thickness_um")).to_have_value("1.000,5")
    expect(page.locator("#say-PEL-0050")).to_contain_text("1.000,5: write 1000.5")

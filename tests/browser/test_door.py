"""Coming in: the first person, the password, the way out, the theme."""

from playwright.sync_api import expect

from tests import builders


def test_first_person(site):
    page = site.open("/", role="")
    expect(page.get_by_role("heading", name="Create the first person")).to_be_visible()
    page.get_by_label("Name").fill("lin")
    page.get_by_label("Password", exact=True).fill("a long password")
    page.get_by_label("Password again").fill("a long passwort")
    page.get_by_role("button", name="Create and sign in").click()
    expect(page.get_by_text("didn’t match")).to_be_visible()
    page.get_by_label("Password", exact=True).fill("seventeen pellets")
    page.get_by_label("Password again").fill("seventeen pellets")
    page.get_by_role("button", name="Create and sign in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    expect(page.get_by_text("Nothing here yet. Receive a powder lot, or load the demo data.")).to_be_visible()
    expect(page.locator(".who")).to_contain_text("lin administrator")


def test_sign_in_and_out(site):
    builders.user("lin")
    page = site.open("/pellets/", role="")
    page.get_by_label("Name").fill("lin")
    page.get_by_label("Password").fill("a short password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
    page.get_by_label("Password").fill("a long password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Pellets")).to_be_visible()  # where they wanted to go
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to lagpdb")).to_be_visible()
    page.goto("/pellets/")
    expect(page.get_by_role("heading", name="Sign in to lagpdb")).to_be_visible()


def test_dark_stays_dark(site):
    page = site.open("/", color_scheme="light")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("header").get_by_text("Dark", exact=True).click()
    dark = page.evaluate(background)
    assert dark != light
    page.goto("/glossary/")
    assert page.evaluate(background) == dark
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    expect(page.locator("header").get_by_label("Dark")).to_be_checked()


def test_a_code_leads_to_its_record(site):
    pellet = builders.pellet()
    page = site.open("/")
    page.keyboard.press("/")
    page.keyboard.type(pellet.code.replace("-", "").lower().replace("0", "", 1))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(pellet.code)
    page.goto("/s/PEL-9999")
    expect(page.get_by_role("heading", name="PEL-9999 is not in lagpdb.")).to_be_visible()


def test_a_viewer_reads(site):
    pellet = builders.pellet()
    page = site.open(f"/pellets/{pellet.code}/", role="viewer")
    expect(page.get_by_role("heading", level=1)).to_contain_text(pellet.code)
    expect(page.get_by_role("link", name="Edit")).to_have_count(0)
    assert page.goto(f"/pellets/{pellet.code}/edit/").status == 403
    expect(page.get_by_text("You can read this. Ask a curator to change it.")).to_be_visible()

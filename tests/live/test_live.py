"""The whole way on real servers: a file goes in through the web, Celery works, numbers come out."""

from __future__ import annotations

import pytest
import requests

from tests.faults.site import Site
from tests.spine import ACTIVATION_EV, SIGMA_25_S_CM

pytestmark = pytest.mark.live


def test_ready_when_everything_is_there(site: Site) -> None:
    def answer() -> requests.Response | None:
        found = requests.get(f"{site.url}/health/ready", timeout=10)
        return found if found.json()["checks"]["worker"] == "ok" else None

    found = site.wait(answer, "a worker was seen")
    assert found.status_code == 200
    assert found.json()["checks"] == {"database": "ok", "store": "ok", "broker": "ok", "worker": "ok"}


def test_files_through_the_api_become_numbers(site: Site) -> None:
    files = site.spectra(4)
    sent = site.post(*files)
    assert sent.status_code == 201
    address = sent.json()["url"].removeprefix(site.url)
    upload = site.wait(
        lambda: found if (found := site.get(address).json())["states"] == {"done": 4} else None, "four files are done"
    )
    codes = [file["measurements"][0] for file in upload["files"]]
    assert len(set(codes)) == 4

    def number(quantity: str, **where: str) -> float:
        query = "&".join(f"{name}={value}" for name, value in where.items())
        (row,) = site.get(f"/api/v1/results/?quantity={quantity}&{query}").json()["results"]
        return float(row["value"])

    assert number("ionic_conductivity_S_cm", measurement=codes[0]) == pytest.approx(SIGMA_25_S_CM, rel=0.05)
    cell = files[0][0].partition("_")[0]
    assert number("activation_energy_eV", cell=cell) == pytest.approx(ACTIVATION_EV, rel=0.05)
    assert site.settle()["again"] == 0


def test_file_through_the_page_becomes_a_number(site: Site) -> None:
    with site.sign_in() as session:
        (file,) = site.spectra(1)
        sent = site.post_on_page(session, file)
        assert sent.status_code == 200
        rows = site.url + sent.json()["url"] + "rows/"
        site.settle()
        assert file[0] in session.get(rows, timeout=10).text


def test_ring_that_was_lost_is_made_good_by_the_sweep(site: Site) -> None:
    site.settle()
    site.ask("silence")
    site.send(4)
    assert site.ask("look")["files"] == 4
    site.settle()
    site.ask("listen")


def test_numbers_of_the_first_file_do_not_wait_for_the_last(site: Site) -> None:
    site.settle()
    before = len(site.ask("numbers", quantity="ionic_conductivity_S_cm"))
    site.send(30)
    site.wait(
        lambda: len(site.ask("numbers", quantity="ionic_conductivity_S_cm")) > before, "the first number is there"
    )
    assert any(file["state"] == "received" for file in site.ask("files"))
    site.settle()


def test_two_workers_compute_nothing_twice(site: Site) -> None:
    before = site.settle()
    second = site.worker("second")
    site.send(40)
    found = site.settle()
    assert found["measurements"] == before["measurements"] + 40
    assert found["again"] == before["again"] == 0
    assert second.end() < 10

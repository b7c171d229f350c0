"""The whole way on real servers: a file goes in through the web, Celery works, numbers come out."""

from __future__ import annotations

import pytest
import requests

from tests.faults.site import Site
from tests.spine import ACTIVATION_EV, SIGMA_25_S_CM

pytestmark = pytest.mark.live


def test_ready_when_everything_is_there(site: Site) -> None:
    def answer() -> requests.Response:
        return requests.get(f"{site.url}/health/ready", timeout=10)

    site.until(lambda: answer().status_code == 200, "a worker to be seen", 30)
    assert answer().json()["checks"] == {"database": "ok", "store": "ok", "broker": "ok", "worker": "ok"}


def test_files_through_the_api_become_numbers(site: Site) -> None:
    files = site.spectra(4)
    sent = site.post(*files)
    assert sent.status_code == 201
    address = f"/api/v1/uploads/{sent.json()['code']}/"
    site.until(lambda: site.get(address).json()["states"] == {"done": 4}, "four files to be done")
    codes = [file["measurements"][0] for file in site.get(address).json()["files"]]
    assert len(set(codes)) == 4

    def number(query: str) -> float:
        (row,) = site.get(f"/api/v1/results/?{query}").json()["results"]
        return float(row["value"])

    sigma = number(f"quantity=ionic_conductivity_S_cm&measurement={codes[0]}")
    assert sigma == pytest.approx(SIGMA_25_S_CM, rel=0.05)
    cell = files[0][0].partition("_")[0]
    energy = number(f"quantity=activation_energy_eV&label=sigma_T&cell={cell}")
    assert energy == pytest.approx(ACTIVATION_EV, rel=0.05)
    assert site.settle()["again"] == 0


def test_file_through_the_page_becomes_a_number(site: Site) -> None:
    with site.sign_in() as session:
        (file,) = site.spectra(1)
        sent = site.post_on_page(session, file)
        assert sent.status_code == 200
        site.settle()
        rows = session.get(f"{site.url}{sent.json()['url']}rows/", timeout=10)
        assert file[0] in rows.text


def test_ring_that_was_lost_is_made_good_by_the_sweep(site: Site) -> None:
    before = site.settle()
    site.ask("upload_in_silence", count=3)
    assert site.ask("unfinished")["files"] == 3
    assert site.settle()["done"] == before["done"] + 3


def test_numbers_of_the_first_file_do_not_wait_for_the_last(site: Site) -> None:
    before = site.settle()["succeeded"]
    site.send(12)
    site.until(lambda: site.ask("succeeded") > before, "the first number")
    assert site.ask("states").get("received", 0) > 0
    site.settle()


def test_same_file_sent_twenty_times_at_once_is_measured_once(site: Site) -> None:
    before = site.settle()["measurements"]
    site.ask("upload", count=20, same=True, name="{cell}_25C.csv")
    assert site.settle()["measurements"] == before + 16  # one per temperature of the generator
    assert site.ask("states")["duplicate"] == 4


def test_two_workers_compute_nothing_twice(site: Site) -> None:
    before = site.settle()
    second = site.worker("second")
    site.send(20)
    found = site.settle()
    assert found["sigma"] == before["sigma"] + 20
    assert found["again"] == 0
    assert second.end() < 10


def test_reanalyse_waits_for_the_workers_and_moves_no_number(site: Site) -> None:
    text = site.manage("reanalyse").stdout
    assert text.endswith("numbers moved.\n")
    assert ": 0 of " in text
    site.ask("check", once=False)

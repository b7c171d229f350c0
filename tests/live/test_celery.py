"""Real Redis, real Celery workers, real PostgreSQL: a file comes in, and its numbers are there."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.installation import answers, database_of_its_own, installation
from tests.servers import postgres, redis

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def site():
    """An installation with two Celery workers and beat, in a database of its own."""
    with postgres() as server, redis() as broker, database_of_its_own(server.url) as url:
        with installation(url, broker.url) as site:
            site.manage("migrate", "--verbosity", "0")
            site.celery(concurrency=1)
            site.celery(concurrency=1)
            site.beat()
            yield site


def test_a_file_becomes_a_number(site):
    site.ask("upload")
    assert site.wait("settled") < 5
    assert site.ask("check")["sigma"] == 1


def test_four_files_become_an_activation_energy(site):
    before = site.ask("check")["energies"]
    site.ask("upload", count=4)
    site.wait("settled")
    assert site.ask("check")["energies"] == before + 1


def test_two_workers_do_nothing_twice(site):
    before = site.ask("check")
    site.ask("upload", count=30, cells=5)
    site.wait("settled")
    after = site.ask("check")
    assert after["measurements"] == before["measurements"] + 30
    assert after["sigma"] == before["sigma"] + 30
    assert (after["most_attempts"], site.ask("attempts")) == (1, 1)


def test_the_same_file_sent_twenty_times_at_once_is_measured_once(site):
    before = site.ask("check")["measurements"]
    site.ask("upload", count=20, same=True, name="{cell}_25C.csv", cells=1)
    site.wait("settled")
    states = site.ask("states")
    assert site.ask("check")["measurements"] == before + 16  # one per temperature of the generator
    assert states["duplicate"] == 4


def test_beat_sweeps_up_what_was_never_rung(site):
    site.ask("upload_in_silence", count=3)
    assert site.wait("settled", timeout_s=20) < 10
    site.ask("check")


def test_the_site_sees_its_workers(site):
    process, address = site.serve()
    site.until(lambda: answers(f"{address}/health/ready"), "ready")
    with urllib.request.urlopen(f"{address}/health/ready", timeout=5) as response:
        checks = json.load(response)["checks"]
    assert checks["broker"] == checks["worker"] == checks["database"] == "ok"
    process.terminate()
    assert process.wait(10) == 0


def test_reanalyse_waits_for_the_workers(site):
    text = site.manage("reanalyse").stdout
    assert text.endswith("numbers moved.\n")
    assert ": 0 of " in text
    site.ask("check")

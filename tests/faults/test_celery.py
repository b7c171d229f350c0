"""Celery, Redis and PostgreSQL are killed in the middle of the work: nothing is lost, nothing is computed twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import redis as client

from tests.faults.site import Ground, Site, command_of, send
from tests.installation import descendants
from tests.servers import Postgres, Redis

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def in_queue(broker: Redis) -> int:
    """How many messages wait in the broker."""
    with client.Redis.from_url(broker.url) as connection:
        return sum(connection.llen(key) for key in connection.scan_iter("celery*") if connection.type(key) == b"list")


def wait_for_first(site: Site) -> None:
    """Wait until the first file is done, and so the worker is in the middle of the rest."""
    site.until(lambda: site.ask("states").get("done"), "the work to begin")


def test_worker_is_killed_in_the_middle_of_fits(site: Site) -> None:
    site.beat()
    worker = site.worker()
    site.send(12)
    site.catch(worker.pool)
    worker.kill()
    site.worker("two")
    found = site.settle()
    assert found["done"] == 12
    assert found["again"] >= 1


def test_pool_processes_are_killed_again_and_again(site: Site) -> None:
    site.beat()
    worker = site.worker()
    site.send(20)
    for _ in range(3):
        send(signal.SIGKILL, site.catch(worker.pool))
    found = site.settle()
    assert found["done"] == 20
    assert found["again"] >= 1
    assert worker.runs


def test_frozen_worker_that_comes_back_writes_nothing(site: Site) -> None:
    """Its lease lapsed and another one did its work: the result it still had in hand is dropped."""
    worker = site.worker()
    site.send(10)
    frozen = site.catch(worker.pool)
    site.beat()
    site.settle()
    send(signal.SIGCONT, frozen)
    site.until(lambda: "has taken over" in site.log(), "the process that was frozen to notice")
    assert site.settle()["done"] == 10
    assert site.ask("attempts") == 2


def test_worker_that_is_frozen_in_a_transaction_holds_nobody_up(site: Site) -> None:
    """The database ends its connection when its lease has lapsed: the rows it had locked are free."""
    worker = site.worker()
    site.send(20)
    frozen = site.catch_in_transaction(worker.pool)
    site.beat()
    assert site.settle()["done"] == site.sent
    send(signal.SIGCONT, frozen)
    site.send(4)
    assert site.settle()["done"] == site.sent
    assert worker.runs


def test_worker_is_told_to_stop_in_the_middle(site: Site) -> None:
    site.beat()
    worker = site.worker()
    site.send(80)
    wait_for_first(site)
    assert worker.end() < 10
    assert site.ask("in_work") == []
    assert site.ask("unfinished")["jobs"] > 0
    site.worker("two")
    assert site.settle()["done"] == 80


def test_worker_that_is_held_by_a_file_still_stops_in_time(
    postgres_ground: Ground, broker: Redis, tmp_path: Path
) -> None:
    where = postgres_ground.copy(tmp_path)
    with Site(*where, redis_url=broker.url, hostile=True) as site:
        worker = site.worker()
        site.ask("upload", name="{cell}_loop.csv")
        site.until(lambda: "checking" in site.ask("states"), "reading to begin")
        held = [pid for pid in descendants(worker.pid) if command_of(pid)]
        assert worker.end() < 10
        site.until(lambda: not any(command_of(pid) for pid in held), "what it had started to end", 5)
    with Site(*where, redis_url=broker.url) as site:  # readers that behave
        site.beat()
        site.worker("two")
        assert site.settle()["done"] == 1


def test_redis_is_down_at_upload(site: Site, broker: Redis) -> None:
    site.serve()
    site.beat()
    site.worker()
    files = site.spectra(14)
    assert site.post(*files[:2]).status_code == 201
    site.settle()
    broker.stop()
    began = time.monotonic()
    assert site.post(*files[2:7]).status_code == 201
    for file in files[7:12]:
        assert site.post(file).status_code == 201
    assert time.monotonic() - began < 5
    with site.sign_in() as session:
        assert site.post_on_page(session, files[12]).status_code == 200
    assert site.ask("unfinished")["files"] == 11
    broker.start()
    assert site.post(files[13]).status_code == 201
    assert site.settle()["done"] == 14


def test_redis_that_hangs_does_not_hang_an_upload(site: Site, broker: Redis) -> None:
    site.serve()
    files = site.spectra(5)
    assert site.post(files[0]).status_code == 201
    broker.freeze()
    began = time.monotonic()
    assert site.post(*files[1:]).status_code == 201
    assert time.monotonic() - began < 15
    broker.thaw()
    site.beat()
    site.worker()
    assert site.settle()["done"] == 5


def test_redis_is_killed_with_a_full_queue(site: Site, broker: Redis) -> None:
    site.send(16)
    assert in_queue(broker) == 16
    broker.kill()
    broker.start()
    assert in_queue(broker) == 0
    site.beat()
    site.worker()
    assert site.settle()["done"] == 16


def test_redis_is_killed_while_runs_go_on(site: Site, broker: Redis) -> None:
    site.beat()
    worker = site.worker()
    site.send(20)
    wait_for_first(site)
    broker.kill()
    time.sleep(1)
    broker.start()
    assert site.settle()["done"] == 20
    assert worker.runs


def test_postgres_is_restarted_and_killed_while_runs_go_on(site: Site, database: Postgres) -> None:
    site.serve()
    site.beat()
    worker = site.worker()
    files = site.spectra(4)
    site.send(20)
    wait_for_first(site)
    database.restart()
    assert site.post(*files[:2]).status_code == 201
    site.settle()
    site.send(20)
    site.until(lambda: site.ask("in_work"), "the work to go on")
    database.kill()
    assert site.is_live()
    database.start()
    assert site.post(*files[2:]).status_code == 201
    assert site.settle()["done"] == 44
    assert worker.runs

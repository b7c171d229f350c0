"""Health: both answers without sign-in, and what makes the second one say no."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.utils import timezone

from lagpdb import health
from lagpdb.ledger import pulse
from lagpdb.models import WorkerPulse


def test_live_needs_no_database(client):
    """pytest-django forbids the database here."""
    response = client.get("/health/live")
    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_ready_when_all_is_there(client, settings):
    settings.REDIS_URL = ""
    pulse("worker-1")
    response = client.get("/health/ready")
    assert response.status_code == 200
    content = response.json()
    assert content["status"] == "ready"
    assert content["checks"] == {"database": "ok", "store": "ok", "broker": "not configured", "worker": "ok"}
    assert 0 <= content["worker_age_s"] < 10


@pytest.mark.django_db
def test_not_ready_without_a_worker(client):
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["worker"] == "never seen"
    pulse("worker-1")
    WorkerPulse.objects.update(seen_at=timezone.now() - timedelta(seconds=61))
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["worker"] == "silent"
    assert response.json()["worker_age_s"] >= 61


@pytest.mark.django_db
def test_not_ready_without_a_store(client, settings, tmp_path):
    pulse("worker-1")
    settings.DATA_DIR = tmp_path / "unmounted"
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["store"] == "failed"
    assert str(tmp_path) not in response.content.decode()


@pytest.mark.django_db
def test_not_ready_without_its_broker(client, settings):
    pulse("worker-1")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["broker"] == "failed"


@pytest.mark.django_db
def test_not_ready_without_a_database(client, monkeypatch):
    def away(*_):
        raise OperationalError("gone")

    monkeypatch.setattr(health, "connection", SimpleNamespace(cursor=away))
    monkeypatch.setattr(health, "worker_age_s", away)
    response = client.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "failed"
    assert response.json()["checks"]["worker"] == "unknown"


@pytest.mark.parametrize("page", ["live", "ready"])
@pytest.mark.django_db
def test_only_reading(client, page):
    assert client.post(f"/health/{page}").status_code == 405


def test_the_store_is_left_as_it_was(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert health._store() == "ok"
    assert not list(tmp_path.iterdir())

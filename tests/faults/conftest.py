"""Sites to hurt: set up once, copied for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.site import Ground, Site
from tests.servers import Postgres, Redis, postgres, redis


@pytest.fixture(scope="session")
def sqlite_ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A data folder with an empty SQLite database."""
    return Ground(tmp_path_factory.mktemp("ground"))


@pytest.fixture(scope="session")
def database() -> Iterator[Postgres]:
    """A PostgreSQL that writes as in earnest and may be killed."""
    with postgres(durable=True, own=True) as server:
        assert isinstance(server, Postgres)
        yield server


@pytest.fixture(scope="session")
def postgres_ground(
    tmp_path_factory: pytest.TempPathFactory, database: Postgres, sqlite_ground: Ground
) -> Iterator[Ground]:
    """An empty database in that PostgreSQL."""
    with Ground(tmp_path_factory.mktemp("ground-postgres"), database.url, sqlite_ground.static) as ground:
        yield ground


@pytest.fixture
def broker() -> Iterator[Redis]:
    """A Redis that keeps nothing over its end and may be killed."""
    with redis(own=True) as server:
        assert isinstance(server, Redis)
        yield server


@pytest.fixture
def site(postgres_ground: Ground, broker: Redis, tmp_path: Path) -> Iterator[Site]:
    """A site with Celery: PostgreSQL and Redis run, nothing else yet."""
    with Site(*postgres_ground.copy(tmp_path), redis_url=broker.url) as made:
        yield made

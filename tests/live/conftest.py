"""One site in earnest for the whole stage: web, Celery worker, beat, on the servers that the gate names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.site import Ground, Site
from tests.servers import postgres, redis


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site, at work, in a database of its own."""
    folder = tmp_path_factory.mktemp("live")
    with (
        postgres() as database,
        redis() as broker,
        Ground(folder / "ground", database.url) as ground,
        Site(*ground.copy(folder / "site"), redis_url=broker.url) as made,
    ):
        made.beat()
        made.worker()
        made.serve()
        yield made

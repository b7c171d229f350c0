"""What every test may use: the folder of real instrument files, and a store of its own."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as property_settings

# Speed is measured by the benchmarks; here a busy machine must not fail a test.
property_settings.register_profile("lagpdb", deadline=None)
property_settings.load_profile("lagpdb")

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = "real data left out"


def _real_data() -> Path:
    return (ROOT / os.environ.get("LAGPDB_REAL_DATA", "../shared/data")).resolve()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real instrument files; only tests marked `real` may ask for it."""
    return _real_data()


@pytest.fixture
def own_store(tmp_path, settings):
    """An empty store, and a data folder, that this test alone uses."""
    from measurements.store import store

    settings.DATA_DIR = tmp_path
    store.cache_clear()
    yield store()
    store.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def _no_child_left() -> Iterator[None]:
    """The child that parsed files for the tests ends with them."""
    yield
    if ingest := sys.modules.get("measurements.ingest"):
        ingest.fence().stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what reads real files where there are none, and mark whatever reads them."""
    is_absent = not _real_data().is_dir()
    for item in items:
        is_marked = item.get_closest_marker("real") is not None
        if "real_data" in getattr(item, "fixturenames", ()) and not is_marked:
            raise pytest.UsageError(f"{item.nodeid} uses real_data and is not marked `real`.")
        if is_marked and is_absent:
            item.add_marker(pytest.mark.skip(reason=LEFT_OUT))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line how many were left out."""
    count = sum(LEFT_OUT in str(report.longrepr) for report in terminalreporter.stats.get("skipped", []))
    if count:
        terminalreporter.write_line(
            f"{count} tests left out: no real instrument files at LAGPDB_REAL_DATA ({_real_data()})"
        )


def pytest_configure() -> None:
    """After a test that empties the tables the shipped materials and recipes come back, as a new site has them."""
    from importlib import import_module

    from django.apps import apps
    from django.db.models.signals import post_migrate

    shipped = import_module("samples.migrations.0002_study_defaults")
    completed = import_module("samples.migrations.0004_conversion_products")
    named = import_module("samples.migrations.0006_film_of_conversion")

    def ship(sender, **_):
        if sender.label == "analysis":  # the last app: by now every table is there
            shipped.ship(apps, None)
            completed.complete(apps, None)
            named.name_film(apps, None)

    post_migrate.connect(ship, weak=False, dispatch_uid="ship_again")

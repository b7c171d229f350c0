"""A Chromium, a site on a free port, and a worker that runs when a test says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from lagpdb import ledger
from tests.browser.site import WAIT_MS, Site
from tests.programs import chromium_path

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked `browser`."""
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file.

    Not for the session: while Playwright runs, an event loop counts as running in this thread, which tests of other
    folders must not meet. For the same reason Django is told that its database may be used beside one.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=ARGUMENTS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(chromium: Browser, live_server: Any, django_db_serialized_rollback: None, own_store: Any) -> Iterator[Site]:
    """The site with an empty database and store. At the end no page may have had an error."""
    ledger.pulse("test")
    site = Site(chromium, live_server.url)
    yield site
    site.close()
    assert site.watch.complaints == []

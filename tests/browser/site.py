"""The site as a person meets it: pages of a real browser, watched for everything that should not happen."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

from analysis.tasks import drain
from lagpdb import ledger
from lagpdb.roles import set_role
from tests import builders

WIDE = {"width": 1400, "height": 900}
NARROW = {"width": 390, "height": 844}
WAIT_MS = 15_000
CLOSE_SECONDS = 15
# The status of a page is the test's own matter; the browser also writes it down as an error.
OWN_STATUS = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d")


class Watch:
    """What went wrong in any page: errors on the console, broken scripts, refused styles, answers that failed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.complaints: list[str] = []
        self.is_cut = False

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"script: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        text = message.text
        if message.type not in ("error", "warning") or OWN_STATUS.match(text):
            return
        if self.is_cut and ("net::ERR_INTERNET_DISCONNECTED" in text or text.startswith("htmx:")):
            return
        self.complaints.append(f"{message.type}: {text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.complaints.append(f"another host was asked: {request.url}")

    def _response(self, response: Response) -> None:
        is_page = response.request.resource_type == "document"
        if response.status >= 500 or (response.status >= 400 and not is_page):
            self.complaints.append(f"{response.status}: {response.request.method} {response.url}")


def until(page: Page, expression: str, seconds: float = 15.0) -> None:
    """Wait until an expression is true on a page.

    Playwright's own ``wait_for_function`` asks again from within the page, where our policy forbids ``eval``.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true on the page: {expression}"
        page.wait_for_timeout(50)


class Site:
    """The address under test, its browser and its worker."""

    def __init__(self, browser: Browser, address: str) -> None:
        self.browser = browser
        self.address = address
        self.watch = Watch(address)
        self.contexts: list[BrowserContext] = []

    def page(self, role: str = "member", name: str = "", **options: Any) -> Page:
        """A page of a browser of its own, signed in with a role; '' leaves it at the door."""
        context = self.browser.new_context(base_url=self.address, **{"viewport": WIDE, "locale": "en-GB"} | options)
        context.set_default_timeout(WAIT_MS)
        self.watch.follow(context)
        self.contexts.append(context)
        page = context.new_page()
        if role:
            self.sign_in(page, role, name)
        return page

    def open(self, path: str, role: str = "member", name: str = "", **options: Any) -> Page:
        """The same, at an address."""
        page = self.page(role, name, **options)
        page.goto(path)
        return page

    def sign_in(self, page: Page, role: str, name: str = "") -> Any:
        """Give a browser the session of a new person with a role; returns the person."""
        person = builders.user(name)
        set_role(person, role)
        client = Client()
        client.force_login(person)
        cookie = settings.SESSION_COOKIE_NAME
        page.context.add_cookies([{"name": cookie, "value": client.cookies[cookie].value, "url": self.address}])
        return person

    @contextlib.contextmanager
    def cut(self, page: Page) -> Iterator[None]:
        """The network of a browser is gone for a while."""
        self.watch.is_cut = True
        page.context.set_offline(True)
        yield
        page.context.set_offline(False)
        self.watch.is_cut = False

    def work(self) -> int:
        """What a worker does: all jobs that wait."""
        ledger.pulse("test")
        return drain()

    def close(self) -> None:
        """Close all browsers, and wait until the server has finished what they had asked.

        Otherwise a draft that is being stored meets the emptying of the tables, and PostgreSQL ends one of the two.
        """
        for context in self.contexts:
            context.close()
        end = time.monotonic() + CLOSE_SECONDS
        while answering := [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]:
            assert time.monotonic() < end, f"still answering: {answering}"
            time.sleep(0.01)

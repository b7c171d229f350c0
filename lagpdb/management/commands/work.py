"""``manage.py work``: the worker that asks the database, for installations without a broker. `serve` starts it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections, connection

from analysis.tasks import drain, sweep
from lagpdb import ledger
from measurements.ingest import fence

logger = logging.getLogger(__name__)
POLL_S = 1.0  # behind the bell: a ring that was lost costs a second


class Command(BaseCommand):
    """Wait for the bell, do what waits, sweep now and then."""

    help = "Read files and compute results, asking the database for work. Started by ‘serve’ when no broker is set."

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until told to stop, or until the process that started this one is gone."""
        self._go_on = True
        self._parent = os.getppid()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._swept_at = float("-inf")
        bell = self._bell()
        fence().start()
        try:
            while self._is_wanted():
                try:
                    drain(self._goes_on)
                except (DatabaseError, *ledger.ENVIRONMENT_ERRORS) as error:
                    logger.warning("Database or store did not answer (%s); trying again.", error)
                    connection.close()
                    time.sleep(POLL_S)
                with suppress(TimeoutError, InterruptedError):
                    bell.recv(16)
                    self._hush(bell)
                close_old_connections()
        finally:
            fence().stop()
            bell.close()
            with suppress(OSError):
                ledger.bell_path().unlink()

    def _stop(self, *_: Any) -> None:
        self._go_on = False

    def _is_wanted(self) -> bool:
        return self._go_on and os.getppid() == self._parent

    def _goes_on(self) -> bool:
        """Asked between any two jobs, so that a long queue does not keep the sweep waiting."""
        if not self._is_wanted():
            return False
        if time.monotonic() - self._swept_at > settings.SWEEP_S:
            self._swept_at = time.monotonic()
            sweep()
        return True

    @staticmethod
    def _bell() -> socket.socket:
        path = ledger.bell_path()
        with suppress(FileNotFoundError):
            path.unlink()
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bell.bind(str(path))
        path.chmod(0o600)
        bell.settimeout(POLL_S)
        return bell

    @staticmethod
    def _hush(bell: socket.socket) -> None:
        """One round of work answers all rings that came meanwhile."""
        bell.setblocking(False)
        with suppress(BlockingIOError):
            while bell.recv(16):
                pass
        bell.settimeout(POLL_S)

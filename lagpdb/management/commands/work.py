"""``manage.py work``: the worker that asks the database, for installations without a broker. `serve` starts it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from contextlib import suppress
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from analysis.tasks import drain
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
        bell = self._bell()
        fence().start()
        swept_at = 0.0
        try:
            while self._goes_on():
                try:
                    if time.monotonic() - swept_at > self._sweep_s():
                        swept_at = time.monotonic()
                        ledger.pulse("supervised")
                        ledger.sweep()
                    drain(self._goes_on)
                except (DatabaseError, InterfaceError) as error:
                    logger.warning("The database did not answer (%s); trying again.", error)
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

    def _goes_on(self) -> bool:
        return self._go_on and os.getppid() == self._parent

    @staticmethod
    def _sweep_s() -> float:
        from django.conf import settings

        return float(settings.SWEEP_S)

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

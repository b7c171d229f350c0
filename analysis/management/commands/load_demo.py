"""``manage.py load_demo``: the synthetic reference campaign, through the real upload path."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.campaign.load import CampaignError, load
from analysis.campaign.report import table


class Command(BaseCommand):
    """Load what is missing of the reference campaign, wait for its results, and compare them with the study."""

    help = (
        "Load the synthetic reference campaign: pristine and CuS-coated LAGP, impedance at 20 to 80 °C; symmetric and "
        "full cells, pristine and with the converted interlayer. "
        "Loads nothing twice; ends with a table reported / computed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Load, then print."""
        try:
            with stopping_between_jobs() as goes_on:
                campaign = load(self._say, goes_on)
        except CampaignError as error:
            raise CommandError(str(error)) from None
        if campaign.withdrawn:
            self._say(campaign.withdrawn)
            return
        self._say("\n" + table(campaign))
        if campaign.problems:
            shown = "\n".join(campaign.problems[:10])
            raise CommandError(f"{len(campaign.problems)} files or analyses of the reference set failed:\n{shown}")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


@contextmanager
def stopping_between_jobs() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM take effect after the job in hand, so that no job is left half-claimed for a minute."""
    stopping = threading.Event()
    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in numbers}
    try:
        yield lambda: not stopping.is_set()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

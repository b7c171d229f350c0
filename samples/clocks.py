"""Clocks that run now, for the dashboard: timers of conversions, rests of cells."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from samples.cells import resting
from samples.conversions import running


def running_clocks() -> dict[str, Any]:
    """Context of `samples/_running.html`: two queries."""
    return {"timers": running(), "rests": resting(), "now": timezone.now()}

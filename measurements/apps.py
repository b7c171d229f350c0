"""App configuration."""

from django.apps import AppConfig


class MeasurementsConfig(AppConfig):
    """What was measured."""

    name = "measurements"
    verbose_name = "What was measured"

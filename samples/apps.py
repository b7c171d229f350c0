"""App configuration."""

from django.apps import AppConfig


class SamplesConfig(AppConfig):
    """What was made."""

    name = "samples"
    verbose_name = "What was made"

"""App configuration; joins the two signals to their receivers."""

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """What it means."""

    name = "analysis"
    verbose_name = "What it means"

    def ready(self) -> None:
        from analysis import queueing
        from lagpdb.records import record_changed
        from measurements.signals import measurement_stored

        measurement_stored.connect(queueing.queue_analyses, dispatch_uid="queue_analyses")
        record_changed.connect(queueing.follow_change, dispatch_uid="follow_change")

"""App configurations of the ground."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class GroundConfig(AppConfig):
    """The ground that every app stands on."""

    name = "lagpdb"
    label = "ground"
    verbose_name = "People and history"

    def ready(self) -> None:
        from django.conf import settings
        from django.db.models.signals import post_migrate

        from lagpdb.roles import ensure_roles

        post_migrate.connect(ensure_roles, dispatch_uid="ensure_roles")
        if settings.REDIS_URL:
            import lagpdb.celery  # noqa: F401 - the broker's address, for whoever rings


class AdminConfig(DjangoAdminConfig):
    """The admin site of the curators."""

    default_site = "lagpdb.curation.CuratorSite"

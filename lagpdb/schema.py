"""How the API describes itself: OpenAPI 3.1 with the one error shape, and tags by collection."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema

from lagpdb.units import label

_VERBS = {"list": "List", "retrieve": "One of", "create": "Add to", "partial_update": "Change one of"}


class Schema(AutoSchema):
    """Adds the error answer to every operation, and a summary where nobody wrote one."""

    def get_tags(self) -> list[str]:
        """The collection."""
        return [self._tokenize_path()[0]]

    def get_summary(self) -> str | None:
        """'List pellets', unless the operation says otherwise."""
        verb = _VERBS.get(getattr(self.view, "action", "") or "")
        return f"{verb} {label(self.get_tags()[0].replace('-', '_')).lower()}" if verb else None

    def _get_response_bodies(self, direction: str = "response") -> dict[str, Any]:
        from lagpdb.serializers import ErrorSerializer

        bodies = super()._get_response_bodies(direction)
        error = self._get_response_for_code(ErrorSerializer, "default", direction=direction)
        bodies["default"] = error | {"description": "Any error"}
        return bodies

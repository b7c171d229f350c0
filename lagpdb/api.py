"""The roof of the API: which collections there are, the schema, and the page for people."""

from __future__ import annotations

from typing import Any

from csp.decorators import csp_update
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path, re_path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from analysis.api import COLLECTIONS as ANALYSIS
from lagpdb.resources import View
from lagpdb.tokens import RolePermission
from measurements.api import COLLECTIONS as MEASUREMENTS
from samples.api import COLLECTIONS as SAMPLES

COLLECTIONS = SAMPLES | MEASUREMENTS | ANALYSIS

router = SimpleRouter()
for _name, _viewset in COLLECTIONS.items():
    router.register(_name, _viewset, basename=_name)


class Root(View, APIView):
    """What there is."""

    @extend_schema(exclude=True)
    def get(self, request: Any) -> Response:
        """Addresses of the collections."""
        base = request.build_absolute_uri("/api/v1/")
        return Response({name: f"{base}{name}/" for name in COLLECTIONS} | {"schema": f"{base}schema/"})


class Nothing(View, APIView):
    """Any other address below the API: not found, in the shape of all errors."""

    @extend_schema(exclude=True)
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Always not found."""
        raise Http404(f"There is nothing at {request.path}. Collections: {', '.join(COLLECTIONS)}.")

    post = patch = get


# The page's own library writes styles into the document; nowhere else is that allowed.
@csp_update({"style-src": ["'self'", "'unsafe-inline'"]})
def page(request: HttpRequest) -> HttpResponse:
    """The API for people: how to begin, and every operation to try."""
    base = request.build_absolute_uri("/api/v1/")
    return render(request, "api.html", {"base": base, "collections": COLLECTIONS})


class SchemaView(SpectacularAPIView):
    """OpenAPI 3.1."""

    permission_classes = (RolePermission,)


urlpatterns = [
    path("", page, name="api"),
    path("v1/", Root.as_view(), name="api_root"),
    path("v1/schema/", SchemaView.as_view(), name="api_schema"),
    path("v1/", include(router.urls)),
    re_path(r"^v1/.*$", Nothing.as_view()),
]

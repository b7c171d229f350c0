"""The whole site map: pages of each app, the API, sign-in, admin and health."""

from django.contrib import admin
from django.urls import include, path

from analysis.tree_pages import urlpatterns as tree_pages
from analysis.views import urlpatterns as analysis_pages
from lagpdb.accounts import urlpatterns as account_pages
from lagpdb.api import urlpatterns as api_pages
from lagpdb.drafts import urlpatterns as draft_pages
from lagpdb.history import urlpatterns as history_pages
from lagpdb.pages import urlpatterns as general_pages
from lagpdb.savedviews import urlpatterns as view_pages
from measurements.views import urlpatterns as measurement_pages
from samples.views import urlpatterns as sample_pages

urlpatterns = [
    *general_pages,
    *view_pages,
    *draft_pages,
    *history_pages,
    *account_pages,
    *sample_pages,
    *measurement_pages,
    *analysis_pages,
    *tree_pages,
    path("api/", include(api_pages)),
    path("admin/", admin.site.urls),
]

"""The store's addresses: Wagtail at the root, the shop under ``/shop/``."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls


def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 while the store runs."""
    return HttpResponse("ok\n", content_type="text/plain")


shop: Any = apps.get_app_config("oscar")

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("admin/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("django-admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("sandbox/mail/", include("sandbox.mail")),
    path("shop/", include(shop.urls[0])),
    path("khalti/", include("loyalink_khalti.storefront.urls")),
    path("api/khalti/v1/", include("loyalink_khalti.api.urls")),
    path("", include(wagtail_urls)),  # Wagtail takes every other path, so it comes last
]

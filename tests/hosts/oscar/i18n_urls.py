"""The store with its shop and pages below the language (``i18n_patterns``), and our own pages outside."""

from typing import Any

from django.apps import apps
from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

shop: Any = apps.get_app_config("oscar")

urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("i18n/", include("django.conf.urls.i18n")),
    path("sandbox/mail/", include("sandbox.mail")),
    path("khalti/", include("loyalink_khalti.storefront.urls")),
    *i18n_patterns(path("shop/", include(shop.urls[0])), path("", include(wagtail_urls))),
]

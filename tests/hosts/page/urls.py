"""The addresses of a small Wagtail site whose pages sell: one include for all of them."""

from django.contrib import admin
from django.contrib.auth.views import LoginView
from django.urls import include, path
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls

urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    path("django-admin/", admin.site.urls),
    path("accounts/login/", LoginView.as_view(), name="login"),
    path("khalti/", include("loyalink_khalti.hosts.page.urls")),
    path("", include(wagtail_urls)),
]

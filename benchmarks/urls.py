"""The addresses of the benchmark's project."""

from django.urls import include, path

urlpatterns = [path("khalti/", include("loyalink_khalti.storefront.urls"))]

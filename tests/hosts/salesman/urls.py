"""The sandbox's addresses, with Salesman's API."""

from django.urls import include, path

from sandbox.urls import urlpatterns as sandbox_urls

urlpatterns = [path("salesman/", include("salesman.urls")), *sandbox_urls]

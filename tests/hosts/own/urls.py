"""The addresses of the demo store, and that of the tea house's one page."""

from django.urls import path

from sandbox.urls import urlpatterns as of_the_store

from .tea.views import buy

urlpatterns = [path("buy/<slug:sku>/", buy), *of_the_store]

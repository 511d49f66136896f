"""The store with Wagtail's admin left out."""

from sandbox.urls import urlpatterns as store

urlpatterns = [each for each in store if str(each.pattern) != "admin/"]

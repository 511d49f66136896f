from django.apps import AppConfig


class SiteConfig(AppConfig):
    """A small shop on Salesman."""

    name = "tests.hosts.salesman.site"
    label = "salesman_site"
    default_auto_field = "django.db.models.BigAutoField"

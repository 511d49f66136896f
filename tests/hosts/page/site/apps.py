from django.apps import AppConfig


class SiteConfig(AppConfig):
    """A small site whose pages sell."""

    name = "tests.hosts.page.site"
    label = "page_site"
    default_auto_field = "django.db.models.BigAutoField"

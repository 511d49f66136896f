"""The optional Django app of pages that sell; it has migrations of its own."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class PageShopConfig(AppConfig):
    """Orders, stock and settings of the pages that a site sells."""

    name = "loyalink_khalti.hosts.page"
    label = "loyalink_khalti_page"
    verbose_name = _("Pages that sell")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import deleted_orders

        deleted_orders.protect()
        if apps.is_installed("wagtail.snippets"):
            from wagtail.snippets.models import register_snippet

            register_snippet(self.get_model("Category"))

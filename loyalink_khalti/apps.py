"""The door that Django opens first."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LoyalinkKhaltiConfig(AppConfig):
    name = "loyalink_khalti"
    verbose_name = _("Khalti and loyalty points")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import (
            afterwards,
            checks,  # noqa: F401 - registers the system checks
        )

        afterwards.listen()

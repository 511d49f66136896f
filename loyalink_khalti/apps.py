"""The door that Django opens first."""

import logging
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _

from .errors import traced

log = logging.getLogger(__name__)


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
        post_save.connect(_user_saved, sender=settings.AUTH_USER_MODEL, dispatch_uid="loyalink_khalti.rename")


def _user_saved(instance: Any, *, created: bool, update_fields: Any = None, **_signal: Any) -> None:
    """Members are found by what their users are called now."""
    from .flow import people  # not before the apps are ready

    if created or not people.is_named_by(update_fields):
        return
    try:
        with transaction.atomic():
            people.rename(instance)
    except Exception as exc:  # noqa: BLE001 - whatever it is, nobody's user is lost for being found later
        log.error("user %s could not be renamed among the members: %s", instance.pk, traced(exc))

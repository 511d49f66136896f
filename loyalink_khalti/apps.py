"""The Django app: registers the checks and connects the signals."""

import logging
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import connections, transaction
from django.db.models.signals import post_delete, post_migrate, post_save
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from loyalink_khalti import after_response, databases

from .errors import safe_trace
from .required_apps import require_apps

log = logging.getLogger(__name__)


class LoyalinkKhaltiConfig(AppConfig):
    name = "loyalink_khalti"
    verbose_name = _("Khalti and loyalty points")
    default_auto_field = "django.db.models.BigAutoField"

    def __init__(self, app_name: str, app_module: Any) -> None:
        super().__init__(app_name, app_module)
        require_apps(settings.INSTALLED_APPS)  # before any model is imported, of this app or of another

    def ready(self) -> None:
        from . import checks, flow  # noqa: F401 - checks registers the system checks
        from .conf import deployment_key_replaced, forget_invoice_settings, forget_shop_details, sites
        from .loyalty import news
        from .payments import servers
        from .payments.flags import flag_raised

        if settings.DATABASE_ROUTERS:
            databases.install(_load_hosts)
        after_response.connect()
        flag_raised.connect(flow.schedule_digest, dispatch_uid="loyalink_khalti.schedule_digest")
        news.tier_raised.connect(flow.tell_tier_reached, dispatch_uid="loyalink_khalti.tell_tier_reached")
        news.points_activated.connect(flow.tell_points_activated, dispatch_uid="loyalink_khalti.tell_points_activated")
        servers.outage_lasts.connect(flow.alert_outage, dispatch_uid="loyalink_khalti.alert_outage")
        servers.outage_ended.connect(flow.alert_outage_ended, dispatch_uid="loyalink_khalti.alert_outage_ended")
        deployment_key_replaced.connect(flow.alert_replaced_key, dispatch_uid="loyalink_khalti.alert_replaced_key")
        post_save.connect(
            sites.site_was_saved, sender="wagtailcore.Site", dispatch_uid="loyalink_khalti.site_was_saved"
        )
        post_delete.connect(
            sites.site_was_deleted, sender="wagtailcore.Site", dispatch_uid="loyalink_khalti.site_was_deleted"
        )
        for sender in ("wagtailcore.Site", "loyalink_khalti.ShopDetails"):
            for signal in (post_save, post_delete):
                signal.connect(forget_shop_details, sender=sender, dispatch_uid="loyalink_khalti.forget_shop_details")
        for sender in ("wagtailcore.Site", "loyalink_khalti.InvoiceSettings"):
            for signal in (post_save, post_delete):
                uid = "loyalink_khalti.forget_invoice_settings"
                signal.connect(forget_invoice_settings, sender=sender, dispatch_uid=uid)
        post_migrate.connect(_migrated, sender=self, dispatch_uid="loyalink_khalti.migrated")
        user_logged_in.connect(_logged_in, dispatch_uid="loyalink_khalti.logged_in")
        post_save.connect(_user_saved, sender=settings.AUTH_USER_MODEL, dispatch_uid="loyalink_khalti.user_saved")


def _migrated(*, using: str, **_signal: Any) -> None:
    """Create the triggers of the rows that are written once: SQLite drops them when a migration rebuilds a table."""
    from . import append_only  # its models load after this module

    append_only.install(connections[using])


def _load_hosts() -> None:
    """Import the shops, which name the rows that are never read from a replica; a check reports one that fails."""
    from loyalink_khalti import conf

    try:
        conf.shops()
    except Exception as exc:  # noqa: BLE001 - a read must not fail by it
        log.error("the shops could not say which rows must be current: %s", safe_trace(exc))


def _logged_in(user: Any, request: Any = None, **_signal: Any) -> None:
    """Remember the language in which a customer uses the shop, for mails about points; after the response."""
    from loyalink_khalti import conf, flow

    _claim_counter_sales(user, request)
    if (
        "SERVER_NAME" not in getattr(request, "META", ())
        or len(settings.LANGUAGES) < 2
        or not (language := get_language())
    ):
        return
    try:
        site_key = conf.site_key(request)
        member = {"site_key": site_key, "member_id": str(user.pk), "language": language}
        after_response.after_response(lambda: flow.remember_language(**member))
    except Exception as exc:  # noqa: BLE001 - no log-in may fail by it
        log.error("the language of user %s could not be kept: %s", user.pk, safe_trace(exc))


def _claim_counter_sales(user: Any, request: Any) -> None:
    """Give a customer, whose address the shop has verified, the points of sales at the counter to it."""
    from loyalink_khalti import conf, flow

    try:
        if "SERVER_NAME" not in getattr(request, "META", ()) or not conf.email_is_verified(user):
            return
        email = str(getattr(user, user.get_email_field_name(), "") or "")
        member = {"site_key": conf.site_key(request), "member_id": str(user.pk), "email": email}
        after_response.after_response(lambda: flow.claim_after_verification(**member))
    except Exception as exc:  # noqa: BLE001 - no log-in may fail by it
        log.error("the counter sales of user %s could not be claimed: %s", user.pk, safe_trace(exc))


def _user_saved(instance: Any, *, created: bool, update_fields: Any = None, **_signal: Any) -> None:
    """Keep the search text of a member up to date with their user."""
    from loyalink_khalti import flow  # its models load after this module

    if created or not flow.affects_search(update_fields):
        return
    try:
        with transaction.atomic():
            flow.reindex_member(instance)
    except Exception as exc:  # noqa: BLE001 - a member that cannot be found must not keep a user from being saved
        log.error("the search text of user %s could not be updated: %s", instance.pk, safe_trace(exc))

"""Where Wagtail looks for what we add to its admin."""

from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.admin.admin_url_finder import register_admin_url_finder
from wagtail.admin.menu import MenuItem
from wagtail.contrib.settings.models import register_setting

from loyalink_khalti.backoffice import attention, log, menu, summary, views
from loyalink_khalti.backoffice.finder import MemberFinder, PaymentFinder
from loyalink_khalti.backoffice.members import logged as members_logged
from loyalink_khalti.backoffice.members import urls as members
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.backoffice.payments import urls as payments
from loyalink_khalti.backoffice.reports import urls as reports
from loyalink_khalti.backoffice.shop_link import ShopMenuItem
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.staff import may

if apps.is_installed("wagtail.contrib.settings"):  # without it, a setting would break all of Wagtail's admin
    register_setting(KhaltiSettings, icon="key", order=50)


def admin_urls() -> list[URLPattern]:
    setting = {"app_name": KhaltiSettings._meta.app_label, "model_name": KhaltiSettings._meta.model_name}
    view = views.TestKeyView.as_view()
    return [path("khalti/<int:pk>/test-key/", view, setting, name="loyalink_khalti_test_key")]


def keep_the_key_out_of_error_reports(request: HttpRequest, instance: Any) -> None:
    """Do what ``sensitive_post_parameters`` does, for a view that is Wagtail's own."""
    if isinstance(instance, KhaltiSettings):
        request.sensitive_post_parameters = ["secret_key"]  # type: ignore[attr-defined]  # Django sets it so


def icons(names: list[str]) -> list[str]:
    return [*names, "loyalink_khalti/icons/loyalink-rupee.svg"]


def stylesheet() -> SafeString:
    """Small, and the same on every page, so that a chip is a chip wherever it stands."""
    return format_html('<link rel="stylesheet" href="{}">', static("loyalink_khalti/desk.css"))


class PaymentsItem(MenuItem):
    """The payments, for whoever may see them."""

    def is_shown(self, request: HttpRequest) -> bool:
        return may.may(request.user, may.VIEW_PAYMENTS)


def payments_item() -> MenuItem:
    url = reverse("loyalink_khalti_payments")
    return PaymentsItem(_("Payments"), url, name="loyalink-payments", icon_name="loyalink-rupee", order=310)


hooks.register("construct_homepage_panels", attention.add_panel)
hooks.register("register_admin_urls", admin_urls)
hooks.register("before_edit_setting", keep_the_key_out_of_error_reports)
hooks.register("register_log_actions", log.register)
hooks.register("register_icons", icons)
hooks.register("insert_global_admin_css", stylesheet)

# Payments
hooks.register("register_admin_urls", payments.admin_urls)
hooks.register("register_admin_menu_item", payments_item)
register_admin_url_finder(Payment, PaymentFinder)

# The shop's own back office
hooks.register("register_admin_menu_item", ShopMenuItem)

# Reports and what the first page of the admin sums up.
hooks.register("register_admin_urls", reports.urls)
for item in reports.menu_items():
    hooks.register("register_reports_menu_item", item)
hooks.register("construct_homepage_summary_items", summary.add_items)

# Members
hooks.register("register_admin_menu_item", menu.loyalty_item)
hooks.register(menu.LOYALTY_HOOK, menu.members_item)
hooks.register("register_admin_urls", members.admin_urls)
hooks.register("register_log_actions", members_logged.register)
register_admin_url_finder(Account, MemberFinder)

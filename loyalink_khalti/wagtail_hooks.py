"""Where Wagtail looks for what we add to its admin."""

from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver, include, path
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.contrib.settings.models import register_setting
from wagtail.log_actions import LogActionRegistry, LogFormatter

from loyalink_khalti.backoffice import attention, forms, rules_form, rules_views, saved, views
from loyalink_khalti.backoffice.campaigns import rows as campaign_rows
from loyalink_khalti.backoffice.campaigns import urls as campaigns
from loyalink_khalti.backoffice.campaigns.menu import LoyaltyMenuItem
from loyalink_khalti.backoffice.models import KhaltiSettings, LoyaltySettings

if apps.is_installed("wagtail.contrib.settings"):  # without it, a setting would break all of Wagtail's admin
    register_setting(KhaltiSettings, icon="key", order=50)
    register_setting(LoyaltySettings, icon="tag", order=51)


def admin_urls() -> list[URLPattern]:
    setting = {"app_name": KhaltiSettings._meta.app_label, "model_name": KhaltiSettings._meta.model_name}
    view = views.TestKeyView.as_view()
    return [path("khalti/<int:pk>/test-key/", view, setting, name="loyalink_khalti_test_key")]


def keep_the_key_out_of_error_reports(request: HttpRequest, instance: Any) -> None:
    """Do what ``sensitive_post_parameters`` does, for a view that is Wagtail's own."""
    if isinstance(instance, KhaltiSettings):
        request.sensitive_post_parameters = ["secret_key"]  # type: ignore[attr-defined]  # Django sets it so


def log_actions(actions: LogActionRegistry) -> None:
    """Show in the site history who has changed a key, by its fingerprint."""

    class KeyFormatter(LogFormatter):
        label: Any

        def format_message(self, log_entry: Any) -> str:
            return f"{self.label}: {log_entry.data.get('environment', '')}, {log_entry.data.get('fingerprint', '')}"

    class KeySaved(KeyFormatter):
        label = _("Save a Khalti key")

    class KeyRemoved(KeyFormatter):
        label = _("Remove a Khalti key")

    actions.register_action(forms.SAVED)(KeySaved)
    actions.register_action(forms.REMOVED)(KeyRemoved)


hooks.register("construct_homepage_panels", attention.add_panel)
hooks.register("register_admin_urls", admin_urls)
hooks.register("before_edit_setting", keep_the_key_out_of_error_reports)
hooks.register("register_log_actions", log_actions)


# Loyalty settings and campaigns


def loyalty_urls() -> list[URLPattern | URLResolver]:
    setting = {"app_name": LoyaltySettings._meta.app_label, "model_name": LoyaltySettings._meta.model_name}
    example = rules_views.RulesExampleView.as_view()
    return [
        path("khalti/<int:pk>/rules-example/", example, setting, name="loyalink_khalti_rules_example"),
        path("khalti/campaigns/", include(campaigns)),
    ]


def loyalty_log_actions(actions: LogActionRegistry) -> None:
    """Show in the site history which rules somebody has changed, and from what to what."""

    class RulesChanged(LogFormatter):
        label: Any = _("Change the rules of the points")

        def format_message(self, log_entry: Any) -> str:
            changes = "; ".join(log_entry.data.get("changes", []))
            return f"{self.label} ({log_entry.data.get('version', '')}): {changes}"

    class CampaignFormatter(LogFormatter):
        label: Any

        def format_message(self, log_entry: Any) -> str:
            return f"{self.label}: {log_entry.data.get('name', '')} ({log_entry.data.get('version', '')})"

    actions.register_action(rules_form.CHANGED)(RulesChanged)
    for action, label in campaign_rows.LABELS.items():
        actions.register_action(action)(type("CampaignAction", (CampaignFormatter,), {"label": label}))


hooks.register("register_admin_urls", loyalty_urls)
hooks.register("register_log_actions", loyalty_log_actions)
hooks.register("after_edit_setting", saved.tell)
hooks.register("register_loyalink_khalti_loyalty_menu_item", LoyaltyMenuItem.campaigns)
hooks.register("register_loyalink_khalti_loyalty_menu_item", LoyaltyMenuItem.settings)

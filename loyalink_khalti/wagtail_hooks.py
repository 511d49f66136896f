"""Where Wagtail looks for what we add to its admin."""

from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.contrib.settings.models import register_setting
from wagtail.log_actions import LogActionRegistry, LogFormatter

from loyalink_khalti.backoffice import attention, forms, summary, views
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.backoffice.reports import urls as reports

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

# Reports and what the first page of the admin sums up.
hooks.register("register_admin_urls", reports.urls)
for item in reports.menu_items():
    hooks.register("register_reports_menu_item", item)
hooks.register("construct_homepage_summary_items", summary.add_items)

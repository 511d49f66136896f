"""Save the loyalty rules, compute their live example, and report what was saved."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from wagtail.admin import messages
from wagtail.contrib.settings.views import EditView

from loyalink_khalti.backoffice.access import SettingPermissionRequired
from loyalink_khalti.backoffice.models import LoyaltySettings

from .form import RulesChanged, SavedRules


class SaveRulesView(EditView):
    """Wagtail's view, which shows the form again if another user has changed the rules at the same time."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().form_valid(form)
        except RulesChanged:
            form.show_stored()
            self.is_valid(form)  # invalid now, so that Wagtail adds its message
            response = self.form_invalid(form)
        return response

    def run_before_hook(self) -> None:
        """Do nothing: the hooks have run, and the last one called this view."""


def save_rules(request: HttpRequest, instance: Any) -> HttpResponseBase | None:
    """``before_edit_setting``: save the loyalty settings with ``SaveRulesView``."""
    if request.method != "POST" or not isinstance(instance, LoyaltySettings):
        return None
    names = {"app_name": instance._meta.app_label, "model_name": instance._meta.model_name}
    return SaveRulesView.as_view()(request, **names, pk=instance.site_id)


def report_saved_rules(request: HttpRequest, instance: Any) -> None:
    """``after_edit_setting``: say which version applies now, and warn about expensive rules."""
    saved: SavedRules | None = getattr(instance, "saved_rules", None)
    if saved is None:
        return
    number = {"number": saved.number}
    if not saved.changes:
        messages.info(request, _("The rules are unchanged: version %(number)s still applies.") % number)
        return
    applies = _("This applies to new orders from now on (rules version %(number)s).") % number
    keeps = _("Points that were awarded or reserved before keep their rules.")
    messages.info(request, f"{applies} {keeps}")
    for warning in saved.warnings:
        messages.warning(request, warning)


class RulesExampleView(SettingPermissionRequired, EditView):
    """Compute the example from the values in the form; nothing is saved."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(self.get_edit_url())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.form = self.get_form()
        if self.expects_json_response:
            return JsonResponse({"html": self.form.example().html})
        return self.render_to_response(self.get_context_data(form=self.form))

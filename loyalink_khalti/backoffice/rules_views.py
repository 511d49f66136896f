"""The loyalty settings where they are saved, and their live example."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from wagtail.contrib.settings.views import EditView

from .guard import GuardedSetting
from .models import LoyaltySettings
from .rules_form import Outrun

SETTING = {"app_name": LoyaltySettings._meta.app_label, "model_name": str(LoyaltySettings._meta.model_name)}


class SaveRulesView(EditView):
    """Wagtail's own, which shows the form again where somebody else was quicker."""

    def form_valid(self, form: Any) -> HttpResponse:
        try:
            response: HttpResponse = super().form_valid(form)
        except Outrun:
            form.look_again()
            self.is_valid(form)  # not any more: Wagtail makes its message of it
            response = self.form_invalid(form)
        return response

    def run_before_hook(self) -> None:
        """They have run: the last of them led here."""


def save_rules(request: HttpRequest, instance: Any) -> HttpResponseBase | None:
    """Called by Wagtail before a setting is edited: save ours in our own view."""
    if request.method != "POST" or not isinstance(instance, LoyaltySettings):
        return None
    return SaveRulesView.as_view()(request, **SETTING, pk=instance.site_id)


class RulesExampleView(GuardedSetting, EditView):
    """Work out the example with what is typed; nothing is saved."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(self.get_edit_url())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.form = self.get_form()
        if self.expects_json_response:
            return JsonResponse({"html": self.form.example().html})
        return self.render_to_response(self.get_context_data(form=self.form))


def admin_urls() -> list[URLPattern]:
    """Where the example is worked out, for each site."""
    view = RulesExampleView.as_view()
    return [path("khalti/<int:pk>/rules-example/", view, SETTING, name="loyalink_khalti_rules_example")]

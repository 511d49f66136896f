"""The live example of the loyalty settings."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path
from wagtail.contrib.settings.views import EditView

from .guard import GuardedSetting
from .models import LoyaltySettings


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
    setting = {"app_name": LoyaltySettings._meta.app_label, "model_name": LoyaltySettings._meta.model_name}
    view = RulesExampleView.as_view()
    return [path("khalti/<int:pk>/rules-example/", view, setting, name="loyalink_khalti_rules_example")]

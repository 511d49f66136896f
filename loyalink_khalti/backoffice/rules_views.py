"""The live example of the loyalty settings."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path
from wagtail.contrib.settings.views import EditView

from .guard import refused
from .models import LoyaltySettings


class RulesExampleView(EditView):
    """Work out the example with what is typed; nothing is saved."""

    refused = False

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        try:
            super().setup(request, *args, **kwargs)
        except PermissionDenied:  # Wagtail would redirect, which a script takes for an answer
            self.refused = True

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.refused:
            return refused(request)
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    def run_before_hook(self) -> None:
        """Nothing is edited."""

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

"""The button "Test this key"."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from wagtail.admin import messages
from wagtail.contrib.settings.views import EditView

from loyalink_khalti import conf

from .forms import KhaltiSettingsForm
from .guard import GuardedSetting
from .keys import BAD, Verdict, try_key
from .models import KhaltiSettings


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("secret_key"), name="dispatch")
class TestKeyView(GuardedSetting, EditView):
    """Test the typed key, or else the one in use, and show the form as it was typed; nothing is saved."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(self.get_edit_url())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.form = self.get_form()
        verdict = _verdict(self.form)
        if self.expects_json_response:
            return JsonResponse({"level": verdict.level, "text": verdict.text})
        getattr(messages, verdict.level)(request, verdict.text)
        return self.render_to_response(self.get_context_data(form=self.form))


def admin_urls() -> list[URLPattern]:
    """Where the button posts to, for each site."""
    setting = {"app_name": KhaltiSettings._meta.app_label, "model_name": KhaltiSettings._meta.model_name}
    view = TestKeyView.as_view()
    return [path("khalti/<int:pk>/test-key/", view, setting, name="loyalink_khalti_test_key")]


def keep_the_key_out_of_error_reports(request: HttpRequest, instance: Any) -> None:
    """Do what ``sensitive_post_parameters`` does, for a view that is Wagtail's own."""
    if isinstance(instance, KhaltiSettings):
        request.sensitive_post_parameters = ["secret_key"]  # type: ignore[attr-defined]  # Django sets it so


def _verdict(form: KhaltiSettingsForm) -> Verdict:
    try:
        environment = form.fields["environment"].clean(form["environment"].data)
        secret = form.typed_key() or conf.secret_in_use(form.site_key, environment)
    except ValidationError as exc:
        return Verdict(level=BAD, text=" ".join(exc.messages))
    except ImproperlyConfigured as exc:
        return Verdict(level=BAD, text=str(exc))
    if secret is None:
        return Verdict(level=BAD, text=_("There is no key to test yet: paste one first."))
    return try_key(environment, secret)

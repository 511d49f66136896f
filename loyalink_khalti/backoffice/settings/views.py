"""The button "Test this key", and what Wagtail calls before and after Khalti's settings are saved."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from wagtail.admin import messages
from wagtail.contrib.settings.views import EditView

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice.access import SettingPermissionRequired
from loyalink_khalti.backoffice.models import KhaltiSettings

from .form import KhaltiSettingsForm


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(sensitive_post_parameters("secret_key"), name="dispatch")
class TestKeyView(SettingPermissionRequired, EditView):
    """Check the key in the form, or else the current key, and show the form as it was typed; nothing is saved."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(self.get_edit_url())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.form = self.get_form()
        result = check_form(self.form)
        if self.expects_json_response:
            return JsonResponse({"level": result.level, "text": result.text})
        getattr(messages, result.level)(request, result.text)
        return self.render_to_response(self.get_context_data(form=self.form))


def check_form(form: KhaltiSettingsForm) -> flow.KeyCheck:
    """Check the key that the form contains, or the current key of the selected environment."""
    try:
        environment = form.selected_environment
        secret = form.entered_key() or conf.current_secret(form.site_key, environment)
    except ValidationError as exc:
        return flow.KeyCheck(level=flow.KEY_FAILED, text=" ".join(exc.messages))
    except ImproperlyConfigured as exc:
        return flow.KeyCheck(level=flow.KEY_FAILED, text=str(exc))
    if secret is None:
        return flow.KeyCheck(level=flow.KEY_FAILED, text=_("There is no key to test. Enter a key first."))
    return flow.check_key(environment, secret)


def hide_key_in_error_reports(request: HttpRequest, instance: Any) -> None:
    """Do for Wagtail's own view what Django's decorator ``sensitive_post_parameters`` does."""
    if isinstance(instance, KhaltiSettings):
        request.sensitive_post_parameters = ["secret_key"]  # type: ignore[attr-defined]  # as Django's decorator


def suggest_key_test(request: HttpRequest, instance: Any) -> None:
    """After a new key was saved, suggest to test it."""
    if getattr(instance, "has_new_key", False):
        messages.info(request, _("A new key is in use. Press “Test this key” to check that Khalti accepts it."))

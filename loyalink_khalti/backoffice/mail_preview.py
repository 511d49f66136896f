"""How an e-mail to customers looks, with an invented order: HTML in a frame without scripts, and plain text."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.clickjacking import xframe_options_sameorigin
from wagtail.admin import messages
from wagtail.contrib.settings.views import EditView

from loyalink_khalti import conf, flow
from loyalink_khalti.mail_ports import Mail

from .access import SettingPermissionRequired

HTML_ALONE = "html"
"""The query that asks for the mail alone, for the frame."""


@method_decorator(xframe_options_sameorigin, name="dispatch")
class MailPreview(SettingPermissionRequired, EditView):
    """One kind of mail in one language, as it would be sent with the settings that are saved."""

    template_name = "loyalink_khalti/backoffice/settings/mail_preview.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if HTML_ALONE not in request.GET:
            return self.render_to_response(self.get_context_data())
        response = HttpResponse(self.mail().html)
        response["Content-Security-Policy"] = "default-src 'none'; img-src *; style-src 'unsafe-inline'"
        return response

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send the example to the user who looks at it."""
        user: Any = request.user
        address = str(getattr(user, user.get_email_field_name(), "") or "")
        if address:
            flow.send_sample_mail(self.mail(), to=address)
            messages.success(request, _("The example goes to %(address)s.") % {"address": address})
        else:
            messages.error(request, _("Your user has no e-mail address."))
        return self.get(request, *args, **kwargs)

    @property
    def kind(self) -> flow.MailKind:
        try:
            return flow.MailKind(self.kwargs["kind"])
        except ValueError as exc:
            raise Http404 from exc

    @property
    def language(self) -> str:
        return conf.language(self.request.GET.get("language") or settings.LANGUAGE_CODE)

    def mail(self) -> Mail:
        return flow.sample_mail(self.kind, site_key=conf.site_key_of(self.site), language=self.language)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        with override(self.language):
            mail = self.mail()
        query = f"?language={self.language}"
        return {
            **super().get_context_data(**kwargs),
            "mail": mail,
            "label": flow.MAIL_LABELS[self.kind],
            "language": self.language,
            "languages": settings.LANGUAGES,
            "query": query,
            "frame": f"{query}&{HTML_ALONE}",
            "back_url": self.get_edit_url(),
        }

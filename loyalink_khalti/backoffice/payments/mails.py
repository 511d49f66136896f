"""The button "Send again" on the page of a payment."""

from django.http import HttpRequest, HttpResponse
from wagtail.admin import messages

from loyalink_khalti.staff import mails, permissions

from .page import PaymentPage


class MailView(PaymentPage):
    """Send one of the mails about the payment's order again."""

    permission = permissions.VIEW_PAYMENTS
    post_permission = permissions.RESOLVE_FLAGS

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self.redirect_to_payment()

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        level, text = mails.send_again(self.purchase, request.POST.get("mail", ""), user=request.user)
        getattr(messages, level)(request, text)
        return self.redirect_to_payment()

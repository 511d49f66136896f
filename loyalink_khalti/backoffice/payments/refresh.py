"""Two buttons on the page of a payment: "Refresh status" looks it up at Khalti now, "Send again" repeats a mail."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from wagtail.admin import messages
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.ports import Outcome
from loyalink_khalti.staff import mails, permissions
from loyalink_khalti.staff.labels import payment_status

from .page import PaymentPage

REFRESHED = "loyalink_khalti.refresh"
"""Log action."""


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class RefreshView(PaymentPage):
    """Look up the payment at Khalti, apply the answer, and show it as a message."""

    permission = permissions.VIEW_PAYMENTS
    post_permission = permissions.RESOLVE_FLAGS

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self.redirect_to_payment()

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        answer = flow.refresh_payment(self.payment)
        self.payment.refresh_from_db()
        title = self.payment.purchase_order_id
        log(instance=self.payment, action=REFRESHED, title=title, data={"status": answer.status})
        level, text = _message(answer, str(payment_status(self.payment).label))
        getattr(messages, level)(request, text)
        return self.redirect_to_payment()


def _message(answer: flow.RefreshResult, status: str) -> tuple[str, str]:
    if answer.status:
        level = "warning" if answer.outcome is Outcome.FLAGGED else "success"
        values = {"khalti": answer.status, "status": status}
        return level, _("Khalti's status: “%(khalti)s”. The payment is now: %(status)s.") % values
    if answer.looked_up:
        return "warning", _("Khalti gave no usable answer. Nothing was changed; try again in a minute.")
    return "warning", _("Khalti was not called: it does not know this payment yet, or another lookup is running.")


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

"""On the page of a payment: "Refresh status" looks it up at Khalti now, "Send again" repeats a mail; notes."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from wagtail.admin import messages
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.ports import Outcome
from loyalink_khalti.staff import mails, permissions
from loyalink_khalti.staff.labels import payment_status
from loyalink_khalti.staff.notes import NoteForm, write_note

from .page import PaymentPage, PaymentView

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


class NoteView(PaymentView):
    """Write a note on the payment, which colleagues read in its history and in the order's."""

    post_permission = permissions.ADD_NOTES

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self.redirect_to_payment()

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        form = NoteForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(note_form=form))
        try:
            write_note(form, self.purchase, user=request.user, payment=self.payment)
        except LoyalinkError as exc:
            form.add_error("text", str(exc))
            return self.render_to_response(self.get_context_data(note_form=form))
        messages.success(request, _("The note is added."))
        return self.redirect_to_payment()


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

"""The button "Ask Khalti now"."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from wagtail.admin import messages
from wagtail.log_actions import log

from loyalink_khalti import flow
from loyalink_khalti.ports import Outcome
from loyalink_khalti.staff import may
from loyalink_khalti.staff.words import standing

from .page import OfPayment

ASKED = "loyalink_khalti.ask"
"""Log action."""


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class AskView(OfPayment):
    """Have Khalti asked what became of a payment, and say what it said."""

    permission = may.VIEW_PAYMENTS
    post_permission = may.DECIDE

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        return self.back()

    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        said = flow.look(self.payment)
        self.payment.refresh_from_db()
        log(instance=self.payment, action=ASKED, data={"status": said.status})
        level, words = _told(said, str(standing(self.payment).label))
        getattr(messages, level)(request, words)
        return self.back()


def _told(said: flow.Said, stands: str) -> tuple[str, str]:
    words = {"status": said.status, "stands": stands}
    if said.status:
        level = "warning" if said.outcome is Outcome.FLAGGED else "success"
        return level, _("Khalti says “%(status)s”. The payment is: %(stands)s.") % words
    if said.asked:
        return "warning", _("Khalti gave no answer that could be used. Nothing was changed; try again in a minute.")
    return "warning", _("Khalti was not asked: it has not heard of this payment, or somebody is asking just now.")

"""The button "Check now" of points on hold: Khalti is asked, and the flow does what follows from its answer."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.flow.holds import with_payments
from loyalink_khalti.loyalty.models import Hold
from loyalink_khalti.ports import Outcome
from loyalink_khalti.staff import may

from . import logged
from .view import MemberView


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class AskView(MemberView):
    """What comes of it is Khalti's word, never the editor's."""

    post_permission = may.DECIDE

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.to_member()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        hold = Hold.objects.filter(account=self.account, pk=kwargs["hold"]).first()
        if hold is None:
            raise Http404
        payment = with_payments([hold])[0].payment
        if hold.state != Hold.State.ACTIVE:
            messages.info(request, _("These points are on hold no more."))
        elif payment is None:
            messages.warning(request, _("No payment at Khalti belongs to these points; they stay reserved."))
        else:
            said = flow.look(payment)
            hold.refresh_from_db()
            self._tell(hold, said)
        return self.to_member()

    def _tell(self, hold: Hold, said: flow.Said) -> None:
        is_held = hold.state == Hold.State.ACTIVE
        order = hold.purchase.partition(":")[2]
        logged.write(
            self.account, logged.ASKED, order=order, points=hold.points, still_held=is_held, status=said.status
        )
        tell = messages.success if not is_held else messages.info if said.status else messages.warning
        tell(self.request, in_words(said, is_held=is_held))


def in_words(said: flow.Said, *, is_held: bool) -> str:
    """What came of it, for whoever has asked."""
    if said.outcome is Outcome.PAID:
        return _("Khalti says: paid. The order is placed and the points are spent.")
    if said.outcome is Outcome.FLAGGED:
        return _("Khalti has money for this payment, and somebody must decide about it; the points stay reserved.")
    if not is_held:
        return _released(said.outcome)
    if said.status:
        return _("Khalti says: not paid yet; the points stay reserved.")
    return _("Khalti gave no answer just now; nothing was changed, and the points stay reserved.")


def _released(outcome: Outcome) -> str:
    if outcome is Outcome.EXPIRED:
        return _("Khalti says: expired without being paid. The points are the member's again.")
    if outcome is Outcome.CANCELLED:
        return _("Khalti says: cancelled. The points are the member's again.")
    return _("Khalti says: not paid. The points are the member's again.")

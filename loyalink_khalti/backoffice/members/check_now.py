"""The button "Check now" of reserved points: look the payment up at Khalti and apply the answer."""

from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.flow import with_payments
from loyalink_khalti.loyalty.buckets import HoldState
from loyalink_khalti.loyalty.models import Hold
from loyalink_khalti.ports import Outcome
from loyalink_khalti.staff import permissions

from . import log
from .base import MemberView


@method_decorator(transaction.non_atomic_requests, name="dispatch")
class CheckNowView(MemberView):
    """Only Khalti's answer releases reserved points; staff cannot release them."""

    post_permission = permissions.RESOLVE_FLAGS

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.redirect_to_member()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        hold = Hold.objects.filter(account=self.account, pk=kwargs["hold"]).first()
        if hold is None:
            raise Http404
        payment = with_payments([hold])[0].payment
        if hold.state != HoldState.ACTIVE:
            messages.info(request, _("These points are no longer reserved."))
        elif payment is None:
            messages.warning(request, _("These points belong to no payment at Khalti. They stay reserved."))
        else:
            result = flow.refresh_payment(payment)
            hold.refresh_from_db()
            self._report(hold, result)
        return self.redirect_to_member()

    def _report(self, hold: Hold, result: flow.RefreshResult) -> None:
        is_held = hold.state == HoldState.ACTIVE
        order = hold.purchase.partition(":")[2]
        log.record(
            self.account, log.CHECKED, order=order, points=hold.points, still_held=is_held, status=result.status
        )
        add_message = messages.success if not is_held else messages.info if result.status else messages.warning
        add_message(self.request, result_message(result, is_held=is_held))


def result_message(result: flow.RefreshResult, *, is_held: bool) -> str:
    """Return what the lookup has changed, as a sentence for staff."""
    if result.outcome is Outcome.PAID:
        return _("Khalti's answer: paid. The order is placed and the points are used.")
    if result.outcome is Outcome.FLAGGED:
        return _("Khalti has received money for this payment, and the payment needs review. The points stay reserved.")
    if not is_held:
        return _released_message(result.outcome)
    if result.status:
        return _("Khalti's answer: not paid yet. The points stay reserved.")
    return _("Khalti did not answer. Nothing was changed, and the points stay reserved.")


def _released_message(outcome: Outcome) -> str:
    if outcome is Outcome.EXPIRED:
        return _("Khalti's answer: expired without payment. The points are available again.")
    if outcome is Outcome.CANCELLED:
        return _("Khalti's answer: cancelled. The points are available again.")
    return _("Khalti's answer: not paid. The points are available again.")

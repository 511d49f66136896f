"""The way back from Khalti, and where a payment stands.

Nothing in a query is believed, or even read: the token in the path finds the payment, and ``flow.finish`` asks Khalti
about the pidx that was stored for it.
"""

from datetime import timedelta
from typing import Any, NoReturn

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from loyalink_khalti import conf, flow
from loyalink_khalti.browser import is_mine
from loyalink_khalti.door import Door, UnknownToken
from loyalink_khalti.khalti.gate import gate
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import State
from loyalink_khalti.ports import Outcome

DETAILS_FOR = timedelta(days=30)
"""How long a receipt shows more than state and reference."""
REFRESH = 4
"""seconds between two looks of a page that is confirming"""
SLOW_REFRESH = 30


def nothing_here(_request: HttpRequest) -> NoReturn:
    raise Http404


class PaymentView(Door):
    """A page of one payment, found by its token."""

    http_method_names: tuple[str, ...] = ("get", "options")
    referrer_policy = "no-referrer"

    def payment(self, token: str) -> Payment:
        try:
            return Payment.objects.select_related("purchase").get(token=token)
        except Payment.DoesNotExist as exc:
            raise UnknownToken from exc


@method_decorator(csrf_exempt, name="dispatch")  # so that a POST is told 405, as it changes nothing
class LookView(PaymentView):
    """A payment's page that is only looked at."""


class ReturnView(LookView):
    """Where Khalti sends the payer back: asks Khalti, then leads on to the shop's page or to the receipt."""

    drops_query = True

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = self.payment(token)
        here = reverse("loyalink_khalti:return", args=[payment.token])
        dropped = getattr(request, "_loyalink_query_dropped", False)
        if dropped or request.META.get("QUERY_STRING") or request.path != here:
            return redirect(here)  # at once, so that what was glued on is in no history and no referrer
        outcome = flow.finish(payment, present=is_mine(request, payment))
        return redirect(next_page(payment, outcome))


class StatusView(LookView):
    """The receipt, in any browser; while nothing is certain it looks again by itself, without JavaScript too."""

    referrer_policy = Door.referrer_policy  # it has a form

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = self.payment(token)
        outcome = flow.finish(payment, present=is_mine(request, payment))
        payment = self.payment(token)
        response = render(request, "loyalink_khalti/status.html", _context(request, payment, outcome))
        if outcome is Outcome.CONFIRMING:
            response["Refresh"] = str(refresh_after(payment))
        return response


class PayView(LookView):
    """On to Khalti's page, as long as the payment waits."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = self.payment(token)
        if payment.state != State.INITIATED:
            return redirect("loyalink_khalti:status", token=payment.token)
        return redirect(payment.payment_url)


class StartAgainView(PaymentView):
    """The shopper gives the payment up and has the basket back, unless Khalti says that it was paid."""

    http_method_names = ("get", "post", "options")

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Whoever reloads, or opens the address of the button, sees where the payment stands; nothing is given up."""
        return redirect("loyalink_khalti:status", token=self.payment(token).token)

    def look_at(self, request: HttpRequest, **found: Any) -> str:
        return reverse("loyalink_khalti:status", kwargs=found)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = self.payment(token)
        if not is_mine(request, payment):
            raise UnknownToken
        outcome = flow.start_again(payment)
        if outcome is Outcome.CONFIRMING:
            messages.warning(
                request,
                _("Khalti cannot yet say that nothing was paid, so your basket stays reserved. Try again soon."),
            )
        return redirect(next_page(payment, outcome))


def next_page(payment: Payment, outcome: Outcome) -> str:
    """The shop's own page for this outcome, or the receipt."""
    page = ""
    if outcome not in {Outcome.CONFIRMING, Outcome.FLAGGED}:
        page = conf.shop(payment.purchase.shop).page_for(payment.purchase.ref, outcome, payment.token)
    return page or reverse("loyalink_khalti:status", args=[payment.token])


def refresh_after(payment: Payment) -> int:
    """Seconds until it is worth looking again: soon after a return, slowly while nobody has paid."""
    return REFRESH if payment.asked < 3 else SLOW_REFRESH


def _context(request: HttpRequest, payment: Payment, outcome: Outcome) -> dict[str, Any]:
    purchase = payment.purchase
    mine = is_mine(request, payment)
    fresh = payment.created_at + DETAILS_FOR > timezone.now()
    can_continue = mine and payment.state == State.INITIATED
    settled_elsewhere = outcome is Outcome.FLAGGED and purchase.state == Purchase.State.PLACED
    return {
        "payment": payment,
        "purchase": purchase,
        "cart": purchase.frozen_cart if mine and fresh else None,
        "outcome": outcome.value,
        "mine": mine,
        "fresh": fresh,
        "paid_twice": settled_elsewhere,
        "goes_back": outcome is Outcome.FLAGGED and bool(refunds.of_payment(payment)),
        "flags": set(payment.flags.filter(resolved_at=None).values_list("reason", flat=True))
        if outcome is Outcome.FLAGGED
        else set(),
        "can_continue": can_continue,
        "khalti_is_silent": can_continue and gate(conf.base_url(payment.credentials.environment)).is_shut,
        "refresh": refresh_after(payment),
        "shop_page": _shop_page(payment, outcome) if mine else "",
    }


def _shop_page(payment: Payment, outcome: Outcome) -> str:
    if outcome in {Outcome.CONFIRMING, Outcome.FLAGGED}:
        return ""
    return conf.shop(payment.purchase.shop).page_for(payment.purchase.ref, outcome, payment.token)

"""The return from Khalti, the way to its page, and a payment that its customer cancels.

No query value is trusted: the token in the path finds the payment, and the flow looks up at Khalti the pidx that is
stored for it. A pidx in the query that is not the payment's is kept for the reconciler and for staff (``read_claim``).
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Any, NoReturn

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import get_script_prefix, reverse
from django.utils.translation import gettext as _

from loyalink_khalti import conf, flow
from loyalink_khalti.clock import time_of
from loyalink_khalti.khalti.wire import Status
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import PaymentState
from loyalink_khalti.ports import Outcome
from loyalink_khalti.session_payments import is_own_payment, network_id
from loyalink_khalti.token_pages import TokenView, UnknownToken, plain_pages, throttle

from .middleware import Returned, claim_of
from .pages import AppRedirect, PaymentView, ReadOnlyPaymentView, address_in_app, next_page

JUST_OPENED = timedelta(minutes=1)
"""How long after Khalti has opened its page a customer cannot have paid there unseen."""


def not_found(_request: HttpRequest) -> NoReturn:
    raise Http404


class ReturnView(ReadOnlyPaymentView):
    """Where Khalti sends the customer: verify the payment, then redirect to the shop's page or to the receipt."""

    drops_query = True

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        claim = claim_of(request)
        try:
            payment = self.payment(token)
        except UnknownToken:
            if claim is None:
                raise
            return _unmatched_page(request, claim)
        if claim is not None and claim.pidx != payment.pidx:
            is_kept = _keep(request, claim, site_key=payment.purchase.site_key, returned_to=payment)
            if payment.pidx is None and not is_kept:
                return _no_record(request, claim, is_kept=False)
        return_url = reverse("loyalink_khalti:return", args=[payment.token])
        dropped = getattr(request, "_loyalink_query_dropped", False)
        if dropped or request.META.get("QUERY_STRING") or request.path != return_url:
            return redirect(return_url)  # at once, so that no history and no referrer keeps what Khalti appended
        outcome = flow.verify_payment(payment, customer_present=is_own_payment(request, payment), just_read=True)
        app_page = address_in_app(payment, outcome)
        return AppRedirect(app_page) if app_page else redirect(next_page(payment, outcome))

    def reload_url(self, request: HttpRequest, **url_kwargs: Any) -> str:
        """Return the path with the pidx: a database that was down may come back without this payment."""
        claim = claim_of(request)
        return f"{request.path}?pidx={claim.pidx}" if claim else request.path


class PayView(ReadOnlyPaymentView):
    """Redirect to Khalti's page while the payment is not paid, by Khalti's own word; otherwise to the status page."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = self.payment(token)
        if payment.state == PaymentState.INITIATED and not _is_just_opened(payment):
            flow.verify_payment(payment, customer_present=is_own_payment(request, payment), just_read=True)
            payment = self.payment(token)
            if payment.may_be_paid:
                return redirect("loyalink_khalti:status", token=payment.token)
        if payment.state != PaymentState.INITIATED:
            return redirect("loyalink_khalti:status", token=payment.token)
        return redirect(payment.payment_url)


class CancelView(PaymentView):
    """Ask whether to cancel a pending payment, and cancel it: the customer has the basket back and may start again.

    Cancelling looks the payment up first, so that nothing that Khalti reports as paid is cancelled.
    """

    http_method_names = ("get", "post", "options")
    referrer_policy = TokenView.referrer_policy  # the page has a form

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show the question. It changes nothing, and asks only about what can be cancelled."""
        payment = self.payment(token)
        outcome = payment.outcome
        if is_own_payment(request, payment) and payment.state == PaymentState.INITIATED:
            outcome = flow.verify_payment(payment, customer_present=True, just_read=True)
            payment = self.payment(token)
        if not is_own_payment(request, payment) or payment.state != PaymentState.INITIATED:
            return redirect("loyalink_khalti:status", token=payment.token)
        context = {
            "payment": payment,
            "purchase": payment.purchase,
            "outcome": outcome.value,
            "is_unpaid": not payment.may_be_paid,
            "is_processing": payment.last_answer == Status.PENDING.value,
        }
        return render(request, "loyalink_khalti/cancel.html", context)

    def reload_url(self, request: HttpRequest, **url_kwargs: Any) -> str:
        return reverse("loyalink_khalti:status", kwargs=url_kwargs)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = self.payment(token)
        if not is_own_payment(request, payment):
            raise UnknownToken
        outcome = flow.cancel_payment(payment)
        if outcome is Outcome.CONFIRMING:
            messages.warning(
                request,
                _("Khalti cannot confirm yet that nothing was paid, so your basket stays reserved. Try again soon."),
            )
        if address_in_app(payment, outcome):  # the policy of the form's page allows no other address after it
            return redirect("loyalink_khalti:status", token=payment.token)
        return redirect(next_page(payment, outcome))


def _is_just_opened(payment: Payment) -> bool:
    """Return whether Khalti has only just opened its page, and no lookup has said what became of it."""
    opened = payment.initiated_at
    return opened is not None and payment.last_lookup_at is None and time_of(payment) - opened < JUST_OPENED


def _keep(request: HttpRequest, claim: Returned, *, site_key: str, returned_to: Payment | None = None) -> bool:
    return flow.keep_return(
        pidx=claim.pidx, site_key=site_key, network=network_id(request), order_id=claim.order_id,
        returned_to=returned_to,
    )  # fmt: skip


def _unmatched_page(request: HttpRequest, claim: Returned) -> HttpResponse:
    """Say that the shop has no record of the payment yet, with its number. It depends on the claim alone.

    Whether the pidx is known makes no difference: this page reveals nothing about other payments.
    """
    if wait := throttle.seconds_to_wait(request):
        return plain_pages.too_many(request, wait=wait)
    return _no_record(request, claim, is_kept=_keep(request, claim, site_key=conf.site_key(request)))


def _no_record(request: HttpRequest, claim: Returned, *, is_kept: bool) -> HttpResponse:
    context = {"pidx": claim.pidx, "is_kept": is_kept, "home": get_script_prefix()}
    return render(request, "loyalink_khalti/unmatched.html", context, status=HTTPStatus.NOT_FOUND)

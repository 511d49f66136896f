"""The return from Khalti, and the status page that is also the receipt.

No query value is trusted: the token in the path finds the payment, and the flow looks up at Khalti the pidx that is
stored for it. A pidx in the query that is not the payment's is kept for the reconciler and for staff (``read_claim``).
"""

from datetime import timedelta
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import get_script_prefix, reverse
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt

from loyalink_khalti import conf, flow
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import PaymentState, PurchaseState
from loyalink_khalti.payments.unmatched import UnmatchedPayment, of_return_address
from loyalink_khalti.ports import Outcome
from loyalink_khalti.session_payments import is_own_payment, network_id
from loyalink_khalti.token_pages import TokenView, UnknownToken, plain_pages, throttle

from .middleware import Returned, claim_of

DETAILS_FOR = timedelta(days=30)
"""How long a receipt shows more than status and reference."""
FORWARD_AFTER = 2
"""seconds until the status page looks whether Khalti has opened its page, to forward there"""
REFRESH = 4
"""seconds between two reloads of the status page while the payment is being confirmed"""
SLOW_REFRESH = 30
"""seconds, once Khalti has been asked a few times"""
QUICK_LOOKUPS = 3
UNRESOLVED = frozenset({Outcome.CONFIRMING, Outcome.FLAGGED})
"""Outcomes that only the status page shows; a shop has no page for them."""


def not_found(_request: HttpRequest) -> NoReturn:
    raise Http404


class PaymentView(TokenView):
    """A page of one payment, found by its token, in the language in which the customer has bought.

    Our addresses have no language, so a browser that prefers another one would change it on the return from Khalti,
    and the shop's page after it (``i18n_patterns``) as well.
    """

    http_method_names: tuple[str, ...] = ("get", "options")
    referrer_policy = "no-referrer"

    def payment(self, token: str) -> Payment:
        """Return the payment with its purchase, whose language applies. Raises `UnknownToken` if there is none."""
        try:
            payment = Payment.load_by_token(token)
        except Payment.DoesNotExist as exc:
            raise UnknownToken from exc
        translation.activate(conf.language(payment.purchase.language))
        return payment


@method_decorator(csrf_exempt, name="dispatch")  # so that a POST gets 405 and not 403; it changes nothing
class ReadOnlyPaymentView(PaymentView):
    """A page of one payment that answers to GET alone."""


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


class StatusView(ReadOnlyPaymentView):
    """The receipt, in any browser. While the outcome is open it reloads itself, without JavaScript too.

    A customer whose payment page Khalti has not opened yet is forwarded to it as soon as its address is known.
    """

    referrer_policy = TokenView.referrer_policy  # the page has a form

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = self.payment(token)
        was_settled = payment.is_settled
        outcome = flow.verify_payment(payment, customer_present=is_own_payment(request, payment), just_read=True)
        if not was_settled:
            payment = self.payment(token)
        response = render(request, "loyalink_khalti/status.html", _context(request, payment, outcome))
        if outcome is Outcome.CONFIRMING:
            response["Refresh"] = refresh(request, payment)
        return response


class PayView(ReadOnlyPaymentView):
    """Redirect to Khalti's page while the payment is still pending, otherwise to the status page."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        payment = self.payment(token)
        if payment.state != PaymentState.INITIATED:
            return redirect("loyalink_khalti:status", token=payment.token)
        return redirect(payment.payment_url)


class CancelView(PaymentView):
    """Cancel a pending payment and give the basket back to the customer, unless Khalti reports that it was paid."""

    http_method_names = ("get", "post", "options")

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """Show the status: a reload, or the button's address opened by hand, cancels nothing."""
        return redirect("loyalink_khalti:status", token=self.payment(token).token)

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


class AppRedirect(HttpResponseRedirect):
    """A redirect to an address of an app, of whatever scheme: `address_in_app` returns those of the settings alone."""

    def __init__(self, address: str) -> None:
        self.allowed_schemes = [conf.scheme_of(address)]
        super().__init__(address)


def address_in_app(payment: Payment, outcome: Outcome) -> str:
    """Return the address of the app that began the payment, with its token and the outcome and nothing else.

    "" where no app did, where the settings do not allow its address any more, and where the status page has to say
    what the app cannot know: money has come back for a payment that failed.
    """
    address = payment.return_to
    if not address or not conf.is_return_address(address) or _unmatched(payment, outcome):
        return ""
    return f"{address}?{urlencode({'token': payment.token, 'outcome': outcome.value})}"


def next_page(payment: Payment, outcome: Outcome) -> str:
    """Return the shop's own page for this outcome, or the receipt if it has none."""
    return _shop_page(payment, outcome) or reverse("loyalink_khalti:status", args=[payment.token])


def refresh(request: HttpRequest, payment: Payment) -> str:
    """Return when the status page reloads, as HTTP's ``Refresh`` has it: soon at first, later while nothing is paid.

    While a payment has no page at Khalti, its own customer is sent to ``PayView``, which leads there or back here.
    """
    if payment.state == PaymentState.CREATED and is_own_payment(request, payment):
        return f"{FORWARD_AFTER}; url={reverse('loyalink_khalti:pay', args=[payment.token])}"
    return str(REFRESH if payment.lookup_count < QUICK_LOOKUPS else SLOW_REFRESH)


def _context(request: HttpRequest, payment: Payment, outcome: Outcome) -> dict[str, Any]:
    purchase = payment.purchase
    is_own = is_own_payment(request, payment)
    show_details = payment.created_at + DETAILS_FOR > timezone.now()
    can_continue = is_own and payment.state == PaymentState.INITIATED
    is_flagged = outcome is Outcome.FLAGGED
    order_missing = is_own and outcome is Outcome.PAID and flow.is_missing(purchase)
    open_flags = payment.flags.filter(resolved_at=None).values_list("reason", flat=True) if is_flagged else ()
    unmatched = _unmatched(payment, outcome)
    return {
        "payment": payment,
        "unmatched": unmatched,
        "purchase": purchase,
        "cart": purchase.frozen_cart if is_own and show_details else None,
        "outcome": "unmatched" if unmatched else outcome.value,
        "is_own": is_own,
        "show_details": show_details,
        "paid_twice": is_flagged and purchase.state == PurchaseState.PLACED,
        "is_being_refunded": is_flagged and bool(refunds.of_payment(payment)),
        "flags": set(open_flags),
        "can_continue": can_continue,
        "khalti_not_responding": can_continue and conf.is_not_responding(conf.base_url(payment.environment)),
        "refresh": refresh(request, payment),
        "order_missing": order_missing,
        "mails_orders": getattr(conf.shops().get(purchase.shop), "mails_orders", False),
        "shop_page": _shop_page(payment, outcome) if is_own and not order_missing else "",
        "app_page": address_in_app(payment, outcome),
    }


def _shop_page(payment: Payment, outcome: Outcome) -> str:
    """Return the path of the shop's page for this outcome, "" if the status page shows it."""
    if outcome in UNRESOLVED or not payment.purchase.shop or _unmatched(payment, outcome):
        return ""
    return conf.shop(payment.purchase.shop).customer_page(payment.purchase.ref, outcome, payment.token)


def _unmatched(payment: Payment, outcome: Outcome) -> UnmatchedPayment | None:
    """Return what came back for a payment that failed because Khalti's answer was lost: it may be its money."""
    if outcome is not Outcome.FAILED or payment.pidx is not None:
        return None
    return of_return_address(payment)

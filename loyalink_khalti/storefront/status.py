"""The status page of a payment, which is also its receipt: what it says, and the news that its script asks for.

While the outcome is open, a script asks for news and shows them without a reload; without JavaScript the page reloads
itself. It is never suggested to pay what may be paid already.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from loyalink_khalti import conf, flow
from loyalink_khalti.khalti.wire import Status
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import PaymentState, PurchaseState
from loyalink_khalti.ports import Outcome
from loyalink_khalti.session_payments import is_own_payment
from loyalink_khalti.token_pages import TokenView

from .pages import ReadOnlyPaymentView, address_in_app, returned_without_record, shop_page

DETAILS_FOR = timedelta(days=30)
"""How long a receipt shows more than status and reference."""
MAIL_ON_ITS_WAY = timedelta(hours=1)
"""How long after a payment its receipt says that the mail of the order is on its way."""
FORWARD_AFTER = 2
"""seconds until the status page looks whether Khalti has opened its page, to forward there"""
ASK_AGAIN = 4
"""seconds until the page asks for news while the payment is being confirmed"""
ASK_SLOWLY = 30
"""seconds, once Khalti has been asked a few times"""
QUICK_LOOKUPS = 3


class StatusView(ReadOnlyPaymentView):
    """The receipt, in any browser.

    A customer whose payment page Khalti has not opened yet is forwarded to it as soon as its address is known.
    """

    referrer_policy = TokenView.referrer_policy  # a host's layout around the page may have forms

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        context = _read(self, request, token)
        return render(request, "loyalink_khalti/status.html", context | {"offer": _account_offer(request, context)})


class StatusNewsView(ReadOnlyPaymentView):
    """What the script of the status page asks for: JSON, with the part of the page that changes.

    ``state`` names what is shown, so that the script replaces the part only where it is another; ``say`` is for screen
    readers; ``after`` is in seconds, 0 once there is nothing to wait for; ``forward`` is where Khalti's page is, for a
    customer who waits for it.
    """

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        context = _read(self, request, token)
        text = render_to_string("loyalink_khalti/status_text.html", context, request)
        title = render_to_string("loyalink_khalti/status_title.txt", context, request).strip()
        return JsonResponse(
            {
                "state": context["page_state"],
                "title": title,
                "say": f"{title.rstrip('.!?।')}. {' '.join(strip_tags(text).split())}",
                "html": render_to_string("loyalink_khalti/status_part.html", context, request),
                "after": context["ask_after"],
                "forward": context["pay_url"] if context["is_own"] and not context["is_opening"] else "",
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Confirming:
    """How far a payment is whose outcome is open, by Khalti's last answer."""

    is_opening: bool
    """Khalti has opened no payment page yet."""
    is_unpaid: bool
    """Khalti has just said that nothing is paid."""
    is_processing: bool
    """Khalti has the customer's word, and no money yet."""
    khalti_not_responding: bool


def _read(view: ReadOnlyPaymentView, request: HttpRequest, token: str) -> dict[str, Any]:
    """Verify the payment and return what its page shows."""
    payment = view.payment(token)
    was_settled = payment.is_settled
    outcome = flow.verify_payment(payment, customer_present=is_own_payment(request, payment), just_read=True)
    if not was_settled:
        payment = view.payment(token)
    return _context(request, payment, outcome)


def _account_offer(request: HttpRequest, context: dict[str, Any]) -> flow.AccountOffer | None:
    """Return what a guest is offered on their receipt, where that is the shop's thank-you page."""
    is_receipt = context["is_own"] and context["outcome"] == Outcome.PAID.value and not context["shop_page"]
    return flow.offer_account(context["purchase"]) if is_receipt and not request.user.is_authenticated else None


def _confirming(payment: Payment, outcome: Outcome) -> _Confirming:
    is_open = outcome is Outcome.CONFIRMING and payment.state == PaymentState.INITIATED
    return _Confirming(
        is_opening=payment.state == PaymentState.CREATED,
        is_unpaid=is_open and not payment.may_be_paid,
        is_processing=is_open and payment.last_answer == Status.PENDING.value,
        khalti_not_responding=is_open and conf.is_not_responding(conf.base_url(payment.environment)),
    )


def _context(request: HttpRequest, payment: Payment, outcome: Outcome) -> dict[str, Any]:
    purchase, is_own = payment.purchase, is_own_payment(request, payment)
    confirming, unmatched = _confirming(payment, outcome), returned_without_record(payment, outcome)
    show_details = payment.created_at + DETAILS_FOR > timezone.now()
    is_flagged = outcome is Outcome.FLAGGED
    order_missing = is_own and outcome is Outcome.PAID and flow.is_missing(purchase)
    open_flags = payment.flags.filter(resolved_at=None).values_list("reason", flat=True) if is_flagged else ()
    flags, is_being_refunded = set(open_flags), is_flagged and bool(refunds.of_payment(payment))
    return {
        "payment": payment,
        "purchase": purchase,
        "unmatched": unmatched,
        "receipt": flow.receipt(purchase) if is_own and show_details else None,
        "outcome": "unmatched" if unmatched else outcome.value,
        "is_own": is_own,
        "show_details": show_details,
        "paid_twice": is_flagged and purchase.state == PurchaseState.PLACED,
        "is_being_refunded": is_being_refunded,
        "flags": flags,
        "is_opening": confirming.is_opening,
        "is_processing": confirming.is_processing,
        "is_unpaid": confirming.is_unpaid,
        "khalti_not_responding": confirming.khalti_not_responding,
        "can_continue": is_own and confirming.is_unpaid and not confirming.khalti_not_responding,
        "can_cancel": is_own and outcome is Outcome.CONFIRMING and not confirming.is_opening,
        "pay_url": reverse("loyalink_khalti:pay", args=[payment.token]),
        "news_url": reverse("loyalink_khalti:status-news", args=[payment.token]),
        "ask_after": _ask_after(payment, outcome, is_own=is_own),
        "page_state": _page_state(payment, outcome, confirming, flags, is_being_refunded),
        "order_missing": order_missing,
        "mail_is_on_its_way": _mail_is_on_its_way(payment),
        "shop_page": shop_page(payment, outcome) if is_own and not order_missing else "",
        "app_page": address_in_app(payment, outcome),
    }


def _ask_after(payment: Payment, outcome: Outcome, *, is_own: bool) -> int:
    """Return after how many seconds there may be news: soon at first, later while nothing is paid; 0 for never."""
    if outcome is not Outcome.CONFIRMING:
        return 0
    if payment.state == PaymentState.CREATED and is_own:
        return FORWARD_AFTER
    return ASK_AGAIN if payment.lookup_count < QUICK_LOOKUPS else ASK_SLOWLY


def _page_state(
    payment: Payment, outcome: Outcome, confirming: _Confirming, flags: set[str], is_being_refunded: bool
) -> str:
    """Return a name for what the page shows: two pages with the same one say the same."""
    parts = [outcome.value, payment.state, payment.last_answer, payment.purchase.state, *sorted(flags)]
    extra = (confirming.khalti_not_responding, "silent"), (is_being_refunded, "refunding")
    return "-".join([*parts, *(name for is_so, name in extra if is_so)])


def _mail_is_on_its_way(payment: Payment) -> bool:
    shop = conf.shops().get(payment.purchase.shop)
    at = payment.fulfilled_at
    return bool(getattr(shop, "mails_orders", False) and at is not None and at + MAIL_ON_ITS_WAY > timezone.now())

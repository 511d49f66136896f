"""What the checkout of any host does around the flow.

The payment choice, order numbers that cannot be guessed, "place order" and its double submit, the redirect to Khalti
and the page to which the customer returns. A host subclasses `HostCheckout` and has a `PaymentReturnView` in its URLs.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.errors import BasketTaken, CannotPay
from loyalink_khalti.khalti.wire import MAX_NAME
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.nepal import shorten
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.ports import Costs, OpenBasket, Outcome, PaymentMethod, ReleaseReason
from loyalink_khalti.session_payments import (
    browser_session_id,
    is_own_payment,
    network_id,
    remember_payment,
    session_id,
)
from loyalink_khalti.token_pages import TokenView, UnknownToken

ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without characters that sound or look alike: no 0/O, 1/I/L, U/V."""
RECENT = timedelta(hours=1)
"""How long a repeated click on "place order" leads to the order that the first click placed."""


def new_order_number(prefix: str, *, is_taken: Callable[[str], bool]) -> str:
    """Return an order number that is not taken and cannot be guessed: ``SS-7K2MA-9QXDT`` with the prefix ``SS-``."""
    while True:
        number = prefix + "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(2))
        if not is_taken(number):
            return number


def order_name(shop_name: str, number: str) -> str:
    """Return what Khalti's page shows of an order: "Saraswati Stationery, SS-7K2MA-9QXDT".

    Khalti gets ``MAX_NAME`` characters, so a long name of the shop is shortened and the number stays whole.
    """
    name = shorten(" ".join(shop_name.split()), max(MAX_NAME - len(number) - 2, 0))
    return f"{name}, {number}" if name else number


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentChoice:
    """How the customer wants to pay; ``code`` is "" until a method has been chosen."""

    method: PaymentMethod | None = None
    """The method, None for one of the shop's own."""
    own_method: str = ""
    """The code of one of the shop's own methods, which takes no points."""
    points: Points = Points(0)

    @property
    def code(self) -> str:
        return self.own_method or self.method or ""

    @classmethod
    def of(cls, code: str, *, points: Points = Points(0)) -> "PaymentChoice":
        """Return the choice of a method, one of ours or of the shop's own, by its code."""
        if code in set(PaymentMethod):
            return cls(method=PaymentMethod(code), points=points)
        return cls(own_method=code, points=Points(0))

    @classmethod
    def from_stored(cls, method: object, points: object, *, offered: Collection[str]) -> "PaymentChoice":
        """Return the choice that a session has stored; what is not valid or not ``offered`` counts as not chosen."""
        code = method if isinstance(method, str) and method in offered else ""
        kept = Points(points if isinstance(points, int) and points > 0 else 0)
        return cls.of(code, points=kept) if code else cls(points=kept)


def quote(basket: OpenBasket, choice: PaymentChoice) -> flow.Quote:
    """Return the flow's quote of a basket. Raises ``PointsDoNotFit`` if it cannot redeem the chosen points."""
    return quote_costs(basket.costs(), choice, site_key=basket.site_key, member_id=basket.member_id)


def quote_costs(costs: Costs, choice: PaymentChoice, *, site_key: str, member_id: str | None) -> flow.Quote:
    """Return the flow's quote of costs. Raises ``PointsDoNotFit`` if the purchase cannot redeem the chosen points."""
    return flow.quote(
        site_key=site_key,
        member_id=member_id,
        subtotal=costs.subtotal,
        shipping=costs.shipping,
        lines=costs.lines,
        discount=costs.discount,
        points=choice.points,
        method=choice.method,
    )


class HostCheckout(ABC):
    """The pages at which a host's checkout ends: the order page and the basket page. One subclass for each host."""

    shop: ClassVar[str]
    """The host's name in ``LOYALINK_KHALTI["SHOPS"]`` and in every Cart."""

    @abstractmethod
    def order_page(self, request: HttpRequest, purchase: Purchase) -> HttpResponse:
        """Show a placed order. The caller has checked that it belongs to this customer."""

    @abstractmethod
    def basket_page(self, request: HttpRequest, message: str) -> HttpResponse:
        """Show the basket with a message, after its payment was released."""

    def has_basket(self, purchase: Purchase) -> bool:
        """Return whether the basket of a released purchase still exists."""
        return True

    @abstractmethod
    def reopen_basket(self, request: HttpRequest, purchase: Purchase) -> None:
        """Make the basket of a released purchase the current one of this browser session again."""

    def place_by_site(self, request: HttpRequest, basket: OpenBasket, choice: PaymentChoice) -> HttpResponse:
        """Let the site's own code take the payment and place the order, for one of its ``OWN_METHODS``.

        Raises ``CannotPay`` where it is not placed, as here: this is for a site to override.
        """
        raise CannotPay(_("Please choose another payment method."))

    def place_order(
        self, request: HttpRequest, basket: OpenBasket, choice: PaymentChoice, *, expected_due: Paisa | None = None
    ) -> HttpResponse:
        """Place the order, or hold it and send the customer to Khalti; return where the customer goes.

        ``expected_due``, in paisa, is the amount that the customer saw. A click that finds its basket taken leads to
        where the first one led. Otherwise nothing is placed and the basket is as before; the sentence to show is
        raised, as ``CannotPay`` or one of its subclasses, by which the host chooses a page: ``BasketTaken`` and
        ``SoldOut``, ``ReservedTooMuch`` (the basket), ``InvalidDetails`` (by field), ``PaymentPending`` (whose
        payment is shown only where ``is_own_payment``). Raises ``InsideTransaction``: the view is non-atomic.
        """
        try:
            return self._place_order(request, basket, choice, expected_due)
        except BasketTaken as exc:
            response = self.after_double_submit(request, origin=basket.origin)
            if response is None:
                raise BasketTaken(_("Please try again.")) from exc
            return response
        except flow.PaymentPending as exc:
            if exc.payment.purchase.origin == basket.origin:
                return self.payment_page(request, exc.payment)
            exc.args = (pending_message(request, exc),)
            raise

    def _place_order(
        self, request: HttpRequest, basket: OpenBasket, choice: PaymentChoice, expected_due: Paisa | None
    ) -> HttpResponse:
        if choice.own_method:
            return self.place_by_site(request, basket, choice)
        method = method_to_place(basket, choice)
        freeze = basket.freeze(method=method, points=choice.points, expected_due=expected_due)
        customer = self.customer_ids(request)
        if method is PaymentMethod.KHALTI:
            payment = flow.begin_payment(freeze, **customer, return_to=self.return_address())
            return self.payment_page(request, payment)
        return self.order_page(request, flow.place_order(freeze, method=method, **customer))

    def customer_ids(self, request: HttpRequest) -> dict[str, str]:
        """Return by what the limits on unpaid orders know this customer: browser session and network."""
        return {"browser_session": browser_session_id(request), "network": network_id(request)}

    def return_address(self) -> str:
        """Return the address of an app to which our return page leads, one of the settings' own; "" for none."""
        return ""

    def payment_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        """Redirect to the payment's page at Khalti and record that this browser session began it.

        While Khalti has not opened that page yet, redirect to the status page, which forwards to it.
        """
        remember_payment(request, payment)
        if not payment.payment_url:
            return redirect("loyalink_khalti:status", payment.token)
        return HttpResponseRedirect(payment.payment_url)

    def after_double_submit(self, request: HttpRequest, *, origin: str) -> HttpResponse | None:
        """Return where the first click on "place order" leads, for a click that finds its basket taken.

        ``origin`` is the basket's identity. Return None if the first click has failed; the basket is open again then.
        """
        payment = flow.live_payment_of(self.shop, origin)
        if payment is not None:
            return self.payment_page(request, payment)
        purchases = Purchase.objects.filter(shop=self.shop, origin=origin).order_by("-pk")
        placed = purchases.filter(state=PurchaseState.PLACED, placed_at__gt=timezone.now() - RECENT).first()
        if placed is not None:
            return self.order_page(request, placed)
        newest = purchases.first()
        if newest is not None and newest.state == PurchaseState.RELEASED:
            self.reopen_basket(request, newest)
        return None

    def recent_origin(self, request: HttpRequest) -> str | None:
        """Return the origin of what this browser session bought last, None if that was not within the last hour."""
        if request.session.session_key is None:
            return None
        purchases = Purchase.objects.filter(
            shop=self.shop, browser_session=session_id(request), created_at__gt=timezone.now() - RECENT
        )
        return purchases.order_by("-pk").values_list("origin", flat=True).first()


class PaymentReturnView(TokenView):
    """Where the storefront sends the customer after a payment, by its token: the order page, or the basket.

    Only the member, or the browser session that began the payment, gets there; any other sees the receipt.
    """

    http_method_names = ("get", "head", "options")
    checkout: ClassVar[HostCheckout]

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        payments = Payment.objects.select_related("purchase")
        payment = payments.filter(token=token, purchase__shop=self.checkout.shop).first()
        if payment is None:
            raise UnknownToken
        purchase = payment.purchase
        if is_own_payment(request, payment):
            if purchase.state == PurchaseState.PLACED and payment.outcome is Outcome.PAID:
                return self.checkout.order_page(request, purchase)
            if purchase.state == PurchaseState.RELEASED and payment.outcome is not Outcome.FLAGGED:
                self.checkout.reopen_basket(request, purchase)
                has_basket = self.checkout.has_basket(purchase)
                return self.checkout.basket_page(request, release_message(payment, has_basket=has_basket))
        return redirect("loyalink_khalti:status", token)


def method_to_place(basket: OpenBasket, choice: PaymentChoice) -> PaymentMethod:
    """Return the method by which a basket is placed: ``POINTS`` where the chosen points leave nothing to pay.

    Raises ``CannotPay`` if no method is chosen, or the one that is chosen is not offered for this basket. Whether
    Khalti is, and whatever is wrong with the basket, the flow or the freeze says, under lock.
    """
    try:
        costs = basket.costs()
        due = costs.subtotal + costs.shipping
        if choice.points:
            due = quote_costs(costs, choice, site_key=basket.site_key, member_id=basket.member_id).amount_due
    except CannotPay:  # the freeze shows the reason, or finds that another click has the basket
        return choice.method or PaymentMethod.KHALTI
    if not due:
        return PaymentMethod.POINTS
    if choice.method is None:
        raise CannotPay(_("Please choose a payment method."))
    options = basket.methods(khalti_unavailable_reason="")
    option = next((each for each in options if each.method == choice.method), None)
    if option is None:
        raise CannotPay(_("Please choose one of the payment methods below."))
    if option.unavailable_reason and choice.method is not PaymentMethod.KHALTI:
        raise CannotPay(option.unavailable_reason)
    return choice.method


def pending_message(request: HttpRequest, pending: flow.PaymentPending) -> str:
    """Return what to say to a customer who has too many pending payments.

    Of the payments that this browser began before a log-out it says nothing: another customer may use it now.
    """
    if is_own_payment(request, pending.payment):
        return str(pending)
    return _("Other payments from this browser are still pending. Please try again later.")


def release_message(payment: Payment, *, has_basket: bool = True) -> str:
    """Return what to say to the customer whose payment was released."""
    if not has_basket:
        return _("Nothing was paid. Your basket does not exist any more: please choose the products again.")
    match payment.release_reason:
        case ReleaseReason.CANCELLED:
            return _("You cancelled the payment at Khalti. Nothing was paid; your basket is unchanged.")
        case ReleaseReason.EXPIRED:
            return _("The payment link has expired. Nothing was paid; your basket is unchanged.")
        case ReleaseReason.CANCELLED_IN_SHOP:
            return _("The payment was cancelled. Nothing was paid; your basket is unchanged.")
    return _("The payment at Khalti failed. Nothing was paid; your basket is unchanged.")

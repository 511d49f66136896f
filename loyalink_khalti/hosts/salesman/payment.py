"""Our payment methods, for ``SALESMAN_PAYMENT_METHODS``::

    "loyalink_khalti.hosts.salesman.payment.Khalti",
    "loyalink_khalti.hosts.salesman.payment.CashOnDelivery",
    "loyalink_khalti.hosts.salesman.payment.BankTransfer",

Salesman (1.3) offers a method only if its class itself defines ``basket_payment`` or ``order_payment``; inherited ones
do not count (``checkout/payment.py``, ``get_payments``). So each class below defines what it has, and so must a class
of the shop's own that inherits from one: a check says which does not.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from salesman.checkout.payment import PaymentError, PaymentMethod

from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.payment_methods import BUILT_IN
from loyalink_khalti.ports import PaymentMethod as Method

from . import baskets, deletion, own_refunds, placing, pricing, views

deletion.protect()


class FlowMethod(PaymentMethod):
    """What our methods share."""

    identifier: str
    label: Any

    def validate(self, basket: Any, request: Any) -> None:
        """Raise ``ValidationError`` with the reason why a basket cannot be paid like this."""
        if not basket.count:
            raise ValidationError(_("Your basket is empty."))
        method = Method(self.identifier)
        open_basket = baskets.of(basket, request)
        try:
            costs = open_basket.costs()
            points = pricing.applied_points(basket).points
            quote = pricing.quote(request, costs, points=points, method=method)
        except CannotPay as exc:
            raise ValidationError(str(exc)) from exc
        if not quote.amount_due:
            return
        for option in open_basket.methods(khalti_unavailable_reason=quote.khalti_unavailable_reason):
            if option.method == method and option.unavailable_reason:
                raise ValidationError(option.unavailable_reason)

    def place(self, basket: Any, request: Any) -> dict[str, Any]:
        """Place the order, or open a payment for it. Raises ``PaymentError``, which Salesman answers with 402."""
        try:
            return placing.place(baskets.of(basket, request), method=Method(self.identifier))
        except CannotPay as exc:
            raise PaymentError(str(exc)) from exc


class Khalti(FlowMethod):
    """Pay at Khalti: the answer's ``url`` is Khalti's page. What points cover is placed at once."""

    identifier = Method.KHALTI.value
    label = BUILT_IN[Method.KHALTI].title

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [
            path("points/", views.PointsView.as_view(), name=f"{placing.URL}_points"),
            path("payments/<str:token>/", views.StatusView.as_view(), name=f"{placing.URL}_status"),
            path("payments/<str:token>/cancel/", views.CancelView.as_view(), name=f"{placing.URL}_cancel"),
            path("receipts/<str:ref>/", views.ReceiptView.as_view(), name=f"{placing.URL}_receipt"),
        ]

    def validate_basket(self, basket: Any, request: Any) -> None:
        self.validate(basket, request)

    def validate_order(self, order: Any, request: Any) -> None:
        super().validate_order(order, request)
        if placing.pending_payment_of(order) is None:
            raise ValidationError(_("This order cannot be paid like this. Please order again, or contact the shop."))

    def basket_payment(self, basket: Any, request: Any) -> dict[str, Any]:
        return self.place(basket, request)

    def order_payment(self, order: Any, request: Any) -> dict[str, Any]:
        """Return Khalti's page of an order whose payment is pending. No other order can be paid again."""
        try:
            return placing.continue_payment(order)
        except CannotPay as exc:
            raise PaymentError(str(exc)) from exc

    def refund_payment(self, payment: Any) -> bool:
        return own_refunds.refund_payment(payment)


class CashOnDelivery(FlowMethod):
    """The order is placed at once; staff record the cash."""

    identifier = Method.COD.value
    label = BUILT_IN[Method.COD].title

    def validate_basket(self, basket: Any, request: Any) -> None:
        self.validate(basket, request)

    def basket_payment(self, basket: Any, request: Any) -> dict[str, Any]:
        return self.place(basket, request)


class BankTransfer(FlowMethod):
    """The order is placed at once; staff record the transfer."""

    identifier = Method.BANK_TRANSFER.value
    label = BUILT_IN[Method.BANK_TRANSFER].title

    def validate_basket(self, basket: Any, request: Any) -> None:
        self.validate(basket, request)

    def basket_payment(self, basket: Any, request: Any) -> dict[str, Any]:
        return self.place(basket, request)

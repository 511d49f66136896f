"""What Salesman's API has besides, below ``payment/khalti/``: points to use, and what became of a payment.

They authenticate like Salesman's own views, by the REST framework's settings: by session or by token.
"""

from typing import Any

from django.core.exceptions import ValidationError as FormError
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from rest_framework import status
from rest_framework.exceptions import NotFound, PermissionDenied, Throttled, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from salesman.core.utils import get_salesman_model

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import Paisa, Points, rupees
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import LIVE
from loyalink_khalti.points_choices import choose_points
from loyalink_khalti.ports import Outcome
from loyalink_khalti.session_payments import is_own_payment
from loyalink_khalti.staff.fields import WholeNumberField
from loyalink_khalti.token_pages import throttle

from . import baskets, orders, placing, pricing
from .settings import SHOP

MOST_POINTS = 10**12
LONGEST_NUMBER = 20


@method_decorator(never_cache, name="dispatch")
class PointsView(APIView):
    """How many points the member has and can use for the basket; choose how many with ``PUT {"points": 500}``.

    The number is kept here, and `modifiers.PointsModifier` subtracts it from the basket. ``GET ?points=500`` answers
    with the figures of that number and chooses nothing: for a control that is being moved.
    """

    def get(self, request: Request) -> Response:
        basket = self._basket(request)
        asked = request.query_params.get("points")
        return Response(self._shown(request, basket, points=None if asked is None else _whole_number(asked)))

    def put(self, request: Request) -> Response:
        basket = self._basket(request)
        points = _whole_number(request.data.get("points") if isinstance(request.data, dict) else None)
        try:
            pricing.quote(request, basket.costs(), points=points)
        except CannotPay as exc:
            raise _refusal(exc) from exc
        choose_points(shop=SHOP, origin=basket.origin, points=points)
        return Response(self._shown(request, basket))

    post = put

    def _basket(self, request: Request) -> baskets.SalesmanBasket:
        if pricing.member_id(request) is None:
            raise PermissionDenied(_("Log in to use your points."))
        basket, _created = get_salesman_model("Basket").objects.get_or_create_from_request(request)
        return baskets.of(basket, request)

    def _shown(
        self, request: Request, basket: baskets.SalesmanBasket, *, points: Points | None = None
    ) -> dict[str, Any]:
        try:
            costs = basket.costs()
            applied = pricing.applied_points(basket.basket).points
            quote = pricing.quote(request, costs, points=applied if points is None else points)
        except flow.PointsDoNotFit as exc:
            raise _refusal(exc) from exc
        except CannotPay as exc:
            raise ValidationError({"detail": str(exc)}) from exc
        return {
            "balance": quote.points_balance,
            "redeemable": quote.redeemable,
            "minimum": quote.minimum,
            "increment": quote.increment,
            "steps": {name: getattr(quote.steps, name) for name in ("first", "last", "increment", "whole")},
            "points": quote.points,
            "points_value": _rupees(quote.points_value),
            "amount_due": _rupees(quote.amount_due),
            "points_earned": quote.points_earned,
        }


class PaymentAPIView(APIView):
    """A view of one payment, found by its token: 128 random bits, which only its customer has."""

    permission_classes = (AllowAny,)

    def payment(self, request: Request, token: str) -> Payment:
        payment = Payment.objects.select_related("purchase").filter(token=token, purchase__shop=SHOP).first()
        if payment is not None:
            return payment
        if wait := throttle.seconds_to_wait(pricing.django_request(request)):
            raise Throttled(wait=wait)
        raise NotFound


@method_decorator([never_cache, transaction.non_atomic_requests], name="dispatch")
class StatusView(PaymentAPIView):
    """What became of a payment, as Khalti's lookup says. A client asks after the return, or every 5 seconds."""

    def get(self, request: Request, token: str) -> Response:
        payment = self.payment(request, token)
        outcome = flow.verify_payment(payment, customer_present=is_own(request, payment))
        payment = self.payment(request, token)
        return Response(payment_status(payment, outcome) | {"receipt": _receipt(request, payment)})


@method_decorator([never_cache, transaction.non_atomic_requests], name="dispatch")
class CancelView(PaymentAPIView):
    """Cancel a pending payment with ``POST``, unless Khalti says that it was paid. For its own customer alone."""

    def post(self, request: Request, token: str) -> Response:
        payment = self.payment(request, token)
        if not is_own(request, payment):
            raise NotFound
        outcome = flow.cancel_payment(payment)
        conflict = outcome in {Outcome.CONFIRMING, Outcome.FLAGGED}
        return Response(
            payment_status(self.payment(request, token), outcome),
            status=status.HTTP_409_CONFLICT if conflict else status.HTTP_200_OK,
        )


def payment_status(payment: Payment, outcome: Outcome) -> dict[str, Any]:
    """Return the state of a payment: nothing that a stranger with the token should not see."""
    is_pending = payment.state in LIVE
    return {
        "outcome": outcome.value,
        "is_pending": is_pending,
        "ref": payment.purchase.ref,
        "amount": _rupees(Paisa(payment.amount)),
        "url": placing.payment_data(payment)["url"] if is_pending else "",
        "receipt_url": placing.payment_data(payment)["receipt_url"],
    }


def _receipt(request: Request, payment: Payment) -> dict[str, Any] | None:
    """Return the receipt of a payment's order for its own customer, None for anyone else."""
    return receipt_data(payment.purchase) if is_own(request, payment) else None


def receipt_data(purchase: Purchase) -> dict[str, Any]:
    """Return a receipt as JSON data, with amounts as Salesman's API has them: "1250.00"."""
    return flow.receipt_json(flow.receipt(purchase), money=_rupees)


@method_decorator(never_cache, name="dispatch")
class ReceiptView(APIView):
    """The receipt of an order: for its member, or with the order's ``token``, as Salesman's own page of it."""

    permission_classes = (AllowAny,)

    def get(self, request: Request, ref: str) -> Response:
        order = orders.rows().filter(ref=ref).first()
        purchase = Purchase.objects.filter(shop=SHOP, ref=ref).first()
        if order is None or purchase is None or not _may_see(request, order, purchase):
            if wait := throttle.seconds_to_wait(pricing.django_request(request)):
                raise Throttled(wait=wait)
            raise NotFound
        return Response(receipt_data(purchase))


def _may_see(request: Request, order: Any, purchase: Purchase) -> bool:
    member, token = pricing.member_id(request), request.query_params.get("token", "")
    is_members = member is not None and member == purchase.member_id
    return is_members or bool(token and order.token and constant_time_compare(token, order.token))


def is_own(request: Request, payment: Payment) -> bool:
    """Return whether the payment is this client's: its session began it, or it is this member's."""
    wrapped: HttpRequest = pricing.django_request(request)
    if hasattr(wrapped, "session"):
        return is_own_payment(wrapped, payment)
    member = pricing.member_id(request)
    return member is not None and member == payment.purchase.member_id


def _refusal(exc: CannotPay) -> ValidationError:
    """Return the answer to points that cannot be used: the reason, and the numbers next to them that can."""
    refusal = ValidationError({"points": [str(exc)]})
    if isinstance(exc, flow.PointsDoNotFit) and isinstance(refusal.detail, dict):
        refusal.detail["nearest"] = list(exc.nearest)  # as numbers: the REST framework makes texts of what it is given
    return refusal


def _rupees(amount: Paisa) -> str:
    return str(rupees(amount))


def _whole_number(value: object) -> Points:
    """Return a number of points: JSON, or a text as people write it ("1,200", "१२००"). Raises ``ValidationError``."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > LONGEST_NUMBER:
            raise FormError(_("Enter a whole number of points, 0 for none."))
        return Points(WholeNumberField(maximum=MOST_POINTS).clean(str(value)))
    except FormError as exc:
        raise ValidationError({"points": exc.messages}) from exc

"""The end of Oscar's checkout: the preview with "place order", the return from Khalti and the thank-you page.

A shop on stock Oscar gets all of it from ``apps.CheckoutConfig``. One that has forked ``checkout`` lets its own
CheckoutConfig inherit from ours and, where it has views of its own, writes in its ``checkout/views.py``::

    class PaymentDetailsView(KhaltiCheckoutMixin, CorePaymentDetailsView): ...
    class ThankYouView(KhaltiThankYouMixin, CoreThankYouView): ...

``payment_page.KhaltiPaymentMethodMixin`` is the one for the payment page.
"""

from typing import Any, ClassVar, cast

from django.conf import settings
from django.contrib import messages
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from oscar.apps.checkout import signals
from oscar.apps.checkout.exceptions import FailedPreCondition
from oscar.apps.checkout.views import PaymentDetailsView as OscarPaymentDetailsView
from oscar.apps.checkout.views import ThankYouView as OscarThankYouView
from oscar.core.loading import get_class, get_model

from loyalink_khalti import flow
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import BasketTaken, CannotPay, SoldOut
from loyalink_khalti.hosts.common.checkout import HostCheckout, PaymentReturnView
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.ports import PaymentMethod

from . import events, pricing
from .freeze import OscarBasket
from .order_facts import receipt_context
from .settings import SHOP

NO_AMOUNT = Paisa(-1)
"""No amount due: a figure from a form that cannot be read."""


class OscarCheckout(HostCheckout):
    """Oscar's thank-you page and basket page."""

    shop = SHOP

    def __init__(self, view: Any = None) -> None:
        """``view`` is the one that places the order, None on any other page."""
        self.view = view

    def order_page(self, request: HttpRequest, purchase: Purchase) -> HttpResponse:
        """Return the page of a placed order; the first time the one to which the shop's own hooks lead."""
        order = get_model("order", "Order").objects.filter(number=purchase.ref).first()
        if order is None:
            return self._page_without_order(request, purchase)
        response = events.call_hooks_once(self.view or events.view_for(request), order)
        if response is not None:
            return response
        get_class("checkout.utils", "CheckoutSessionData")(request).flush()
        request.session["checkout_order_id"] = order.pk
        return redirect("checkout:thank-you")

    def payment_page(self, request: HttpRequest, payment: Payment) -> HttpResponse:
        """Store in the session of the checkout what Oscar does before it sends a customer to pay elsewhere."""
        if self.view is not None:
            session, basket_id = self.view.checkout_session, int(payment.purchase.origin)
            session.set_order_number(payment.purchase.ref)
            session.set_submitted_basket(get_model("basket", "Basket")(pk=basket_id))
        return super().payment_page(request, payment)

    def _page_without_order(self, request: HttpRequest, purchase: Purchase) -> HttpResponse:
        """Return the receipt of an order that was deleted in the shop; without a payment at Khalti, a message."""
        payment = purchase.payments.order_by("-pk").first()
        if payment is not None:
            return redirect("loyalink_khalti:status", payment.token)
        message = _("Order %(number)s is not found in the shop any more. Please contact the shop.")
        return _redirect_with_error(request, message % {"number": purchase.ref}, "basket:summary")

    def basket_page(self, request: Any, message: str) -> HttpResponse:
        if request.basket.is_empty and request.user.is_authenticated and _has_saved_basket(request.user):
            message = _("The payment was not completed. Your products are in your saved basket.")
        messages.warning(request, message)
        return redirect("basket:summary")

    def has_basket(self, purchase: Purchase) -> bool:
        return bool(get_model("basket", "Basket").objects.filter(pk=purchase.origin).exists())

    def reopen_basket(self, request: Any, purchase: Purchase) -> None:
        """Make the basket of a released purchase this browser's basket again, with what was added since.

        Oscar (4.2) deletes a guest's basket cookie on the first page seen while the basket is frozen. Its middleware
        signs a new cookie for ``request.basket``.
        """
        with transaction.atomic():
            baskets = get_model("basket", "Basket").objects.select_for_update(of=("self",))
            basket = baskets.filter(pk=purchase.origin, status="Open", owner=None).first()
            if basket is None:
                return
            current = request.basket
            basket.strategy = request.strategy
            if request.user.is_authenticated:
                current.merge(basket)
                return
            if current.pk and current.pk != basket.pk:
                basket.merge(current)
        request.basket = basket
        request.cookies_to_delete.append(settings.OSCAR_BASKET_COOKIE_OPEN)

    def resume(self, request: Any) -> HttpResponse | None:
        """Return where a click on "place order" with an empty basket leads, None if it is no double submit."""
        if request.basket.all_lines():  # read here, they are counted without a statement from now on
            return None
        origin = self.taken_basket(request)
        return self.after_double_submit(request, origin=origin) if origin else None

    def taken_basket(self, request: HttpRequest) -> str | None:
        """Return the id of the basket that the customer's first click has: a member's newest, or a guest's own."""
        if request.user.is_authenticated:
            baskets = get_model("basket", "Basket").objects.filter(status__in=["Frozen", "Submitted"])
            pk = baskets.filter(owner=request.user).order_by("-pk").values_list("pk", flat=True).first()
            return None if pk is None else str(pk)
        pk = _cookie_basket_id(request)
        if pk is not None and get_model("basket", "Basket").objects.filter(pk=pk, owner=None).exists():
            return str(pk)
        # Oscar deletes the cookie of a frozen basket, so a third click may come without one.
        return self.recent_origin(request)


oscar_checkout = OscarCheckout()


class OscarPaymentReturnView(PaymentReturnView):
    """The thank-you page, or the basket as it was."""

    checkout: ClassVar[HostCheckout] = oscar_checkout


class KhaltiCheckoutMixin(events.PlacedOrderMixin, pricing.PricedCheckoutMixin):
    """For ``PaymentDetailsView``: a preview with points, and "place order" by the flow.

    With one of the shop's own payment methods it is Oscar's view as the shop has it.
    """

    preview: bool
    build_submission: Any
    generate_order_number: Any
    template_name_preview = "loyalink_khalti/oscar/preview.html"

    @method_decorator(transaction.non_atomic_requests)
    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.preview and _places_order(request):
            response = oscar_checkout.resume(request)
            if response is not None:
                return response
        return cast(HttpResponse, super().dispatch(request, *args, **kwargs))  # type: ignore[misc]  # Oscar's

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.preview and not self.choice.own_method:  # Oscar's page for card details; Khalti has its own page
            return redirect("checkout:preview")
        return cast(HttpResponse, super().get(request, *args, **kwargs))  # type: ignore[misc]  # Oscar's

    def check_payment_data_is_captured(self, request: HttpRequest) -> None:
        """Send the customer back to the payment page if no method is chosen, or the choice does not fit any more."""
        if self.choice.own_method:
            super().check_payment_data_is_captured(request)  # type: ignore[misc]  # Oscar's
            return
        if _places_order(request):  # `submit` says the same, under lock
            return
        submission = self.build_submission()
        try:
            quote = pricing.quote(request, pricing.costs(submission), self.choice)
        except CannotPay as exc:
            raise FailedPreCondition(url=reverse("checkout:payment-method"), message=str(exc)) from exc
        if quote.amount_due and self.choice.method is None:
            message = _("Please choose a payment method.")
            raise FailedPreCondition(url=reverse("checkout:payment-method"), message=message)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        quote, choice = context["quote"], self.choice
        reason = quote.khalti_unavailable_reason if quote else ""
        offered = OscarBasket(self).methods(khalti_unavailable_reason=reason)
        return context | {
            "choice": choice,
            "chosen_method": next((option for option in offered if option.method == choice.code), None),
            "redirects_to_khalti": bool(quote and quote.amount_due and choice.method is PaymentMethod.KHALTI),
            "amount_due": npr(quote.amount_due) if quote else "",
            "expected_due": quote.amount_due if quote else "",
            "points_value": npr(quote.points_value) if quote else "",
        }

    def submit(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Place the order, or hold it and send the customer to Khalti. Figures of earlier pages are not trusted."""
        if self.choice.own_method:
            return cast(HttpResponse, super().submit(*args, **kwargs))  # type: ignore[misc]  # Oscar's
        request = self.request
        signals.pre_payment.send_robust(sender=self, view=self)
        try:
            basket = OscarBasket(self, submission=kwargs)
            return OscarCheckout(self).place_order(request, basket, self.choice, expected_due=_expected_due(request))
        except flow.PaymentPending as exc:
            return _redirect_with_error(request, str(exc), "checkout:preview")
        except (BasketTaken, SoldOut, flow.ReservedTooMuch) as exc:
            return _redirect_with_error(request, str(exc), "basket:summary")
        except CannotPay as exc:
            return _redirect_with_error(request, str(exc), "checkout:payment-method")


class PaymentDetailsView(KhaltiCheckoutMixin, OscarPaymentDetailsView):
    """Stock Oscar's preview and "place order", by the flow."""


class KhaltiThankYouMixin:
    """For ``ThankYouView``: the payment and the points below the order."""

    template_name: Any = "loyalink_khalti/oscar/thank_you.html"

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(*args, **kwargs))  # type: ignore[misc]  # Oscar's
        order = context["order"]
        offer = None if order.user_id else flow.offer_account_for(shop=SHOP, ref=order.number)
        return context | receipt_context(order) | {"offer": offer}


class ThankYouView(KhaltiThankYouMixin, OscarThankYouView):
    """Stock Oscar's thank-you page, with both."""


def _places_order(request: HttpRequest) -> bool:
    return request.method == "POST" and request.POST.get("action") == "place_order"


def _has_saved_basket(user: Any) -> bool:
    return bool(get_model("basket", "Basket").saved.filter(owner=user).exists())


def _cookie_basket_id(request: HttpRequest) -> int | None:
    """Return the pk of the basket in this guest's signed cookie, whatever its status; None if there is none."""
    try:
        return int(Signer().unsign(request.COOKIES[settings.OSCAR_BASKET_COOKIE_OPEN]))
    except (KeyError, BadSignature, ValueError):
        return None


def _expected_due(request: HttpRequest) -> Paisa | None:
    """Return the amount due, in paisa, that the customer saw on the preview; it is only compared.

    None where the page of a shop does not send it. A figure that cannot be read is no amount due, so it never fits.
    """
    typed = request.POST.get("expected_due", "")
    if not typed:
        return None
    return Paisa(int(typed)) if typed.isascii() and typed.isdigit() and len(typed) < 15 else NO_AMOUNT


def _redirect_with_error(request: HttpRequest, message: str, page: str) -> HttpResponse:
    messages.error(request, message)
    return redirect(page)

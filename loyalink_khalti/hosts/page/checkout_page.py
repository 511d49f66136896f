"""The checkout: one page with contact, delivery, payment method, points, and "place order".

"Update" shows the same page with new totals, and orders nothing. "Place order" names the basket, its items and the
amount that the customer saw, so that an older tab orders nothing that it did not show.
"""

import hashlib
from dataclasses import asdict, replace
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View

from loyalink_khalti import conf, flow
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import BasketTaken, CannotPay, SoldOut, TotalChanged
from loyalink_khalti.hosts.common.checkout import PaymentChoice, quote
from loyalink_khalti.hosts.common.use_points import points_control
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Payment

from . import open_basket
from .checkout import page_checkout
from .checkout_forms import DetailsForm, PaymentForm
from .details import Details
from .open_basket import PageBasket
from .site_settings import SHOP
from .typed import login_url, remember_typed, typed_before

NO_AMOUNT = Paisa(-1)
"""No amount due: a figure from a form that cannot be read."""


@method_decorator([never_cache, transaction.non_atomic_requests], name="dispatch")
class CheckoutView(View):
    """Show the checkout, and place the order."""

    http_method_names = ("get", "head", "post", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        typed, choice = typed_before(request)
        basket = open_basket.of_session(request, typed)
        if not basket.items or basket.problems:
            return redirect("loyalink_khalti_page:basket")  # which says what is wrong
        basket = with_delivery(basket)
        form = DetailsForm(basket=basket, initial=asdict(basket.details))
        return _page(request, basket, form, choice=choice)

    def post(self, request: HttpRequest) -> HttpResponse:
        basket = open_basket.of_session(request)
        if request.POST.get("action") == "place" and request.POST.get("basket", "") != shown_as(basket):
            return _other_basket(request)
        if not basket.items:
            return redirect("loyalink_khalti_page:basket")
        form = DetailsForm(request.POST, basket=basket)
        basket = with_delivery(replace_details(basket, form.typed))
        if basket.problems:  # of the prices that are used below: others may have bought since the first look
            return redirect("loyalink_khalti_page:basket")
        if request.POST.get("action") != "place":
            form = DetailsForm(basket=basket, initial=asdict(basket.details))
            return _page(request, basket, form, data=request.POST)
        payment_form = _payment_form(basket, request.POST)
        is_complete = form.is_valid()  # both, so that the page shows what is wrong with either
        if not (payment_form.is_valid() and payment_form.fits(basket) and is_complete):
            return _page(request, basket, form, payment_form=payment_form)
        remember_typed(request, form.typed, payment_form.choice)
        return _place(request, replace_details(basket, form.checked), payment_form.choice)


def _place(request: HttpRequest, basket: PageBasket, choice: PaymentChoice) -> HttpResponse:
    """Place the order, or hold it and send the customer to Khalti. Otherwise show the page again, with the reason."""
    expected = _expected_due(request)
    try:
        due = quote(basket, choice).amount_due
        if due != expected:
            raise TotalChanged(
                _("The total is %(due)s now. Please check it, and place the order again.") % {"due": npr(due)}
            )
        return page_checkout.place_order(request, basket, choice, expected_due=expected)
    except (BasketTaken, SoldOut, flow.ReservedTooMuch) as exc:
        messages.error(request, str(exc))
        return redirect("loyalink_khalti_page:basket")
    except CannotPay as exc:
        messages.error(request, str(exc))
        return redirect("loyalink_khalti_page:checkout")


def _other_basket(request: HttpRequest) -> HttpResponse:
    """Return where an older page's "place order" leads: to what its first click has ordered, or to the basket."""
    wanted = request.POST.get("basket", "").partition(".")[0]
    if wanted and wanted == page_checkout.recent_origin(request):
        response = page_checkout.after_double_submit(request, origin=wanted)
        if response is not None:
            return response
    messages.warning(request, _("Your basket has changed since this page was opened. No order was placed."))
    return redirect("loyalink_khalti_page:basket")


def shown_as(basket: PageBasket) -> str:
    """Return what names a basket with its contents in the page's form: its identity outlasts a change of its items."""
    contents = sorted(f"{item.key}:{item.quantity}" for item in basket.items)
    return f"{basket.origin}.{hashlib.sha256(' '.join(contents).encode()).hexdigest()[:16]}"


def replace_details(basket: PageBasket, typed: Details) -> PageBasket:
    """Return the same basket for other details; its prices are read again."""
    return PageBasket(basket.request, items=basket.items, origin=basket.origin, details=typed)


def with_delivery(basket: PageBasket) -> PageBasket:
    """Return the basket with the first delivery option, where the customer has chosen none that the site has."""
    options = basket.delivery_options
    if not options or any(option.code == basket.details.delivery for option in options):
        return basket
    basket.details = replace(basket.details, delivery=options[0].code)
    return basket


def _page(
    request: HttpRequest,
    basket: PageBasket,
    form: DetailsForm,
    *,
    choice: PaymentChoice | None = None,
    data: Any = None,
    payment_form: PaymentForm | None = None,
) -> HttpResponse:
    """Return the page for a basket without problems. ``data`` is what "Update" has sent."""
    if payment_form is None:
        payment_form = _payment_form(basket, data, choice=choice)
    control = points_control(basket.costs(), payment_form, site_key=basket.site_key, member_id=basket.member_id)
    if data is not None:
        payment_form.errors.pop("payment_method", None)
    context = {
        "basket": basket,
        "basket_shown": shown_as(basket),
        "form": form,
        "payment_form": payment_form,
        "costs": basket.costs(),
        "quote": control.quote,
        "points_control": control,
        "is_member": payment_form.is_member,
        "program": conf.program_texts(basket.site_key),
        "login_url": login_url(request),
        "test_mode": any(each.test_mode and not each.unavailable_reason for each in payment_form.options),
        "pending": _pending(basket),
        "has_errors": bool(form.errors or payment_form.errors or control.refusal),
    }
    status = 422 if form.errors else 200
    return render(request, "loyalink_khalti/page/checkout.html", context, status=status)


def _payment_form(basket: PageBasket, data: Any = None, *, choice: PaymentChoice | None = None) -> PaymentForm:
    quoted = quote(basket, PaymentChoice())
    offered = basket.methods(khalti_unavailable_reason=quoted.khalti_unavailable_reason)
    can_be_chosen = [str(option.method) for option in offered if not option.unavailable_reason]
    wanted = choice.code if choice is not None else ""
    method = wanted if wanted in can_be_chosen else next(iter(can_be_chosen), None)
    initial = {"payment_method": method, "points": (choice.points or None) if choice is not None else None}
    return PaymentForm(data, options=offered, is_member=basket.member_id is not None, initial=initial)


def _pending(basket: PageBasket) -> Payment | None:
    """Return the pending payment of this basket, whose products it still has."""
    return flow.live_payment_of(SHOP, basket.origin)


def _expected_due(request: HttpRequest) -> Paisa:
    """Return the amount due, in paisa, that the customer saw; it is only compared."""
    typed = request.POST.get("expected_due", "")
    return Paisa(int(typed)) if typed.isascii() and typed.isdigit() and len(typed) < 15 else NO_AMOUNT

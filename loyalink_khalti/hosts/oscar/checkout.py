"""Oscar's checkout, its last three pages: how to pay, the preview with "place order", and the thank-you page.

A shop on stock Oscar gets all of it from ``apps.CheckoutConfig``. One with a checkout of its own writes::

    class PaymentDetailsView(KhaltiCheckoutMixin, CorePaymentDetailsView): ...

in its ``checkout/views.py`` and, in its CheckoutConfig::

    def get_urls(self):
        return [path("", include("loyalink_khalti.hosts.oscar.urls")), *super().get_urls()]
"""

from typing import Any, cast

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from oscar.apps.checkout.exceptions import FailedPreCondition
from oscar.apps.checkout.views import PaymentDetailsView as OscarPaymentDetailsView
from oscar.apps.checkout.views import PaymentMethodView as OscarPaymentMethodView
from oscar.apps.checkout.views import ThankYouView as OscarThankYouView

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import Method

from . import again, browser, choice, pricing, receipt
from .choice import Choice
from .forms import PaymentMethodForm, offered
from .freeze import BasketTaken, Freeze, SoldOut

TEMPLATES = "loyalink_khalti/oscar"


class PricedCheckoutMixin:
    """A checkout view that knows the points chosen: they lower the total as a surcharge below zero."""

    request: Any
    checkout_session: Any

    @property
    def choice(self) -> Choice:
        return choice.read(self.checkout_session)

    def build_submission(self, **kwargs: Any) -> dict[str, Any]:
        submission = cast(dict[str, Any], super().build_submission(**kwargs))  # type: ignore[misc]  # Oscar's
        submission["quote"] = None
        if submission["shipping_charge"] is None or submission["basket"].is_empty:
            return submission
        try:
            quote = pricing.quote(self.request, self.costs(submission), self.choice)
        except CannotPay:
            return submission  # told by check_payment_data_is_captured, and by the freeze
        submission["quote"] = quote
        self._set_surcharges(submission, worth=quote.worth)
        return submission

    def costs(self, submission: dict[str, Any]) -> pricing.Costs:
        """The submission in paisa, before points."""
        self._set_surcharges(submission, worth=Paisa(0))
        return pricing.costs(submission["basket"], submission["shipping_charge"], submission["surcharges"])

    def _set_surcharges(self, submission: dict[str, Any], *, worth: Paisa) -> None:
        basket, shipping = submission["basket"], submission["shipping_charge"]
        applicator = pricing.SurchargeApplicator(self.request, submission, worth=worth)
        submission["surcharges"] = applicator.get_applicable_surcharges(basket, shipping_charge=shipping)
        submission["order_total"] = self.get_order_totals(  # type: ignore[attr-defined]  # Oscar's
            basket, shipping_charge=shipping, surcharges=submission["surcharges"]
        )


class KhaltiCheckoutMixin(PricedCheckoutMixin):
    """For ``PaymentDetailsView``: preview with points, and "place order" by the flow."""

    preview: bool
    template_name_preview = f"{TEMPLATES}/preview.html"

    @method_decorator(transaction.non_atomic_requests)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.preview and request.method == "POST" and request.POST.get("action") == "place_order":
            response = again.response(request)
            if response is not None:
                return response
        return cast(HttpResponse, super().dispatch(request, *args, **kwargs))  # type: ignore[misc]  # Oscar's

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.preview:  # nothing is typed in here; Khalti has a page of its own for that
            return redirect("checkout:preview")
        return cast(HttpResponse, super().get(request, *args, **kwargs))  # type: ignore[misc]  # Oscar's

    def check_payment_data_is_captured(self, request: HttpRequest) -> None:
        """Send the shopper back to the payment page where nothing has been chosen, or it no longer fits."""
        submission = self.build_submission()
        try:
            quote = pricing.quote(request, self.costs(submission), self.choice)
        except CannotPay as exc:
            raise FailedPreCondition(url=reverse("checkout:payment-method"), message=str(exc)) from exc
        if quote.payable and self.choice.method is None:
            raise FailedPreCondition(url=reverse("checkout:payment-method"), message=_("Please choose how to pay."))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))  # type: ignore[misc]  # Oscar's
        quote = context.get("quote")
        site_key = conf.site_key(self.request)
        methods = offered(site_key, khalti_off=quote.khalti_off if quote else "")
        chosen = self.choice
        return context | {
            "choice": chosen,
            "chosen_method": next((method for method in methods if method.code == chosen.method), None),
            "to_khalti": bool(quote and quote.payable and chosen.method is Method.KHALTI),
            "payable": npr(quote.payable) if quote else "",
            "seen": quote.payable if quote else "",
            "worth": npr(quote.worth) if quote else "",
        }

    def submit(self, *args: Any, **kwargs: Any) -> HttpResponse:
        """Place the order, or hold it and send the shopper to Khalti; never by what an earlier page computed."""
        request = self.request
        basket_id = kwargs["basket"].pk
        method = self._method(kwargs["quote"])
        freeze = Freeze(self, basket_id=basket_id, choice=self.choice, seen=_seen(request))
        try:
            if method is Method.KHALTI:
                return again.to_khalti(request, flow.begin(freeze, visitor=browser.visitor(request)))
            return self._placed(flow.place(freeze, method=method))
        except BasketTaken:
            return again.follow(request, basket_id) or _back(request, _("Please try again."), "basket:summary")
        except flow.PaymentWaiting as exc:
            if exc.payment.purchase.origin == str(basket_id):
                return again.to_khalti(request, exc.payment)
            return _back(request, str(exc), "checkout:preview")
        except SoldOut as exc:
            return _back(request, str(exc), "basket:summary")
        except CannotPay as exc:
            return _back(request, str(exc), "checkout:payment-method")

    def _method(self, quote: flow.Quote | None) -> Method:
        if quote is not None and not quote.payable:
            return Method.POINTS
        return self.choice.method or Method.KHALTI

    def _placed(self, purchase: Purchase) -> HttpResponse:
        return again.thank_you(self.request, purchase.ref)


class PaymentMethodView(PricedCheckoutMixin, OscarPaymentMethodView):
    """How to pay: the methods, what the purchase earns and, for members, points to spend on it."""

    template_name = f"{TEMPLATES}/payment_method.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self._form(request.POST)
        if not form.is_valid() or not self._fits(form):
            return self._page(form)
        choice.store(self.checkout_session, form.choice)
        return cast(HttpResponse, self.get_success_response())

    def _form(self, typed: Any = None) -> PaymentMethodForm:
        methods = offered(conf.site_key(self.request), khalti_off=self._khalti_off())
        chosen = self.choice
        # Where what they chose, or the shop's first method, is off, another is theirs to choose, not ours.
        wanted = chosen.method or methods[0].code
        method = next((each.code for each in methods if each.code == wanted and not each.off), None)
        initial = {"payment_method": method, "points": chosen.points or None}
        return PaymentMethodForm(typed, methods=methods, member=self.request.user.is_authenticated, initial=initial)

    def _khalti_off(self) -> str:
        try:
            return pricing.quote(self.request, self._costs(), Choice()).khalti_off
        except CannotPay as exc:
            return str(exc)

    def _costs(self) -> pricing.Costs:
        return self.costs(self.build_submission())

    def _fits(self, form: PaymentMethodForm) -> bool:
        """Ask the flow whether this method can take what the points leave."""
        try:
            quote = pricing.quote(self.request, self._costs(), form.choice)
        except flow.PointsDoNotFit as exc:
            form.add_error("points" if form.member else None, str(exc))
        except CannotPay as exc:
            form.add_error(None, str(exc))
        else:
            if quote.payable and form.choice.method is Method.KHALTI and quote.khalti_off:
                form.add_error("payment_method", quote.khalti_off)
        return form.is_valid()

    def _page(self, form: PaymentMethodForm) -> HttpResponse:
        context = self.get_context_data(form=form)
        try:
            quote, worth = pricing.best(self.request, self._costs())
        except CannotPay as exc:
            return self.render_to_response(context | {"error": str(exc)})
        return self.render_to_response(
            context
            | {
                "plain": quote,
                "programme": conf.programme_texts(conf.site_key(self.request)),
                "spendable_worth": npr(worth),
                "payable": npr(quote.payable),
                "test_mode": any(method.test_mode and not method.off for method in form.methods),
            }
        )


class PaymentDetailsView(KhaltiCheckoutMixin, OscarPaymentDetailsView):
    """Stock Oscar's preview and "place order", by the flow."""


class ThankYouView(OscarThankYouView):
    """Oscar's thank-you page, with points and how it was paid."""

    template_name = f"{TEMPLATES}/thank_you.html"

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(*args, **kwargs))
        return context | {"receipt": receipt.of(context["order"])}


def _seen(request: HttpRequest) -> Paisa | None:
    """The total that the shopper saw on the preview, in paisa; only ever compared with."""
    seen = request.POST.get("seen", "")
    return Paisa(int(seen)) if seen.isascii() and seen.isdigit() and len(seen) < 15 else None


def _back(request: HttpRequest, message: str, page: str) -> HttpResponse:
    messages.error(request, message)
    return redirect(page)

"""Oscar's payment page: the payment methods, what the purchase earns and, for members, points to use on it."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from oscar.apps.checkout.views import PaymentMethodView as OscarPaymentMethodView

from loyalink_khalti import conf
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.checkout import PaymentChoice
from loyalink_khalti.hosts.common.payment_choice import PaymentMethodForm
from loyalink_khalti.ports import Costs

from . import events, pricing
from .freeze import OscarBasket


class KhaltiPaymentMethodMixin(pricing.PricedCheckoutMixin):
    """For ``PaymentMethodView``: choose how to pay, and how many points to use."""

    get_success_response: Any
    render_to_response: Any
    template_name: Any = "loyalink_khalti/oscar/payment_method.html"

    def build_submission(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page after this one submits: there a shop adds the taxes that it knows late."""
        return cast(dict[str, Any], events.view_for(self.request).build_submission(**kwargs))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self._form(request.POST)
        if not form.is_valid() or not form.fits(self._basket):
            return self._page(form)
        self.store_choice(form.choice)
        return cast(HttpResponse, self.get_success_response())

    def _form(self, data: Any = None) -> PaymentMethodForm:
        offered = self._basket.methods(khalti_unavailable_reason=self._khalti_unavailable_reason())
        choice = self.choice
        # If the customer's choice, or the shop's first method, is unavailable, none is preselected.
        wanted = choice.code or offered[0].method
        method = next((each.method for each in offered if each.method == wanted and not each.unavailable_reason), None)
        initial = {"payment_method": method, "points": choice.points or None}
        return PaymentMethodForm(data, options=offered, is_member=self.request.user.is_authenticated, initial=initial)

    def _khalti_unavailable_reason(self) -> str:
        try:
            return pricing.quote(self.request, self._costs(), PaymentChoice()).khalti_unavailable_reason
        except CannotPay as exc:
            return str(exc)

    @property
    def _basket(self) -> OscarBasket:
        return OscarBasket(events.view_for(self.request))

    def _costs(self) -> Costs:
        return self._basket.costs()

    def _page(self, form: PaymentMethodForm) -> HttpResponse:
        context = self.get_context_data(form=form) | self._amounts(form)
        return cast(HttpResponse, self.render_to_response(context))

    def _amounts(self, form: PaymentMethodForm) -> dict[str, Any]:
        try:
            quote, redeemable_value = pricing.best_quote(self.request, self._costs())
        except CannotPay as exc:
            return {"error": str(exc)}
        return {
            "quote_without_points": quote,
            "program": conf.program_texts(conf.site_key(self.request)),
            "redeemable_value": npr(redeemable_value),
            "amount_due": npr(quote.amount_due),
            "test_mode": any(each.test_mode and not each.unavailable_reason for each in form.options),
        }


class PaymentMethodView(KhaltiPaymentMethodMixin, OscarPaymentMethodView):
    """Stock Oscar's page, with both."""

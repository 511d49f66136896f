"""Oscar's payment page: the payment methods, what the purchase earns and, for members, points to use on it."""

from typing import Any, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from oscar.apps.checkout.views import PaymentMethodView as OscarPaymentMethodView

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.checkout import PaymentChoice
from loyalink_khalti.hosts.common.payment_choice import PaymentMethodForm, asks_for_figures
from loyalink_khalti.hosts.common.use_points import points_control
from loyalink_khalti.ports import Costs

from . import events, pricing
from .freeze import OscarBasket


class KhaltiPaymentMethodMixin(pricing.PricedCheckoutMixin):
    """For ``PaymentMethodView``: choose how to pay, and how many points to use."""

    get_success_response: Any
    render_to_response: Any
    template_name: Any = "loyalink_khalti/oscar/payment_method.html"
    _shown_choice: PaymentChoice | None = None

    @property
    def choice(self) -> PaymentChoice:
        """Return the choice whose total the page shows: while the customer tries one out, that."""
        return super().choice if self._shown_choice is None else self._shown_choice

    def build_submission(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the page after this one submits: there a shop adds the taxes that it knows late."""
        return cast(dict[str, Any], events.view_for(self.request).build_submission(**kwargs))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._page(self._form())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self._form(request.POST)
        if asks_for_figures(request.POST):
            form.errors.pop("payment_method", None)
            self._shown_choice = form.choice_so_far
            return self._page(form)
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
        basket = self._basket
        try:
            control = points_control(self._costs(), form, site_key=basket.site_key, member_id=basket.member_id)
        except CannotPay as exc:
            return {"error": str(exc)}
        return {
            "points_control": control,
            "program": conf.program_texts(basket.site_key),
            "login_url": f"{reverse('customer:login')}?{urlencode({'next': self.request.path})}",
            "test_mode": any(each.test_mode and not each.unavailable_reason for each in form.options),
        }


class PaymentMethodView(KhaltiPaymentMethodMixin, OscarPaymentMethodView):
    """Stock Oscar's page, with both."""

"""The customer's account: the points card, the bonus for signing up, and order pages of placed orders alone."""

from collections.abc import Collection
from contextlib import suppress
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from oscar.apps.customer.mixins import PageTitleMixin
from oscar.apps.customer.views import AnonymousOrderDetailView as OscarAnonymousOrderDetailView
from oscar.apps.customer.views import AnonymousOrderFormView as OscarAnonymousOrderFormView
from oscar.apps.customer.views import OrderDetailView as OscarOrderDetailView
from oscar.apps.customer.views import OrderHistoryView as OscarOrderHistoryView
from oscar.apps.customer.views import OrderLineView as OscarOrderLineView

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import TermsChanged
from loyalink_khalti.hosts.common.find_order import FindOrderView as CommonFindOrderView
from loyalink_khalti.hosts.common.find_order import is_contact_of, typed_number

from . import order_facts, orders
from .settings import SHOP


def award_bonus_on_registration(*, request: Any, user: Any, **_signal: Any) -> None:
    """Receive Oscar's ``user_registered``; record that the customer has accepted the terms where the form asked so."""
    member = {"site_key": conf.site_key(request), "member_id": str(user.pk)}
    flow.award_signup_bonus(**member)
    version = request.POST.get("accept_terms", "")
    if version:
        with suppress(TermsChanged):  # the card asks again
            flow.accept_terms(**member, version=version)


class PointsView(PageTitleMixin, TemplateView):
    """The points card: a member's points, the way to the next tier, what expires, and the history."""

    template_name = "loyalink_khalti/oscar/points.html"
    page_title: Any = _("Points")
    active_tab: Any = "points"

    def get_page_title(self) -> Any:
        """Return the programme's name, "Points" if it has none."""
        return self.program.name or self.page_title

    @cached_property
    def program(self) -> conf.ProgramTexts:
        return conf.program_texts(conf.site_key(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))
        card = flow.member_card(
            site_key=conf.site_key(self.request),
            member_id=str(self.request.user.pk),
            before=self.request.GET.get("before", ""),
            order_pages={SHOP: self._order_pages},
        )
        return context | {"member_card": card, "program": self.program}

    def _order_pages(self, refs: Collection[str]) -> dict[str, str]:
        own = orders.placed().filter(user_id=self.request.user.pk, number__in=refs)
        return {number: reverse("customer:order", args=[number]) for number in own.values_list("number", flat=True)}


class PlacedOnlyMixin:
    """A page of one order, or of a line of one: an order that is not placed does not exist here."""

    not_placed: Any = Http404
    """What to raise. None if Oscar's view expects None for "order not found"."""

    def get_object(self, *args: Any, **kwargs: Any) -> Any:
        found = super().get_object(*args, **kwargs)  # type: ignore[misc]  # Oscar's view
        if found is None or orders.is_placed(getattr(found, "order", found)):
            return found
        if self.not_placed is None:
            return None
        raise self.not_placed


class OrderHistoryView(OscarOrderHistoryView):
    """The member's placed orders; a held one is not found by its number either."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: Any = super().get(request, *args, **kwargs)
        if isinstance(response, HttpResponseRedirect):  # to the order of the number that was typed
            if orders.placed().filter(number=self.form.cleaned_data["order_number"]).exists():
                return response
            self.object_list = self.get_queryset()
            response = self.render_to_response(self.get_context_data())
        return cast(HttpResponse, response)

    def get_queryset(self) -> Any:
        return orders.placed(super().get_queryset())

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(*args, **kwargs))
        order_facts.add_receipts(context["orders"])
        return context


class ReceiptMixin:
    """A page of one order, with its receipt."""

    object: Any

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))  # type: ignore[misc]  # Oscar's view
        return context | order_facts.receipt_context(self.object)


class OrderDetailView(ReceiptMixin, PlacedOnlyMixin, OscarOrderDetailView):
    """One order of the member."""

    def get_template_names(self) -> list[str]:
        """Return our template; Oscar 4.2's view names its own here and ignores ``template_name``."""
        return ["loyalink_khalti/oscar/order_detail.html"]


class OrderLineView(PlacedOnlyMixin, OscarOrderLineView):
    """One line of an order of the member."""


class FindOrderView(CommonFindOrderView):
    """Where a guest finds an order by its number: Oscar itself knows only the link in the order's mail.

    An order of an account is shown to who is logged in.
    """

    template_name = "loyalink_khalti/oscar/find_order.html"

    def find(self, number: str, contact: str) -> Any:
        typed = typed_number(number)
        guests = orders.placed().filter(user=None, number__in={typed, typed.upper()})
        order = guests.select_related("shipping_address").first()
        address = order.shipping_address if order is not None else None
        phone = str(getattr(address, "phone_number", "") or "")
        return order if is_contact_of(contact, order.guest_email if order is not None else "", phone) else None

    def found(self, request: HttpRequest, order: Any) -> HttpResponse:
        request.session["anon_order_email"] = order.email  # by which Oscar's view knows the guest
        return redirect("customer:anon-order", order_number=order.number, hash=order.verification_hash())


class AnonymousOrderFormView(PlacedOnlyMixin, OscarAnonymousOrderFormView):
    """The form for a guest's e-mail address, before the order is shown."""

    not_placed = None


class AnonymousOrderDetailView(ReceiptMixin, PlacedOnlyMixin, OscarAnonymousOrderDetailView):
    """A guest's order."""

    template_name: Any = "loyalink_khalti/oscar/anon_order.html"

    not_placed = None

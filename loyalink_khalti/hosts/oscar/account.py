"""The customer's account: the points card, and order pages that know only orders that were placed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
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
from loyalink_khalti.loyalty.models import Kind
from loyalink_khalti.money import npr

from . import orders
from .options import SHOP
from .placed import PlacedOnlyMixin


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of the history; ``number`` is an order of the member's that can be opened, "" where none can."""

    at: datetime
    text: str
    points: int
    number: str


class PointsView(PageTitleMixin, TemplateView):
    """A member's points: what they have, how far the next level is, what expires, what happened."""

    template_name = "loyalink_khalti/oscar/points.html"
    page_title: Any = _("Points")
    active_tab: Any = "points"

    def get_page_title(self) -> Any:
        """The programme's name, where it has one."""
        return self.programme.name or self.page_title

    @cached_property
    def programme(self) -> conf.ProgrammeTexts:
        return conf.programme_texts(conf.site_key(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        member = str(self.request.user.pk)
        card = flow.member(conf.site_key(self.request), member)
        context = cast(dict[str, Any], super().get_context_data(**kwargs))
        return context | {
            "card": card,
            "programme": self.programme,
            "worth": npr(card.worth),
            "history": self._history(card),
        }

    def _history(self, card: Any) -> list[Happening]:
        names = {entry.purchase: entry.purchase.removeprefix(f"{SHOP}:") for entry in card.entries}
        mine = orders.placed().filter(user_id=self.request.user.pk, number__in=names.values())
        placed = set(mine.values_list("number", flat=True))
        # Points are taken off when they are set aside; once they are spent, that is what the line says.
        spent = {entry.purchase: entry.label for entry in card.entries if entry.kind == Kind.CAPTURE}
        return [
            Happening(
                at=entry.at,
                text=str(spent.get(entry.purchase, entry.label) if entry.kind == Kind.HOLD else entry.label),
                points=entry.points,
                number=names[entry.purchase] if names[entry.purchase] in placed else "",
            )
            for entry in card.entries
            if entry.kind != Kind.CAPTURE
        ]


class OrderHistoryView(OscarOrderHistoryView):
    """The member's orders; a held one is not found by its number either."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: Any = super().get(request, *args, **kwargs)
        if isinstance(response, HttpResponseRedirect):  # straight to the order of that number
            if orders.placed().filter(number=self.form.cleaned_data["order_number"]).exists():
                return response
            self.object_list = self.get_queryset()
            response = self.render_to_response(self.get_context_data())
        return cast(HttpResponse, response)

    def get_queryset(self) -> Any:
        return orders.placed(super().get_queryset())


class OrderDetailView(PlacedOnlyMixin, OscarOrderDetailView):
    """One order of the member's."""


class OrderLineView(PlacedOnlyMixin, OscarOrderLineView):
    """One line of an order of the member's."""


class AnonymousOrderFormView(PlacedOnlyMixin, OscarAnonymousOrderFormView):
    """A guest's e-mail address, before the order is shown."""

    on_unplaced = None


class AnonymousOrderDetailView(PlacedOnlyMixin, OscarAnonymousOrderDetailView):
    """A guest's order."""

    on_unplaced = None

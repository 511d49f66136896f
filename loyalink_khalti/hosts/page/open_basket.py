"""A basket of pages, as the checkout and the API order it: priced from the live pages whenever it is read."""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property

from django.http import HttpRequest
from django.utils.translation import gettext as _
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotPay
from loyalink_khalti.hosts.common.payment_methods import method_options
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.ports import Cart, Costs, MethodOption, PaymentMethod

from . import pricing
from .basket import Item, SessionBasket
from .details import Details, choose_delivery
from .freeze import Freeze
from .models import PageShopSettings
from .pricing import PricedItem
from .site_settings import DeliveryOption, delivery_options, payment_methods, settings_of


class PageBasket:
    """What a customer is about to buy; a ``ports.OpenBasket``."""

    def __init__(
        self, request: HttpRequest, *, items: Collection[Item], origin: str, details: Details | None = None
    ) -> None:
        self.request = request
        self.items = list(items)
        self.origin = origin
        self.details = details or Details()
        self.site_key = conf.site_key(request)
        self.member_id = member_id(request)

    @cached_property
    def settings(self) -> PageShopSettings:
        """What the site sets, read once for this basket."""
        return settings_of(Site.find_for_request(self.request))

    @cached_property
    def lines(self) -> list[PricedItem]:
        """The items with their prices of now and what is wrong with them."""
        return pricing.price(self.request, self.items, origin=self.origin)

    @property
    def problems(self) -> list[str]:
        """Why the basket cannot be ordered as it is; [] if it can."""
        return [line.problem for line in self.lines if line.problem]

    @property
    def subtotal(self) -> Paisa:
        """The value of the items that can be ordered, in paisa."""
        return Paisa(sum(line.total for line in self.lines if not line.problem))

    @property
    def needs_delivery(self) -> bool:
        return any(line.page.needs_delivery for line in self.lines if line.page is not None)

    @property
    def delivery_options(self) -> list[DeliveryOption]:
        """The options of which the customer chooses one; [] where nothing is delivered."""
        return delivery_options(self.settings) if self.needs_delivery else []

    @property
    def delivery(self) -> DeliveryOption | None:
        """The chosen delivery option, None where nothing is delivered. Raises ``InvalidDetails``."""
        options = self.delivery_options
        return choose_delivery(self.details.delivery, options) if options else None

    def costs(self) -> Costs:
        """Return what it costs. Raises ``SoldOut``, ``InvalidDetails`` without a delivery option, ``CannotPay``."""
        if not self.items:
            raise CannotPay(_("Your basket is empty."))
        for line in self.lines:
            line.check()
        delivery = self.delivery
        return Costs(
            lines=tuple(line.as_line() for line in self.lines),
            subtotal=self.subtotal,
            shipping=delivery.charge if delivery is not None else Paisa(0),
        )

    def methods(self, *, khalti_unavailable_reason: str) -> Sequence[MethodOption]:
        chosen = payment_methods(self.settings)
        return method_options(chosen, self, khalti_unavailable_reason=khalti_unavailable_reason)

    def freeze(self, *, method: PaymentMethod, points: Points, expected_due: Paisa | None) -> Callable[[], Cart]:
        return Freeze(self, method=method, points=points, expected_due=expected_due)

    def as_now(self) -> "PageBasket":
        """Return the same basket with nothing read yet: a freeze trusts nothing that was read before."""
        return PageBasket(self.request, items=self.items, origin=self.origin, details=self.details)


def member_id(request: HttpRequest) -> str | None:
    """Return the logged-in member's id, None for a guest."""
    user = getattr(request, "user", None)
    return str(user.pk) if user is not None and user.is_authenticated else None


def of_session(request: HttpRequest, details: Details | None = None) -> PageBasket:
    """Return the basket of a request's session, after an order that was placed has taken out what it bought."""
    basket = SessionBasket(request)
    basket.forget_placed()
    return PageBasket(request, items=basket.items, origin=basket.id, details=details)

"""An order placed through us equals, field by field, the one that stock Oscar writes for the same basket.

Points and payment apart: ``equal.ALLOWED`` lists every field that may differ, and why.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from oscar.apps.checkout.applicator import SurchargeApplicator
from oscar.core.loading import get_model
from pytest_django import Settings

from loyalink_khalti.simulator import Simulator
from sandbox.shop.shipping.methods import Express, Standard
from sandbox.shop.shipping.repository import Repository

from . import equal
from .conftest import Basket, Customer, Order, Store, new_member, only_order, payment_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.sampled]

Patch = pytest.MonkeyPatch


@dataclass(frozen=True, kw_only=True)
class Case:
    """A basket, and the shop in which it is ordered."""

    strategy: type = equal.strategies.Default
    offers: Callable[[Store], Any] | None = None
    coupon: str = ""
    notebooks: int = 1
    pens: int = 0
    inks: int = 0
    engravings: tuple[str, ...] = ()
    guest: bool = False
    delivery: str = "standard"
    fees: bool = False
    billing: bool = False
    creator: Any = None
    numbers: Any = None
    override: type | None = None
    total: Decimal
    """Worked out by hand. (Oscar 4.2 takes the amount of an offer off the price without tax.)"""
    tax: Decimal = Decimal(0)
    signals: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIGNALS, 1))


SIGNALS = ("pre_payment", "post_payment", "post_checkout", "order_placed")


def offer(store: Store, name: str, kind: str, value: Any, *, count: int = 1, **more: Any) -> Any:
    """Create an offer of the site."""
    everything = store._everything()
    return get_model("offer", "ConditionalOffer").objects.create(
        name=name,
        offer_type="Site",
        condition=get_model("offer", "Condition").objects.create(type="Count", value=count, range=everything),
        benefit=get_model("offer", "Benefit").objects.create(
            type=kind, value=value, range=None if "hipping" in kind or not kind else everything, **more
        ),
    )


def a_tenth_off(store: Store) -> None:
    offer(store, "A tenth", "Percentage", Decimal(10))


def fifty_off(store: Store) -> None:
    offer(store, "Fifty", "Absolute", Decimal("50.00"))


def one_free(store: Store) -> None:
    offer(store, "Cheapest free", "Multibuy", None, count=3)


def half_delivery(store: Store) -> None:
    offer(store, "Half delivery", "Shipping percentage", Decimal(50))


def a_gift(store: Store) -> None:
    offer(store, "Ruler", "", None, proxy_class="tests.hosts.oscar.equal.Gift")


def coupon_once(store: Store) -> None:
    store.coupon(rupees="100.00")


def coupon_often(store: Store) -> None:
    store.coupon(rupees="33.33", usage="Multi-use")


def coupon_and_offer(store: Store) -> None:
    store.coupon(rupees="100.00", usage="Once per customer")
    offer(store, "Seven off", "Percentage", Decimal(7))
    get_model("offer", "ConditionalOffer").objects.update(exclusive=False)


D = Decimal
CASES = {
    "plain": Case(total=D("500.00")),
    "plain-guest-two-products-express": Case(total=D("1000.00"), notebooks=1, pens=10, guest=True, delivery="express"),
    "added-tax": Case(total=D("604.55"), tax=D("69.55"), strategy=equal.ThirteenPercent, pens=1),
    "added-tax-guest-taxed-delivery": Case(
        total=D("677.99"), tax=D("78.00"), strategy=equal.ThirteenPercent, delivery="taxed", guest=True
    ),
    "added-tax-percentage-offer": Case(
        total=D("596.35"), tax=D("68.61"), strategy=equal.ThirteenPercent, offers=a_tenth_off, pens=1, inks=3
    ),
    "tax-in-the-price-coupon": Case(
        total=D("406.99"), tax=D("46.82"), strategy=equal.InclusiveTax, offers=coupon_once, coupon="WELCOME", inks=1
    ),
    "tax-in-the-price-multibuy-express": Case(
        total=D("1150.00"),
        tax=D("115.04"),
        strategy=equal.InclusiveTax,
        offers=one_free,
        notebooks=2,
        pens=1,
        delivery="express",
    ),
    "late-tax": Case(
        total=D("678.00"), tax=D("78.00"), strategy=equal.LateTax, override=equal.AddsTax, delivery="late"
    ),
    "late-tax-guest-coupon": Case(
        total=D("640.34"),
        tax=D("73.67"),
        strategy=equal.LateTax,
        override=equal.AddsTax,
        delivery="late",
        offers=coupon_often,
        coupon="WELCOME",
        guest=True,
    ),
    "absolute-offer-with-fees": Case(
        total=D("634.60"), tax=D("2.60"), offers=fifty_off, fees=True, pens=0, notebooks=1, delivery="express"
    ),
    "added-tax-fees-offer-taxed-delivery": Case(
        total=D("696.86"),
        tax=D("80.17"),
        strategy=equal.ThirteenPercent,
        offers=fifty_off,
        fees=True,
        pens=1,
        delivery="taxed",
    ),
    "offer-on-delivery": Case(total=D("575.00"), offers=half_delivery, delivery="express"),
    "deferred-benefit": Case(total=D("500.00"), offers=a_gift),
    "deferred-benefit-guest-added-tax": Case(
        total=D("565.00"), tax=D("65.00"), strategy=equal.ThirteenPercent, offers=a_gift, guest=True
    ),
    "coupon-once-and-offer": Case(total=D("397.55"), offers=coupon_and_offer, coupon="WELCOME", pens=1),
    "two-engravings": Case(total=D("570.00"), engravings=("Sita", "Gita")),
    "billing-address": Case(total=D("500.00"), billing=True),
    "own-creator-and-numbers": Case(total=D("535.00"), creator=equal.OwnCreator, numbers=equal.OwnNumbers, pens=1),
}


def set_up(case: Case, store: Store, patch: Patch) -> None:
    """Make the shop of a case: its prices, products, offers, coupons, and what it has forked."""
    selector = equal.strategies.Selector
    patch.setattr(selector, "strategy", lambda _self, request=None, **_kwargs: case.strategy(request))
    patch.setattr(Repository, "methods", (Standard(), Express(), equal.TaxedDelivery(), equal.LateTaxedDelivery()))
    if case.fees:
        patch.setattr(SurchargeApplicator, "get_surcharges", equal.fees)
    for name, own in (("OrderCreator", case.creator), ("OrderNumberGenerator", case.numbers)):
        if own:
            for module in ("oscar.apps.order.utils", "oscar.apps.checkout.mixins"):
                patch.setattr(f"{module}.{name}", own)
    get_model("communication", "CommunicationEventType").objects.get_or_create(code="ORDER_PLACED", name="Placed")
    store.notebook.stockrecords.update(low_stock_threshold=20)
    store.ink = store.add("Ink", "INK-1", rupees="19.99", stock=50)  # type: ignore[attr-defined]
    if case.engravings:
        engraving = get_model("catalogue", "Option").objects.create(name="Engraving", code="engraving", type="text")
        store.kind.options.add(engraving)
    if case.offers:
        case.offers(store)


def at_the_preview(case: Case, store: Store, customer: Customer) -> Customer:
    for product, quantity in ((store.notebook, case.notebooks), (store.pen, case.pens), (store.ink, case.inks)):  # type: ignore[attr-defined]
        if quantity:
            customer.put(product, quantity)
    for name in case.engravings:
        customer.browser.post(f"/shop/basket/add/{store.pen.pk}/", {"quantity": 1, "engraving": name})
    if case.coupon:
        customer.use(case.coupon)
    customer.go_to_payment(delivery=case.delivery)
    if case.billing:
        session = customer.browser.session
        session["checkout_data"] = session["checkout_data"] | {"billing": {"billing_address_same_as_shipping": True}}
        session.save()
    return customer


def session_of(customer: Customer) -> dict[str, Any]:
    """Return what Oscar's checkout leaves in the session."""
    session = customer.browser.session
    return {"order": session["checkout_order_id"] == only_order().pk, "checkout": session.get("checkout_data")}


LEFT_BY_STOCK: dict[str, Any] = {}
"""What stock Oscar left, and the gifts that it gave, by the name of the case: ordered once for both methods."""


def by_stock_oscar(case: Case, store: Store, user: Any, settings: Settings, shops: equal.Shops) -> Any:
    """Order with stock Oscar, and return what it left; all of it is rolled back."""
    settings.ROOT_URLCONF = shops.stock
    with transaction.atomic(), equal.counted() as signals:
        customer = at_the_preview(case, store, Customer("guest@example.com", user=user))
        placed = customer.place()
        assert placed.status_code == 302, placed.content.decode()[-3000:]
        customer.browser.get(placed["Location"])
        left = equal.rows(with_number=bool(case.numbers)), session_of(customer), dict(signals)
        transaction.set_rollback(True)
    return left


def by_ours(
    case: Case, store: Store, user: Any, settings: Settings, shops: equal.Shops, method: str, khalti: Simulator
) -> Any:
    """Order with ours, with cash on delivery or by Khalti, and return what it left."""
    settings.ROOT_URLCONF = shops.ours
    with equal.counted() as signals:
        customer = at_the_preview(case, store, Customer("guest@example.com", user=user))
        chosen = customer.choose(method)
        assert chosen.status_code == 302, chosen.content.decode()[-3000:]
        placed = customer.place()
        if method == "khalti":
            payment = payment_of(placed)
            assert signals == {"pre_payment": 1}
            assert payment.amount == only_order().total_incl_tax * 100
            khalti.pay(payment.pidx or "")
            customer.return_from_khalti(payment)
        else:
            assert placed["Location"] == "/shop/checkout/thank-you/", placed["Location"]
            customer.browser.get(placed["Location"])
        return equal.rows(with_number=bool(case.numbers)), session_of(customer), dict(signals)


@pytest.mark.parametrize("method", ["cod", "khalti"])
@pytest.mark.parametrize("name", CASES)
def test_the_order_equals_the_one_of_stock_oscar(
    store: Store, khalti: Simulator, settings: Settings, monkeypatch: Patch, name: str, method: str
) -> None:
    """M15, M16"""
    case = CASES[name]
    set_up(case, store, monkeypatch)
    shops = equal.shops_with(case.override)
    user = None if case.guest else new_member("sita@example.com").user
    monkeypatch.setattr(equal.Gift, "given", [])

    if name not in LEFT_BY_STOCK:
        LEFT_BY_STOCK[name] = by_stock_oscar(case, store, user, settings, shops), list(equal.Gift.given)
        equal.Gift.given.clear()
    (stock_rows, stock_session, stock_signals), given = LEFT_BY_STOCK[name]
    our_rows, our_session, our_signals = by_ours(case, store, user, settings, shops, method, khalti)

    order = only_order()
    assert set(our_rows) == set(stock_rows)
    for label, stock in stock_rows.items():
        assert our_rows[label] == stock, label
    assert our_session == stock_session == {"order": True, "checkout": {}}
    assert our_signals == stock_signals == case.signals
    assert equal.Gift.given == given == ([("A ruler comes with your order", 0, 1)] if case.offers is a_gift else [])
    assert (order.total_incl_tax, order.total_incl_tax - order.total_excl_tax) == (case.total, case.tax)
    assert order.basket.status == Basket.SUBMITTED
    assert Order.objects.count() == 1

"""The Cart that the host's freeze returns, the fixtures of its tests, and the verbs that it must have."""

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from loyalink_khalti import conf
from loyalink_khalti.errors import BasketTaken
from loyalink_khalti.ports import Cart, Shop

from .fixtures import Stock, quantities

CARTS = 3
"""For how many Carts there must be stock: the tests sell some to others."""


@pytest.mark.django_db
class CartContract:
    def test_the_shop_has_every_verb(self, shop: Shop) -> None:
        wrong = list(wrong_verbs(shop))

        assert not wrong, f"the flow cannot call verbs of the shop, see loyalink_khalti/ports.py: {'; '.join(wrong)}"
        assert shop.local is True, "`local = True` must say that the shop's orders are in this database"

    def test_the_fixtures_are_as_the_contract_needs_them(self, shop: Shop, cart: Cart, stock: Stock) -> None:
        left, wanted = dict(stock()), quantities(cart)

        assert not cart.points_redeemed, "the fixture `cart` must redeem no points: `cart_with_points` does"
        assert max(wanted.values()) > 1, "the fixture `cart` needs two or more of a product"
        missing = sorted(set(wanted) - set(left))
        assert not missing, (
            f"the fixture `stock` must say how many can still be sold of each SKU of the Cart, and lacks {missing}"
        )
        few = {sku: left[sku] for sku in wanted if left[sku] < (CARTS - 1) * wanted[sku]}
        assert not few, f"there must be stock for {CARTS} such Carts, and after the first these are left: {few}"
        try:
            shop.get_order(cart.ref)
        except LookupError:
            pytest.fail(f"get_order() knows no order {cart.ref!r}: the freeze must hold one in the database")

    def test_a_cart_survives_serialisation(self, cart: Cart) -> None:
        again = Cart.from_json(json.loads(json.dumps(cart.to_json())))
        assert again == cart, "a Cart must be the same after it was stored as JSON: use the types that ports.py names"

    def test_each_line_of_a_cart_has_an_id_of_its_own(self, cart: Cart) -> None:
        """M13: by it a refund finds the line, whatever its SKU."""
        ids = [line.id for line in cart.lines]

        assert all(ids), "each Line of a Cart needs an id, by which refunds name it"
        assert len(set(ids)) == len(ids), f"two Lines of a Cart have the same id: {ids}"

    def test_a_cart_is_complete_and_adds_up(self, cart: Cart) -> None:
        assert cart.shop in conf.get("SHOPS"), f'{cart.shop!r} is no name in LOYALINK_KHALTI["SHOPS"]'
        texts = {name: getattr(cart, name) for name in ("ref", "origin", "site_key", "language", "name")}
        texts |= {} if cart.member_id is None else {"member_id": cart.member_id}
        wrong = {name: text for name, text in texts.items() if not isinstance(text, str) or not text}
        assert not wrong, f"these of a Cart are texts that are not empty (a guest's member_id is None): {wrong}"
        figures = {name: getattr(cart, name) for name in ("total", "shipping", "discount")}
        figures |= {f"{each} of {line.name}": getattr(line, each) for line in cart.lines for each in ("unit", "total")}
        broken = {name: figure for name, figure in figures.items() if type(figure) is not int or figure < 0}
        assert not broken, f"money is a whole number of paisa, 0 or more: {broken}"
        lines = sum(line.total for line in cart.lines)
        assert lines == cart.subtotal, (
            f"the lines cost {lines} paisa, and total less shipping is {cart.subtotal}: Line.total is after offers and"
            " coupons, and a charge that is no product is part of shipping"
        )
        assert cart.currency == "NPR", f"Khalti takes rupees alone, currency NPR, not {cart.currency!r}"

    def test_a_basket_is_not_ordered_twice(self, request: pytest.FixtureRequest, cart: Cart) -> None:
        try:
            freeze_again: Callable[[], object] = request.getfixturevalue("freeze_again")
        except pytest.FixtureLookupError:
            pytest.skip("define a fixture `freeze_again`, a function that freezes the Cart's basket a second time")
        try:
            with transaction.atomic():
                second = freeze_again()
        except BasketTaken:
            return
        except Exception as exc:  # noqa: BLE001 - a failure of the shop
            pytest.fail(f"a second freeze of one basket must raise BasketTaken; it raised {exc!r}")
        pytest.fail(
            f"a second freeze of one basket, as by a double click, must raise BasketTaken; it returned {second!r}"
        )


def wrong_verbs(shop: Shop) -> Iterator[str]:
    """Yield each verb of ``ports.Shop`` that the shop lacks, or whose arguments are others, with what it should be."""
    for name, verb in inspect.getmembers(Shop, inspect.isfunction):
        if name.startswith("_"):
            continue
        signature = inspect.signature(verb)
        parameters = [each.replace(annotation=each.empty) for each in list(signature.parameters.values())[1:]]
        wanted = f"{name}{signature.replace(parameters=parameters, return_annotation=signature.empty)}"
        own: Any = getattr(shop, name, None)
        if not callable(own):
            yield f"{wanted} is missing"
            continue
        positional = [each for each in parameters if each.kind is not each.KEYWORD_ONLY]
        named = {each.name: None for each in parameters if each.kind is each.KEYWORD_ONLY}
        try:
            inspect.signature(own).bind(*positional, **named)
        except TypeError as exc:
            yield f"{wanted} is {name}{inspect.signature(own)}: {exc}"

"""``release``: what an unpaid purchase has reserved is free again, once; and ``confirm`` after it, for late money."""

from collections.abc import Callable

import pytest

from loyalink_khalti.ports import Cart, ReleaseReason, Shop

from .fixtures import Stock, changes, confirm, is_listed, money, quantities, refusal, release


@pytest.mark.django_db
class ReleaseContract:
    @pytest.mark.parametrize("release_reason", ReleaseReason)
    def test_a_released_purchase_is_no_order_however_often_it_is_released(
        self, shop: Shop, cart: Cart, release_reason: ReleaseReason
    ) -> None:
        for customer_present in (True, False):
            release(shop, cart, reason=release_reason, customer_present=customer_present)

        assert not is_listed(shop, cart), "placed_orders() lists a purchase that was released unpaid"
        assert not shop.get_order(cart.ref).placed, "get_order() calls a purchase placed that was released unpaid"

    @pytest.mark.parametrize("customer_present", [True, False])
    def test_a_release_returns_the_stock_once(
        self, shop: Shop, cart: Cart, stock: Stock, customer_present: bool
    ) -> None:
        before = stock()

        release(shop, cart, customer_present=customer_present)

        first = stock()
        assert changes(before, first) == quantities(cart), (
            f"release() must return what the Cart has reserved, {quantities(cart)}, and has returned"
            f" {changes(before, first)}"
        )
        release(shop, cart, customer_present=customer_present)
        assert changes(first, stock()) == {}, (
            f"a second release() returned the same stock again: {changes(first, stock())}. It is called any number of"
            " times"
        )

    def test_a_placed_order_is_not_released(self, shop: Shop, cart: Cart, stock: Stock) -> None:
        """The shop may refuse with ``ShopCannot``, or do nothing."""
        confirm(shop, cart)
        before = shop.get_order(cart.ref), stock()

        refusal(lambda: release(shop, cart))

        assert is_listed(shop, cart), "release() undid an order that is placed and paid"
        assert shop.get_order(cart.ref) == before[0], "release() changed an order that is placed and paid"
        assert changes(before[1], stock()) == {}, "release() returned the stock of an order that is placed and paid"

    def test_confirm_after_release_takes_the_stock_again_once(self, shop: Shop, cart: Cart, stock: Stock) -> None:
        before = stock()
        release(shop, cart)

        for _call in range(2):
            confirm(shop, cart)

        order = shop.get_order(cart.ref)
        assert order.placed, "confirm() must place a purchase that was released before its money arrived"
        assert money(order) == (cart.total, cart.total, 0), f"total, paid and refunded are {money(order)} paisa"
        assert changes(before, stock()) == {}, (
            f"confirm() after release() must take the stock again, once; in all it has changed by"
            f" {changes(before, stock())}"
        )

    def test_confirm_after_release_fails_once_others_have_bought_the_rest(
        self, shop: Shop, cart: Cart, sell_out: Callable[[], None], stock: Stock
    ) -> None:
        release(shop, cart)
        sell_out()
        before = stock()

        refused = refusal(lambda: confirm(shop, cart))

        assert refused is not None, "confirm() sold products that others had bought after the release"
        assert refused.reason == "sold_out", f'the reason is ShopCannot("sold_out"), not {refused.reason!r}'
        assert not is_listed(shop, cart), "the order is placed although confirm() refused it"
        assert changes(before, stock()) == {}, "confirm() took stock for an order that it refused"

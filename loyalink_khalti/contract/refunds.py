"""``refund`` and ``reverse_refund``: recorded once for each key, with the products that go back into stock."""

import pytest

from loyalink_khalti.ports import Cart, Shop

from .fixtures import Stock, all_lines, changes, confirm, is_listed, money, quantities, refund, reverse


@pytest.mark.django_db
class RefundContract:
    def test_a_refund_is_recorded_once_for_its_key(self, shop: Shop, cart: Cart) -> None:
        confirm(shop, cart)

        for _call in range(2):
            refund(shop, cart, subtotal=1)

        refunded = shop.get_order(cart.ref).refunded
        assert refunded == 1, f"a refund of 1 paisa with one key was recorded as {refunded} after two calls"

    def test_refunds_with_other_keys_add_up(self, shop: Shop, cart: Cart) -> None:
        confirm(shop, cart)

        refund(shop, cart, subtotal=1, key="refund:1")
        refund(shop, cart, subtotal=2, key="refund:2")
        refund(shop, cart, subtotal=1, key="refund:1")

        refunded = shop.get_order(cart.ref).refunded
        assert refunded == 3, f"refunds of 1 and of 2 paisa are 3 in all, and the order says {refunded}"

    def test_a_refund_of_shipping_is_recorded(self, shop: Shop, cart: Cart) -> None:
        if not cart.shipping:
            pytest.skip("the fixture `cart` has no delivery charge")
        confirm(shop, cart)

        refund(shop, cart, subtotal=1, shipping=cart.shipping)

        refunded, expected = shop.get_order(cart.ref).refunded, 1 + cart.shipping
        assert refunded == expected, (
            f"1 paisa of products and {cart.shipping} of shipping are {expected}, and the order says {refunded}"
        )

    def test_an_order_that_is_refunded_in_full_stays_a_placed_order(self, shop: Shop, cart: Cart) -> None:
        confirm(shop, cart)

        refund(shop, cart, subtotal=cart.subtotal, shipping=cart.shipping, lines=all_lines(cart))

        assert money(shop.get_order(cart.ref)) == (cart.total, cart.total, cart.total), (
            f"total, paid and refunded must each be {cart.total} paisa: a refund changes neither the total nor what"
            " was paid"
        )
        assert is_listed(shop, cart), (
            "placed_orders() hides an order that is refunded in full: the audit reads it there"
        )

    def test_a_refund_restocks_its_lines_once(self, shop: Shop, cart: Cart, stock: Stock) -> None:
        confirm(shop, cart)
        before = stock()

        refund(shop, cart, subtotal=1, lines=all_lines(cart))

        first = stock()
        assert changes(before, first) == quantities(cart), (
            f"the refund restocks {quantities(cart)}, and the stock has changed by {changes(before, first)}"
        )
        refund(shop, cart, subtotal=1, lines=all_lines(cart))
        assert changes(first, stock()) == {}, (
            f"a second refund() with the same key restocked again: {changes(first, stock())}. Look for the key first"
        )

    def test_a_refund_restocks_as_many_as_it_names(self, shop: Shop, cart: Cart, stock: Stock) -> None:
        confirm(shop, cart)
        before = stock()

        refund(shop, cart, subtotal=1, key="refund:1")
        without_lines = stock()
        refund(shop, cart, subtotal=1, lines=((cart.lines[0].key, 1),), key="refund:2")

        assert changes(before, without_lines) == {}, "a refund that names no lines restocked some"
        expected = {cart.lines[0].sku: 1}
        assert changes(before, stock()) == expected, (
            f"the refund restocks {expected}, and the stock has changed by {changes(before, stock())}"
        )

    def test_a_refund_restocks_the_lines_that_it_names_and_no_other(
        self, shop: Shop, cart: Cart, stock: Stock
    ) -> None:
        """U11"""
        if len({line.sku for line in cart.lines}) < 2:
            pytest.skip("the fixture `cart` has one product alone")
        confirm(shop, cart)
        before, last = stock(), cart.lines[-1]

        refund(shop, cart, subtotal=1, lines=((last.key, last.quantity),))

        expected = {last.sku: last.quantity}
        assert changes(before, stock()) == expected, (
            f"staff choose for each line whether it is restocked: the refund names {expected} alone, and the stock has"
            f" changed by {changes(before, stock())}"
        )

    def test_a_refund_that_was_not_made_is_taken_back_once(self, shop: Shop, cart: Cart, stock: Stock) -> None:
        """M3"""
        confirm(shop, cart)
        refund(shop, cart, subtotal=1, lines=all_lines(cart), key="refund:1")
        refund(shop, cart, subtotal=2, key="refund:2")
        before = stock()

        for _call in range(2):
            reverse(shop, cart, key="refund:1")

        refunded = shop.get_order(cart.ref).refunded
        assert refunded == 2, f"of refunds of 1 and 2 paisa the first was taken back, and the order says {refunded}"
        assert changes(before, stock()) == {}, "reverse_refund() changed the stock: staff count what is there"

    def test_an_unknown_refund_is_not_taken_back(self, shop: Shop, cart: Cart) -> None:
        confirm(shop, cart)
        refund(shop, cart, subtotal=2)
        before = shop.get_order(cart.ref)

        reverse(shop, cart, key="no such refund")

        assert shop.get_order(cart.ref) == before, "reverse_refund() of an unknown key changed the order"

    def test_an_order_whose_full_refund_was_not_made_is_an_order_as_before(self, shop: Shop, cart: Cart) -> None:
        confirm(shop, cart)
        before = shop.get_order(cart.ref)
        refund(shop, cart, subtotal=cart.subtotal, shipping=cart.shipping)

        reverse(shop, cart, key="refund:1")

        assert shop.get_order(cart.ref) == before, (
            f"the order was {before} before a full refund that was not made, and is {shop.get_order(cart.ref)}"
        )

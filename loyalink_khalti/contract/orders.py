"""``confirm`` and ``record_received``: a purchase becomes one placed order, and what has been paid is on it."""

import pytest
from django.core import mail
from django.db import transaction

from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart, PaymentMethod, Shop

from .fixtures import (
    CartWithPoints,
    Stock,
    cancel_unpaid,
    changes,
    confirm,
    is_listed,
    money,
    paid_for,
    place_unpaid,
    refund,
    refusal,
)


@pytest.mark.django_db
class OrderContract:
    def test_a_held_purchase_is_no_order_yet(self, shop: Shop, cart: Cart) -> None:
        assert not is_listed(shop, cart), "placed_orders() lists a purchase that was not confirmed"
        assert not shop.get_order(cart.ref).placed, "get_order() calls a purchase placed that was not confirmed"

    def test_an_unknown_purchase_is_a_lookup_error(self, shop: Shop, cart: Cart) -> None:
        try:
            found = shop.get_order(f"{cart.ref}-unknown")
        except LookupError:
            return
        pytest.fail(f"get_order() must raise LookupError for an unknown ref; it returned {found!r}")

    def test_confirm_turns_it_into_one_placed_order(self, shop: Shop, cart: Cart) -> None:
        number = confirm(shop, cart)

        order = shop.get_order(cart.ref)
        numbers = [each.number for each in shop.placed_orders()]
        assert number, "confirm() must return the number of the order"
        assert numbers.count(number) == 1, (
            f"after confirm() the shop lists order {number} {numbers.count(number)} times"
        )
        assert order.placed, "the order is not placed after confirm()"
        assert order.number == number, f"confirm() returned {number!r}, and get_order() says {order.number!r}"
        assert order.member_id == cart.member_id, "the order belongs to another member than the Cart"
        assert money(order) == (cart.total, cart.total, 0), (
            f"total, paid and refunded of the order are {money(order)} paisa; the Cart cost {cart.total} and was paid"
        )
        listed = next(each for each in shop.placed_orders() if each.ref == cart.ref)
        assert listed == order, "placed_orders() and get_order() disagree about one order"

    def test_confirm_keeps_the_stock_that_was_reserved(self, shop: Shop, cart: Cart, stock: Stock) -> None:
        before = stock()

        confirm(shop, cart)

        assert changes(before, stock()) == {}, (
            "confirm() changed what can be sold: the stock was reserved when the Cart was frozen, and a placed order"
            " keeps it"
        )

    def test_confirming_twice_has_the_effect_of_once(self, shop: Shop, cart: Cart, stock: Stock) -> None:
        number = confirm(shop, cart)
        before = shop.get_order(cart.ref), len(list(shop.placed_orders())), stock()

        again = confirm(shop, cart)

        assert again == number, f"a second confirm() returned {again!r} in place of {number!r}"
        assert (shop.get_order(cart.ref), len(list(shop.placed_orders())), stock()) == before, (
            "a second confirm() changed the order, the number of orders or the stock"
        )

    def test_points_lower_the_total_of_the_order(self, shop: Shop, cart_with_points: CartWithPoints) -> None:
        cart, value = cart_with_points

        confirm(shop, cart, paid_for(cart, points_value=value))

        order, due = shop.get_order(cart.ref), cart.total - value
        assert order.total == due, (
            f"the total of an order is what is left to pay after points: {due} paisa, not {order.total}."
            f" Paid.points_value says that points paid {value}"
        )
        assert order.paid == due, f"paid is money: {due} paisa, not {order.paid}. Points are no money"

    def test_a_refund_of_an_order_with_points_counts_money_alone(
        self, shop: Shop, cart_with_points: CartWithPoints
    ) -> None:
        cart, value = cart_with_points
        confirm(shop, cart, paid_for(cart, points_value=value))

        refund(shop, cart, subtotal=cart.total - value)

        due = cart.total - value
        assert money(shop.get_order(cart.ref)) == (due, due, due), (
            f"total, paid and refunded must each be {due} paisa after a full refund, without the value of points"
        )

    def test_what_was_paid_is_not_lowered_by_a_later_confirm(self, shop: Shop, cart: Cart) -> None:
        confirm(shop, cart)

        place_unpaid(shop, cart)

        paid = shop.get_order(cart.ref).paid
        assert paid == cart.total, (
            f"{cart.total} paisa were paid, and a later confirm() with an amount of 0 made that {paid}: an amount of 0"
            " says that the money arrives later, not that it is gone"
        )

    def test_cash_that_arrives_after_the_order_is_recorded(self, shop: Shop, cart: Cart) -> None:
        number = place_unpaid(shop, cart)
        unpaid = shop.get_order(cart.ref)

        again = confirm(shop, cart, paid_for(cart, method=PaymentMethod.COD))

        assert again == number, f"confirm() with the money returned {again!r} in place of {number!r}"
        assert unpaid.placed, "an order that is paid in cash is placed before it is paid"
        assert unpaid.paid == 0, f"nothing was paid yet, and the order says {unpaid.paid}"
        paid = shop.get_order(cart.ref).paid
        assert paid == cart.total, f"the cash has arrived, {cart.total} paisa, and the order says {paid}"

    def test_cash_that_arrives_in_parts_is_recorded(self, shop: Shop, cart: Cart) -> None:
        place_unpaid(shop, cart)

        paid = []
        for received in (Paisa(1), cart.total, Paisa(1), Paisa(1)):  # the third is a correction
            with transaction.atomic():
                shop.record_received(cart.ref, received=received)
            paid.append(shop.get_order(cart.ref).paid)

        assert paid == [1, cart.total, 1, 1], (
            f"record_received() says what was received in all so far: after 1, {cart.total}, 1 and 1 paisa the order"
            f" says {paid}"
        )

    def test_an_order_that_was_cancelled_unpaid_is_placed_again_once_it_is_paid(
        self, shop: Shop, cart: Cart, stock: Stock
    ) -> None:
        place_unpaid(shop, cart, PaymentMethod.BANK_TRANSFER)
        before = stock()
        cancel_unpaid(shop, cart)

        for _call in range(2):
            confirm(shop, cart, paid_for(cart, method=PaymentMethod.BANK_TRANSFER))

        order = shop.get_order(cart.ref)
        assert order.placed, "an order that was cancelled unpaid is placed again once it is paid"
        assert money(order) == (cart.total, cart.total, 0), (
            f"it is paid and nothing was refunded, but total, paid and refunded are {money(order)} paisa"
        )
        assert changes(before, stock()) == {}, "an order that is placed again takes its stock again, once"

    def test_an_order_that_was_cancelled_unpaid_is_not_placed_again_once_others_have_bought_the_rest(
        self, shop: Shop, cart: Cart, sell_out: "Stock"
    ) -> None:
        place_unpaid(shop, cart, PaymentMethod.BANK_TRANSFER)
        cancel_unpaid(shop, cart)
        sell_out()

        refused = refusal(lambda: confirm(shop, cart, paid_for(cart, method=PaymentMethod.BANK_TRANSFER)))

        assert refused is not None, "confirm() sold products that others had bought after the order was cancelled"
        assert refused.reason == "sold_out", f'the reason is ShopCannot("sold_out"), not {refused.reason!r}'
        paid = shop.get_order(cart.ref).paid
        assert paid == 0, f"the order was not placed again, and it says that {paid} paisa were paid"

    def test_an_order_that_was_cancelled_unpaid_stays_cancelled_without_money(
        self, shop: Shop, cart: Cart, stock: Stock
    ) -> None:
        place_unpaid(shop, cart)
        cancel_unpaid(shop, cart)
        before = stock()

        place_unpaid(shop, cart)

        assert list(shop.still_reserved([cart.ref])) == [], (
            "a confirm() without an amount brought back a cancelled order"
        )
        assert changes(before, stock()) == {}, "a confirm() without an amount took the stock of a cancelled order"

    def test_an_unpaid_placed_order_reserves_its_stock_until_it_is_cancelled(self, shop: Shop, cart: Cart) -> None:
        place_unpaid(shop, cart)
        before = list(shop.still_reserved([cart.ref, "no such order"]))

        refund(shop, cart, key="cancel")

        assert before == [cart.ref], f"still_reserved() returned {before!r} for an unpaid placed order, {cart.ref!r}"
        after = list(shop.still_reserved([cart.ref]))
        assert after == [], f"still_reserved() returned {after!r} for an order that was cancelled"

    def test_a_cancelled_order_stays_among_the_placed_ones(self, shop: Shop, cart: Cart) -> None:
        place_unpaid(shop, cart)

        cancel_unpaid(shop, cart)

        assert is_listed(shop, cart), "placed_orders() hides an order because staff have cancelled it"

    def test_a_rollback_undoes_confirm(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
            transaction.set_rollback(True)

        assert not is_listed(shop, cart), "the order is placed although the transaction of confirm() was rolled back"

    @pytest.mark.django_db(transaction=True)
    def test_mails_are_sent_after_the_commit_and_once(self, shop: Shop, cart: Cart) -> None:
        """On a database that commits, so that ``transaction.on_commit`` and the outbox send."""
        before = len(mail.outbox)
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
            too_early = len(mail.outbox) - before
        first = len(mail.outbox)
        confirm(shop, cart)
        again = len(mail.outbox) - first
        refund(shop, cart, subtotal=1)
        first = len(mail.outbox)
        refund(shop, cart, subtotal=1)

        assert too_early == 0, (
            "confirm() sent a mail before the commit: a rollback cannot take it back. Use the outbox"
        )
        assert again == 0, f"a second confirm() of one order sent {again} mails more"
        assert len(mail.outbox) == first, "a second refund() with the same key sent a mail again"

"""R3: an order that somebody has deleted in the database. Its purchase can still be ended, and its money refunded."""

from collections.abc import Callable

import pytest
from django.db import transaction

from loyalink_khalti.ports import Cart, ReleaseReason, Shop

from .fixtures import all_lines, confirm, is_listed, refund, refusal, release, reverse


@pytest.mark.django_db
class DeletionContract:
    def test_an_order_that_was_deleted_is_known_to_be_missing(
        self, shop: Shop, cart: Cart, delete_order: Callable[[], None]
    ) -> None:
        before = list(shop.missing_orders([cart.ref, "no such order"]))
        delete_order()

        assert before == ["no such order"], f"missing_orders() returned {before} while {cart.ref!r} existed"
        after = list(shop.missing_orders([cart.ref]))
        assert after == [cart.ref], f"missing_orders() returned {after} after {cart.ref!r} was deleted"
        try:
            found = shop.get_order(cart.ref)
        except LookupError:
            return
        pytest.fail(f"get_order() must raise LookupError for an order that was deleted; it returned {found!r}")

    def test_an_order_that_was_deleted_can_neither_be_placed_nor_paid(
        self, shop: Shop, cart: Cart, delete_order: Callable[[], None]
    ) -> None:
        """The money is refunded then."""
        delete_order()

        placing = refusal(lambda: confirm(shop, cart))
        paying = refusal(lambda: receive(shop, cart))

        for verb, refused in (("confirm", placing), ("record_received", paying)):
            assert refused is not None, f"{verb}() of an order that was deleted must raise ShopCannot"
            assert refused.reason == "order_missing", (
                f'{verb}() of an order that was deleted raises ShopCannot("order_missing"), not {refused.reason!r}'
            )

    def test_an_order_that_was_deleted_holds_nothing_up(
        self, shop: Shop, cart: Cart, delete_order: Callable[[], None]
    ) -> None:
        """What it reserved is released, and its money can be refunded, however often."""
        delete_order()

        for _call in range(2):
            for verb, act in (
                (
                    "release",
                    lambda: release(shop, cart, reason=ReleaseReason.CANCELLED_IN_SHOP, customer_present=True),
                ),
                ("refund", lambda: refund(shop, cart, subtotal=cart.subtotal, lines=all_lines(cart))),
                ("reverse_refund", lambda: reverse(shop, cart, key="refund:1")),
            ):
                try:
                    act()
                except Exception as exc:  # noqa: BLE001 - a failure of the shop
                    pytest.fail(
                        f"{verb}() of an order that was deleted must do what is left to do, and raised {exc!r}"
                    )
        assert not is_listed(shop, cart), "placed_orders() lists an order that was deleted"


def receive(shop: Shop, cart: Cart) -> None:
    with transaction.atomic():
        shop.record_received(cart.ref, received=cart.total)

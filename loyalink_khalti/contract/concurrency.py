"""Two transactions at the same moment: the second waits for the locks of the first, then sees what it has written.

On PostgreSQL alone: SQLite lets one transaction write at a time, so that a missing lock does no harm there.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.ports import Cart, Shop

from .fixtures import Stock, all_lines, changes, confirm, is_listed, paid_for, refund, release

LONGEST = 10.0
"""Seconds for which the second transaction may run before the first one commits."""


class ConcurrencyContract:
    @pytest.mark.django_db(transaction=True)  # of each test: a class that mixes this one in has a mark of its own
    def test_the_last_products_are_not_sold_twice_at_the_same_moment(
        self, shop: Shop, cart: Cart, sell_out: Callable[[], None], stock: Stock
    ) -> None:
        release(shop, cart)

        second = during(sell_out, lambda: confirm(shop, cart))

        assert isinstance(second, ShopCannot), (
            "confirm() after release() sold products that another transaction was just selling: lock the stock rows"
            " (select_for_update) before you compare"
        )
        assert not is_listed(shop, cart), "the order is placed although confirm() refused it"
        assert min(stock().values()) >= 0, f"more was sold than there was: {dict(stock())}"

    @pytest.mark.django_db(transaction=True)
    def test_two_confirms_at_the_same_moment_have_the_effect_of_one(
        self, shop: Shop, cart: Cart, stock: Stock
    ) -> None:
        before = stock()
        release(shop, cart)

        second = during(lambda: shop.confirm(cart.ref, paid=paid_for(cart)), lambda: confirm(shop, cart))

        number = shop.get_order(cart.ref).number
        assert second == number, (
            f"two confirm() at the same moment: the second must wait for the first and return {number!r}; it came to"
            f" {second!r}. Lock the order first"
        )
        assert changes(before, stock()) == {}, (
            f"two confirm() at the same moment after a release() took the stock twice: {changes(before, stock())}"
        )

    @pytest.mark.django_db(transaction=True)
    def test_a_refund_that_is_recorded_twice_at_the_same_moment_is_one(
        self, shop: Shop, cart: Cart, stock: Stock
    ) -> None:
        confirm(shop, cart)
        before = stock()
        record: dict[str, Any] = {"subtotal": 1, "lines": all_lines(cart)[:1]}

        second = during(lambda: refund(shop, cart, **record), lambda: refund(shop, cart, **record))

        assert second is None, f"a refund() at the same moment as one with the same key came to {second!r}"
        refunded = shop.get_order(cart.ref).refunded
        assert refunded == 1, (
            f"a refund of 1 paisa was recorded as {refunded}: lock the order before you look for the key"
        )
        restocked = {cart.lines[0].sku: cart.lines[0].quantity}
        assert changes(before, stock()) == restocked, (
            f"the refund restocks {restocked}, and two at the same moment have changed the stock by"
            f" {changes(before, stock())}"
        )


def during(first: Callable[[], object], second: Callable[[], object]) -> object:
    """Start ``second`` on a connection of its own while the transaction of ``first`` is open; commit the first.

    Return what ``second`` has returned, or the ``ShopCannot`` that it has raised; raise any other error.
    """
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL shows whether a shop takes locks: run its contract there, too")
    results: list[object] = []
    pids: list[int] = []

    def run() -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pids.extend(cursor.fetchone() or ())
            results.append(second())
        except Exception as exc:  # noqa: BLE001 - raised in the thread of the test
            results.append(exc)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        first()
        thread.start()
        end = time.monotonic() + LONGEST
        while thread.is_alive() and time.monotonic() < end and not _waits_for_a_lock(pids):
            thread.join(0.01)
    thread.join(LONGEST)
    if not results:
        pytest.fail(f"the second transaction did not end within {LONGEST:.0f} seconds of the first")
    if isinstance(results[0], Exception) and not isinstance(results[0], ShopCannot):
        raise results[0]
    return results[0]


def _waits_for_a_lock(pids: list[int]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = ANY(%s)", [pids])
        return bool((cursor.fetchone() or (0,))[0])

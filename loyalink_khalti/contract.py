"""The contract that every shop keeps, as tests; shops take it from ``loyalink_khalti.testing``."""

import json
from collections.abc import Callable

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart, Method, Outcome, Paid, Shop, Why


def paid_for(cart: Cart, *, amount: Paisa | None = None, method: Method = Method.KHALTI) -> Paid:
    """What the flow would say of a Cart paid in full, or of another ``amount`` in paisa."""
    return Paid(method=method, amount=cart.total if amount is None else amount, transaction_id="T1", at=timezone.now())


@pytest.mark.django_db
class ShopContract:
    """What the flow relies on. Subclass it as ``Test…`` and give it these fixtures::

    shop        your Shop
    cart        a Cart, spending no points, that your own freeze has just made in the test's database
    sell_out    a function that sells to others all that is left of what the Cart holds
    """

    def test_a_cart_survives_being_written_down(self, cart: Cart) -> None:
        assert Cart.from_json(json.loads(json.dumps(cart.to_json()))) == cart

    def test_a_held_purchase_is_no_order_yet(self, shop: Shop, cart: Cart) -> None:
        assert cart.ref not in {order.ref for order in shop.orders()}

    def test_confirm_makes_one_placed_order_of_it(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            number = shop.confirm(cart.ref, paid=paid_for(cart))

        order = shop.look(cart.ref)
        assert [each.number for each in shop.orders()].count(number) == 1
        assert (order.number, order.member_id, order.placed) == (number, cart.member_id, True)
        assert (order.total, order.paid, order.refunded) == (cart.total, cart.total, 0)

    def test_confirming_twice_is_confirming_once(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            number = shop.confirm(cart.ref, paid=paid_for(cart))
            before = shop.look(cart.ref), len(list(shop.orders()))

        with transaction.atomic():
            again = shop.confirm(cart.ref, paid=paid_for(cart))

        assert again == number
        assert (shop.look(cart.ref), len(list(shop.orders()))) == before

    def test_cash_that_comes_after_the_order_is_written_down(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            number = shop.confirm(cart.ref, paid=paid_for(cart, amount=Paisa(0), method=Method.COD))
        unpaid = shop.look(cart.ref)

        with transaction.atomic():
            again = shop.confirm(cart.ref, paid=paid_for(cart, method=Method.COD))

        assert again == number
        assert (unpaid.placed, unpaid.paid, shop.look(cart.ref).paid) == (True, 0, cart.total)

    def test_what_was_rolled_back_has_not_happened(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
            transaction.set_rollback(True)

        assert cart.ref not in {order.ref for order in shop.orders()}

    def test_nothing_is_mailed_before_the_commit(self, shop: Shop, cart: Cart) -> None:
        mailed = len(mail.outbox)

        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
            before = len(mail.outbox)

        assert before == mailed

    @pytest.mark.parametrize("why", Why)
    def test_a_released_purchase_is_no_order_however_often(self, shop: Shop, cart: Cart, why: Why) -> None:
        for present in (True, False):
            with transaction.atomic():
                shop.release(cart.ref, why=why, present=present)

        assert cart.ref not in {order.ref for order in shop.orders()}

    def test_a_released_purchase_takes_its_stock_again(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.release(cart.ref, why=Why.EXPIRED, present=False)

        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))

        assert shop.look(cart.ref).placed

    def test_what_was_sold_to_others_meanwhile_is_sold_out(
        self, shop: Shop, cart: Cart, sell_out: Callable[[], None]
    ) -> None:
        with transaction.atomic():
            shop.release(cart.ref, why=Why.EXPIRED, present=False)
        sell_out()

        with pytest.raises(ShopCannot) as caught, transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))

        assert caught.value.reason == "sold_out"
        assert cart.ref not in {order.ref for order in shop.orders()}

    def test_a_refund_is_written_down_once_for_its_key(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
            for _again in range(2):
                shop.reverse(cart.ref, goods=Paisa(1), shipping=Paisa(0), lines=(), key="refund:1")

        assert shop.look(cart.ref).refunded == 1

    @pytest.mark.parametrize("outcome", Outcome)
    def test_a_page_is_a_path_of_the_shops_own(self, shop: Shop, cart: Cart, outcome: Outcome) -> None:
        page = shop.page_for(cart.ref, outcome, "a-token")

        assert page == "" or (page.startswith("/") and not page.startswith(("//", "/\\")))

    def test_staff_find_the_order_under_a_path_of_the_shops_own(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))

        for page in (shop.page_for_staff(cart.ref), shop.page_for_staff("")):
            assert page == "" or (page.startswith("/") and not page.startswith(("//", "/\\")))

    def test_tags_map_texts_to_the_names_that_people_know(self, shop: Shop, cart: Cart) -> None:
        tags = shop.tags()

        assert {type(each) for pair in tags.items() for each in pair} <= {str}
        assert {tag for line in cart.lines for tag in line.tags} <= set(tags)

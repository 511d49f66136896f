"""The contract that every shop keeps, as tests. Import it from ``loyalink_khalti.testing``."""

import json
from collections.abc import Callable

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.money import Paisa
from loyalink_khalti.ports import Cart, Outcome, Paid, PaymentMethod, ReleaseReason, Shop


def paid_for(cart: Cart, *, amount: Paisa | None = None, method: PaymentMethod = PaymentMethod.KHALTI) -> Paid:
    """Return what the flow passes to ``confirm`` for a Cart that is paid in full, or with ``amount`` in paisa."""
    return Paid(method=method, amount=cart.total if amount is None else amount, transaction_id="T1", at=timezone.now())


@pytest.mark.django_db
class ShopContract:
    """What the flow relies on. Subclass it as ``Test…`` and define these fixtures::

    shop        your Shop
    cart        a Cart that redeems no points and that your own freeze has just made in the test's database
    sell_out    a function that sells to others all that is left of the Cart's products
    delete_order  a function that deletes the Cart's order in the database, past whatever refuses that
    """

    def test_a_cart_survives_serialisation(self, cart: Cart) -> None:
        assert Cart.from_json(json.loads(json.dumps(cart.to_json()))) == cart

    def test_each_line_of_a_cart_has_an_id_of_its_own(self, cart: Cart) -> None:
        """M13: by it a refund finds the line, whatever its SKU."""
        ids = [line.id for line in cart.lines]

        assert all(ids)
        assert len(set(ids)) == len(ids)

    def test_a_held_purchase_is_no_order_yet(self, shop: Shop, cart: Cart) -> None:
        assert cart.ref not in {order.ref for order in shop.placed_orders()}

    def test_confirm_turns_it_into_one_placed_order(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            number = shop.confirm(cart.ref, paid=paid_for(cart))

        order = shop.get_order(cart.ref)
        assert [each.number for each in shop.placed_orders()].count(number) == 1
        assert (order.number, order.member_id, order.placed) == (number, cart.member_id, True)
        assert (order.total, order.paid, order.refunded) == (cart.total, cart.total, 0)

    def test_confirming_twice_has_the_effect_of_once(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            number = shop.confirm(cart.ref, paid=paid_for(cart))
            before = shop.get_order(cart.ref), len(list(shop.placed_orders()))

        with transaction.atomic():
            again = shop.confirm(cart.ref, paid=paid_for(cart))

        assert again == number
        assert (shop.get_order(cart.ref), len(list(shop.placed_orders()))) == before

    def test_cash_that_arrives_after_the_order_is_recorded(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            number = shop.confirm(cart.ref, paid=paid_for(cart, amount=Paisa(0), method=PaymentMethod.COD))
        unpaid = shop.get_order(cart.ref)

        with transaction.atomic():
            again = shop.confirm(cart.ref, paid=paid_for(cart, method=PaymentMethod.COD))

        assert again == number
        assert (unpaid.placed, unpaid.paid, shop.get_order(cart.ref).paid) == (True, 0, cart.total)

    def test_cash_that_arrives_in_parts_is_recorded(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart, amount=Paisa(0), method=PaymentMethod.COD))

        paid = []
        for received in (Paisa(1), cart.total, Paisa(1), Paisa(1)):  # the third is a correction
            with transaction.atomic():
                shop.record_received(cart.ref, received=received)
            paid.append(shop.get_order(cart.ref).paid)

        assert paid == [1, cart.total, 1, 1]

    def test_an_order_that_was_cancelled_unpaid_is_placed_again_once_it_is_paid(self, shop: Shop, cart: Cart) -> None:
        lines = tuple((line.key, line.quantity) for line in cart.lines)
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart, amount=Paisa(0), method=PaymentMethod.BANK_TRANSFER))
            shop.refund(cart.ref, subtotal=Paisa(0), shipping=Paisa(0), lines=lines, key="cancel")
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart, method=PaymentMethod.BANK_TRANSFER))

        order = shop.get_order(cart.ref)
        assert (order.placed, order.paid, order.refunded) == (True, cart.total, 0)

    def test_an_order_that_was_cancelled_unpaid_is_not_placed_again_once_others_have_bought_the_rest(
        self, shop: Shop, cart: Cart, sell_out: Callable[[], None]
    ) -> None:
        lines = tuple((line.key, line.quantity) for line in cart.lines)
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart, amount=Paisa(0), method=PaymentMethod.BANK_TRANSFER))
            shop.refund(cart.ref, subtotal=Paisa(0), shipping=Paisa(0), lines=lines, key="cancel")
        sell_out()

        with pytest.raises(ShopCannot) as caught, transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart, method=PaymentMethod.BANK_TRANSFER))

        assert caught.value.reason == "sold_out"
        assert shop.get_order(cart.ref).paid == 0

    def test_an_unpaid_placed_order_reserves_its_stock_until_it_is_cancelled(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart, amount=Paisa(0), method=PaymentMethod.COD))
        before = list(shop.still_reserved([cart.ref, "no such order"]))

        with transaction.atomic():
            shop.refund(cart.ref, subtotal=Paisa(0), shipping=Paisa(0), lines=(), key="cancel")

        assert before == [cart.ref]
        assert list(shop.still_reserved([cart.ref])) == []

    def test_a_rollback_undoes_confirm(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
            transaction.set_rollback(True)

        assert cart.ref not in {order.ref for order in shop.placed_orders()}

    def test_no_mail_is_sent_before_the_commit(self, shop: Shop, cart: Cart) -> None:
        mailed = len(mail.outbox)

        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
            before = len(mail.outbox)

        assert before == mailed

    @pytest.mark.parametrize("release_reason", ReleaseReason)
    def test_a_released_purchase_is_no_order_however_often_it_is_released(
        self, shop: Shop, cart: Cart, release_reason: ReleaseReason
    ) -> None:
        for customer_present in (True, False):
            with transaction.atomic():
                shop.release(cart.ref, release_reason=release_reason, customer_present=customer_present)

        assert cart.ref not in {order.ref for order in shop.placed_orders()}

    def test_confirm_after_release_takes_the_stock_again(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.release(cart.ref, release_reason=ReleaseReason.EXPIRED, customer_present=False)

        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))

        assert shop.get_order(cart.ref).placed

    def test_confirm_after_release_fails_once_others_have_bought_the_rest(
        self, shop: Shop, cart: Cart, sell_out: Callable[[], None]
    ) -> None:
        with transaction.atomic():
            shop.release(cart.ref, release_reason=ReleaseReason.EXPIRED, customer_present=False)
        sell_out()

        with pytest.raises(ShopCannot) as caught, transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))

        assert caught.value.reason == "sold_out"
        assert cart.ref not in {order.ref for order in shop.placed_orders()}

    def test_a_refund_is_recorded_once_for_its_key(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
            for _call in range(2):
                shop.refund(cart.ref, subtotal=Paisa(1), shipping=Paisa(0), lines=(), key="refund:1")

        assert shop.get_order(cart.ref).refunded == 1

    def test_a_refund_that_was_not_made_is_taken_back_once(self, shop: Shop, cart: Cart) -> None:
        """M3"""
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
        with transaction.atomic():
            shop.refund(cart.ref, subtotal=Paisa(1), shipping=Paisa(0), lines=(), key="refund:1")
            shop.refund(cart.ref, subtotal=Paisa(2), shipping=Paisa(0), lines=(), key="refund:2")

        for _ in range(2):
            with transaction.atomic():
                shop.reverse_refund(cart.ref, key="refund:1")

        assert shop.get_order(cart.ref).refunded == 2

    def test_an_order_that_was_deleted_is_known_to_be_missing(
        self, shop: Shop, cart: Cart, delete_order: Callable[[], None]
    ) -> None:
        """R3"""
        before = list(shop.missing_orders([cart.ref, "no such order"]))
        delete_order()

        assert before == ["no such order"]
        assert list(shop.missing_orders([cart.ref])) == [cart.ref]
        with pytest.raises(LookupError):
            shop.get_order(cart.ref)

    def test_an_order_that_was_deleted_can_neither_be_placed_nor_paid(
        self, shop: Shop, cart: Cart, delete_order: Callable[[], None]
    ) -> None:
        """R3: the money is refunded then."""
        delete_order()

        with pytest.raises(ShopCannot) as placing, transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))
        with pytest.raises(ShopCannot) as paying, transaction.atomic():
            shop.record_received(cart.ref, received=cart.total)

        assert (placing.value.reason, paying.value.reason) == ("order_missing", "order_missing")

    def test_an_order_that_was_deleted_holds_nothing_up(
        self, shop: Shop, cart: Cart, delete_order: Callable[[], None]
    ) -> None:
        """R3: what it reserved is released, and its money can be refunded, however often."""
        lines = tuple((line.key, line.quantity) for line in cart.lines)
        delete_order()

        for _call in range(2):
            with transaction.atomic():
                shop.release(cart.ref, release_reason=ReleaseReason.CANCELLED_IN_SHOP, customer_present=True)
                shop.refund(cart.ref, subtotal=cart.subtotal, shipping=cart.shipping, lines=lines, key="refund:1")
                shop.reverse_refund(cart.ref, key="refund:1")

        assert cart.ref not in {order.ref for order in shop.placed_orders()}

    @pytest.mark.parametrize("outcome", Outcome)
    def test_the_customers_page_is_a_path_of_the_shop(self, shop: Shop, cart: Cart, outcome: Outcome) -> None:
        page = shop.customer_page(cart.ref, outcome, "a-token")

        assert page == "" or is_path(page)

    def test_the_staffs_page_is_a_path_of_the_shop(self, shop: Shop, cart: Cart) -> None:
        with transaction.atomic():
            shop.confirm(cart.ref, paid=paid_for(cart))

        for page in (shop.staff_page(cart.ref), shop.staff_page("")):
            assert page == "" or is_path(page)

    def test_the_back_office_is_below_paths_of_the_shop(self, shop: Shop) -> None:
        prefixes = shop.staff_url_prefixes()

        assert isinstance(prefixes, tuple)
        assert all(is_path(prefix) and prefix != "/" for prefix in prefixes)

    def test_categories_map_the_tags_of_lines_to_names(self, shop: Shop, cart: Cart) -> None:
        categories = shop.categories()

        assert {type(each) for pair in categories.items() for each in pair} <= {str}
        assert all(tag.startswith(f"{cart.shop}:") for tag in categories)
        assert {tag for line in cart.lines for tag in line.tags} <= set(categories)

    def test_checks_are_messages_of_django_with_an_id(self, shop: Shop) -> None:
        assert all(message.id for message in shop.check())


def is_path(page: str) -> bool:
    """Return whether a page is on the shop's own server: an absolute path without a host."""
    return page.startswith("/") and not page.startswith(("//", "/\\"))

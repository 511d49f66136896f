"""Products and delivery are refunded apart: money, points and the shop's order follow each part of its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.flow import audit
from loyalink_khalti.flow.refunds.order import parts_for
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.staff.refund_form import RefundRequest
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti

from .test_order import bought, moved, payment_state, points, refund_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def sound_in_the_end(shop: FakeShop) -> Iterator[None]:
    """After every test the audit finds nothing wrong."""
    yield
    report = audit()
    assert report["ok"], report["violations"]


@pytest.fixture
def rich(account: Account) -> Account:
    """The member, with 2,000 points."""
    ledger.adjust(site_key="default", member_id=str(account.member_id), points=1_000, key="more", reason="test")
    return account


@pytest.fixture
def purchase(shop: FakeShop, khalti: Khalti, rich: Account) -> Purchase:
    """D-25: products for Rs 100 and delivery for Rs 100, Rs 150 of it by 1,500 points, Rs 50 paid at Khalti."""
    return bought(
        shop, khalti, subtotal=10_000, shipping=10_000, member_id=rich.member_id, points_redeemed=Points(1_500)
    )


@pytest.fixture
def free_products(shop: FakeShop, khalti: Khalti, rich: Account) -> Purchase:
    """D-26: products for nothing and delivery for Rs 200, Rs 100 of it by 1,000 points, Rs 100 paid at Khalti."""
    return bought(shop, khalti, subtotal=0, shipping=20_000, member_id=rich.member_id, points_redeemed=Points(1_000))


def test_what_points_paid_of_delivery_stays_when_all_products_are_refunded(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, rich: Account
) -> None:
    """D-25, M4"""
    quote = flow.quote_refund(purchase, subtotal=Paisa(10_000), shipping=Paisa(0))

    products = refund_of(purchase, 10_000)
    after_products = points(rich), flow.points_value_restored(purchase), refunds.refundable(purchase).shipping
    delivery = refund_of(purchase, 0, 10_000)

    assert (quote.amount, quote.via_khalti, quote.points_restored) == (0, False, 1_000)
    assert [moved(products), moved(delivery)] == [("done", 0, 1_000, 0), ("done", 5_000, 500, 0)]
    assert after_products == ((1_500, 500), 10_000, 10_000)
    assert shop.refunded == [("order-1", 0, 0), ("order-1", 0, 5_000)]
    assert (khalti.refunded, payment_state(purchase)) == ([("T-pidx1", {})], ("refunded", 5_000))
    assert (points(rich), flow.points_value_restored(purchase)) == ((2_000, 0), 15_000)


def test_what_points_paid_of_products_stays_when_only_delivery_is_refunded(
    purchase: Purchase, shop: FakeShop, rich: Account
) -> None:
    """D-25 the other way, M4"""
    parts = [refund_of(purchase, 0, 10_000), refund_of(purchase, 10_000)]

    assert [moved(part) for part in parts] == [("done", 5_000, 500, 0), ("done", 0, 1_000, 0)]
    assert points(rich) == (2_000, 0)


def test_a_rupee_of_delivery_returns_five_points_where_products_were_free(
    free_products: Purchase, khalti: Khalti, rich: Account
) -> None:
    """D-26, M4"""
    parts = [refund_of(free_products, 0, 100), refund_of(free_products, 0, 19_900)]

    assert [moved(part) for part in parts] == [("done", 50, 5, 0), ("done", 9_950, 995, 0)]
    assert [body for _id, body in khalti.refunded] == [{"amount": 50}, {"amount": 9_950}]
    assert points(rich) == (2_000, 0)


def test_both_parts_in_one_refund_return_what_each_alone_would(purchase: Purchase, rich: Account) -> None:
    """M4"""
    assert moved(refund_of(purchase, 5_000, 2_500)) == ("done", 1_250, 500 + 125, 0)
    assert moved(refund_of(purchase, 5_000, 7_500)) == ("done", 3_750, 500 + 375, 0)
    assert points(rich) == (2_000, 0)


def test_any_split_of_both_parts_sums_to_the_whole(
    shop: FakeShop, khalti: Khalti, rich: Account
) -> None:  # fmt: skip
    """M4: amounts that do not divide, and delivery that earns."""
    ledger.set_rules("default", Rules(earn_on_shipping=True, increment=Points(1)))
    purchase = bought(
        shop, khalti, subtotal=9_997, shipping=12_345, member_id=rich.member_id, points_redeemed=Points(1_234)
    )
    parts = [(3_333, 1), (0, 4_114), (3_333, 4_115), (1, 0), (3_330, 4_115)]

    done = [moved(refund_of(purchase, *part)) for part in parts]

    assert [sum(column) for column in list(zip(*done, strict=True))[1:]] == [  # type: ignore[arg-type]
        purchase.amount_due, 1_234, purchase.earned,
    ]  # fmt: skip
    assert purchase.earned == 10  # of Rs 100.02 left of the delivery
    assert (payment_state(purchase)[0], points(rich)) == ("refunded", (2_000, 0))


@pytest.mark.parametrize(
    ("subtotal", "shipping", "words"),
    [
        (1, 0, "Only Rs 0.00 of the products"),
        (0, 20_001, "Only Rs 200.00 of the delivery"),
        (0, -1, "cannot be negative"),
        (-1, 1, "cannot be negative"),
        (0, 0, "Enter how much"),
    ],
)
def test_a_part_without_a_price_or_beyond_it_is_refused(
    free_products: Purchase, khalti: Khalti, subtotal: int, shipping: int, words: str
) -> None:
    """M4"""
    with pytest.raises(CannotRefund, match=words):
        refund_of(free_products, subtotal, shipping)

    assert (khalti.refunded, Refund.objects.count()) == ([], 0)


def test_a_paisa_of_free_delivery_is_refused(shop: FakeShop, khalti: Khalti) -> None:
    """M4"""
    with pytest.raises(CannotRefund, match=r"Only Rs 0\.00 of the delivery"):
        refund_of(bought(shop, khalti), 0, 1)


def test_the_same_key_with_another_delivery_is_refused(purchase: Purchase) -> None:
    """M4"""
    refund_of(purchase, 0, 100, key="one")

    assert refund_of(purchase, 0, 100, key="one").state == "done"
    with pytest.raises(CannotRefund, match="other amounts"):
        refund_of(purchase, 0, 50, key="one")  # as much as the money that went back


def test_money_that_khalti_has_no_more_bounds_both_parts(purchase: Purchase, khalti: Khalti, rich: Account) -> None:
    """M4: staff accepted Rs 45.01 where Rs 50 was due; what is left of it goes back, and all points."""
    Payment.objects.update(captured=4_501)
    khalti.pay("pidx1", total_amount=4_501)
    Flag.objects.create(
        payment=Payment.objects.get(), reason="amount_mismatch", resolution="accept", actor="1",
        resolved_at=Payment.objects.get().paid_at,
    )  # fmt: skip

    parts = [refund_of(purchase, 0, 9_000), refund_of(purchase, 10_000, 1_000)]

    assert [moved(part)[1:3] for part in parts] == [(4_500, 450), (1, 1_050)]
    assert [refund.shipping for refund in Refund.objects.order_by("pk")] == [4_500, 1]
    assert (payment_state(purchase), points(rich)) == (("refunded", 4_501), (2_000, 0))


# Without Khalti


@pytest.mark.parametrize("method", [PaymentMethod.COD, PaymentMethod.BANK_TRANSFER])
def test_received_cash_goes_back_with_its_own_part(method: PaymentMethod, shop: FakeShop, rich: Account) -> None:
    """D-25, M4"""
    cart = shop.cart(
        subtotal=10_000, shipping=10_000, member_id=rich.member_id, points_redeemed=Points(1_500)
    )  # fmt: skip
    purchase = flow.place_order(shop.freeze(cart), method=method)
    flow.mark_received(purchase, actor="1")
    purchase.refresh_from_db()

    parts = [refund_of(purchase, 10_000), refund_of(purchase, 0, 10_000)]

    assert [moved(part)[1:3] for part in parts] == [(0, 1_000), (5_000, 500)]
    assert shop.refunded == [("order-1", 0, 0), ("order-1", 0, 5_000)]


def test_an_unpaid_order_is_cancelled_with_its_delivery(shop: FakeShop, rich: Account) -> None:
    """M4: all points come back, whatever part they paid, and a second click finds the same refund."""
    cart = shop.cart(
        subtotal=10_000, shipping=10_000, member_id=rich.member_id, points_redeemed=Points(1_500)
    )  # fmt: skip
    purchase = flow.place_order(shop.freeze(cart), method=PaymentMethod.COD)

    cancelled = [refund_of(purchase, 10_000, key="cancel") for _click in range(2)]

    assert [moved(refund) for refund in cancelled] == [("done", 0, 1_500, 0)] * 2
    left = refunds.refundable(purchase)
    assert (left.subtotal, left.shipping, Refund.objects.count()) == (0, 0, 1)
    assert points(rich) == (2_000, 0)


def test_an_unpaid_order_is_cancelled_by_all_that_is_left(shop: FakeShop, rich: Account) -> None:
    """M4: as the shop's dashboard does it."""
    cart = shop.cart(
        subtotal=0, shipping=20_000, member_id=rich.member_id, points_redeemed=Points(1_000)
    )  # fmt: skip
    purchase = flow.place_order(shop.freeze(cart), method=PaymentMethod.COD)

    refund = RefundRequest.all_of(purchase).refund(purchase, key="cancel", actor="1")

    assert (moved(refund), points(rich)) == (("done", 0, 1_000, 0), (2_000, 0))


def test_points_that_paid_everything_stay_with_the_part_that_is_kept(shop: FakeShop, rich: Account) -> None:
    """M4"""
    cart = shop.cart(
        subtotal=10_000, shipping=10_000, member_id=rich.member_id, points_redeemed=Points(2_000)
    )  # fmt: skip
    purchase = flow.place_order(shop.freeze(cart), method=PaymentMethod.POINTS)

    assert moved(refund_of(purchase, 10_000)) == ("done", 0, 1_000, 0)
    assert refunds.refundable(purchase).shipping == 10_000
    assert moved(refund_of(purchase, 0, 2_500)) == ("done", 0, 250, 0)
    assert points(rich) == (1_250, 750)


# Earned points


def test_what_delivery_earned_is_reversed_with_the_delivery(shop: FakeShop, khalti: Khalti, rich: Account) -> None:
    """M4"""
    ledger.set_rules("default", Rules(earn_on_shipping=True))
    purchase = bought(shop, khalti, subtotal=10_000, shipping=5_000, member_id=rich.member_id)

    parts = [refund_of(purchase, 10_000), refund_of(purchase, 0, 2_500), refund_of(purchase, 0, 2_500)]

    assert purchase.earned == 15
    assert [moved(part)[3] for part in parts] == [10, 3, 2]


# Refunds made in Khalti's dashboard


def partly_refunded_outside(khalti: Khalti, purchase: Purchase) -> Flag:
    payment = Payment.objects.get(purchase=purchase)
    khalti.says(payment.pidx, "Partially Refunded", refunded=True, transaction_id=f"T-{payment.pidx}")
    for _result in flow.reconcile():
        pass
    return Flag.objects.select_related("payment__purchase").get(resolved_at=None)


def record(flag: Flag, amount: int, shipping: int = 0) -> tuple[int, int, int, int, int]:
    """Record a refund; return products and delivery before points, money for delivery, all money, and points."""
    flow.resolve_flag(
        flag, flow.Resolution.RECORD_REFUND, actor="1", reason="as the dashboard shows", amount=Paisa(amount),
        shipping=Paisa(shipping),
    )  # fmt: skip
    refund = Refund.objects.latest("pk")
    return refund.subtotal, refund.shipping_price, refund.shipping, refund.amount, refund.points_restored


@pytest.mark.parametrize("shipping", [2_500, 0], ids=["named as delivery", "an amount only"])
def test_money_refunded_outside_stands_for_the_part_that_it_paid(
    purchase: Purchase, khalti: Khalti, rich: Account, shipping: int
) -> None:
    """M4: points paid the products, so Rs 25 are half of the money for delivery."""
    flag = partly_refunded_outside(khalti, purchase)

    assert record(flag, 2_500, shipping) == (0, 5_000, 2_500, 2_500, 250)
    assert moved(refund_of(purchase, 10_000, 5_000)) == ("done", 2_500, 1_250, 0)
    assert points(rich) == (2_000, 0)


def test_an_amount_refunded_outside_is_for_products_first(shop: FakeShop, khalti: Khalti, rich: Account) -> None:
    """M4: Rs 50 of products and Rs 100 of delivery were paid with money, Rs 120 went back."""
    purchase = bought(
        shop, khalti, subtotal=10_000, shipping=10_000, member_id=rich.member_id, points_redeemed=Points(500)
    )
    flag = partly_refunded_outside(khalti, purchase)

    assert record(flag, 12_000) == (10_000, 7_000, 7_000, 12_000, 500)
    assert moved(refund_of(purchase, 0, 3_000))[1:] == (3_000, 0, 0)


def test_more_for_delivery_than_its_money_cannot_be_recorded(shop: FakeShop, khalti: Khalti, rich: Account) -> None:
    """M4: Rs 100 of delivery, half of it paid by points, and Rs 50 were paid with money."""
    purchase = bought(
        shop, khalti, subtotal=10_000, shipping=10_000, member_id=rich.member_id, points_redeemed=Points(500)
    )
    flag = partly_refunded_outside(khalti, purchase)

    with pytest.raises(CannotRefund, match="left to refund of the delivery"):
        record(flag, 12_000, 10_001)

    assert Refund.objects.count() == 0
    assert record(flag, 12_000, 10_000)[:2] == (4_000, 10_000)


def test_all_money_of_a_part_stands_for_all_of_it(purchase: Purchase) -> None:
    """M4: and what is more than was paid for the order stands for nothing."""
    everything = parts_for(purchase, Paisa(5_000))
    beyond = parts_for(purchase, Paisa(9_999))

    assert (everything.subtotal, everything.shipping, everything.shipping_amount) == (0, 10_000, 5_000)
    assert beyond == everything


def test_a_full_refund_outside_returns_all_points_of_both_parts(
    purchase: Purchase, khalti: Khalti, shop: FakeShop, rich: Account
) -> None:
    """M4, F06"""
    refund_of(purchase, 0, 2_000)
    khalti.says("pidx1", "Refunded", refunded=True, transaction_id="T-pidx1")

    for _result in flow.reconcile():
        pass

    outside = Refund.objects.latest("pk")
    assert (outside.subtotal, outside.shipping_price, outside.shipping, outside.amount) == (
        10_000,
        8_000,
        4_000,
        4_000,
    )
    assert (points(rich), shop.refunded[-1]) == ((2_000, 0), ("order-1", 0, 4_000))


# The audit


@pytest.mark.parametrize(
    ("change", "invariants"),
    [
        ({"shipping": 5_001, "amount": 5_001}, {"I7", "L11"}),
        ({"shipping_before_points": 10_001}, {"I7"}),
        ({"shipping_before_points": 9_999}, {"I7"}),
        ({"points_restored": 499}, {"L9"}),
    ],
)
def test_the_audit_finds_a_disagreement_about_delivery(
    purchase: Purchase, change: dict[str, Any], invariants: set[str]
) -> None:
    """M4"""
    refund = refund_of(purchase, 0, 10_000)
    sound = {name: getattr(refund, name) for name in change}
    Refund.objects.update(**change)

    found = {str(violation["invariant"]) for violation in audit()["violations"]}
    Refund.objects.update(**sound)

    assert found == invariants

"""Refund an order, in full or in part: Khalti is called once, and the parts sum to the whole."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, InsideTransaction, LoyalinkError, ShopCannot
from loyalink_khalti.flow import audit
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.ports import Line, PaymentMethod
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

REFUSED = (400, {}, '{"detail": "Refund is not allowed for this transaction."}')


def bought(shop: FakeShop, khalti: Khalti | Simulator, **changes: Any) -> Purchase:
    """A purchase, paid at Khalti."""
    payment = flow.begin_payment(shop.freeze(shop.cart(**changes)))
    khalti.pay(payment.pidx or "")
    flow.verify_payment(payment)
    return Purchase.objects.get(pk=payment.purchase_id, state="placed")


def refund_of(purchase: Purchase, subtotal: int, shipping: int = 0, *, key: str = "", **more: Any) -> Refund:
    key = key or f"refund {Refund.objects.count()}"
    return flow.refund_order(purchase, subtotal=Paisa(subtotal), shipping=Paisa(shipping), key=key, actor="1", **more)


def moved(refund: Refund) -> tuple[str, int, int, int]:
    """State, money in paisa, points restored, points clawed back."""
    return refund.state, refund.amount, refund.points_restored, refund.points_clawed_back


def points(account: Account) -> tuple[int, int]:
    """Available, redeemed in all."""
    account.refresh_from_db()
    return account.available, account.lifetime_redeemed


def payment_state(purchase: Purchase) -> tuple[str, int]:
    payment = Payment.objects.get(purchase=purchase)
    return payment.state, payment.refunded


def flags() -> list[str]:
    return list(Flag.objects.filter(resolved_at=None).order_by("pk").values_list("reason", flat=True))


@pytest.fixture(autouse=True)
def sound_in_the_end(shop: FakeShop) -> Iterator[None]:
    """After every test the audit finds nothing wrong."""
    yield
    report = audit()
    assert report["ok"], report["violations"]


@pytest.fixture
def purchase(shop: FakeShop, khalti: Khalti, account: Account) -> Purchase:
    """Products for Rs 2,500 and delivery for Rs 150, Rs 50 of it by 500 points, paid with Khalti; it earned 245."""
    shop.stock(pen=3)
    return bought(shop, khalti, shipping=15_000, member_id=account.member_id, points_redeemed=Points(500))


def test_a_full_refund_returns_all_money_and_points_and_reverses_what_was_earned(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """F08"""
    assert points(account) == (745, 500)

    refund = refund_of(purchase, 250_000, 15_000, lines=[("pen", 1)])

    assert moved(refund) == ("done", 260_000, 500, 245)
    assert khalti.refunded == [("T-pidx1", {})]  # the whole: no amount is named
    assert payment_state(purchase) == ("refunded", 260_000)
    assert shop.refunded == [("order-1", 245_000, 15_000)]
    assert (shop.get_order("order-1").refunded, shop.left("pen")) == (260_000, 3)
    assert points(account) == (1000, 0)
    assert flags() == []


def test_three_partial_refunds_sum_to_the_whole_in_money_and_points(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """D-8, through Khalti: Rs 2,000 = 500 points and Rs 1,500; 15 earned; products for 800, 700, 500 are refunded."""
    ledger.set_rules(
        "default", Rules(points=Points(1), per=Paisa(10_000), redeem_points=Points(1), redeem_value=Paisa(100))
    )
    purchase = bought(shop, khalti, subtotal=200_000, member_id=account.member_id, points_redeemed=Points(500))
    assert (purchase.amount_due, purchase.earned, points(account)) == (150_000, 15, (515, 500))

    parts = [refund_of(purchase, subtotal) for subtotal in (80_000, 70_000, 50_000)]

    assert [moved(part) for part in parts] == [
        ("done", 60_000, 200, 6),
        ("done", 52_500, 175, 5),
        ("done", 37_500, 125, 4),
    ]
    assert [body for _, body in khalti.refunded] == [{"amount": 60_000}, {"amount": 52_500}, {"amount": 37_500}]
    assert (payment_state(purchase), shop.get_order("order-1").refunded) == (("refunded", 150_000), 150_000)
    assert points(account) == (1000, 0)


def test_three_thirds_that_do_not_divide_sum_exactly(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """F07."""
    parts = [refund_of(purchase, subtotal) for subtotal in (83_333, 83_333, 83_334)]

    assert [moved(part) for part in parts] == [
        ("done", 81_666, 167, 82),
        ("done", 81_667, 166, 81),
        ("done", 81_667, 167, 82),
    ]
    assert (payment_state(purchase), points(account)) == (("partially_refunded", 245_000), (1000, 0))

    last = refund_of(purchase, 0, 15_000)

    assert moved(last) == ("done", 15_000, 0, 0)
    assert payment_state(purchase) == ("refunded", 260_000)


def test_the_rules_of_the_day_of_purchase_apply(purchase: Purchase, account: Account) -> None:
    ledger.set_rules("default", Rules(points=Points(50), redeem_value=Paisa(1)))

    assert moved(refund_of(purchase, 125_000)) == ("done", 122_500, 250, 123)


def test_the_quote_shows_what_the_refund_then_does(purchase: Purchase, khalti: Khalti) -> None:
    for subtotal, shipping in ((83_333, 5_000), (83_333, 0), (83_334, 10_000)):
        before = Refund.objects.count()
        quote = flow.quote_refund(purchase, subtotal=Paisa(subtotal), shipping=Paisa(shipping))
        assert (Refund.objects.count(), len(khalti.refunded)) == (before, before)

        refund = refund_of(purchase, subtotal, shipping)

        assert ("done", quote.amount, quote.points_restored, quote.points_clawed_back) == moved(refund)
        assert quote.via_khalti


@pytest.mark.parametrize(
    ("subtotal", "shipping", "words"),
    [
        (250_001, 0, "Rs 2,500.00 of the products is left"),
        (0, 15_001, "Rs 150.00 of the delivery is left"),
        (0, 0, "Enter how much"),
        (-1, 10, "cannot be negative"),
    ],
)
def test_more_than_is_left_is_refused_and_nothing_is_sent(
    purchase: Purchase, khalti: Khalti, subtotal: int, shipping: int, words: str
) -> None:
    with pytest.raises(CannotRefund, match=words):
        refund_of(purchase, subtotal, shipping)

    assert (khalti.refunded, Refund.objects.count()) == ([], 0)


def test_a_line_is_refunded_once(purchase: Purchase, khalti: Khalti, shop: FakeShop) -> None:
    refund_of(purchase, 100_000, lines=[("pen", 1)])

    with pytest.raises(CannotRefund, match="Only 0 of pen"):
        refund_of(purchase, 100_000, lines=[("pen", 1)])

    assert (shop.left("pen"), len(khalti.refunded)) == (3, 1)


def test_products_that_are_not_restocked_do_not_return_to_stock(purchase: Purchase, shop: FakeShop) -> None:
    refund = refund_of(purchase, 250_000, lines=[("pen", 1)], restock=False)

    assert (refund.state, shop.left("pen")) == ("done", 2)


def test_parts_of_a_line_that_does_not_divide_cost_the_whole_line(shop: FakeShop, khalti: Khalti) -> None:
    lines = (
        Line(sku="pen", title="Pen", quantity=3, unit=Paisa(3_333), total=Paisa(10_000)),
        Line(sku="ink", title="Ink", quantity=1, unit=Paisa(5_000), total=Paisa(5_000)),
    )
    purchase = bought(shop, khalti, subtotal=15_000, lines=lines)
    costs = []
    for sku in ("pen", "ink", "pen", "pen"):
        cost = refunds.subtotal_of(purchase, refunds.count_lines([[sku, 1]]))
        costs.append(refund_of(purchase, cost, lines=[(sku, 1)]).amount)

    assert costs == [3_333, 5_000, 3_334, 3_333]
    assert payment_state(purchase) == ("refunded", 15_000)


def test_without_lines_no_products_are_refunded(purchase: Purchase) -> None:
    lines = list(refunds.refundable(purchase).lines.items())
    refund_of(purchase, 100_000, lines=lines)  # worn: for less than their price

    assert refunds.refundable(purchase).subtotal == 150_000
    assert refunds.subtotal_of(purchase, refunds.count_lines([])) == 0


def test_twenty_clicks_are_one_refund_and_one_call(shop: FakeShop, simulator: Simulator, account: Account) -> None:
    """F01."""
    purchase = bought(shop, simulator, member_id=account.member_id, points_redeemed=Points(500))

    clicks = at_once(20, lambda _: refund_of(purchase, 250_000, key="one click"))

    assert all(isinstance(click, Refund) for click in clicks), clicks
    assert simulator.count("refund") == 1
    assert Refund.objects.get().state == "done"
    assert simulator.payments()[0].refunded == 245_000
    assert (shop.refunded, points(account)) == ([("order-1", 245_000, 0)], (1000, 0))


def test_parts_that_exceed_the_whole_at_once_are_not_all_sent(shop: FakeShop, simulator: Simulator) -> None:
    """F02, I7: each of ten wants 30 % under a key of its own."""
    purchase = bought(shop, simulator)

    at_once(10, lambda index: refund_of(purchase, 75_000, key=f"click {index}"))
    for index in range(10, 20):
        try:
            refund_of(purchase, 75_000, key=f"click {index}")
        except CannotRefund:
            break

    assert simulator.count("refund") == 3
    assert payment_state(purchase) == ("partially_refunded", 225_000)
    assert simulator.payments()[0].refunded == 225_000


def test_a_refund_interrupted_before_it_was_sent_is_sent_once_by_the_next_click(
    shop: FakeShop, simulator: Simulator
) -> None:
    purchase = bought(shop, simulator)
    fields = {"subtotal": 250_000, "shipping": 0, "amount": 250_000}
    Refund.objects.create(purchase=purchase, payment=payment_of(purchase), key="one click", **fields)

    at_once(10, lambda _: refund_of(purchase, 250_000, key="one click"))

    assert not refunds.mark_sent(Refund.objects.get())  # any later click
    assert (simulator.count("refund"), Refund.objects.get().state) == (1, "done")


def test_what_khaltis_dashboard_has_refunded_is_not_refunded_twice(purchase: Purchase, khalti: Khalti) -> None:
    Payment.objects.update(state="partially_refunded", refunded=100_000)
    Flag.objects.create(payment=payment_of(purchase), reason="refunded_at_khalti")
    khalti.refund("T-pidx1", 100_000)

    with pytest.raises(CannotRefund, match=r"Khalti has already refunded Rs 1,000\.00"):
        refund_of(purchase, 250_000)

    assert khalti.refunded == []
    assert refund_of(purchase, 100_000).state == "done"
    assert khalti.refunded == [("T-pidx1", {"amount": 98_000})]


def test_the_same_key_with_other_amounts_is_refused(purchase: Purchase, khalti: Khalti) -> None:
    refund_of(purchase, 10_000, key="one")

    with pytest.raises(CannotRefund, match="other amounts"):
        refund_of(purchase, 20_000, key="one")

    assert len(khalti.refunded) == 1


def test_a_refund_that_khalti_refuses_moves_nothing_and_can_be_repeated(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    khalti.next_refund.append(REFUSED)

    refund = refund_of(purchase, 250_000)

    assert (refund.state, refund.khalti_message) == ("refused", "Refund is not allowed for this transaction.")
    assert (payment_state(purchase), shop.refunded, points(account), flags()) == (("fulfilled", 0), [], (745, 500), [])
    assert refund_of(purchase, 250_000).state == "done"


@pytest.mark.parametrize(
    "silence", [requests.ConnectTimeout(), requests.ReadTimeout(), (503, {}, "<html>"), (200, {}, "{}"), (302, {}, "")]
)
def test_without_an_answer_it_is_unknown_and_flagged_and_never_sent_again(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account, silence: Any
) -> None:
    """F03."""
    khalti.next_refund.append(silence)

    refund = refund_of(purchase, 100_000, key="one")

    assert refund.state == "unknown"
    assert (payment_state(purchase), shop.refunded, points(account)) == (("fulfilled", 0), [], (745, 500))
    assert flags() == ["refund_unknown"]
    assert refund_of(purchase, 100_000, key="one").state == "unknown"
    with pytest.raises(CannotRefund, match="not finished"):
        refund_of(purchase, 100_000, key="two")
    assert len(khalti.refunded) == 1


def test_while_one_refund_is_being_sent_no_other_is(purchase: Purchase, khalti: Khalti) -> None:
    refusals: list[str] = []

    def another() -> None:
        with pytest.raises(CannotRefund) as caught:
            refund_of(purchase, 10_000, key="two")
        refusals.append(str(caught.value))

    khalti.while_refunding = lambda: at_once(1, lambda _: another())

    refund_of(purchase, 10_000, key="one")

    assert refusals == ["Another refund of this order is not finished yet."]
    assert len(khalti.refunded) == 1


class Killed(BaseException):
    """The process died."""


def test_killed_during_the_call_it_becomes_unknown_and_is_not_sent_again(purchase: Purchase, khalti: Khalti) -> None:
    """B06."""

    def kill() -> None:
        raise Killed

    khalti.while_refunding = kill
    with pytest.raises(Killed):
        refund_of(purchase, 250_000, 15_000, key="one")
    khalti.while_refunding = lambda: None
    assert Refund.objects.get().state == "sent"

    assert refund_of(purchase, 250_000, 15_000, key="one").state == "sent"
    with pytest.raises(CannotRefund):
        refund_of(purchase, 250_000, 15_000, key="two")
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert refund_of(purchase, 250_000, 15_000, key="one").state == "unknown"

    assert (len(khalti.refunded), flags()) == (1, ["refund_unknown"])


def test_an_abandoned_unsent_refund_blocks_no_other(purchase: Purchase, khalti: Khalti) -> None:
    Refund.objects.create(
        purchase=purchase, key="left behind", subtotal=1, shipping=0, amount=1, payment=payment_of(purchase)
    )
    with pytest.raises(CannotRefund):
        refund_of(purchase, 250_000)

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert refund_of(purchase, 250_000).state == "done"

    assert Refund.objects.get(key="left behind").state == "refused"
    assert len(khalti.refunded) == 1


def test_a_refund_sent_at_the_same_moment_is_not_recorded_as_never_sent(purchase: Purchase) -> None:
    fields = {"subtotal": 250_000, "shipping": 0, "amount": 245_000, "payment": payment_of(purchase)}
    refund = Refund.objects.create(purchase=purchase, key="slow", **fields)
    sent: list[bool] = []

    def sent_first(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not sent:
            sent.append(True)
            sent.append(refunds.mark_sent(refund))
        return execute(sql, *rest)

    with connection.execute_wrapper(sent_first):
        refunds.end_abandoned(purchase, Q(requested_at__lte=timezone.now()))

    assert sent == [True, True]
    assert Refund.objects.get().state == "sent"


def payment_of(purchase: Purchase) -> Payment:
    return Payment.objects.get(purchase=purchase)


@pytest.mark.parametrize("fault", [ShopCannot("host_failed", "no such order"), RuntimeError("a bug")])
def test_if_the_shop_fails_after_khalti_refunded_the_refund_stays_recorded_and_a_flag_is_raised(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account, fault: Exception
) -> None:
    shop.fail("refund", fault)

    refund = refund_of(purchase, 250_000, 15_000, key="one")

    assert (refund.state, refund.applied_at) == ("done", None)
    assert (payment_state(purchase), shop.refunded) == (("refunded", 260_000), [])
    assert points(account) == (745, 500)
    assert flags() == ["host_failed"]

    for _again in range(2):
        flow.apply_refund(refund)

    assert (shop.refunded, points(account), flags()) == ([("order-1", 245_000, 15_000)], (1000, 0), [])
    assert len(khalti.refunded) == 1


def test_no_other_refund_before_the_first_is_applied_to_the_shop(purchase: Purchase, shop: FakeShop) -> None:
    shop.fail("refund", ShopCannot("host_failed"))
    first = refund_of(purchase, 100_000)

    with pytest.raises(CannotRefund, match="not recorded in the shop yet"):
        refund_of(purchase, 100_000)

    flow.apply_refund(first)
    assert moved(refund_of(purchase, 150_000)) == ("done", 147_000, 300, 147)


def test_after_a_database_failure_the_refund_is_recorded_all_the_same(
    purchase: Purchase, shop: FakeShop, khalti: Khalti
) -> None:
    shop.fail("refund", OperationalError("the connection is lost"))

    assert refund_of(purchase, 250_000).state == "done"
    assert (len(khalti.refunded), shop.refunded, flags()) == (1, [("order-1", 245_000, 0)], [])


def test_reversed_points_that_were_redeemed_meanwhile_are_owed(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """F05."""
    purchase = bought(shop, khalti, member_id=account.member_id)
    flow.place_order(
        shop.freeze(shop.cart("other", member_id=account.member_id, points_redeemed=Points(1200))),
        method=PaymentMethod.COD,
    )

    refund_of(purchase, 250_000)

    account.refresh_from_db()
    assert (account.available, account.owed) == (0, 200)


def test_a_guest_is_refunded_money_and_no_points(shop: FakeShop, khalti: Khalti) -> None:
    purchase = bought(shop, khalti)

    assert moved(refund_of(purchase, 100_000)) == ("done", 100_000, 0, 0)
    assert not Account.objects.exists()


def test_points_that_paid_everything_are_returned_without_khalti(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """F08."""
    cart = shop.cart(subtotal=9_000, shipping=1_000, member_id=account.member_id, points_redeemed=Points(1000))
    purchase = flow.place_order(shop.freeze(cart), method=PaymentMethod.POINTS)

    parts = [refund_of(purchase, 4_500), refund_of(purchase, 4_500), refund_of(purchase, 0, 1_000)]

    assert [moved(part) for part in parts] == [("done", 0, 450, 0), ("done", 0, 450, 0), ("done", 0, 100, 0)]
    assert (points(account), khalti.refunded) == ((1000, 0), [])
    with pytest.raises(CannotRefund):
        refund_of(purchase, 0)


def test_an_order_that_cost_nothing_is_refunded_once(shop: FakeShop, account: Account) -> None:
    shop.stock(pen=1)
    purchase = flow.place_order(
        shop.freeze(shop.cart(subtotal=0, member_id=account.member_id)), method=PaymentMethod.POINTS
    )

    refund = refund_of(purchase, 0, lines=[("pen", 1)])

    assert (moved(refund), shop.left("pen")) == (("done", 0, 0, 0), 1)
    with pytest.raises(CannotRefund):
        refund_of(purchase, 0)


@pytest.mark.parametrize("method", [PaymentMethod.COD, PaymentMethod.BANK_TRANSFER])
def test_received_cash_is_refunded_by_hand_with_its_points(
    method: PaymentMethod, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    cart = shop.cart(shipping=15_000, member_id=account.member_id, points_redeemed=Points(500))
    purchase = flow.place_order(shop.freeze(cart), method=method)
    flow.mark_received(purchase, actor="1")
    purchase.refresh_from_db()

    assert not flow.quote_refund(purchase, subtotal=Paisa(125_000), shipping=Paisa(0)).via_khalti
    parts = [refund_of(purchase, 125_000), refund_of(purchase, 125_000, 15_000)]

    assert [moved(part) for part in parts] == [("done", 122_500, 250, 123), ("done", 137_500, 250, 122)]
    assert (points(account), khalti.refunded, shop.get_order("order-1").refunded) == ((1000, 0), [], 260_000)


def test_an_unpaid_order_is_cancelled_as_a_whole_and_receives_no_cash_later(shop: FakeShop, account: Account) -> None:
    shop.stock(pen=1)
    cart = shop.cart(shipping=15_000, member_id=account.member_id, points_redeemed=Points(500))
    purchase = flow.place_order(shop.freeze(cart), method=PaymentMethod.COD)
    with pytest.raises(CannotRefund, match="as a whole"):
        refund_of(purchase, 125_000)

    refund = refund_of(purchase, 250_000, lines=[("pen", 1)])

    assert moved(refund) == ("done", 0, 500, 0)
    assert (points(account), shop.left("pen")) == ((1000, 0), 1)
    with pytest.raises(LoyalinkError):
        flow.mark_received(purchase, actor="1")
    assert points(account) == (1000, 0)


def test_received_and_cancelled_at_once_is_one_of_the_two(shop: FakeShop, account: Account) -> None:
    """F04"""
    purchase = flow.place_order(shop.freeze(shop.cart(member_id=account.member_id)), method=PaymentMethod.COD)

    at_once(
        8,
        lambda index: (
            flow.mark_received(purchase, actor="1") if index % 2 else refund_of(purchase, 250_000, key="cancel")
        ),
    )

    purchase.refresh_from_db()
    refund = Refund.objects.filter(state="done").first()
    if purchase.received_at is None:
        assert refund is not None
        assert points(account) == (1000, 0)
    else:  # the money came first: what followed, if anything, was a refund of it
        assert points(account) == ((1000, 0) if refund else (1250, 0))
        assert refund is None or refund.amount == 250_000


def test_if_the_shop_cannot_record_a_refund_without_khalti_nothing_happens(shop: FakeShop, account: Account) -> None:
    purchase = flow.place_order(
        shop.freeze(shop.cart(member_id=account.member_id, points_redeemed=Points(500))), method=PaymentMethod.COD
    )
    shop.fail("refund", ShopCannot("host_failed", "no such order"))

    with pytest.raises(CannotRefund, match="no such order"):
        refund_of(purchase, 250_000)

    assert (Refund.objects.count(), points(account), shop.refunded) == (0, (500, 500), [])
    assert refund_of(purchase, 250_000).state == "done"


def test_an_order_that_is_not_placed_cannot_be_refunded(shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))

    with pytest.raises(CannotRefund, match="not been placed"):
        refund_of(payment.purchase, 250_000)


def test_a_bank_payment_is_refunded_to_the_given_khalti_number(purchase: Purchase, khalti: Khalti) -> None:
    khalti.next_refund.append((400, {}, '{"mobile": ["This field is required."]}'))
    refund_of(purchase, 250_000, 15_000)
    refund_of(purchase, 250_000, 15_000, mobile="9800000002")

    assert khalti.refunded == [("T-pidx1", {}), ("T-pidx1", {"mobile": "9800000002"})]


def test_a_refund_commits_by_itself(purchase: Purchase) -> None:
    with pytest.raises(InsideTransaction), transaction.atomic():
        refund_of(purchase, 1)


def test_without_a_secret_key_a_refund_is_refused_before_anything_is_sent(
    purchase: Purchase, khalti: Khalti, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    refund = refund_of(purchase, 250_000)

    assert (refund.state, khalti.refunded, flags()) == ("refused", [], [])

"""Undo: a purchase is given back, wholly or in parts; Khalti is asked once, and the parts sum to the whole."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, InsideTransaction, LoyalinkError, ShopCannot
from loyalink_khalti.flow.audit import audit
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.rules import Rules
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.ports import Line, Method
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

REFUSED = (400, {}, '{"detail": "Refund is not allowed for this transaction."}')


def bought(shop: FakeShop, khalti: Khalti | Simulator, **changes: Any) -> Purchase:
    """A purchase, paid at Khalti."""
    payment = flow.begin(shop.freeze(shop.cart(**changes)))
    khalti.pay(payment.pidx or "")
    flow.finish(payment)
    return Purchase.objects.get(pk=payment.purchase_id, state="placed")


def give_back(purchase: Purchase, goods: int, shipping: int = 0, *, key: str = "", **more: Any) -> Refund:
    key = key or f"refund {Refund.objects.count()}"
    return flow.undo(purchase, goods=Paisa(goods), shipping=Paisa(shipping), key=key, by="1", **more)


def moved(refund: Refund) -> tuple[str, int, int, int]:
    """State, cash in paisa, points back, points taken."""
    return refund.state, refund.cash, refund.restored, refund.clawed


def points(account: Account) -> tuple[int, int]:
    """Available, redeemed in all."""
    account.refresh_from_db()
    return account.available, account.lifetime_redeemed


def stands(purchase: Purchase) -> tuple[str, int]:
    payment = Payment.objects.get(purchase=purchase)
    return payment.state, payment.refunded


def flags() -> list[str]:
    return list(Flag.objects.filter(resolved_at=None).order_by("pk").values_list("reason", flat=True))


@pytest.fixture(autouse=True)
def sound_in_the_end(shop: FakeShop) -> Iterator[None]:
    """Whatever a test did, the audit finds nothing wrong."""
    yield
    report = audit()
    assert report["ok"], report["violations"]


@pytest.fixture
def purchase(shop: FakeShop, khalti: Khalti, account: Account) -> Purchase:
    """Rs 2,500 of goods and Rs 150 of delivery, Rs 50 of it by 500 points, paid at Khalti; it has earned 245."""
    shop.stock(pen=3)
    return bought(shop, khalti, shipping=15_000, member_id=account.member_id, spends=Points(500))


def test_a_full_refund_gives_all_cash_and_points_back_and_takes_all_that_was_earned(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """F08"""
    assert points(account) == (745, 500)

    refund = give_back(purchase, 250_000, 15_000, lines=[("pen", 1)])

    assert moved(refund) == ("done", 260_000, 500, 245)
    assert khalti.refunded == [("T-pidx1", {})]  # the whole: no amount is named
    assert stands(purchase) == ("refunded", 260_000)
    assert shop.reversed == [("order-1", 245_000, 15_000)]
    assert (shop.look("order-1").refunded, shop.left("pen")) == (260_000, 3)
    assert points(account) == (1000, 0)
    assert flags() == []


def test_three_parts_sum_to_the_whole_in_cash_in_points_back_and_in_points_taken(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """D-8, through Khalti: Rs 2,000 = 500 points and Rs 1,500; 15 earned; goods for 800, 700, 500 come back."""
    programmes.change(
        "default", Rules(points=Points(1), per=Paisa(10_000), redeem_points=Points(1), redeem_value=Paisa(100))
    )
    purchase = bought(shop, khalti, goods=200_000, member_id=account.member_id, spends=Points(500))
    assert (purchase.payable, purchase.earned, points(account)) == (150_000, 15, (515, 500))

    parts = [give_back(purchase, goods) for goods in (80_000, 70_000, 50_000)]

    assert [moved(part) for part in parts] == [
        ("done", 60_000, 200, 6),
        ("done", 52_500, 175, 5),
        ("done", 37_500, 125, 4),
    ]
    assert [body for _, body in khalti.refunded] == [{"amount": 60_000}, {"amount": 52_500}, {"amount": 37_500}]
    assert (stands(purchase), shop.look("order-1").refunded) == (("refunded", 150_000), 150_000)
    assert points(account) == (1000, 0)


def test_three_thirds_that_do_not_divide_sum_exactly(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """F07."""
    parts = [give_back(purchase, goods) for goods in (83_333, 83_333, 83_334)]

    assert [moved(part) for part in parts] == [
        ("done", 81_666, 167, 82),
        ("done", 81_667, 166, 81),
        ("done", 81_667, 167, 82),
    ]
    assert (stands(purchase), points(account)) == (("part_refunded", 245_000), (1000, 0))

    last = give_back(purchase, 0, 15_000)

    assert moved(last) == ("done", 15_000, 0, 0)
    assert stands(purchase) == ("refunded", 260_000)


def test_the_rules_of_the_day_of_purchase_hold(purchase: Purchase, account: Account) -> None:
    programmes.change("default", Rules(points=Points(50), redeem_value=Paisa(1)))

    assert moved(give_back(purchase, 125_000)) == ("done", 122_500, 250, 123)


def test_the_quote_says_what_the_refund_then_does(purchase: Purchase, khalti: Khalti) -> None:
    for goods, shipping in ((83_333, 5_000), (83_333, 0), (83_334, 10_000)):
        before = Refund.objects.count()
        quote = flow.undo_quote(purchase, goods=Paisa(goods), shipping=Paisa(shipping))
        assert (Refund.objects.count(), len(khalti.refunded)) == (before, before)

        refund = give_back(purchase, goods, shipping)

        assert ("done", quote.cash, quote.restored, quote.clawed) == moved(refund)
        assert quote.by_khalti


@pytest.mark.parametrize(
    ("goods", "shipping", "words"),
    [
        (250_001, 0, "Rs 2,500.00 are left"),
        (0, 15_001, "Rs 150.00 of the delivery are left"),
        (0, 0, "Say how much"),
        (-1, 10, "below zero"),
    ],
)
def test_more_than_is_left_is_refused_and_nothing_is_sent(
    purchase: Purchase, khalti: Khalti, goods: int, shipping: int, words: str
) -> None:
    with pytest.raises(CannotRefund, match=words):
        give_back(purchase, goods, shipping)

    assert (khalti.refunded, Refund.objects.count()) == ([], 0)


def test_a_line_is_given_back_once(purchase: Purchase, khalti: Khalti, shop: FakeShop) -> None:
    give_back(purchase, 100_000, lines=[("pen", 1)])

    with pytest.raises(CannotRefund, match="Only 0 of pen"):
        give_back(purchase, 100_000, lines=[("pen", 1)])

    assert (shop.left("pen"), len(khalti.refunded)) == (3, 1)


def test_what_is_broken_does_not_go_back_on_the_shelf(purchase: Purchase, shop: FakeShop) -> None:
    refund = give_back(purchase, 250_000, lines=[("pen", 1)], shelve=False)

    assert (refund.state, shop.left("pen")) == ("done", 2)


def test_parts_of_a_line_that_does_not_divide_cost_the_whole_line(shop: FakeShop, khalti: Khalti) -> None:
    lines = (
        Line(sku="pen", title="Pen", quantity=3, unit=Paisa(3_333), total=Paisa(10_000)),
        Line(sku="ink", title="Ink", quantity=1, unit=Paisa(5_000), total=Paisa(5_000)),
    )
    purchase = bought(shop, khalti, goods=15_000, lines=lines)
    costs = []
    for sku in ("pen", "ink", "pen", "pen"):
        cost = refunds.goods_of(purchase, refunds.counted([[sku, 1]]))
        costs.append(give_back(purchase, cost, lines=[(sku, 1)]).cash)

    assert costs == [3_333, 5_000, 3_334, 3_333]
    assert stands(purchase) == ("refunded", 15_000)


def test_where_no_line_is_chosen_no_goods_are_meant(purchase: Purchase) -> None:
    lines = list(refunds.left(purchase).lines.items())
    give_back(purchase, 100_000, lines=lines)  # worn: less than they cost

    assert refunds.left(purchase).goods == 150_000
    assert refunds.goods_of(purchase, refunds.counted([])) == 0


def test_twenty_clicks_are_one_refund_and_one_call(shop: FakeShop, simulator: Simulator, account: Account) -> None:
    """F01."""
    purchase = bought(shop, simulator, member_id=account.member_id, spends=Points(500))

    clicks = at_once(20, lambda _: give_back(purchase, 250_000, key="one click"))

    assert all(isinstance(click, Refund) for click in clicks), clicks
    assert simulator.count("refund") == 1
    assert Refund.objects.get().state == "done"
    assert simulator.payments()[0].refunded == 245_000
    assert (shop.reversed, points(account)) == ([("order-1", 245_000, 0)], (1000, 0))


def test_parts_that_exceed_the_whole_at_once_are_not_all_sent(shop: FakeShop, simulator: Simulator) -> None:
    """F02, I7: each of ten wants 30 % under a key of its own."""
    purchase = bought(shop, simulator)

    at_once(10, lambda index: give_back(purchase, 75_000, key=f"click {index}"))
    for index in range(10, 20):
        try:
            give_back(purchase, 75_000, key=f"click {index}")
        except CannotRefund:
            break

    assert simulator.count("refund") == 3
    assert stands(purchase) == ("part_refunded", 225_000)
    assert simulator.payments()[0].refunded == 225_000


def test_a_click_that_was_cut_off_before_it_was_sent_is_sent_once_by_whoever_clicks_again(
    shop: FakeShop, simulator: Simulator
) -> None:
    purchase = bought(shop, simulator)
    asked = {"goods": 250_000, "shipping": 0, "cash": 250_000}
    Refund.objects.create(purchase=purchase, payment=payment_of(purchase), key="one click", **asked)

    at_once(10, lambda _: give_back(purchase, 250_000, key="one click"))

    assert not refunds.send(Refund.objects.get())  # whoever comes last, however late
    assert (simulator.count("refund"), Refund.objects.get().state) == (1, "done")


def test_what_khaltis_dashboard_has_given_back_is_not_given_twice(purchase: Purchase, khalti: Khalti) -> None:
    Payment.objects.update(state="part_refunded", refunded=100_000)
    Flag.objects.create(payment=payment_of(purchase), reason="refunded_at_khalti")

    with pytest.raises(CannotRefund, match=r"Khalti has given back Rs 1,000\.00 already"):
        give_back(purchase, 250_000)

    assert khalti.refunded == []
    assert give_back(purchase, 100_000).state == "done"
    assert khalti.refunded == [("T-pidx1", {"amount": 98_000})]


def test_the_same_key_with_other_amounts_is_refused(purchase: Purchase, khalti: Khalti) -> None:
    give_back(purchase, 10_000, key="one")

    with pytest.raises(CannotRefund, match="other amounts"):
        give_back(purchase, 20_000, key="one")

    assert len(khalti.refunded) == 1


def test_refused_by_khalti_nothing_has_moved_and_it_can_be_asked_anew(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    khalti.next_refund.append(REFUSED)

    refund = give_back(purchase, 250_000)

    assert (refund.state, refund.words) == ("refused", "Refund is not allowed for this transaction.")
    assert (stands(purchase), shop.reversed, points(account), flags()) == (("fulfilled", 0), [], (745, 500), [])
    assert give_back(purchase, 250_000).state == "done"


@pytest.mark.parametrize(
    "silence", [requests.ConnectTimeout(), requests.ReadTimeout(), (503, {}, "<html>"), (200, {}, "{}"), (302, {}, "")]
)
def test_after_silence_it_is_unknown_flagged_and_never_sent_again(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account, silence: Any
) -> None:
    """F03."""
    khalti.next_refund.append(silence)

    refund = give_back(purchase, 100_000, key="one")

    assert refund.state == "unknown"
    assert (stands(purchase), shop.reversed, points(account)) == (("fulfilled", 0), [], (745, 500))
    assert flags() == ["refund_unknown"]
    assert give_back(purchase, 100_000, key="one").state == "unknown"
    with pytest.raises(CannotRefund, match="not finished"):
        give_back(purchase, 100_000, key="two")
    assert len(khalti.refunded) == 1


def test_while_one_is_being_sent_no_other_is(purchase: Purchase, khalti: Khalti) -> None:
    refusals: list[str] = []

    def another() -> None:
        with pytest.raises(CannotRefund) as caught:
            give_back(purchase, 10_000, key="two")
        refusals.append(str(caught.value))

    khalti.while_refunding = lambda: at_once(1, lambda _: another())

    give_back(purchase, 10_000, key="one")

    assert refusals == ["Another refund of this order is not finished yet."]
    assert len(khalti.refunded) == 1


class Killed(BaseException):
    """The process is gone."""


def test_killed_while_khalti_is_asked_it_becomes_unknown_and_is_not_sent_again(
    purchase: Purchase, khalti: Khalti
) -> None:
    """B06."""

    def kill() -> None:
        raise Killed

    khalti.while_refunding = kill
    with pytest.raises(Killed):
        give_back(purchase, 250_000, 15_000, key="one")
    khalti.while_refunding = lambda: None
    assert Refund.objects.get().state == "sent"

    assert give_back(purchase, 250_000, 15_000, key="one").state == "sent"
    with pytest.raises(CannotRefund):
        give_back(purchase, 250_000, 15_000, key="two")
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert give_back(purchase, 250_000, 15_000, key="one").state == "unknown"

    assert (len(khalti.refunded), flags()) == (1, ["refund_unknown"])


def test_what_was_never_sent_stands_in_nobodys_way(purchase: Purchase, khalti: Khalti) -> None:
    Refund.objects.create(
        purchase=purchase, key="left behind", goods=1, shipping=0, cash=1, payment=payment_of(purchase)
    )
    with pytest.raises(CannotRefund):
        give_back(purchase, 250_000)

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert give_back(purchase, 250_000).state == "done"

    assert Refund.objects.get(key="left behind").state == "refused"
    assert len(khalti.refunded) == 1


def test_what_is_sent_at_the_very_moment_is_not_written_down_as_never_sent(purchase: Purchase) -> None:
    asked = {"goods": 250_000, "shipping": 0, "cash": 245_000, "payment": payment_of(purchase)}
    refund = Refund.objects.create(purchase=purchase, key="slow", **asked)
    sent: list[bool] = []

    def sent_first(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE") and not sent:
            sent.append(True)
            sent.append(refunds.send(refund))
        return execute(sql, *rest)

    with connection.execute_wrapper(sent_first):
        refunds.give_up(purchase, before=timezone.now() + timedelta(seconds=1))

    assert sent == [True, True]
    assert Refund.objects.get().state == "sent"


def payment_of(purchase: Purchase) -> Payment:
    return Payment.objects.get(purchase=purchase)


@pytest.mark.parametrize("fault", [ShopCannot("host_failed", "no such order"), RuntimeError("a bug")])
def test_when_the_shop_fails_after_khalti_gave_back_the_money_stays_written_and_staff_are_told(
    purchase: Purchase, shop: FakeShop, khalti: Khalti, account: Account, fault: Exception
) -> None:
    shop.fail("reverse", fault)

    refund = give_back(purchase, 250_000, 15_000, key="one")

    assert (refund.state, refund.carried_at) == ("done", None)
    assert (stands(purchase), shop.reversed) == (("refunded", 260_000), [])
    assert points(account) == (745, 500)
    assert flags() == ["host_failed"]

    for _again in range(2):
        flow.undo_again(refund)

    assert (shop.reversed, points(account), flags()) == ([("order-1", 245_000, 15_000)], (1000, 0), [])
    assert len(khalti.refunded) == 1


def test_no_other_refund_before_the_shop_has_followed_the_first(purchase: Purchase, shop: FakeShop) -> None:
    shop.fail("reverse", ShopCannot("host_failed"))
    first = give_back(purchase, 100_000)

    with pytest.raises(CannotRefund, match="books"):
        give_back(purchase, 100_000)

    flow.undo_again(first)
    assert moved(give_back(purchase, 150_000)) == ("done", 147_000, 300, 147)


def test_the_database_gives_way_and_it_is_written_all_the_same(
    purchase: Purchase, shop: FakeShop, khalti: Khalti
) -> None:
    shop.fail("reverse", OperationalError("the connection is lost"))

    assert give_back(purchase, 250_000).state == "done"
    assert (len(khalti.refunded), shop.reversed, flags()) == (1, [("order-1", 245_000, 0)], [])


def test_points_that_were_spent_meanwhile_are_owed(shop: FakeShop, khalti: Khalti, account: Account) -> None:
    """F05."""
    purchase = bought(shop, khalti, member_id=account.member_id)
    flow.place(shop.freeze(shop.cart("other", member_id=account.member_id, spends=Points(1200))), method=Method.COD)

    give_back(purchase, 250_000)

    account.refresh_from_db()
    assert (account.available, account.owed) == (0, 200)


def test_a_guest_gets_cash_back_and_no_points(shop: FakeShop, khalti: Khalti) -> None:
    purchase = bought(shop, khalti)

    assert moved(give_back(purchase, 100_000)) == ("done", 100_000, 0, 0)
    assert not Account.objects.exists()


def test_points_that_paid_all_come_back_without_khalti(shop: FakeShop, khalti: Khalti, account: Account) -> None:
    """F08."""
    cart = shop.cart(goods=9_000, shipping=1_000, member_id=account.member_id, spends=Points(1000))
    purchase = flow.place(shop.freeze(cart), method=Method.POINTS)

    parts = [give_back(purchase, 4_500), give_back(purchase, 4_500)]

    assert [moved(part) for part in parts] == [("done", 0, 500, 0), ("done", 0, 500, 0)]
    assert (points(account), khalti.refunded) == ((1000, 0), [])
    with pytest.raises(CannotRefund):
        give_back(purchase, 0)


def test_an_order_that_cost_nothing_is_given_back_once(shop: FakeShop, account: Account) -> None:
    shop.stock(pen=1)
    purchase = flow.place(shop.freeze(shop.cart(goods=0, member_id=account.member_id)), method=Method.POINTS)

    refund = give_back(purchase, 0, lines=[("pen", 1)])

    assert (moved(refund), shop.left("pen")) == (("done", 0, 0, 0), 1)
    with pytest.raises(CannotRefund):
        give_back(purchase, 0)


@pytest.mark.parametrize("method", [Method.COD, Method.BANK_TRANSFER])
def test_cash_that_has_come_goes_back_by_hand_with_its_points(
    method: Method, shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    cart = shop.cart(shipping=15_000, member_id=account.member_id, spends=Points(500))
    purchase = flow.place(shop.freeze(cart), method=method)
    flow.received(purchase, by="1")
    purchase.refresh_from_db()

    assert not flow.undo_quote(purchase, goods=Paisa(125_000), shipping=Paisa(0)).by_khalti
    parts = [give_back(purchase, 125_000), give_back(purchase, 125_000, 15_000)]

    assert [moved(part) for part in parts] == [("done", 122_500, 250, 123), ("done", 137_500, 250, 122)]
    assert (points(account), khalti.refunded, shop.look("order-1").refunded) == ((1000, 0), [], 260_000)


def test_what_nobody_has_paid_is_cancelled_as_a_whole_and_no_cash_comes_for_it_any_more(
    shop: FakeShop, account: Account
) -> None:
    shop.stock(pen=1)
    cart = shop.cart(shipping=15_000, member_id=account.member_id, spends=Points(500))
    purchase = flow.place(shop.freeze(cart), method=Method.COD)
    with pytest.raises(CannotRefund, match="as a whole"):
        give_back(purchase, 125_000)

    refund = give_back(purchase, 250_000, lines=[("pen", 1)])

    assert moved(refund) == ("done", 0, 500, 0)
    assert (points(account), shop.left("pen")) == ((1000, 0), 1)
    with pytest.raises(LoyalinkError):
        flow.received(purchase, by="1")
    assert points(account) == (1000, 0)


def test_received_and_cancelled_at_once_are_one_of_the_two(shop: FakeShop, account: Account) -> None:
    """F04"""
    purchase = flow.place(shop.freeze(shop.cart(member_id=account.member_id)), method=Method.COD)

    at_once(
        8, lambda index: flow.received(purchase, by="1") if index % 2 else give_back(purchase, 250_000, key="cancel")
    )

    purchase.refresh_from_db()
    refund = Refund.objects.filter(state="done").first()
    if purchase.received_at is None:
        assert refund is not None
        assert points(account) == (1000, 0)
    else:  # the money came first: what followed, if anything, was a refund of it
        assert points(account) == ((1000, 0) if refund else (1250, 0))
        assert refund is None or refund.cash == 250_000


def test_when_the_shop_cannot_take_back_what_needs_no_khalti_nothing_has_happened(
    shop: FakeShop, account: Account
) -> None:
    purchase = flow.place(shop.freeze(shop.cart(member_id=account.member_id, spends=Points(500))), method=Method.COD)
    shop.fail("reverse", ShopCannot("host_failed", "no such order"))

    with pytest.raises(CannotRefund, match="no such order"):
        give_back(purchase, 250_000)

    assert (Refund.objects.count(), points(account), shop.reversed) == (0, (500, 500), [])
    assert give_back(purchase, 250_000).state == "done"


def test_an_order_that_is_not_placed_cannot_be_given_back(shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin(shop.freeze(shop.cart()))

    with pytest.raises(CannotRefund, match="not been placed"):
        give_back(payment.purchase, 250_000)


def test_a_bank_payment_goes_to_the_khalti_account_that_is_named(purchase: Purchase, khalti: Khalti) -> None:
    give_back(purchase, 250_000, 15_000, mobile="9800000002")

    assert khalti.refunded == [("T-pidx1", {"mobile": "9800000002"})]


def test_undo_commits_by_itself(purchase: Purchase) -> None:
    with pytest.raises(InsideTransaction), transaction.atomic():
        give_back(purchase, 1)


def test_a_forgotten_key_of_khalti_refuses_before_anything_is_sent(
    purchase: Purchase, khalti: Khalti, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    refund = give_back(purchase, 250_000)

    assert (refund.state, khalti.refunded, flags()) == ("refused", [], [])

"""verify_payment: only lookup's answer makes a payment paid, and it may be called any number of times."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from wagtail.models import Site

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotRefund, InsideTransaction, ShopCannot
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Entry
from loyalink_khalti.loyalty.orders import OrderAward
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, flags, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_a_payment_completed_at_khalti_gives_one_order_and_one_award(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    khalti.pay(payment.pidx)

    outcome = flow.verify_payment(payment)

    payment.refresh_from_db()
    assert outcome is Outcome.PAID
    assert states_of(payment) == ("fulfilled", "placed")
    assert (payment.transaction_id, payment.captured, payment.fee) == ("T-pidx1", 245_000, 30)
    assert shop.confirmed == [("order-1", 245_000)]
    assert points(account) == (500 + 245, 0, 500)
    assert (payment.purchase.number, payment.purchase.earned) == ("N-order-1", 245)
    assert flags() == []


def test_a_payment_of_a_site_that_is_deleted_meanwhile_is_completed(khalti: Khalti, shop: FakeShop) -> None:
    """M11: its member gets the points, and staff refund it only with the permission to exceed limits."""
    books = Site.objects.create(hostname="books.example", root_page=Site.objects.get(is_default_site=True).root_page)
    key = conf.site_key_of(books)
    payment = flow.begin_payment(shop.freeze(shop.cart("order-9", site_key=key, member_id="7")))
    books.delete()
    khalti.pay(payment.pidx)

    assert flow.verify_payment(payment) is Outcome.PAID

    account = ledger.find_account(key, "7")
    assert account is not None
    assert account.available == 250
    with pytest.raises(CannotRefund):
        flow.refund_order(
            payment.purchase, subtotal=Paisa(100), shipping=Paisa(0), actor="1", key="r", enforce_limit=True
        )


def test_verified_again_nothing_changes(payment: Payment, khalti: Khalti, shop: FakeShop, account: Account) -> None:
    """A07: D-12, D-13"""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)

    for ignore_back_off in (False, True):
        assert flow.verify_payment(payment, ignore_back_off=ignore_back_off) is Outcome.PAID

    assert shop.confirmed == [("order-1", 245_000)]
    assert points(account) == (745, 0, 500)
    assert khalti.looked_up == [payment.pidx]


def test_a_settled_payment_costs_no_call_and_no_write(payment: Payment, khalti: Khalti) -> None:
    """A03"""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        flow.verify_payment(payment, customer_present=True)

    assert len(khalti.looked_up) == 1
    assert len(queries) <= 2
    assert all(query["sql"].startswith("SELECT") for query in queries)


@pytest.mark.parametrize("status", ["Pending", "Initiated"])
def test_a_payment_that_is_not_paid_yet_stays_unchanged(
    status: str, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """A13"""
    khalti.says(payment.pidx, status)

    assert flow.verify_payment(payment) is Outcome.CONFIRMING

    assert states_of(payment) == ("initiated", "open")
    assert points(account) == (500, 500, 0)
    assert (shop.confirmed, shop.released, flags()) == ([], [], [])


def test_pending_pending_completed_settles_at_the_third(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """A14, C29"""
    outcomes = []
    for status in ("Pending", "Pending", "Completed"):
        khalti.says(payment.pidx, status, transaction_id="T1")
        outcomes.append(flow.verify_payment(payment, ignore_back_off=True))

    assert outcomes == [Outcome.CONFIRMING, Outcome.CONFIRMING, Outcome.PAID]
    assert len(shop.confirmed) == 1


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("Expired", "expired", Outcome.EXPIRED),
        ("User canceled", "cancelled", Outcome.CANCELLED),
        ("Failed", "failed", Outcome.FAILED),
    ],
)
def test_an_unpaid_payment_is_released_completely(
    status: str,
    reason: str,
    outcome: Outcome,
    payment: Payment,
    khalti: Khalti,
    shop: FakeShop,
    account: Account,
) -> None:
    """C10"""
    khalti.says(payment.pidx, status)

    assert flow.verify_payment(payment, customer_present=True) is outcome

    payment.refresh_from_db()
    assert (payment.release_reason, *states_of(payment)) == (reason, "released", "released")
    assert points(account) == (1000, 0, 0)
    assert (shop.released, shop.left("pen"), flags()) == ([("order-1", reason)], 3, [])


def test_a_released_purchase_is_released_once(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """E08"""
    khalti.says(payment.pidx, "Expired")

    for _ in range(3):
        flow.verify_payment(payment, ignore_back_off=True)

    assert (shop.released, points(account)) == ([("order-1", "expired")], (1000, 0, 0))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (ShopCannot("sold_out", "the last one is sold"), "sold_out"),
        (ShopCannot("out to lunch"), "host_failed"),
        (RuntimeError("a bug in the shop"), "host_failed"),
        (IntegrityError("a constraint of the shop"), "host_failed"),
    ],
)
def test_if_the_shop_cannot_confirm_the_money_stays_paid_and_it_may_be_tried_again(
    fault: Exception, reason: str, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    khalti.pay(payment.pidx)
    shop.fail("confirm", fault)

    first = flow.verify_payment(payment)
    between = states_of(payment), points(account), shop.confirmed, flags()
    second = flow.verify_payment(payment, ignore_back_off=True)

    assert (first, between) == (Outcome.FLAGGED, (("paid", "open"), (500, 500, 0), [], [reason]))
    assert (second, states_of(payment)) == (Outcome.PAID, ("fulfilled", "placed"))
    assert shop.confirmed == [("order-1", 245_000)]
    assert points(account) == (745, 0, 500)


@pytest.mark.parametrize("fault", [OperationalError("deadlock detected"), InterfaceError("connection lost")])
def test_after_a_database_failure_the_whole_block_is_tried_once_more(
    fault: Exception, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """H03, H10"""
    khalti.pay(payment.pidx)
    shop.fail("confirm", fault)

    assert flow.verify_payment(payment) is Outcome.PAID

    assert shop.confirmed == [("order-1", 245_000)]
    assert (points(account), flags()) == ((745, 0, 500), [])


def test_after_two_database_failures_it_is_confirming_and_nothing_is_half_done(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """H04: I9"""
    khalti.pay(payment.pidx)
    shop.fail("confirm", OperationalError("lock timeout"), OperationalError("lock timeout"))

    first = flow.verify_payment(payment)
    between = states_of(payment), points(account), flags()
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        second = flow.verify_payment(payment, ignore_back_off=True)

    assert (first, between) == (Outcome.CONFIRMING, (("initiated", "open"), (500, 500, 0), []))
    assert (second, len(shop.confirmed)) == (Outcome.PAID, 1)


def test_if_the_points_cannot_be_posted_the_order_is_not_confirmed_either(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    OrderAward.objects.create(
        program=account.program,
        purchase=payment.purchase.key,
        account=account,
        proportional=1,
        basis=1000,
        version=ledger.current_version("default"),
    )
    khalti.pay(payment.pidx)

    assert flow.verify_payment(payment) is Outcome.FLAGGED

    assert (states_of(payment), shop.confirmed, flags()) == (("paid", "open"), [], ["late"])
    assert points(account) == (500, 500, 0)


def test_a_customer_who_reloads_causes_few_calls(payment: Payment, khalti: Khalti) -> None:
    """K07"""
    start = timezone.now() + timedelta(minutes=1)
    with time_machine.travel(start, tick=False) as clock:
        for second in range(60):
            clock.move_to(start + timedelta(seconds=second))
            assert flow.verify_payment(payment, customer_present=True) is Outcome.CONFIRMING

    assert len(khalti.looked_up) == 4  # at 0, 3, 13 and 43 seconds


def test_a_customer_who_returns_right_after_a_jobs_lookup_is_served_at_once(payment: Payment, khalti: Khalti) -> None:
    for _ in range(3):
        flow.verify_payment(payment, ignore_back_off=True)
    khalti.pay(payment.pidx)

    assert flow.verify_payment(payment, customer_present=True) is Outcome.PAID


def test_while_another_process_looks_up_a_customer_sees_confirming(payment: Payment, khalti: Khalti) -> None:
    seen = []
    khalti.while_looking_up = lambda: seen.append(flow.verify_payment(payment))
    khalti.pay(payment.pidx)

    outcome = flow.verify_payment(payment)

    assert (outcome, seen, len(khalti.looked_up)) == (Outcome.PAID, [Outcome.CONFIRMING], 1)


def test_it_refuses_to_run_inside_a_callers_transaction(payment: Payment, khalti: Khalti) -> None:
    with transaction.atomic(), pytest.raises(InsideTransaction):
        flow.verify_payment(payment)

    assert khalti.looked_up == []


def test_a_payment_without_a_page_is_left_alone_while_khalti_may_answer_then_released(
    shop: FakeShop, khalti: Khalti, account: Account
) -> None:
    """A10, B05"""
    seen: list[Outcome] = []
    khalti.while_initiating = lambda: seen.append(flow.verify_payment(Payment.objects.get(), ignore_back_off=True))
    payment = flow.begin_payment(shop.freeze(shop.cart(member_id=account.member_id, points_redeemed=Points(500))))
    Payment.objects.update(state="created", pidx=None, payment_url="")

    with time_machine.travel(payment.created_at + timedelta(seconds=69)):
        seen.append(flow.verify_payment(payment))
    with time_machine.travel(payment.created_at + timedelta(seconds=71)):
        seen.append(flow.verify_payment(payment))

    assert seen == [Outcome.CONFIRMING, Outcome.CONFIRMING, Outcome.FAILED]
    assert (states_of(payment), points(account), khalti.looked_up) == (("released", "released"), (1000, 0, 0), [])


def test_a_payment_page_that_arrived_at_the_last_moment_is_not_released(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """I10: Khalti's answer is stored after the payment was read and before it is locked."""
    Payment.objects.update(state="created", created_at=timezone.now() - timedelta(minutes=5))
    answered = iter([True])

    def store_after_reading(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if next(answered, False):
            Payment.objects.update(state="initiated")
        return result

    with connection.execute_wrapper(store_after_reading):
        outcome = flow.verify_payment(payment)

    assert (outcome, states_of(payment), shop.released) == (Outcome.CONFIRMING, ("initiated", "open"), [])


def test_an_award_and_a_capture_are_posted_once_each(payment: Payment, khalti: Khalti) -> None:
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)

    posted = Entry.objects.filter(purchase=payment.purchase.key).order_by("seq").values_list("kind", "amount")

    assert list(posted) == [("hold", 500), ("capture", 500), ("earn", 245)]


def test_a_guest_earns_nothing(shop: FakeShop, khalti: Khalti) -> None:
    payment = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(payment.pidx)

    assert flow.verify_payment(payment) is Outcome.PAID

    assert not Account.objects.exists()


@pytest.mark.parametrize("customer_present", [True, False])
def test_the_shop_learns_whether_the_customer_is_present(
    customer_present: bool, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    khalti.says(payment.pidx, "User canceled")

    flow.verify_payment(payment, customer_present=customer_present)

    assert shop.customer_was_present == [customer_present]

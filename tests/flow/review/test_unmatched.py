"""R5, R10: staff attach an unmatched payment to its order, refund it, or say whose it is. Nothing is automatic."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.db import connection

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotPay, CannotRefund, CannotResolve, RefundLimitExceeded, SelfDealing
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.ports import Customer, PaymentMethod
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once, flags, states_of

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]

PIDX = "bZQLD9wRVWo4CdESSfuSsB"
WHY = {"actor": "1", "reason": "the customer showed the receipt"}


@pytest.fixture
def lost(shop: FakeShop, khalti: Khalti) -> Payment:
    """R10: Khalti has created the payment ``PIDX``, and its answer to initiate was lost."""
    khalti.next_initiate.append((503, {}, "<html>"))
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart()))
    return Payment.objects.get()


@pytest.fixture
def find(khalti: Khalti) -> Callable[..., UnmatchedPayment]:
    """Let money come back that no payment here is, and let a pass find it."""

    def found(
        pidx: str = PIDX, *, amount: int = 250_000, returned_to: Payment | None = None, **paid: Any
    ) -> UnmatchedPayment:
        khalti.knows(pidx, amount)
        khalti.pay(pidx, **paid)
        flow.keep_return(pidx=pidx, site_key="default", network="", returned_to=returned_to)
        list(flow.reconcile())
        return UnmatchedPayment.objects.get(pidx=pidx)

    return found


def refused(work: Callable[[], object], *errors: type[Exception]) -> str:
    with pytest.raises(errors or (CannotResolve,)) as caught:
        work()
    return str(caught.value)


def nothing_moved(row: UnmatchedPayment, shop: FakeShop, khalti: Khalti) -> bool:
    row.refresh_from_db()
    return (row.state, row.payment, shop.confirmed, khalti.refunded) == ("found", None, [], [])


def test_attaching_to_the_payment_whose_answer_was_lost_places_the_order(
    lost: Payment, find: Callable[..., UnmatchedPayment], shop: FakeShop
) -> None:
    """R10, R5f"""
    row = find(returned_to=lost)

    payment = flow.attach_unmatched(row, lost.purchase, **WHY)

    row.refresh_from_db()
    assert (payment, row.payment, row.state, row.actor) == (lost, lost, "attached", "1")
    assert row.note == WHY["reason"]
    assert states_of(lost) == ("fulfilled", "placed")
    assert (shop.confirmed, flags()) == ([("order-1", 250_000)], [])
    report = flow.audit()
    assert (report["ok"], report["unmatched_payments"]) == (True, [])


def test_attaching_is_a_payment_more_where_the_purchase_has_one_with_a_pidx(
    khalti: Khalti, find: Callable[..., UnmatchedPayment], shop: FakeShop
) -> None:
    """R5, R5f: the restored database lacks that attempt. Another one can still be paid, and is flagged then."""
    live = flow.begin_payment(shop.freeze(shop.cart()))
    row = find()

    payment = flow.attach_unmatched(row, live.purchase, **WHY)
    khalti.pay(live.pidx)
    flow.verify_payment(live, ignore_back_off=True)

    payment.refresh_from_db()
    assert (payment.attempt, payment.pidx, states_of(payment)) == (2, PIDX, ("fulfilled", "placed"))
    assert (states_of(live), flags()) == (("paid", "placed"), ["second_payment"])
    assert flow.audit()["ok"]


def test_an_attached_payment_uses_and_earns_points_like_any_other(
    khalti: Khalti, find: Callable[..., UnmatchedPayment], shop: FakeShop, member: str, account: Any
) -> None:
    """R5f"""
    cart = shop.cart(member_id=member, points_redeemed=500)
    khalti.next_initiate.append(requests.ConnectionError("lost"))
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(cart))
    row = find(amount=245_000)

    flow.attach_unmatched(row, Purchase.objects.get(), **WHY)

    account.refresh_from_db()
    assert (account.available, account.held, account.lifetime_earned) == (745, 0, 245)
    assert flow.audit()["ok"]


def test_what_the_shop_cannot_place_is_a_flag_and_the_money_is_on_record(
    find: Callable[..., UnmatchedPayment], lost: Payment, shop: FakeShop
) -> None:
    """R5g"""
    shop.stock(pen=0)
    row = find(returned_to=lost)

    payment = flow.attach_unmatched(row, lost.purchase, **WHY)

    row.refresh_from_db()
    assert (row.state, states_of(payment), flags()) == ("attached", ("paid", "released"), ["sold_out"])
    assert flow.audit()["ok"]
    shop.stock(pen=1)
    list(flow.reconcile())
    assert (states_of(payment), shop.confirmed) == (("paid", "released"), [])  # it was released: staff decide
    flow.resolve_flag(Flag.objects.first(), flow.Resolution.PLACE_ORDER, actor="2", reason="a box was found")
    assert (states_of(payment), flow.audit()["ok"]) == (("fulfilled", "placed"), True)


def test_attaching_to_a_paid_order_is_a_second_payment(
    khalti: Khalti, find: Callable[..., UnmatchedPayment], shop: FakeShop
) -> None:
    """A08, R5g"""
    first = flow.begin_payment(shop.freeze(shop.cart()))
    khalti.pay(first.pidx)
    flow.verify_payment(first)
    row = find()

    payment = flow.attach_unmatched(row, first.purchase, **WHY)

    assert (states_of(payment), flags()) == (("paid", "placed"), ["second_payment"])
    assert shop.confirmed == [("order-1", 250_000)]


def test_another_basket_of_the_same_products_is_a_second_payment(
    lost: Payment, khalti: Khalti, find: Callable[..., UnmatchedPayment], shop: FakeShop
) -> None:
    """R5g"""
    again = flow.begin_payment(shop.freeze(shop.cart("order-2", origin="basket of order-1")))
    row = find(returned_to=lost)

    payment = flow.attach_unmatched(row, lost.purchase, **WHY)
    at_once_flagged = flags()
    for _ in range(2):
        list(flow.reconcile())

    assert (states_of(payment), at_once_flagged) == (("paid", "released"), ["second_payment"])
    assert (states_of(again), shop.confirmed) == (("initiated", "open"), [])


@pytest.mark.parametrize("amount", [249_999, 250_001])
def test_one_paisa_of_difference_is_refused(
    amount: int, lost: Payment, find: Callable[..., UnmatchedPayment], shop: FakeShop, khalti: Khalti
) -> None:
    """D03, R5f"""
    row = find(amount=amount, returned_to=lost)

    assert "The amounts differ" in refused(lambda: flow.attach_unmatched(row, lost.purchase, **WHY))
    assert nothing_moved(row, shop, khalti)
    assert states_of(lost) == ("released", "released")


def test_a_transaction_id_of_another_payment_is_refused(
    lost: Payment, find: Callable[..., UnmatchedPayment], shop: FakeShop, khalti: Khalti
) -> None:
    """R5f"""
    other = flow.begin_payment(shop.freeze(shop.cart("order-2")))
    khalti.pay(other.pidx, transaction_id="T-used")
    flow.verify_payment(other)
    row = find(returned_to=lost, transaction_id="T-used")

    assert "transaction ID belongs" in refused(lambda: flow.attach_unmatched(row, lost.purchase, **WHY))
    row.refresh_from_db()
    assert (row.state, states_of(lost)) == ("found", ("released", "released"))


@pytest.mark.parametrize(
    ("status", "changes"),
    [("Refunded", {"refunded": True}), ("Partially Refunded", {"refunded": True}), ("Pending", {}), ("Expired", {})],
)
def test_khaltis_word_of_now_decides_not_that_of_yesterday(
    status: str, changes: Any, lost: Payment, find: Callable[..., UnmatchedPayment], shop: FakeShop, khalti: Khalti
) -> None:
    """R5f"""
    row = find(returned_to=lost)
    khalti.says(PIDX, status, **changes)

    messages = [
        refused(lambda: flow.attach_unmatched(row, lost.purchase, **WHY)),
        refused(lambda: flow.refund_unmatched(row, **WHY)),
    ]

    assert all(status in message for message in messages)
    assert nothing_moved(row, shop, khalti)


@pytest.mark.parametrize("changes", [{"transaction_id": None}, {"refunded": True}])
def test_an_answer_that_does_not_prove_the_money_is_refused(
    changes: Any, lost: Payment, find: Callable[..., UnmatchedPayment], shop: FakeShop, khalti: Khalti
) -> None:
    """A16"""
    row = find(returned_to=lost, **changes)

    assert "dashboard" in refused(lambda: flow.attach_unmatched(row, lost.purchase, **WHY))
    assert "dashboard" in refused(lambda: flow.refund_unmatched(row, **WHY))
    assert nothing_moved(row, shop, khalti)


def test_without_an_answer_nothing_is_done(
    lost: Payment, find: Callable[..., UnmatchedPayment], shop: FakeShop, khalti: Khalti
) -> None:
    row = find(returned_to=lost)
    for verb in (lambda: flow.attach_unmatched(row, lost.purchase, **WHY), lambda: flow.refund_unmatched(row, **WHY)):
        khalti.next_lookup.append(requests.ConnectionError("down"))
        assert "does not answer" in refused(verb)

    assert nothing_moved(row, shop, khalti)


@pytest.mark.parametrize("verb", ["attach", "refund", "dismiss"])
def test_every_action_needs_a_reason(
    verb: str, lost: Payment, find: Callable[..., UnmatchedPayment], shop: FakeShop, khalti: Khalti
) -> None:
    row = find(returned_to=lost)
    work = {
        "attach": lambda: flow.attach_unmatched(row, lost.purchase, actor="1", reason=" "),
        "refund": lambda: flow.refund_unmatched(row, actor="1", reason=" "),
        "dismiss": lambda: flow.dismiss_unmatched(row, actor="1", reason=" "),
    }[verb]

    assert "Enter a reason" in refused(work)
    assert nothing_moved(row, shop, khalti)


def test_an_order_that_is_not_paid_at_khalti_is_refused(
    find: Callable[..., UnmatchedPayment], shop: FakeShop, khalti: Khalti
) -> None:
    cod = flow.place_order(shop.freeze(shop.cart()), method=PaymentMethod.COD)
    row = find()

    assert "not to be paid at Khalti" in refused(lambda: flow.attach_unmatched(row, cod, **WHY))
    row.refresh_from_db()
    assert row.state == "found"


def test_nobody_attaches_or_refunds_for_themselves(
    khalti: Khalti, find: Callable[..., UnmatchedPayment], shop: FakeShop
) -> None:
    """M5, R5i"""
    khalti.next_initiate.append(requests.ConnectionError("lost"))
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart(customer=Customer(name="Staff", email="Staff1+x@shop.example"))))
    own = Payment.objects.get()
    row = find(returned_to=own)

    refused(lambda: flow.attach_unmatched(row, own.purchase, **WHY), SelfDealing)
    refused(lambda: flow.refund_unmatched(row, **WHY), SelfDealing)

    assert nothing_moved(row, shop, khalti)
    assert flow.attach_unmatched(row, own.purchase, actor="2", reason="checked").pk == own.pk


def test_staff_refund_nothing_that_came_back_to_their_own_order_whatever_its_amount(
    khalti: Khalti, find: Callable[..., UnmatchedPayment], shop: FakeShop
) -> None:
    """M5, R5i: with another amount it is recorded without an order, and is the actor's all the same."""
    khalti.next_initiate.append(requests.ConnectionError("lost"))
    with pytest.raises(CannotPay):
        flow.begin_payment(shop.freeze(shop.cart(customer=Customer(name="Staff", email="Staff1+x@shop.example"))))
    row = find(amount=100_000, returned_to=Payment.objects.get())

    refused(lambda: flow.refund_unmatched(row, **WHY), SelfDealing)

    assert nothing_moved(row, shop, khalti)


def test_a_refund_goes_out_once_and_leaves_a_record_that_agrees(
    find: Callable[..., UnmatchedPayment], khalti: Khalti, shop: FakeShop
) -> None:
    """R5, R5h"""
    row = find()

    refund = flow.refund_unmatched(row, **WHY)

    row.refresh_from_db()
    assert (refund.state, refund.amount, refund.actor, refund.kind) == ("done", 250_000, "1", "payment")
    assert khalti.refunded == [(f"T-{PIDX}", {})]
    assert row.payment is not None
    assert (row.state, states_of(row.payment), shop.released) == ("refund", ("refunded", "released"), [])
    assert Flag.objects.filter(resolved_at=None).count() == 0
    list(flow.reconcile())
    assert flow.audit()["ok"]


def test_the_refund_of_a_lost_answer_belongs_to_its_purchase(
    lost: Payment, find: Callable[..., UnmatchedPayment], khalti: Khalti
) -> None:
    """R10"""
    row = find(returned_to=lost)

    refund = flow.refund_unmatched(row, **WHY)

    assert (refund.payment, refund.state, Purchase.objects.count()) == (lost, "done", 1)
    assert states_of(lost) == ("refunded", "released")
    assert flow.audit()["ok"]


def test_a_refund_that_khalti_refuses_stays_for_staff_at_its_payment(
    find: Callable[..., UnmatchedPayment], khalti: Khalti, shop: FakeShop
) -> None:
    """R5h"""
    row = find()
    khalti.next_refund.append((400, {}, '{"detail": "Insufficient balance."}'))

    refund = flow.refund_unmatched(row, **WHY)
    row.refresh_from_db()
    assert row.payment is not None
    flag = Flag.objects.get(payment=row.payment, resolved_at=None)
    options = set(flow.resolution_options(flag))
    list(flow.reconcile())
    flow.resolve_flag(flag, flow.Resolution.REFUND, actor="2", reason="again, the balance is there")

    assert (refund.state, states_of(row.payment)) == ("refused", ("refunded", "released"))
    assert options == {flow.Resolution.REFUND, flow.Resolution.CLOSE}  # no order can be placed for it
    assert (flags(), shop.confirmed) == (["money_without_order"], [])
    assert flow.audit()["ok"]


def test_a_refund_without_an_answer_is_never_sent_again(find: Callable[..., UnmatchedPayment], khalti: Khalti) -> None:
    """F03, R5h"""
    row = find()
    khalti.next_refund.append(requests.ReadTimeout("lost"))

    first = flow.refund_unmatched(row, **WHY)
    row.refresh_from_db()

    assert first.state == "unknown"
    refused(lambda: flow.refund_unmatched(row, **WHY))
    assert len(khalti.refunded) == 1
    assert Flag.objects.filter(reason="refund_unknown", resolved_at=None).exists()


def test_the_limit_of_refunds_binds_here_too(
    find: Callable[..., UnmatchedPayment], khalti: Khalti, shop: FakeShop, refund_limit: None
) -> None:
    """R5h"""
    row = find()

    refused(lambda: flow.refund_unmatched(row, **WHY, enforce_limit=True), RefundLimitExceeded)

    assert nothing_moved(row, shop, khalti)
    assert (Purchase.objects.count(), Refund.objects.count()) == (0, 0)


@pytest.fixture
def refund_limit(shop: FakeShop) -> None:
    """Staff may refund Rs 100 of one order."""
    from wagtail.models import Site

    from loyalink_khalti.backoffice.models import KhaltiSettings

    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.create(site=site, environment="test", refund_limit=10_000)
    assert conf.refund_limits("default").per_order == 10_000


def test_another_shops_payment_is_dismissed_with_a_reason_and_can_be_reviewed_again(
    find: Callable[..., UnmatchedPayment], khalti: Khalti, shop: FakeShop
) -> None:
    """R5i"""
    row = find()

    flow.dismiss_unmatched(row, actor="1", reason="our shop in Pokhara")
    dismissed = flow.health().unmatched.payments
    refused(lambda: flow.refund_unmatched(UnmatchedPayment.objects.get(), **WHY))
    list(flow.reconcile())
    flow.reopen_unmatched(row, actor="2", reason="it is not theirs")

    row.refresh_from_db()
    assert (dismissed, row.state, row.actor) == (0, "found", "2")
    assert row.note == "our shop in Pokhara\nit is not theirs"
    assert flow.health().unmatched.payments == 1
    assert nothing_moved(row, shop, khalti)


def test_a_payment_that_is_just_being_created_is_left_alone(
    khalti: Khalti, find: Callable[..., UnmatchedPayment], shop: FakeShop
) -> None:
    """A10: the answer to initiate may still arrive."""
    row = find()
    messages: list[str] = []
    khalti.while_initiating = lambda: messages.append(
        refused(lambda: flow.attach_unmatched(row, Purchase.objects.get(), **WHY))
    )

    flow.begin_payment(shop.freeze(shop.cart()))

    assert "Try again in two minutes" in messages[0]


def test_erasing_the_customer_erases_the_reason_that_staff_gave(
    lost: Payment, find: Callable[..., UnmatchedPayment]
) -> None:
    row = find(returned_to=lost)
    flow.attach_unmatched(row, lost.purchase, **WHY)
    guest = flow.guest_subject("sita@example.com")
    assert guest is not None

    flow.erase_personal_data(guest, actor="1")

    row.refresh_from_db()
    assert (row.note, row.state) == ("", "attached")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_of_two_colleagues_at_once_one_attaches_and_one_is_refused(
    lost: Payment, find: Callable[..., UnmatchedPayment], shop: FakeShop, khalti: Khalti
) -> None:
    """R5f"""
    row = find(returned_to=lost)
    work = [
        lambda: flow.attach_unmatched(row, lost.purchase, actor="1", reason="mine"),
        lambda: flow.refund_unmatched(row, actor="2", reason="no, mine"),
    ]

    results = at_once(2, lambda index: work[index]())

    failed = [result for result in results if isinstance(result, Exception)]
    row.refresh_from_db()
    assert [isinstance(each, CannotResolve | CannotRefund) for each in failed] == [True]
    assert (row.state, bool(khalti.refunded)) in {("attached", False), ("refund", True)}
    assert flow.audit()["ok"]

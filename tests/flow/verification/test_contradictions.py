"""R11: Khalti contradicts what is recorded of a settled payment. State and points stay, and staff get one Flag."""

from typing import Any

import pytest
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.testing import FakeShop
from tests.loyalty.conftest import check_ledger
from tests.purchases import Khalti, at_once, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

UNPAID = ("Expired", "User canceled", "Failed", "Pending", "Initiated", "Reversed")


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    """Rs 2,450 paid at Khalti, and Rs 50 by 500 points; 245 points were earned."""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


def run_pass() -> None:
    for _result in flow.reconcile():
        pass


def refund_order(payment: Payment, amount: int = 250_000) -> str:
    """Refund products of so many paisa before points."""
    refund = flow.refund_order(
        payment.purchase, subtotal=Paisa(amount), shipping=Paisa(0), key=f"refund {amount}", actor="1"
    )
    return refund.state


def contradictions() -> list[Flag]:
    return list(Flag.objects.filter(reason="contradiction").order_by("pk"))


def resolve(flag: Flag) -> None:
    flag = Flag.objects.select_related("payment__purchase").get(pk=flag.pk)
    assert flow.resolution_options(flag) == (Resolution.CLOSE,)
    flow.resolve_flag(flag, Resolution.CLOSE, actor="1", reason="the dashboard shows the money")


def agrees() -> bool:
    report = audit()
    assert report["ok"], report["violations"]
    check_ledger()
    return True


@pytest.mark.parametrize("status", UNPAID)
def test_a_settled_payment_that_khalti_calls_unpaid_stays_and_is_flagged_once_with_both_answers(
    paid: Payment, khalti: Khalti, shop: FakeShop, account: Account, status: str
) -> None:
    """R11: today only "Not found" was flagged."""
    before = points(account)
    khalti.says(paid.pidx, status)

    run_pass()
    run_pass()

    (flag,) = contradictions()
    assert flag.evidence == {
        "pidx": paid.pidx,
        "status": status,
        "total_amount": 245_000,
        "transaction_id": None,
        "refunded": False,
        "earlier_status": "Completed",
        "earlier_amount": 245_000,
        "earlier_transaction_id": f"T-{paid.pidx}",
    }
    assert (states_of(paid), points(account), len(shop.confirmed)) == (("fulfilled", "placed"), before, 1)
    assert agrees()


@pytest.mark.parametrize(
    "changes",
    [{"total_amount": 100}, {"total_amount": 245_001}, {"transaction_id": "T-other"}, {"pidx": "another"}],
    ids=str,
)
@pytest.mark.parametrize("status", ["Completed", "Refunded"])
def test_another_amount_or_transaction_of_a_settled_payment_is_flagged_and_moves_nothing(
    paid: Payment, khalti: Khalti, account: Account, status: str, changes: dict[str, Any]
) -> None:
    """R11: a refund, too, is applied only where it is one of this payment."""
    before = points(account)
    khalti.pay(paid.pidx, **{"status": status, "refunded": status == "Refunded", **changes})

    run_pass()

    assert [flag.reason for flag in Flag.objects.all()] == ["contradiction"]
    assert (states_of(paid), points(account)) == (("fulfilled", "placed"), before)
    assert agrees()


def test_another_contradiction_raises_a_new_flag_and_an_equal_one_does_not(paid: Payment, khalti: Khalti) -> None:
    """R11 by the rule of M2: another status, amount or transaction id than in the evidence of the resolved Flag."""
    numbers = []
    for status in ("Expired", "Expired", "Completed", "Expired", "Failed", "Failed"):
        khalti.pay(paid.pidx) if status == "Completed" else khalti.says(paid.pidx, status)
        run_pass()
        for flag in contradictions():
            if flag.resolved_at is None:
                resolve(flag)
        numbers.append(len(contradictions()))

    assert numbers == [1, 1, 1, 1, 2, 2]
    assert agrees()


def test_an_open_contradiction_is_not_repeated_by_another_one(paid: Payment, khalti: Khalti) -> None:
    """R11: one Flag at a time. It stays open when Khalti agrees again: staff close it."""
    for status in ("Expired", "Failed", "Pending"):
        khalti.says(paid.pidx, status)
        run_pass()
    khalti.pay(paid.pidx)
    run_pass()

    (flag,) = contradictions()
    assert (flag.evidence["status"], flag.resolved_at) == ("Expired", None)


@pytest.mark.parametrize("status", ["Completed", "Partially Refunded", "Expired"])
def test_a_refunded_payment_that_khalti_calls_paid_again_stays_refunded_and_is_flagged(
    paid: Payment, khalti: Khalti, account: Account, status: str
) -> None:
    """R11: Khalti had confirmed the refund."""
    assert refund_order(paid) == "done"
    khalti.pay(paid.pidx, status=status, refunded=status == "Partially Refunded")

    flow.refresh_payment(paid)
    flow.refresh_payment(paid)

    assert [flag.reason for flag in Flag.objects.all()] == ["contradiction"]
    assert (states_of(paid)[0], points(account)) == ("refunded", (1000, 0, 0))
    assert agrees()


def test_a_full_refund_recorded_in_cash_is_not_contradicted_by_completed(paid: Payment, khalti: Khalti) -> None:
    """R11: staff recorded it; Khalti never made one."""
    flow.record_refund(
        paid, amount=Paisa(245_000), made_on=day_of(timezone.now()), reason="cash", actor="1", key="cash"
    )

    flow.refresh_payment(paid)

    assert (states_of(paid)[0], Flag.objects.count()) == ("refunded", 0)


def test_a_partial_refund_that_khalti_no_longer_reports_is_flagged(paid: Payment, khalti: Khalti) -> None:
    """R11"""
    assert refund_order(paid, 50_000) == "done"
    khalti.pay(paid.pidx)

    run_pass()

    assert [flag.reason for flag in Flag.objects.all()] == ["contradiction"]
    assert (states_of(paid)[0], Payment.objects.get().refunded) == ("partially_refunded", 49_000)


def test_khaltis_amount_after_a_partial_refund_may_be_the_whole_or_the_rest(paid: Payment, khalti: Khalti) -> None:
    """R11: Khalti does not document which."""
    assert refund_order(paid, 50_000) == "done"
    for amount in (245_000, 196_000):
        khalti.pay(paid.pidx, status="Partially Refunded", refunded=True, total_amount=amount)
        run_pass()
    assert Flag.objects.count() == 0

    khalti.pay(paid.pidx, status="Partially Refunded", refunded=True, total_amount=191_000)
    run_pass()

    assert [flag.reason for flag in Flag.objects.all()] == ["contradiction"]


def test_an_answer_from_before_a_refund_was_recorded_contradicts_nothing(paid: Payment, khalti: Khalti) -> None:
    """R11: Completed was true when Khalti said it; this process was frozen until the refund was done."""

    def refund_meanwhile() -> None:
        khalti.while_looking_up = lambda: None
        Payment.objects.update(leased_until=None, lease="")
        at_once(1, lambda _: refund_order(paid))

    khalti.while_looking_up = refund_meanwhile

    flow.refresh_payment(paid)

    assert (states_of(paid)[0], Flag.objects.count()) == ("refunded", 0)
    assert agrees()


def test_money_without_an_order_that_has_another_transaction_now_places_no_order(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """R11: the order could not be placed at once; meanwhile Khalti names another transaction."""
    shop.fail("confirm", RuntimeError("a bug of the shop's"))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    khalti.pay(payment.pidx, transaction_id="T-other")

    run_pass()

    assert states_of(payment) == ("paid", "open")
    assert sorted(Flag.objects.values_list("reason", flat=True)) == ["contradiction", "host_failed"]
    assert Payment.objects.get().transaction_id == f"T-{payment.pidx}"

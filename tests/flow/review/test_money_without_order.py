"""Captured money that bought nothing is counted once, everywhere, and always has a way out."""

from typing import Any

import pytest

from loyalink_khalti import flow
from loyalink_khalti.flow import Resolution, audit
from loyalink_khalti.payments import reports
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.payments.without_order import flags_to_review, money_without_order, payments_without_order
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, states_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

STAFF = "31"


def flag_of(payment: Payment) -> Flag:
    return Flag.objects.select_related("payment__purchase").get(payment=payment, resolved_at=None)


def resolve(flag: Flag, resolution: str, **more: Any) -> Flag:
    return flow.resolve_flag(flag, Resolution(resolution), actor=STAFF, reason="seen in Khalti's dashboard", **more)


def open_flags() -> list[str]:
    return sorted(Flag.objects.filter(resolved_at=None).values_list("reason", flat=True))


def broken() -> list[str]:
    return [violation["invariant"] for violation in audit()["violations"]]


def run_pass() -> None:
    for _result in flow.reconcile():
        pass


@pytest.fixture
def late(payment: Payment, khalti: Khalti) -> Payment:
    """Cancelled by staff, and paid later: staff must decide."""
    flow.cancel_payment(payment, customer_present=False)
    khalti.pay(payment.pidx)
    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.FLAGGED
    return payment


@pytest.fixture
def closed(late: Payment) -> Payment:
    """Staff have closed its flag: the shop keeps the money."""
    resolve(flag_of(late), "close")
    return late


def test_money_of_a_closed_flag_is_counted_by_report_list_health_and_audit_alike(closed: Payment) -> None:
    """M1, I17"""
    counted = money_without_order(payments_without_order())

    assert (counted.payments, counted.refundable) == (1, 245_000)
    assert [flag.payment_id for flag in reports.to_review()] == [closed.pk]
    assert flow.health().without_order == counted
    assert broken() == ["I17"]


def test_money_under_review_breaks_no_invariant(late: Payment) -> None:
    """M1: I17 is about what no open flag names."""
    assert money_without_order(payments_without_order()).payments == 1
    assert list(flags_to_review()) == [flag_of(late)]
    assert broken() == []


@pytest.mark.parametrize("resolution", ["place_order", "refund"])
def test_money_that_bought_something_or_went_back_is_counted_nowhere(late: Payment, resolution: str) -> None:
    """M1"""
    resolve(flag_of(late), resolution)

    assert money_without_order(payments_without_order()).payments == 0
    assert (list(flags_to_review()), broken()) == ([], [])


@pytest.fixture
def without_transaction_id(payment: Payment, khalti: Khalti) -> Payment:
    """Khalti reports it as paid, without a transaction id; staff have released it."""
    khalti.pay(payment.pidx, transaction_id=None)
    flow.verify_payment(payment)
    resolve(flag_of(payment), "record_unpaid")
    assert states_of(payment) == ("released", "released")
    return payment


def test_a_released_payment_that_khalti_reports_as_completed_is_flagged_again(
    without_transaction_id: Payment, khalti: Khalti
) -> None:
    """M2: staff said that there is no money, and Khalti says that there is."""
    run_pass()

    assert (states_of(without_transaction_id)[0], open_flags()) == ("mismatched", ["no_transaction_id"])
    assert flag_of(without_transaction_id).evidence["released"] is True
    assert broken() == []


def test_the_same_answer_is_not_flagged_again_after_staff_have_released_the_payment_again(
    without_transaction_id: Payment, khalti: Khalti
) -> None:
    """M2: nor is it mismatched without a flag."""
    run_pass()
    resolve(flag_of(without_transaction_id), "record_unpaid")

    run_pass()
    run_pass()

    assert (states_of(without_transaction_id), open_flags()) == (("released", "released"), [])
    assert Flag.objects.count() == 2
    assert broken() == []


@pytest.mark.parametrize(
    "changes",
    [{"transaction_id": None, "total_amount": 244_900}, {"transaction_id": "T-x", "total_amount": 244_900}],
    ids=["amount", "transaction id"],
)
def test_another_amount_or_transaction_id_than_staff_have_seen_raises_a_flag(
    without_transaction_id: Payment, khalti: Khalti, changes: dict[str, Any]
) -> None:
    """M2"""
    run_pass()
    resolve(flag_of(without_transaction_id), "record_unpaid")

    khalti.pay(without_transaction_id.pidx, **changes)
    run_pass()
    run_pass()

    assert (states_of(without_transaction_id)[0], open_flags()) == ("mismatched", ["amount_mismatch"])
    assert broken() == []


@pytest.mark.parametrize(
    ("status", "changes"),
    [("Expired", {}), ("Pending", {}), ("Completed", {"transaction_id": "T-y", "total_amount": 100})],
)
def test_another_answer_about_closed_money_raises_one_flag(
    closed: Payment, khalti: Khalti, status: str, changes: dict[str, Any]
) -> None:
    """M2: Khalti reported the money, and now reports something else."""
    khalti.says(closed.pidx, status, **changes)

    run_pass()
    run_pass()
    raised = open_flags()
    resolve(flag_of(closed), "close")
    run_pass()

    assert len(raised) == 1
    assert (open_flags(), states_of(closed)[0]) == ([], "paid")


def test_a_payment_that_never_expires_has_one_flag_however_often_it_is_looked_up(
    payment: Payment, khalti: Khalti
) -> None:
    """M2: each pass would raise it again."""
    Payment.objects.update(expires_at="2026-01-01T00:00:00Z")

    run_pass()
    run_pass()

    assert list(Flag.objects.values_list("reason", "resolution")) == [("unknown_status", "")]


def test_a_refund_that_khalti_reports_and_nothing_records_breaks_an_invariant(
    payment: Payment, khalti: Khalti
) -> None:
    """M3, I18"""
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    khalti.says(payment.pidx, "Partially Refunded", refunded=True, transaction_id=f"T-{payment.pidx}")
    run_pass()
    before = broken()

    Flag.objects.update(resolved_at="2026-01-01T00:00:00Z")

    assert (before, broken()) == ([], ["I18"])


def test_a_captured_payment_that_nothing_flags_is_flagged_by_the_next_lookup(late: Payment, shop: FakeShop) -> None:
    """M1: so that staff find it."""
    Flag.objects.all().delete()
    Payment.objects.update(release_reason="", state="mismatched")
    assert "I17" in broken()

    run_pass()

    assert (open_flags(), broken()) == (["money_without_order"], [])

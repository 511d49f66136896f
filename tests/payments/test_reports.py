"""Reports on the money: each day in Kathmandu, and the Flags to review."""

from datetime import date, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.payments import reports
from loyalink_khalti.payments.models import Credentials, Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import FlagReason, PaymentState, RefundState

pytestmark = [pytest.mark.money, pytest.mark.on_both, pytest.mark.django_db]

FEBRUARY = {"since": date(2026, 2, 1), "until": date(2026, 2, 28)}


def utc(moment: str) -> datetime:
    return datetime.fromisoformat(f"{moment}+00:00")


def payment(ref: str, paid_at: str | None = None, *, site: str = "default", **fields: Any) -> Payment:
    """A payment of Rs 1,000 as the flow leaves it; ``fields`` are its own."""
    environment = fields.pop("environment", "live")
    key, _made = Credentials.objects.get_or_create(
        site_key=site, environment=environment, defaults={"base_url": "https://khalti.com/", "fingerprint": "c0ffee"}
    )
    purchase = Purchase.objects.create(
        shop="fake", ref=ref, origin=ref, site_key=site, language="en", method="khalti", cart={}, total=100_000,
        amount_due=100_000,
    )  # fmt: skip
    given = {"state": PaymentState.FULFILLED, "captured": 100_000, "fee": 3000, "amount": 100_000, **fields}
    moment = utc(paid_at) if paid_at else None
    return Payment.objects.create(
        purchase=purchase, credentials=key, environment=environment, paid_at=moment, **given
    )  # fmt: skip


def refund(of: Payment, amount: int, done_at: str | None, state: RefundState = RefundState.DONE) -> Refund:
    moment = utc(done_at) if done_at else None
    return Refund.objects.create(
        purchase=of.purchase, payment=of, key=f"{of.pk}:{amount}", state=state, subtotal=amount, shipping=0,
        amount=amount, done_at=moment,
    )  # fmt: skip


def test_each_day_has_captured_fees_and_refunds() -> None:
    first = payment("order-1", "2026-02-10T06:00:00")
    payment("order-2", "2026-02-10T07:00:00", captured=50_000, fee=1500)
    refund(first, 20_000, "2026-02-12T06:00:00")
    refund(first, 10_000, "2026-02-12T08:00:00")
    payment("order-3", "2026-02-12T09:00:00")

    newest, oldest = reports.settlement(**FEBRUARY)

    assert (newest.day, oldest.day) == (date(2026, 2, 12), date(2026, 2, 10))
    assert (oldest.payments, oldest.captured, oldest.fees, oldest.net) == (2, 150_000, 4500, 145_500)
    assert (newest.payments, newest.refunds, newest.refunded, newest.net) == (1, 2, 30_000, 67_000)


def test_the_total_is_the_sum_of_its_days() -> None:
    first = payment("order-1", "2026-02-10T06:00:00")
    payment("order-2", "2026-02-11T06:00:00", fee=None)
    refund(first, 20_000, "2026-02-12T06:00:00")

    total = reports.total(reports.settlement(**FEBRUARY))

    assert (total.payments, total.captured, total.fees, total.without_fee) == (2, 200_000, 3000, 1)
    assert (total.refunds, total.refunded, total.net) == (1, 20_000, 177_000)


def test_a_day_ends_at_midnight_in_kathmandu() -> None:
    """18:15Z is the next day, for payments and for refunds."""
    one = payment("order-1", "2026-01-31T18:14:59")
    other = payment("order-2", "2026-01-31T18:15:00")
    refund(one, 10_000, "2026-02-28T18:14:59")
    refund(other, 20_000, "2026-02-28T18:15:00")

    days = {day.day: (day.payments, day.refunded) for day in reports.settlement(**FEBRUARY)}

    assert days == {date(2026, 2, 1): (1, 0), date(2026, 2, 28): (0, 10_000)}


def test_a_day_counts_payments_whose_fee_khalti_has_not_reported() -> None:
    payment("order-1", "2026-02-10T06:00:00", fee=None)
    payment("order-2", "2026-02-10T06:00:00")

    (day,) = reports.settlement(**FEBRUARY)

    assert (day.fees, day.without_fee, day.net) == (3000, 1, 197_000)


@pytest.mark.parametrize("state", list(PaymentState))
def test_only_captured_payments_count(state: PaymentState) -> None:
    payment("order-1", "2026-02-10T06:00:00", state=state)

    counted = bool(reports.settlement(**FEBRUARY))

    assert counted == (state not in {PaymentState.CREATED, PaymentState.INITIATED, PaymentState.RELEASED})


@pytest.mark.parametrize("state", [each for each in RefundState if each is not RefundState.DONE])
def test_a_refund_counts_when_it_is_done(state: RefundState) -> None:
    refund(payment("order-1", "2026-02-10T06:00:00"), 10_000, "2026-02-11T06:00:00", state)

    (day,) = reports.settlement(**FEBRUARY)

    assert (day.refunds, day.refunded) == (0, 0)


def test_refunds_in_cash_are_not_part_of_khaltis_settlement() -> None:
    paid = payment("order-1", "2026-02-10T06:00:00")
    Refund.objects.create(
        purchase=paid.purchase, key="cod", state=RefundState.DONE, subtotal=500, shipping=0, amount=500,
        done_at=utc("2026-02-10T07:00:00"),
    )  # fmt: skip

    (day,) = reports.settlement(**FEBRUARY)

    assert day.refunds == 0


def test_money_without_a_date_is_counted_separately_until_it_is_refunded() -> None:
    """Khalti reports paid, but no transaction id: it counts neither as captured nor, later, as refunded."""
    unsettled = payment("order-1", None, state=PaymentState.MISMATCHED)
    payment("order-2", "2026-02-10T06:00:00")
    undated = reports.undated()
    refund(unsettled, 100_000, "2026-02-10T06:00:00")
    Payment.objects.filter(pk=unsettled.pk).update(refunded=100_000, state=PaymentState.REFUNDED)

    assert (undated.payments, undated.refundable) == (1, 100_000)
    assert reports.undated().payments == 0
    assert reports.total(reports.settlement(**FEBRUARY)).net == 97_000


@pytest.mark.parametrize("state", list(PaymentState))
def test_money_to_review_is_counted_and_shown(state: PaymentState) -> None:
    payment("order-1", "2026-02-10T06:00:00", state=state, captured=99_900)
    payment("order-2", "2026-01-10T06:00:00", state=state)
    payment("order-3", None, state=state)

    unsettled = reports.undecided(**FEBRUARY)

    needs_review = state in {PaymentState.PAID, PaymentState.MISMATCHED, PaymentState.PARTIALLY_REFUNDED}
    assert (unsettled.payments, unsettled.refundable) == ((1, 99_900) if needs_review else (0, 0))
    assert not needs_review or reports.total(reports.settlement(**FEBRUARY)).captured == 99_900


def test_money_to_review_is_separated_by_site_and_environment() -> None:
    payment("order-1", "2026-02-10T06:00:00", state=PaymentState.MISMATCHED)
    payment("order-2", "2026-02-10T06:00:00", state=PaymentState.MISMATCHED, environment="test")
    payment("order-3", "2026-02-10T06:00:00", state=PaymentState.MISMATCHED, site="branch")

    assert reports.undecided(**FEBRUARY).payments == 3
    assert reports.undecided(**FEBRUARY, site_key="branch").payments == 1
    assert reports.undecided(**FEBRUARY, environment="live").payments == 2


def test_sites_and_environments_are_separated() -> None:
    """Money in the test environment is no real money."""
    payment("order-1", "2026-02-10T06:00:00")
    payment("order-2", "2026-02-10T06:00:00", environment="test")
    refund(payment("order-3", "2026-02-10T06:00:00", site="branch"), 30_000, "2026-02-10T06:00:00")

    everything = reports.total(reports.settlement(**FEBRUARY))
    branch = reports.total(reports.settlement(**FEBRUARY, site_key="branch"))
    live = reports.total(reports.settlement(**FEBRUARY, environment="live"))

    assert (everything.payments, branch.payments, branch.refunded, live.payments) == (3, 1, 30_000, 2)
    assert (reports.sites(), reports.environments()) == (["branch", "default"], ["live", "test"])


def test_flags_to_review_are_listed_oldest_first() -> None:
    first, second = payment("order-1"), payment("order-2", site="branch")
    Flag.objects.create(payment=first, reason=FlagReason.LATE, raised_at=utc("2026-02-12T06:00:00"))
    Flag.objects.create(payment=second, reason=FlagReason.LATE, raised_at=utc("2026-02-10T06:00:00"))
    Flag.objects.create(payment=second, reason=FlagReason.KEY_GONE, raised_at=utc("2026-02-11T06:00:00"))
    Flag.objects.create(payment=first, reason=FlagReason.SOLD_OUT, resolved_at=utc("2026-02-11T06:00:00"))

    listed = [(flag.payment_id, flag.reason) for flag in reports.to_review()]
    assert listed == [(second.pk, "late"), (second.pk, "key_gone"), (first.pk, "late")]
    assert reports.by_reason(reports.to_review()) == [(FlagReason.LATE, 2), (FlagReason.KEY_GONE, 1)]
    assert reports.by_reason(reports.to_review(site_key="default")) == [(FlagReason.LATE, 1)]
    assert [flag.reason for flag in reports.to_review(reason="key_gone")] == ["key_gone"]


def test_no_report_needs_more_statements_for_more_rows() -> None:
    def statements() -> dict[str, int]:
        queries = {
            "settlement": lambda: reports.settlement(**FEBRUARY),
            "undated": reports.undated,
            "undecided": lambda: reports.undecided(**FEBRUARY),
            "flags": lambda: [(flag.payment.purchase, [*flag.payment.refunds.all()]) for flag in reports.to_review()],
            "reasons": lambda: reports.by_reason(reports.to_review()),
        }
        counted = {}
        for name, query in queries.items():
            with CaptureQueriesContext(connection) as captured:
                query()
            counted[name] = len(captured)
        return counted

    def more(number: int) -> None:
        paid = payment(f"order-{number}", f"2026-02-{number % 27 + 1:02}T06:00:00")
        refund(paid, 100, "2026-02-20T06:00:00")
        Flag.objects.create(payment=paid, reason=FlagReason.LATE)

    more(1)
    few = statements()
    for number in range(2, 40):
        more(number)

    assert few == statements() == {"settlement": 4, "undated": 1, "undecided": 1, "flags": 4, "reasons": 2}


def test_a_refund_that_was_not_made_lowers_the_sum_and_counts_as_no_refund() -> None:
    """M3"""
    paid = payment("order-1", "2026-02-10T06:00:00")
    wrong = refund(paid, 20_000, "2026-02-12T06:00:00")
    Refund.objects.create(
        purchase=paid.purchase, payment=paid, key="back", state=RefundState.DONE, subtotal=-20_000, shipping=0,
        amount=-20_000, done_at=utc("2026-02-12T08:00:00"), reverses=wrong,
    )  # fmt: skip

    day = reports.settlement(**FEBRUARY)[0]

    assert (day.refunds, day.refunded) == (1, 0)

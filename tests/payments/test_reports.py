"""What an accountant reads of the money: each day of Kathmandu, and what waits for a decision."""

from datetime import date, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from loyalink_khalti.payments import reports
from loyalink_khalti.payments.models import Credentials, Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import Reason, RefundState, State

pytestmark = [pytest.mark.money, pytest.mark.django_db]

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
        payable=100_000,
    )  # fmt: skip
    given = {"state": State.FULFILLED, "captured": 100_000, "fee": 3000, "amount": 100_000, **fields}
    moment = utc(paid_at) if paid_at else None
    return Payment.objects.create(
        purchase=purchase, credentials=key, environment=environment, paid_at=moment, **given
    )  # fmt: skip


def refund(of: Payment, cash: int, done_at: str | None, state: RefundState = RefundState.DONE) -> Refund:
    moment = utc(done_at) if done_at else None
    return Refund.objects.create(
        purchase=of.purchase, payment=of, key=f"{of.pk}:{cash}", state=state, goods=cash, shipping=0, cash=cash,
        done_at=moment,
    )  # fmt: skip


def test_each_day_has_what_came_what_khalti_keeps_and_what_went_back() -> None:
    first = payment("order-1", "2026-02-10T06:00:00")
    payment("order-2", "2026-02-10T07:00:00", captured=50_000, fee=1500)
    refund(first, 20_000, "2026-02-12T06:00:00")
    refund(first, 10_000, "2026-02-12T08:00:00")
    payment("order-3", "2026-02-12T09:00:00")

    newest, oldest = reports.settlement(**FEBRUARY)

    assert (newest.day, oldest.day) == (date(2026, 2, 12), date(2026, 2, 10))
    assert (oldest.payments, oldest.captured, oldest.fees, oldest.net) == (2, 150_000, 4500, 145_500)
    assert (newest.payments, newest.refunds, newest.refunded, newest.net) == (1, 2, 30_000, 67_000)


def test_the_whole_is_the_sum_of_its_days() -> None:
    first = payment("order-1", "2026-02-10T06:00:00")
    payment("order-2", "2026-02-11T06:00:00", fee=None)
    refund(first, 20_000, "2026-02-12T06:00:00")

    whole = reports.total(reports.settlement(**FEBRUARY))

    assert (whole.payments, whole.captured, whole.fees, whole.without_fee) == (2, 200_000, 3000, 1)
    assert (whole.refunds, whole.refunded, whole.net) == (1, 20_000, 177_000)


def test_a_day_ends_at_midnight_in_kathmandu() -> None:
    """18:15Z is the next day, for what comes and for what goes back."""
    one = payment("order-1", "2026-01-31T18:14:59")
    other = payment("order-2", "2026-01-31T18:15:00")
    refund(one, 10_000, "2026-02-28T18:14:59")
    refund(other, 20_000, "2026-02-28T18:15:00")

    days = {day.day: (day.payments, day.refunded) for day in reports.settlement(**FEBRUARY)}

    assert days == {date(2026, 2, 1): (1, 0), date(2026, 2, 28): (0, 10_000)}


def test_a_day_of_which_khalti_has_named_no_fee_says_so() -> None:
    payment("order-1", "2026-02-10T06:00:00", fee=None)
    payment("order-2", "2026-02-10T06:00:00")

    (day,) = reports.settlement(**FEBRUARY)

    assert (day.fees, day.without_fee, day.net) == (3000, 1, 197_000)


@pytest.mark.parametrize("state", list(State))
def test_only_what_brought_money_counts(state: State) -> None:
    payment("order-1", "2026-02-10T06:00:00", state=state)

    counted = bool(reports.settlement(**FEBRUARY))

    assert counted == (state not in {State.CREATED, State.INITIATED, State.RELEASED})


@pytest.mark.parametrize("state", [each for each in RefundState if each is not RefundState.DONE])
def test_a_refund_counts_when_it_is_done(state: RefundState) -> None:
    refund(payment("order-1", "2026-02-10T06:00:00"), 10_000, "2026-02-11T06:00:00", state)

    (day,) = reports.settlement(**FEBRUARY)

    assert (day.refunds, day.refunded) == (0, 0)


def test_cash_that_was_given_back_for_cash_is_no_business_of_khaltis() -> None:
    paid = payment("order-1", "2026-02-10T06:00:00")
    Refund.objects.create(
        purchase=paid.purchase, key="cod", state=RefundState.DONE, goods=500, shipping=0, cash=500,
        done_at=utc("2026-02-10T07:00:00"),
    )  # fmt: skip

    (day,) = reports.settlement(**FEBRUARY)

    assert day.refunds == 0


def test_money_of_no_known_day_is_told_apart_until_it_is_back() -> None:
    """Khalti says paid, but names no transaction: it is neither counted as come nor, later, as gone."""
    doubted = payment("order-1", None, state=State.MISMATCHED)
    payment("order-2", "2026-02-10T06:00:00")
    waits = reports.undated()
    refund(doubted, 100_000, "2026-02-10T06:00:00")
    Payment.objects.filter(pk=doubted.pk).update(refunded=100_000, state=State.REFUNDED)

    assert (waits.payments, waits.left) == (1, 100_000)
    assert reports.undated().payments == 0
    assert reports.total(reports.settlement(**FEBRUARY)).net == 97_000


@pytest.mark.parametrize("state", list(State))
def test_money_that_nobody_has_decided_about_is_counted_and_named(state: State) -> None:
    payment("order-1", "2026-02-10T06:00:00", state=state, captured=99_900)
    payment("order-2", "2026-01-10T06:00:00", state=state)
    payment("order-3", None, state=state)

    doubted = reports.undecided(**FEBRUARY)

    waits = state in {State.PAID, State.MISMATCHED}
    assert (doubted.payments, doubted.left) == ((1, 99_900) if waits else (0, 0))
    assert not waits or reports.total(reports.settlement(**FEBRUARY)).captured == 99_900


def test_what_is_undecided_is_told_apart_by_site_and_server() -> None:
    payment("order-1", "2026-02-10T06:00:00", state=State.MISMATCHED)
    payment("order-2", "2026-02-10T06:00:00", state=State.MISMATCHED, environment="test")
    payment("order-3", "2026-02-10T06:00:00", state=State.MISMATCHED, site="branch")

    assert reports.undecided(**FEBRUARY).payments == 3
    assert reports.undecided(**FEBRUARY, site_key="branch").payments == 1
    assert reports.undecided(**FEBRUARY, environment="live").payments == 2


def test_sites_and_servers_are_told_apart() -> None:
    """Money of Khalti's test server is no money."""
    payment("order-1", "2026-02-10T06:00:00")
    payment("order-2", "2026-02-10T06:00:00", environment="test")
    refund(payment("order-3", "2026-02-10T06:00:00", site="branch"), 30_000, "2026-02-10T06:00:00")

    everything = reports.total(reports.settlement(**FEBRUARY))
    branch = reports.total(reports.settlement(**FEBRUARY, site_key="branch"))
    live = reports.total(reports.settlement(**FEBRUARY, environment="live"))

    assert (everything.payments, branch.payments, branch.refunded, live.payments) == (3, 1, 30_000, 2)
    assert (reports.sites(), reports.environments()) == (["branch", "default"], ["live", "test"])


def test_what_waits_is_told_with_what_has_waited_longest_first() -> None:
    first, second = payment("order-1"), payment("order-2", site="branch")
    Flag.objects.create(payment=first, reason=Reason.LATE, raised_at=utc("2026-02-12T06:00:00"))
    Flag.objects.create(payment=second, reason=Reason.LATE, raised_at=utc("2026-02-10T06:00:00"))
    Flag.objects.create(payment=second, reason=Reason.KEY_GONE, raised_at=utc("2026-02-11T06:00:00"))
    Flag.objects.create(payment=first, reason=Reason.SOLD_OUT, resolved_at=utc("2026-02-11T06:00:00"))

    told = [(flag.payment_id, flag.reason) for flag in reports.open_flags()]
    assert told == [(second.pk, "late"), (second.pk, "key_gone"), (first.pk, "late")]
    assert reports.by_reason(reports.open_flags()) == [(Reason.LATE, 2), (Reason.KEY_GONE, 1)]
    assert reports.by_reason(reports.open_flags(site_key="default")) == [(Reason.LATE, 1)]
    assert [flag.reason for flag in reports.open_flags(reason="key_gone")] == ["key_gone"]


def test_no_report_asks_more_where_there_is_more() -> None:
    def statements() -> dict[str, int]:
        asked = {
            "settlement": lambda: reports.settlement(**FEBRUARY),
            "undated": reports.undated,
            "undecided": lambda: reports.undecided(**FEBRUARY),
            "flags": lambda: [(flag.payment.purchase, [*flag.payment.refunds.all()]) for flag in reports.open_flags()],
            "reasons": lambda: reports.by_reason(reports.open_flags()),
        }
        counted = {}
        for name, ask in asked.items():
            with CaptureQueriesContext(connection) as captured:
                ask()
            counted[name] = len(captured)
        return counted

    def more(number: int) -> None:
        paid = payment(f"order-{number}", f"2026-02-{number % 27 + 1:02}T06:00:00")
        refund(paid, 100, "2026-02-20T06:00:00")
        Flag.objects.create(payment=paid, reason=Reason.LATE)

    more(1)
    few = statements()
    for number in range(2, 40):
        more(number)

    assert few == statements() == {"settlement": 2, "undated": 1, "undecided": 1, "flags": 2, "reasons": 1}

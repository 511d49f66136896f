"""R6: what no lookup can tell, staff release on Khalti's word alone, or record as Khalti's dashboard shows it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotResolve, SelfDealing
from loyalink_khalti.flow import Resolution
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, points, states_of

from .test_resolve import agrees, flag_of, open_flags, resolve

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]
NOT_FOUND: Any = (404, {}, '{"detail": "Not found."}')
REJECTED: Any = (401, {}, '{"detail": "Invalid token.", "status_code": 401}')


@pytest.fixture
def silent(payment: Payment, khalti: Khalti) -> Payment:
    """No key can look it up any more, whatever became of it; its link has expired. It is flagged."""
    khalti.next_lookup = [REJECTED] * 100
    flow.verify_payment(payment, ignore_back_off=True)
    Payment.objects.update(expires_at=timezone.now())
    assert open_flags() == ["key_refused"]
    return payment


def record_paid(payment: Payment, *, amount: int | None = None, transaction_id: str = "T-dash", **more: Any) -> Flag:
    amount = Paisa(payment.amount if amount is None else amount)
    return resolve(flag_of(payment), "record_paid", amount=amount, transaction_id=transaction_id, **more)


def recorded() -> list[tuple[str, str]]:
    rows = flow.audit()["recorded_outcomes"]
    return [(row["payment"], row["recorded"]) for row in rows]


# Release


def test_staff_do_not_release_a_payment_that_is_completed(silent: Payment, khalti: Khalti, account: Account) -> None:
    """R6, R6e: the key works again. The payment is settled instead."""
    khalti.next_lookup = []
    khalti.pay(silent.pidx)

    with pytest.raises(CannotResolve, match="Khalti answers now: “Completed”"):
        resolve(flag_of(silent), "release")

    assert (states_of(silent), open_flags()) == (("fulfilled", "placed"), [])


@pytest.mark.parametrize("answer", [REJECTED, requests.ConnectionError("refused"), NOT_FOUND])
def test_staff_do_not_release_a_payment_without_khaltis_word(silent: Payment, khalti: Khalti, answer: Any) -> None:
    """R6, R6e"""
    khalti.next_lookup = [answer]

    with pytest.raises(CannotResolve, match="Khalti does not say whether this was paid"):
        resolve(flag_of(silent), "release")

    assert (states_of(silent), open_flags()) == (("initiated", "open"), ["key_refused"])


@pytest.mark.parametrize("status", ["Expired", "User canceled", "Initiated"])
def test_staff_release_a_payment_that_khalti_reports_as_unpaid(
    silent: Payment, khalti: Khalti, account: Account, status: str
) -> None:
    """R6, R6e: on Khalti's word, so nothing is marked."""
    khalti.next_lookup = []
    khalti.says(silent.pidx, status)

    resolve(flag_of(silent), "release")

    assert (states_of(silent), points(account), recorded()) == (("released", "released"), (1000, 0, 0), [])


# Recorded as paid


def test_a_payment_recorded_as_paid_is_placed_and_marked(silent: Payment, shop: FakeShop, account: Account) -> None:
    """R6, R6f"""
    flag = record_paid(silent)

    payment = Payment.objects.get()
    assert (states_of(silent), payment.captured, payment.transaction_id) == (
        ("fulfilled", "placed"),
        245_000,
        "T-dash",
    )
    assert (shop.confirmed, points(account)) == ([("order-1", 245_000)], (745, 0, 500))
    assert (flag.resolution, flag.actor, flag.note) == ("record_paid", "31", "seen in Khalti's dashboard")
    assert recorded() == [("order-1-1", "paid")]
    assert agrees()


def test_the_mark_ends_once_lookup_confirms_it(silent: Payment, khalti: Khalti) -> None:
    """R6, R6f"""
    record_paid(silent)
    khalti.next_lookup = []
    khalti.pay(silent.pidx, transaction_id="T-other")
    flow.refresh_payment(silent)
    before = recorded()
    khalti.pay(silent.pidx, transaction_id="T-dash")

    flow.refresh_payment(silent)

    assert (before, recorded()) == ([("order-1-1", "paid")], [])


def test_another_amount_than_was_due_is_a_mismatch(silent: Payment) -> None:
    """R6: staff decide about the difference, as after a lookup."""
    record_paid(silent, amount=244_900)

    assert (states_of(silent), open_flags()) == (("mismatched", "open"), ["amount_mismatch"])
    resolve(flag_of(silent), "accept")
    assert (states_of(silent)[0], recorded()) == ("fulfilled", [("order-1-1", "paid")])


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"amount": 0}, "Enter the amount and the transaction ID"),
        ({"amount": -1}, "Enter the amount and the transaction ID"),
        ({"transaction_id": " "}, "Enter the amount and the transaction ID"),
        ({"transaction_id": "T 1\n"}, "Enter the amount and the transaction ID"),
        ({"transaction_id": "x" * 65}, "Enter the amount and the transaction ID"),
    ],
)
def test_figures_that_cannot_be_khaltis_are_refused(silent: Payment, figures: dict[str, Any], message: str) -> None:
    """R6"""
    with pytest.raises(CannotResolve, match=message):
        record_paid(silent, **figures)

    assert (states_of(silent), open_flags()) == (("initiated", "open"), ["key_refused"])


def test_one_transaction_does_not_pay_for_two_payments(silent: Payment, shop: FakeShop, khalti: Khalti) -> None:
    """R6"""
    khalti.next_lookup = []
    other = flow.begin_payment(shop.freeze(shop.cart("order-2")))
    khalti.pay(other.pidx, transaction_id="T-dash")
    flow.verify_payment(other)
    khalti.next_lookup = [REJECTED]

    with pytest.raises(CannotResolve, match="belongs to another payment"):
        record_paid(silent)


@pytest.mark.parametrize("record", [record_paid, lambda payment: resolve(flag_of(payment), "record_unpaid")])
def test_nothing_is_recorded_against_khaltis_own_answer(
    silent: Payment, khalti: Khalti, record: Callable[[Payment], Flag]
) -> None:
    """R6, R6f: its answer counts."""
    khalti.next_lookup = []
    khalti.pay(silent.pidx)

    with pytest.raises(CannotResolve, match="Its answer counts, and nothing was recorded"):
        record(silent)

    payment = Payment.objects.get()
    assert (payment.state, payment.transaction_id, recorded()) == ("fulfilled", f"T-{silent.pidx}", [])


def test_a_second_payment_of_a_placed_basket_places_no_second_order(
    silent: Payment, shop: FakeShop, khalti: Khalti
) -> None:
    """R6"""
    origin = silent.purchase.origin
    resolve(flag_of(silent), "record_unpaid")
    khalti.next_lookup = []
    again = flow.begin_payment(shop.freeze(shop.cart("order-2", origin=origin)))
    khalti.pay(again.pidx)
    flow.verify_payment(again)
    khalti.next_lookup = [REJECTED] * 2

    flag = Flag.objects.select_related("payment__purchase").get(payment=silent)
    flow.resolve_flag(
        flag, Resolution.RECORD_PAID, actor="31", reason="there it is", amount=Paisa(245_000), transaction_id="T-1"
    )

    assert (states_of(silent), open_flags()) == (("paid", "released"), ["second_payment"])


def test_khaltis_later_contradiction_is_a_flag_and_the_mark_stays(silent: Payment, khalti: Khalti) -> None:
    """R6, R11, R6h: staff were wrong; the order and the points stay, and staff review it."""
    record_paid(silent)
    khalti.next_lookup = []
    khalti.says(silent.pidx, "Expired")

    flow.refresh_payment(silent)

    assert (states_of(silent), len(open_flags())) == (("fulfilled", "placed"), 1)
    assert recorded() == [("order-1-1", "paid")]


# Recorded as not paid


def test_a_payment_recorded_as_not_paid_is_released_and_marked(silent: Payment, account: Account) -> None:
    """R6, R6f"""
    resolve(flag_of(silent), "record_unpaid")

    assert (states_of(silent), points(account)) == (("released", "released"), (1000, 0, 0))
    assert recorded() == [("order-1-1", "unpaid")]
    assert agrees()


def test_a_payment_is_not_recorded_as_unpaid_while_its_link_lives(silent: Payment) -> None:
    """R6: the customer may pay a minute later, and nothing would show it."""
    Payment.objects.update(expires_at=timezone.now() + timedelta(minutes=20))

    with pytest.raises(CannotResolve, match="The customer can still pay until"):
        resolve(flag_of(silent), "record_unpaid")

    assert states_of(silent) == ("initiated", "open")


def test_what_turns_out_to_be_paid_is_recorded_by_answering_again(silent: Payment) -> None:
    """R6, R6g: released by mistake. The order is placed, or the money refunded, by staff."""
    resolve(flag_of(silent), "record_unpaid")
    flag = Flag.objects.select_related("payment__purchase").get()
    offered = flow.resolution_options(flag)

    flow.resolve_flag(
        flag, Resolution.RECORD_PAID, actor="31", reason="there it is", amount=Paisa(245_000), transaction_id="T-1"
    )

    assert offered == (Resolution.RECORD_PAID,)
    assert (states_of(silent), open_flags()) == (("paid", "released"), ["paid_after_cancel"])
    resolve(flag_of(silent), "place_order")
    assert states_of(silent) == ("fulfilled", "placed")
    assert agrees()


def test_khaltis_later_word_replaces_that_of_staff(silent: Payment, khalti: Khalti) -> None:
    """R6: it was paid after all; staff decide."""
    resolve(flag_of(silent), "record_unpaid")
    khalti.next_lookup = []
    khalti.pay(silent.pidx)

    flow.verify_payment(silent, ignore_back_off=True)

    assert (states_of(silent), open_flags(), recorded()) == (("paid", "released"), ["paid_after_cancel"], [])


def test_a_flag_that_was_closed_can_be_answered_again_as_long_as_khalti_is_silent(silent: Payment) -> None:
    """R6, R6g: closed, the same evidence raises no new flag: the row could never be ended."""
    resolve(flag_of(silent), "close")
    flow.verify_payment(silent, ignore_back_off=True)
    flag = Flag.objects.select_related("payment__purchase").get()

    offered = flow.resolution_options(flag)
    flow.resolve_flag(flag, Resolution.RECORD_UNPAID, actor="31", reason="not there")

    assert offered == (Resolution.RELEASE, *flow.RECORDED, Resolution.REOPEN)
    assert states_of(silent) == ("released", "released")


# Who


@pytest.mark.parametrize("resolution", flow.RECORDED)
def test_staff_record_nothing_about_their_own_order(silent: Payment, resolution: Resolution) -> None:
    """R6, M5, R6f"""
    with pytest.raises(SelfDealing):
        flow.resolve_flag(
            flag_of(silent), resolution, actor="7", reason="mine", amount=Paisa(245_000), transaction_id="T-1"
        )

    assert states_of(silent) == ("initiated", "open")


def test_the_command_says_first_what_it_records(silent: Payment, capsys: pytest.CaptureFixture[str]) -> None:
    """R6: a second confirmation there, too."""
    flag = str(flag_of(silent).pk)
    command = ["khalti_flags", flag, "record_paid", "--actor", "staff1@shop.example", "--reason", "seen"]
    figures = ["--rupees", "2450", "--transaction", "T-1"]

    call_command(*command, *figures)
    said, before = capsys.readouterr().out, states_of(silent)
    with pytest.raises(CommandError, match="transaction ID"):
        call_command(*command, "--rupees", "2450", "--yes")
    call_command(*command, *figures, "--yes")

    assert "Rs 2,450.00 counts as captured by Khalti" in said
    assert "This is your word, not Khalti's" in said
    assert (before, states_of(silent)) == (("initiated", "open"), ("fulfilled", "placed"))

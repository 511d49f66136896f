"""Every kind of answer to lookup, and what follows from it: nothing, unless it matches exactly."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.errors import ShopCannot
from loyalink_khalti.khalti import circuit_breaker
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Credentials, Flag, Payment
from loyalink_khalti.payments.states import FlagReason
from loyalink_khalti.ports import Outcome, Paid
from loyalink_khalti.testing import FakeShop
from tests.purchases import KEY, Khalti, flags, points, states_of

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]


NO_ANSWER: list[Any] = [
    requests.ConnectionError("refused"),
    requests.ReadTimeout("silence"),
    (500, {}, "{}"),
    (503, {}, "<html>maintenance</html>"),
    (302, {"Location": "https://elsewhere.example/"}, ""),
    (200, {}, "<html>maintenance</html>"),
    (200, {}, ""),
    (400, {}, '{"detail": "something else"}'),
]
UNREADABLE: list[Any] = [
    (200, {}, "null"),
    (200, {}, "[]"),
    (200, {}, '"Completed"'),
    (200, {}, "{}"),
    (200, {}, '{"status": "Completed", "pidx": "pidx1", "pidx": "pidx1", "total_amount": 245000}'),
    {"status": "Completed", "total_amount": "245000", "transaction_id": "T1"},
    {"status": "Completed", "total_amount": 245000.0, "transaction_id": "T1"},
    {"status": "Completed", "total_amount": True, "transaction_id": "T1"},
    {"status": "Completed", "total_amount": -245000, "transaction_id": "T1"},
    {"status": "Completed", "total_amount": 10**30, "transaction_id": "T1"},
    {"status": "Completed", "total_amount": None, "transaction_id": "T1"},
    {"status": 7},
]


@pytest.mark.parametrize(
    ("reply", "flagged"),
    [*((reply, []) for reply in NO_ANSWER), *((reply, ["answer_unreadable"]) for reply in UNREADABLE)],
)
def test_nothing_follows_from_an_unusable_answer_and_it_is_looked_up_again(
    reply: Any, flagged: list[str], payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """C01, C03, C06, C08, C09, C13, C14, C15, C16, C20. JSON of another shape is one flag of the site (R2)."""
    khalti.next_lookup = [reply]

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.CONFIRMING
    before = states_of(payment), shop.confirmed, flags()
    khalti.pay(payment.pidx)
    after = flow.verify_payment(payment, ignore_back_off=True)

    assert before == (("initiated", "open"), [], flagged)
    assert after is Outcome.PAID


@pytest.mark.parametrize("status", ["completed", "COMPLETED", "Completed ", "Reversed", ""])
def test_an_undocumented_status_changes_nothing_but_raises_a_flag(
    status: str, payment: Payment, khalti: Khalti, account: Account
) -> None:
    """C21"""
    khalti.says(payment.pidx, status, transaction_id="T1")

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.CONFIRMING
    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.CONFIRMING

    assert states_of(payment) == ("initiated", "open")
    assert points(account) == (500, 500, 0)
    assert flags() == ["unknown_status"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_amount": 244_999}, "amount_mismatch"),
        ({"total_amount": 245_001}, "amount_mismatch"),
        ({"total_amount": 0}, "amount_mismatch"),
        ({"pidx": "HT6o6PEZRWFJ5ygavzHWd5"}, "pidx_mismatch"),
        ({"transaction_id": None}, "no_transaction_id"),
        ({"transaction_id": ""}, "no_transaction_id"),
        ({"refunded": True}, "refunded_at_khalti"),
    ],
)
def test_completed_that_does_not_match_places_no_order_and_raises_a_flag(
    changes: dict[str, Any], reason: str, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """C16, A16, C22, D03: I2"""
    khalti.pay(payment.pidx, **changes)

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.FLAGGED

    payment.refresh_from_db()
    assert states_of(payment) == ("mismatched", "open")
    assert payment.captured == changes.get("total_amount", 245_000)
    assert (shop.confirmed, shop.released, flags()) == ([], [], [reason])
    assert points(account) == (500, 500, 0)


def test_a_mismatched_payment_is_not_paid_by_lookup_alone(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    khalti.pay(payment.pidx, total_amount=1)
    flow.verify_payment(payment)
    khalti.pay(payment.pidx)

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.FLAGGED

    assert (states_of(payment), shop.confirmed) == (("mismatched", "open"), [])


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ({"status": "Expired"}, []),
        ({"status": "User canceled"}, []),
        ({"status": "Failed"}, []),
        ({"status": "Initiated"}, []),
        ({"status": "Completed", "transaction_id": "T1", "total_amount": 1}, ["amount_mismatch"]),
        ({"status": "Completed", "transaction_id": "T1", "pidx": "HT6o6PEZRWFJ5ygavzHWd5"}, ["pidx_mismatch"]),
        ({"status": "Completed", "transaction_id": None}, ["no_transaction_id"]),
    ],
)
def test_a_paid_payment_does_not_become_unpaid_by_a_later_answer(
    answer: dict[str, Any], raised: list[str], payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """I8"""
    khalti.pay(payment.pidx)
    shop.fail("confirm", ShopCannot("sold_out"))
    flow.verify_payment(payment)
    khalti.next_lookup = [answer]

    between = flow.verify_payment(payment, ignore_back_off=True), states_of(payment), points(account), flags()
    after = flow.verify_payment(payment, ignore_back_off=True)

    assert between == (Outcome.FLAGGED, ("paid", "open"), (500, 500, 0), ["sold_out", *raised])
    assert (after, shop.released) == (Outcome.PAID, [])


def test_money_is_recorded_where_the_database_refuses_what_the_shop_wrote_only_at_the_commit(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """N45: Django's foreign keys are checked there: the savepoint around the shop's part does not see it."""

    def confirm(ref: str, *, paid: Paid) -> str:
        Flag.objects.bulk_create([Flag(payment_id=0, reason=FlagReason.LATE)])  # of a row that is gone
        return FakeShop.confirm(shop, ref, paid=paid)

    khalti.pay(payment.pidx)
    with monkeypatch.context() as broken:
        broken.setattr(shop, "confirm", confirm)
        between = flow.verify_payment(payment), states_of(payment), points(account), flags(), shop.confirmed
    after = flow.verify_payment(payment, ignore_back_off=True)

    assert between == (Outcome.FLAGGED, ("paid", "open"), (500, 500, 0), ["host_failed"], [])
    assert (after, states_of(payment)) == (Outcome.PAID, ("fulfilled", "placed"))


def test_one_transaction_id_pays_for_one_purchase(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """I2: unique (environment, transaction_id)."""
    other = flow.begin_payment(shop.freeze(shop.cart("order-2")))
    khalti.pay(payment.pidx)
    khalti.pay(other.pidx, transaction_id="T-pidx1")
    flow.verify_payment(payment)

    assert flow.verify_payment(other) is Outcome.FLAGGED

    assert states_of(other) == ("mismatched", "open")
    assert (shop.confirmed, flags()) == ([("order-1", 245_000)], ["duplicate_transaction_id"])


def test_a_payment_refunded_before_it_was_verified_places_no_order(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """F06"""
    khalti.says(payment.pidx, "Refunded", refunded=True, transaction_id="T1")

    assert flow.verify_payment(payment) is Outcome.FAILED

    payment.refresh_from_db()
    assert states_of(payment) == ("refunded", "released")
    assert (payment.captured, payment.refunded) == (245_000, 245_000)
    assert (shop.confirmed, shop.released) == ([], [("order-1", "refunded")])
    assert (points(account), flags()) == ((1000, 0, 0), ["refunded_at_khalti"])


def test_after_a_partial_refund_staff_decide_about_the_rest(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    khalti.says(payment.pidx, "Partially Refunded", refunded=True, transaction_id="T1")

    assert flow.verify_payment(payment) is Outcome.FLAGGED

    assert states_of(payment) == ("partially_refunded", "open")
    assert (shop.confirmed, shop.released) == ([], [])
    assert (points(account), flags()) == ((500, 500, 0), ["refunded_at_khalti"])


NOT_FOUND: Any = (404, {}, '{"detail": "Not found.", "error_key": "validation_error"}')


def test_not_found_raises_a_flag_the_third_time_and_never_fails_the_payment(payment: Payment, khalti: Khalti) -> None:
    """C12"""
    khalti.next_lookup = [NOT_FOUND] * 3
    raised = []
    for _ in range(3):
        assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.CONFIRMING
        raised.append(flags())

    assert raised == [[], [], ["unknown_at_khalti"]]
    assert states_of(payment) == ("initiated", "open")


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "120"}, 120), ({}, 30)])
def test_after_throttling_customers_cause_no_lookups_until_retry_after(
    headers: dict[str, str], seconds: int, payment: Payment, khalti: Khalti
) -> None:
    """C13"""
    khalti.next_lookup = [(429, headers, '{"detail": "slow down"}')]
    start = timezone.now() + timedelta(minutes=1)

    with time_machine.travel(start, tick=False) as clock:
        flow.verify_payment(payment)
        circuit_breaker.reset()  # as in another process, which was not throttled itself
        clock.move_to(start + timedelta(seconds=seconds - 1))
        flow.verify_payment(payment)
        early = len(khalti.looked_up)
        circuit_breaker.reset()
        clock.move_to(start + timedelta(seconds=seconds + 1))
        flow.verify_payment(payment)

    assert (early, len(khalti.looked_up), states_of(payment)) == (1, 2, ("initiated", "open"))


def test_a_throttled_process_looks_nothing_up_and_still_initiates_payments(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """C13: lookups can wait, initiates cannot."""
    khalti.next_lookup = [(429, {"Retry-After": "120"}, '{"detail": "slow down"}')]
    flow.verify_payment(payment, ignore_back_off=True)
    khalti.pay(payment.pidx)

    outcome = flow.verify_payment(payment, ignore_back_off=True)
    another = flow.begin_payment(shop.freeze(shop.cart("order-2")))

    assert (outcome, khalti.looked_up, another.state) == (Outcome.CONFIRMING, [payment.pidx], "initiated")


def test_a_refused_key_leaves_the_payment_pending_and_raises_one_flag(payment: Payment, khalti: Khalti) -> None:
    """C11"""
    khalti.next_lookup = [(401, {}, '{"detail": "Invalid token.", "status_code": 401}')] * 2

    outcomes = [flow.verify_payment(payment, ignore_back_off=True) for _ in range(2)]

    assert (outcomes, flags()) == ([Outcome.CONFIRMING] * 2, ["key_refused"])
    assert states_of(payment) == ("initiated", "open")


def test_a_payment_whose_key_is_missing_is_looked_up_with_the_new_key(
    payment: Payment, khalti: Khalti, settings: Any
) -> None:
    """C30: "Not found" with another key says nothing."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": KEY.replace("c0ffee", "decade")}
    khalti.next_lookup = [NOT_FOUND]

    first = flow.verify_payment(payment, ignore_back_off=True)
    between = flags()
    khalti.pay(payment.pidx)
    second = flow.verify_payment(payment, ignore_back_off=True)

    assert (first, between, second) == (Outcome.CONFIRMING, ["key_gone"], Outcome.PAID)


def test_without_any_key_nothing_is_looked_up_and_nothing_lost(
    payment: Payment, khalti: Khalti, settings: Any
) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    assert flow.verify_payment(payment, ignore_back_off=True) is Outcome.CONFIRMING

    assert (khalti.looked_up, flags(), states_of(payment)) == ([], ["key_gone"], ("initiated", "open"))


def test_a_payment_is_looked_up_with_the_key_that_created_it(payment: Payment, khalti: Khalti) -> None:
    """C30"""
    Credentials.objects.update(retired_at=timezone.now())
    khalti.pay(payment.pidx)

    assert flow.verify_payment(payment) is Outcome.PAID


def test_the_key_is_never_logged_even_at_debug_level(
    payment: Payment, khalti: Khalti, caplog: pytest.LogCaptureFixture
) -> None:
    """L01"""
    caplog.set_level(logging.DEBUG)
    khalti.next_lookup = [(401, {}, json.dumps({"detail": "Invalid token."})), requests.ConnectionError("refused")]
    for _ in range(3):
        flow.verify_payment(payment, ignore_back_off=True)

    assert KEY not in caplog.text

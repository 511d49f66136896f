"""Whatever Khalti answers to lookup, and what is concluded from it: little, unless it fits to the letter."""

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
from loyalink_khalti.khalti import gate
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments.models import Credentials, Payment
from loyalink_khalti.ports import Outcome
from loyalink_khalti.testing import FakeShop
from tests.purchases import KEY, Khalti, flags, points, stands

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


NO_ANSWER: list[Any] = [
    requests.ConnectionError("refused"),
    requests.ReadTimeout("silence"),
    (500, {}, "{}"),
    (503, {}, "<html>maintenance</html>"),
    (302, {"Location": "https://elsewhere.example/"}, ""),
    (200, {}, "<html>maintenance</html>"),
    (200, {}, ""),
    (200, {}, "null"),
    (200, {}, "[]"),
    (200, {}, '"Completed"'),
    (200, {}, "{}"),
    (200, {}, '{"status": "Completed", "pidx": "pidx1", "pidx": "pidx1", "total_amount": 245000}'),
    (400, {}, '{"detail": "something else"}'),
    {"status": "Completed", "total_amount": "245000", "transaction_id": "T1"},
    {"status": "Completed", "total_amount": 245000.0, "transaction_id": "T1"},
    {"status": "Completed", "total_amount": True, "transaction_id": "T1"},
    {"status": "Completed", "total_amount": -245000, "transaction_id": "T1"},
    {"status": "Completed", "total_amount": 10**30, "transaction_id": "T1"},
    {"status": "Completed", "total_amount": None, "transaction_id": "T1"},
    {"status": 7},
]


@pytest.mark.parametrize("reply", NO_ANSWER)
def test_of_no_answer_nothing_is_concluded_and_it_is_asked_again(
    reply: Any, payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """C01, C03, C06, C08, C09, C13, C14, C15, C16, C20"""
    khalti.next_lookup = [reply]

    assert flow.finish(payment, insist=True) is Outcome.CONFIRMING
    before = stands(payment), shop.confirmed, flags()
    khalti.pay(payment.pidx)
    after = flow.finish(payment, insist=True)

    assert before == (("initiated", "open"), [], [])
    assert after is Outcome.PAID


@pytest.mark.parametrize("status", ["completed", "COMPLETED", "Completed ", "Reversed", ""])
def test_a_status_that_khalti_does_not_document_changes_nothing_but_raises_a_flag(
    status: str, payment: Payment, khalti: Khalti, account: Account
) -> None:
    """C21"""
    khalti.says(payment.pidx, status, transaction_id="T1")

    assert flow.finish(payment, insist=True) is Outcome.CONFIRMING
    assert flow.finish(payment, insist=True) is Outcome.CONFIRMING

    assert stands(payment) == ("initiated", "open")
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
def test_completed_that_does_not_fit_grants_nothing_and_raises_a_flag(
    changes: dict[str, Any], reason: str, payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """C16, A16, C22, D03: I2"""
    khalti.pay(payment.pidx, **changes)

    assert flow.finish(payment, insist=True) is Outcome.FLAGGED

    payment.refresh_from_db()
    assert stands(payment) == ("mismatched", "open")
    assert payment.captured == changes.get("total_amount", 245_000)
    assert (shop.confirmed, shop.released, flags()) == ([], [], [reason])
    assert points(account) == (500, 500, 0)


def test_a_mismatch_is_no_longer_paid_by_lookup_alone(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    khalti.pay(payment.pidx, total_amount=1)
    flow.finish(payment)
    khalti.pay(payment.pidx)

    assert flow.finish(payment, insist=True) is Outcome.FLAGGED

    assert (stands(payment), shop.confirmed) == (("mismatched", "open"), [])


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
def test_what_was_once_paid_is_not_made_unpaid_by_a_later_answer(
    answer: dict[str, Any], raised: list[str], payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """I8"""
    khalti.pay(payment.pidx)
    shop.fail("confirm", ShopCannot("sold_out"))
    flow.finish(payment)
    khalti.next_lookup = [answer]

    between = flow.finish(payment, insist=True), stands(payment), points(account), flags()
    after = flow.finish(payment, insist=True)

    assert between == (Outcome.FLAGGED, ("paid", "open"), (500, 500, 0), ["sold_out", *raised])
    assert (after, shop.released) == (Outcome.PAID, [])


def test_one_transaction_of_khaltis_pays_one_purchase(payment: Payment, khalti: Khalti, shop: FakeShop) -> None:
    """I2: unique (environment, transaction_id)."""
    other = flow.begin(shop.freeze(shop.cart("order-2")))
    khalti.pay(payment.pidx)
    khalti.pay(other.pidx, transaction_id="T-pidx1")
    flow.finish(payment)

    assert flow.finish(other) is Outcome.FLAGGED

    assert stands(other) == ("mismatched", "open")
    assert (shop.confirmed, flags()) == ([("order-1", 245_000)], ["duplicate_transaction_id"])


def test_refunded_before_we_heard_that_it_was_paid_grants_nothing(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    """F06"""
    khalti.says(payment.pidx, "Refunded", refunded=True, transaction_id="T1")

    assert flow.finish(payment) is Outcome.FAILED

    payment.refresh_from_db()
    assert stands(payment) == ("refunded", "released")
    assert (payment.captured, payment.refunded) == (245_000, 245_000)
    assert (shop.confirmed, shop.released) == ([], [("order-1", "refunded")])
    assert (points(account), flags()) == ((1000, 0, 0), ["refunded_at_khalti"])


def test_of_a_part_refund_the_rest_is_still_there_so_staff_decide(
    payment: Payment, khalti: Khalti, shop: FakeShop, account: Account
) -> None:
    khalti.says(payment.pidx, "Partially Refunded", refunded=True, transaction_id="T1")

    assert flow.finish(payment) is Outcome.FLAGGED

    assert stands(payment) == ("part_refunded", "open")
    assert (shop.confirmed, shop.released) == ([], [])
    assert (points(account), flags()) == ((500, 500, 0), ["refunded_at_khalti"])


NOT_FOUND: Any = (404, {}, '{"detail": "Not found.", "error_key": "validation_error"}')


def test_not_found_is_a_flag_at_the_third_time_and_never_a_failure(payment: Payment, khalti: Khalti) -> None:
    """C12"""
    khalti.next_lookup = [NOT_FOUND] * 3
    raised = []
    for _ in range(3):
        assert flow.finish(payment, insist=True) is Outcome.CONFIRMING
        raised.append(flags())

    assert raised == [[], [], ["unknown_at_khalti"]]
    assert stands(payment) == ("initiated", "open")


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "120"}, 120), ({}, 30)])
def test_a_khalti_that_wants_to_be_left_alone_is_by_visitors(
    headers: dict[str, str], seconds: int, payment: Payment, khalti: Khalti
) -> None:
    """C13"""
    khalti.next_lookup = [(429, headers, '{"detail": "slow down"}')]
    start = timezone.now() + timedelta(minutes=1)

    with time_machine.travel(start, tick=False) as clock:
        flow.finish(payment)
        gate.forget()  # the others are in processes that have not heard it themselves
        clock.move_to(start + timedelta(seconds=seconds - 1))
        flow.finish(payment)
        early = len(khalti.asked)
        clock.move_to(start + timedelta(seconds=seconds))
        flow.finish(payment)

    assert (early, len(khalti.asked), stands(payment)) == (1, 2, ("initiated", "open"))


def test_a_process_that_was_told_to_slow_down_looks_nothing_up_and_still_opens_payments(
    payment: Payment, khalti: Khalti, shop: FakeShop
) -> None:
    """C13: whatever may be asked later just as well gives way."""
    khalti.next_lookup = [(429, {"Retry-After": "120"}, '{"detail": "slow down"}')]
    flow.finish(payment, insist=True)
    khalti.pay(payment.pidx)

    stands_still = flow.finish(payment, insist=True)
    another = flow.begin(shop.freeze(shop.cart("order-2")))

    assert (stands_still, khalti.asked, another.state) == (Outcome.CONFIRMING, [payment.pidx], "initiated")


def test_a_refused_key_leaves_the_payment_waiting_and_tells_staff_once(payment: Payment, khalti: Khalti) -> None:
    """C11"""
    khalti.next_lookup = [(401, {}, '{"detail": "Invalid token.", "status_code": 401}')] * 2

    outcomes = [flow.finish(payment, insist=True) for _ in range(2)]

    assert (outcomes, flags()) == ([Outcome.CONFIRMING] * 2, ["key_refused"])
    assert stands(payment) == ("initiated", "open")


def test_a_payment_whose_key_is_gone_is_asked_for_with_the_new_one(
    payment: Payment, khalti: Khalti, settings: Any
) -> None:
    """C30: "Not found" is then no verdict."""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": KEY.replace("c0ffee", "decade")}
    khalti.next_lookup = [NOT_FOUND]

    first = flow.finish(payment, insist=True)
    between = flags()
    khalti.pay(payment.pidx)
    second = flow.finish(payment, insist=True)

    assert (first, between, second) == (Outcome.CONFIRMING, ["key_gone"], Outcome.PAID)


def test_without_any_key_nothing_is_asked_and_nothing_lost(payment: Payment, khalti: Khalti, settings: Any) -> None:
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}

    assert flow.finish(payment, insist=True) is Outcome.CONFIRMING

    assert (khalti.asked, flags(), stands(payment)) == ([], ["key_gone"], ("initiated", "open"))


def test_a_payment_is_asked_about_with_the_key_that_opened_it(payment: Payment, khalti: Khalti) -> None:
    """C30"""
    Credentials.objects.update(retired_at=timezone.now())
    khalti.pay(payment.pidx)

    assert flow.finish(payment) is Outcome.PAID


def test_nothing_of_the_key_is_logged_even_when_all_is(
    payment: Payment, khalti: Khalti, caplog: pytest.LogCaptureFixture
) -> None:
    """L01"""
    caplog.set_level(logging.DEBUG)
    khalti.next_lookup = [(401, {}, json.dumps({"detail": "Invalid token."})), requests.ConnectionError("refused")]
    for _ in range(3):
        flow.finish(payment, insist=True)

    assert KEY not in caplog.text

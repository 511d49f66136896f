"""One idempotency key begins one purchase: repeated, at once, after a crash, with another body, by another caller."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.utils import timezone

from loyalink_khalti.api.models import ApiRequest
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.testing import FakeShop
from tests.api.calling import App, basket, new_key, problem
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]


class Crash(BaseException):
    """The process dies: nothing handles it, so nothing is cleaned up by an ``except Exception``."""


def test_the_same_key_with_the_same_body_has_the_same_answer(app: App, sita: App, khalti: Khalti) -> None:
    """Q1: Also once it is paid, and also for an order without Khalti."""
    for caller, changes in ((app, {}), (sita, {"method": "cod"})):
        key = new_key()
        first = caller.begin(key, **changes)
        for payment in Payment.objects.filter(state="initiated"):
            khalti.pay(payment.pidx)
            caller.get(f"/payments/{payment.token}", payment_secret=first.json()["payment"]["secret"])
        again = caller.begin(f'"{key}"', **changes)  # the draft of the IETF writes it as a quoted string
        assert (again.status_code, again.json()) == (201, first.json())
    assert Purchase.objects.count() == 2
    assert len(khalti.opened) == 1


def test_the_same_key_with_another_body_is_refused(app: App, khalti: Khalti) -> None:
    """Q1"""
    key = new_key()
    app.begin(key)

    assert problem(app.begin(key, method="cod")) == (422, "idempotency-key-reused")
    assert Purchase.objects.count() == 1


def test_a_key_belongs_to_its_caller(app: App, sita: App, khalti: Khalti) -> None:
    """Q1: The same key of a member and of a guest are two keys: neither sees the other's payment."""
    key = new_key()

    assert sita.begin(key).json()["payment"]["id"] != app.begin(key).json()["payment"]["id"]


def test_a_key_is_needed_and_has_a_form(app: App) -> None:
    body = {"shop": "fake", "basket": basket(), "method": "cod", "expected_due": 250_000}
    for headers in ({}, {"idempotency_key": "1"}, {"idempotency_key": "x" * 129}, {"idempotency_key": "a b" * 10}):
        assert problem(app.post("/purchases", body, **headers)) == (422, "invalid-request"), headers
    assert not Purchase.objects.exists()


def test_two_requests_at_once_begin_one_purchase(app: App, khalti: Khalti, shop: FakeShop) -> None:
    """Q1"""
    key = new_key()
    app.quote()

    answers = at_once(3, lambda _index: App().begin(key))

    begun = [each for each in answers if each.status_code == 201]
    assert begun
    assert {problem(each) for each in answers if each not in begun} <= {(409, "request-in-progress")}
    assert Purchase.objects.count() == len(khalti.opened) == 1
    assert app.begin(key).json() == begun[0].json()


def test_after_a_crash_the_same_key_leads_to_the_same_purchase(
    app: App, khalti: Khalti, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Q2: The process dies after the payment was opened and before its answer."""
    key = new_key()
    with monkeypatch.context() as patch:
        patch.setattr("loyalink_khalti.api.callers.Caller.remember", lambda *_args: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            app.begin(key)
    payment = Payment.objects.get()

    again = app.begin(key)

    assert (again.status_code, again.json()["payment"]["id"]) == (201, payment.token)
    assert (Payment.objects.count(), len(khalti.opened)) == (1, 1)


def test_after_a_crash_at_khalti_the_key_waits_until_nothing_can_come_of_it(
    app: App, khalti: Khalti, shop: FakeShop
) -> None:
    """Q2: The purchase is committed, Khalti's answer never came: first "in progress", then one new purchase."""
    key = new_key()

    def die() -> None:
        raise Crash

    khalti.while_initiating = die
    with pytest.raises(Crash):
        app.begin(key)
    khalti.while_initiating = lambda: None
    assert problem(app.begin(key)) == (409, "request-in-progress")

    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        begun = app.begin(key)

    assert begun.status_code == 201
    assert sorted(Payment.objects.values_list("state", flat=True)) == ["initiated", "released"]


def test_a_request_that_died_before_it_created_anything_frees_its_key(
    app: App, khalti: Khalti, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Q2"""
    key = new_key()
    with monkeypatch.context() as patch:
        patch.setattr("loyalink_khalti.api.idempotency.Claim.free", lambda *_args: None)  # as if it was killed
        patch.setattr(FakeShop, "open_basket", lambda *_args: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            app.begin(key)

    assert problem(app.begin(key)) == (409, "request-in-progress")
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert app.begin(key).status_code == 201
    assert Purchase.objects.count() == 1


def test_a_refusal_frees_the_key(app: App, khalti: Khalti, shop: FakeShop) -> None:
    """Nothing was held: the customer may change the order, or try again."""
    key = new_key()
    shop.stock(pen=0)
    assert problem(app.begin(key)) == (409, "sold-out")
    khalti.next_initiate.append((503, {}, "{}"))
    shop.stock(pen=5)
    assert problem(app.begin(key)) == (409, "cannot-pay")

    assert app.begin(key, method="cod").status_code == 201


def test_keys_end_after_a_day_and_keep_no_personal_data(app: App, khalti: Khalti) -> None:
    key = new_key()
    first = app.begin(key)
    row: dict[str, Any] = ApiRequest.objects.values().get()
    assert not {"sita", "9800000001", key} & set(str(row).lower().split("'"))

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        second = app.begin(key, method="cod")
        app.begin(method="cod")

    assert second.json()["reference"] != first.json()["reference"]
    assert ApiRequest.objects.count() == 2


def test_a_member_who_logs_out_does_not_leave_a_key_behind(app: App, sita: App, khalti: Khalti) -> None:
    """The secret of a guest's payment is not given to a member with the same key, nor the other way round."""
    key = new_key()
    get_user_model().objects.create(username="hari")
    mine = sita.begin(key).json()["payment"]
    other = App("hari").begin(key).json()["payment"]

    assert mine["id"] != other["id"]
    assert mine["secret"] is None

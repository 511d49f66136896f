"""The status of a payment: ETag, a bounded wait for a change, cancelling."""

import threading
import time
from typing import Any

import pytest
from django.db import connections

from loyalink_khalti import flow
from loyalink_khalti.api import statuses
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.testing import FakeShop
from tests.api.calling import App, problem
from tests.purchases import Khalti

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.money]


def begin(app: App) -> tuple[str, dict[str, str]]:
    payment = app.begin().json()["payment"]
    return f"/payments/{payment['id']}", {"payment_secret": payment["secret"]}


def test_a_status_that_the_app_has_is_not_sent_again(app: App, khalti: Khalti) -> None:
    path, secret = begin(app)
    first = app.get(path, **secret)

    same = app.get(path, if_none_match=first["ETag"], **secret)
    khalti.pay(Payment.objects.get().pidx)
    flow.verify_payment(Payment.objects.get(), ignore_back_off=True)
    other = app.get(path, if_none_match=first["ETag"], **secret)

    assert (same.status_code, same.content, same["ETag"]) == (304, b"", first["ETag"])
    assert (other.status_code, other.json()["outcome"]) == (200, "paid")


def test_a_waiting_request_answers_when_the_payment_is_paid(app: App, khalti: Khalti, shop: FakeShop) -> None:
    """Here the return page verifies it meanwhile; the wait is over long before its 20 seconds."""
    path, secret = begin(app)
    etag = app.get(path, **secret)["ETag"]
    payment = Payment.objects.get()
    khalti.pay(payment.pidx)

    def return_from_khalti() -> None:
        flow.verify_payment(payment, ignore_back_off=True)
        connections.close_all()

    began = time.monotonic()
    other = threading.Timer(0.2, return_from_khalti)
    other.start()
    answer = app.get(f"{path}?wait=20", if_none_match=etag, **secret)
    other.join()

    assert answer.json()["outcome"] == "paid"
    assert time.monotonic() - began < 10
    assert len(shop.confirmed) == 1


def test_a_wait_is_bounded_and_asks_khalti_seldom(app: App, khalti: Khalti, settings: Any) -> None:
    """Q8"""
    settings.LOYALINK_KHALTI["API"]["LONGEST_WAIT"] = 1
    path, secret = begin(app)
    etag = app.get(path, **secret)["ETag"]

    began = time.monotonic()
    answer = app.get(f"{path}?wait=60", if_none_match=etag, **secret)

    assert answer.status_code == 304
    assert 0.9 < time.monotonic() - began < 5
    assert len(khalti.looked_up) == 1


def test_few_requests_wait_and_the_others_are_answered_at_once(app: App, khalti: Khalti, settings: Any) -> None:
    """Q8: A waiting request holds a thread, and threads are for the shop's pages."""
    settings.LOYALINK_KHALTI["MAX_CONCURRENT_CALLS"] = 2
    path, secret = begin(app)
    assert statuses.places.enter()
    try:
        began = time.monotonic()
        assert app.get(f"{path}?wait=20", **secret).json()["outcome"] == "confirming"
        assert time.monotonic() - began < 5
    finally:
        statuses.places.leave()


def test_cancelling_asks_khalti_first(app: App, khalti: Khalti, shop: FakeShop) -> None:
    """Not confirmed: it stays. Paid before: it is paid. Not paid: it is released, and a second click says the same."""
    path, secret = begin(app)
    khalti.next_lookup.append((503, {}, "{}"))
    refused = app.post(f"{path}/cancel", **secret)
    assert problem(refused) == (409, "cannot-cancel-now")
    assert int(refused["Retry-After"]) > 0

    paid, paid_secret = begin(app)
    khalti.pay(Payment.objects.latest("pk").pidx)
    assert app.post(f"{paid}/cancel", **paid_secret).json()["outcome"] == "paid"

    third, third_secret = begin(app)
    outcomes = [app.post(f"{third}/cancel", **third_secret).json()["outcome"] for _ in range(2)]
    assert outcomes == ["cancelled", "cancelled"]
    assert len(shop.confirmed) == len(shop.released) == 1

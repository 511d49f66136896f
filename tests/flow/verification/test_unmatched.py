"""R5: the reconciler looks kept returns up with the site's keys; money without a payment here is for staff."""

from datetime import timedelta
from typing import Any

import pytest
import requests
import responses
import time_machine
from django.core import mail
from django.utils import timezone

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotResolve
from loyalink_khalti.khalti import Secret, circuit_breaker
from loyalink_khalti.payments import unmatched
from loyalink_khalti.payments.credentials import Credentials
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.testing import FakeShop
from tests.purchases import KEY, Khalti

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db(transaction=True)]

LIVE_SERVER = "https://khalti.com/api/v2/"
PIDX = "bZQLD9wRVWo4CdESSfuSsB"


def keep(pidx: str = PIDX, **changes: Any) -> UnmatchedPayment:
    flow.keep_return(**{"pidx": pidx, "site_key": "default", "network": "n", **changes})
    return UnmatchedPayment.objects.get(pidx=pidx)


@pytest.fixture
def money(khalti: Khalti) -> UnmatchedPayment:
    """A kept return for which Khalti has Rs 2,500."""
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)
    return keep()


def test_money_without_a_payment_here_is_found_by_one_pass_and_nothing_else_happens(
    money: UnmatchedPayment, shop: FakeShop
) -> None:
    """R5, R5c"""
    list(flow.reconcile())

    money.refresh_from_db()
    assert (money.state, money.amount, money.transaction_id, money.fee) == ("found", 250_000, f"T-{PIDX}", 30)
    assert (Payment.objects.count(), shop.confirmed) == (0, [])


def test_staff_learn_of_it_by_health_audit_and_one_mail(money: UnmatchedPayment, settings: Any) -> None:
    """R5, R5c"""
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "ALERTS_TO": ["staff@shop.example"]}
    for _ in range(2):
        list(flow.reconcile())

    health, report = flow.health().unmatched, flow.audit()

    assert (health.payments, health.refundable) == (1, 250_000)
    assert report["ok"]
    assert [(row["pidx"], row["amount"], row["transaction_id"]) for row in report["unmatched_payments"]] == [
        (PIDX, 250_000, f"T-{PIDX}")
    ]
    assert [message.subject for message in mail.outbox] == ["1 payment at Khalti belongs to no order"]
    assert PIDX in mail.outbox[0].body
    assert "Rs\u00a02,500.00" in mail.outbox[0].body.replace("Rs 2", "Rs\u00a02")


@pytest.mark.parametrize("status", ["Expired", "User canceled", "Failed", "Refunded"])
def test_what_was_not_paid_ends_by_itself_and_is_deleted_after_a_month(
    status: str, khalti: Khalti, money: UnmatchedPayment
) -> None:
    """R5d"""
    khalti.says(PIDX, status)
    list(flow.reconcile())
    money.refresh_from_db()

    with time_machine.travel(timezone.now() + timedelta(days=31)):
        list(flow.reconcile())

    assert (money.state, money.next_lookup_at) == ("ended", None)
    assert UnmatchedPayment.objects.count() == 0


def test_a_pending_one_is_asked_about_again_until_it_is_paid(khalti: Khalti, money: UnmatchedPayment) -> None:
    """A14, R5d"""
    khalti.says(PIDX, "Pending")
    states = []
    with time_machine.travel(timezone.now()) as clock:
        for minutes in (1, 2, 5):
            list(flow.reconcile(due_only=True))
            money.refresh_from_db()
            states.append(money.state)
            clock.shift(timedelta(minutes=minutes))
        khalti.pay(PIDX)
        list(flow.reconcile(due_only=True))

    money.refresh_from_db()
    assert states == ["waiting"] * 3
    assert money.state == "found"


def test_one_that_stays_pending_ends_after_a_week(khalti: Khalti, money: UnmatchedPayment) -> None:
    """R5d"""
    khalti.says(PIDX, "Pending")
    with time_machine.travel(timezone.now()) as clock:
        for _ in range(9):
            list(flow.reconcile(due_only=True))
            clock.shift(timedelta(days=1))

    money.refresh_from_db()
    assert (money.state, money.next_lookup_at) == ("ended", None)
    assert len(khalti.looked_up) <= 9


def test_a_pidx_that_khalti_does_not_know_ends_after_three_lookups(khalti: Khalti) -> None:
    """K07, R5d: what is made up costs few calls."""
    row = keep()
    with time_machine.travel(timezone.now()) as clock:
        for _ in range(6):
            list(flow.reconcile(due_only=True))
            clock.shift(timedelta(minutes=10))

    row.refresh_from_db()
    assert (row.state, khalti.looked_up) == ("ended", [PIDX] * 3)


def test_money_found_that_is_refunded_in_the_dashboard_ends(khalti: Khalti, money: UnmatchedPayment) -> None:
    """R5d"""
    list(flow.reconcile())
    khalti.says(PIDX, "Refunded", refunded=True, transaction_id=f"T-{PIDX}")

    list(flow.reconcile())

    money.refresh_from_db()
    assert (money.state, flow.health().unmatched.payments) == ("ended", 0)


def test_money_found_stays_found_whatever_khalti_says_next(khalti: Khalti, money: UnmatchedPayment) -> None:
    list(flow.reconcile())
    for status in ("Expired", "Pending", "Reversed"):
        khalti.says(PIDX, status)
        list(flow.reconcile())

    money.refresh_from_db()
    assert (money.state, money.status) == ("found", "Reversed")


def test_every_key_of_the_site_is_tried_the_current_one_first(khalti: Khalti, settings: Any) -> None:
    """R5, R5c: the restored database has an older key than the one that opened the payment, or a newer one."""
    conf.credentials("default")
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": KEY.replace("c0ffee", "decade")}
    newer = conf.credentials("default")
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)
    row = keep()

    list(flow.reconcile())

    row.refresh_from_db()
    assert (row.state, row.credentials) == ("found", newer)
    assert Credentials.objects.count() == 2


def test_a_former_key_finds_what_the_current_one_does_not(khalti: Khalti, settings: Any, fernet: None) -> None:
    """R5c"""
    former = conf.save_secret_key("default", conf.TEST, Secret(KEY.replace("c0ffee", "decade")))
    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)
    khalti.next_lookup.append((404, {}, '{"detail": "Not found.", "error_key": "validation_error"}'))
    row = keep()

    list(flow.reconcile())

    row.refresh_from_db()
    assert (row.state, row.credentials, len(khalti.looked_up)) == ("found", former, 2)


@pytest.fixture
def fernet(settings: Any, shop: FakeShop) -> None:
    from cryptography.fernet import Fernet

    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "FERNET_KEYS": [Fernet.generate_key().decode()]}


def test_a_process_without_its_key_touches_nothing(money: UnmatchedPayment, khalti: Khalti, settings: Any) -> None:
    """D7, R5e"""
    conf.credentials("default")
    chosen = settings.LOYALINK_KHALTI
    settings.LOYALINK_KHALTI = {**chosen, "KHALTI_SECRET_KEY": ""}
    list(flow.reconcile())
    money.refresh_from_db()
    untouched = (money.state, money.not_found, list(khalti.looked_up))
    due = UnmatchedPayment.objects.looked_up(due_only=True).count()

    settings.LOYALINK_KHALTI = chosen
    list(flow.reconcile(due_only=True))

    money.refresh_from_db()
    assert (untouched, due, money.state) == (("waiting", 0, []), 1, "found")


def test_silence_of_khalti_ends_nothing_and_leaves_the_others_alone(khalti: Khalti, money: UnmatchedPayment) -> None:
    """R1, R5e: an outage is not a row's fault."""
    keep("y" * 22)
    khalti.next_lookup.extend([requests.ConnectionError("down")])

    list(flow.reconcile())

    assert set(UnmatchedPayment.objects.values_list("state", flat=True)) == {"waiting"}
    assert len(khalti.looked_up) == 1
    circuit_breaker.reset()
    list(flow.reconcile(due_only=True))  # at once: no back-off is charged for the silence
    money.refresh_from_db()
    assert money.state == "found"


def test_one_about_which_khalti_fails_each_time_does_not_keep_the_others_waiting(
    khalti: Khalti, money: UnmatchedPayment
) -> None:
    """R12: the browser chooses the pidx, and the server may fail at that one alone."""
    khalti.knows("p" * 22, 1000)
    poison = keep("p" * 22)
    UnmatchedPayment.objects.filter(pk=poison.pk).update(next_lookup_at=timezone.now() - timedelta(hours=1))

    def fail() -> None:
        if khalti.looked_up[-1] == poison.pidx:
            raise requests.ConnectionError("reset")

    khalti.while_looking_up = fail
    for _pass in range(2):
        circuit_breaker.reset()
        list(flow.reconcile(due_only=True))

    money.refresh_from_db()
    poison.refresh_from_db()
    assert (money.state, poison.state) == ("found", "waiting")


def test_a_site_without_a_key_does_not_keep_those_of_other_sites_waiting(
    khalti: Khalti, money: UnmatchedPayment, settings: Any, fernet: None
) -> None:
    """R12: anyone can come back to a site that sells nothing."""
    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_SECRET_KEY": ""}
    keyless = keep("k" * 22, site_key="another")
    UnmatchedPayment.objects.filter(pk=keyless.pk).update(next_lookup_at=timezone.now() - timedelta(hours=1))

    list(flow.reconcile())

    money.refresh_from_db()
    keyless.refresh_from_db()
    assert (money.state, keyless.state) == ("found", "waiting")


def test_a_site_that_takes_real_money_finds_none_with_its_former_test_key(
    khalti: Khalti, settings: Any, fernet: None
) -> None:
    """R13: with a test key, which may be Khalti's public one, anyone can pay any amount without money."""
    conf.save_secret_key("default", conf.TEST, Secret(KEY))
    khalti.knows(PIDX, 250_000)
    khalti.pay(PIDX)
    row = keep()
    list(flow.reconcile())
    row.refresh_from_db()
    found_while_testing = row.state
    settings.LOYALINK_KHALTI = {**settings.LOYALINK_KHALTI, "KHALTI_BASE_URL": LIVE_SERVER}
    conf.save_secret_key("default", conf.LIVE, Secret(KEY.replace("c0ffee", "decade")))
    khalti.looked_up.clear()
    with responses.RequestsMock(assert_all_requests_are_fired=False) as live:
        live.add(responses.POST, f"{LIVE_SERVER}epayment/lookup/", json={"detail": "Not found."}, status=404)
        other = keep("o" * 22)
        khalti.knows(other.pidx, 250_000)
        khalti.pay(other.pidx)
        list(flow.reconcile())

        with pytest.raises(CannotResolve, match="no money moves"):
            flow.refund_unmatched(row, actor="1", reason="the customer asks for it")

    other.refresh_from_db()
    assert (found_while_testing, other.state, other.not_found) == ("found", "waiting", 1)
    assert khalti.looked_up == []


def test_an_unreadable_answer_about_one_does_not_stop_the_others(khalti: Khalti, money: UnmatchedPayment) -> None:
    """G04, R5e"""
    khalti.knows("a" * 22, 1000)
    poison = keep("a" * 22)
    UnmatchedPayment.objects.filter(pk=poison.pk).update(next_lookup_at=timezone.now() - timedelta(hours=1))
    khalti.next_lookup.append((200, {}, "[]"))

    list(flow.reconcile())

    money.refresh_from_db()
    poison.refresh_from_db()
    assert (money.state, poison.state) == ("found", "waiting")


def test_an_answer_about_another_payment_is_not_believed(khalti: Khalti, money: UnmatchedPayment) -> None:
    """C22, R5e"""
    khalti.next_lookup.append({"pidx": "another"})

    list(flow.reconcile())

    money.refresh_from_db()
    assert (money.state, money.amount) == ("waiting", None)


def test_a_pass_looks_up_a_bounded_number(khalti: Khalti, shop: FakeShop) -> None:
    for number in range(5):
        keep(f"{number:022}")

    flow.look_up_unmatched(most=3)

    assert len(khalti.looked_up) == 3


def test_ordinary_traffic_finds_it_too(money: UnmatchedPayment) -> None:
    """R5c"""
    flow.reconcile_one()

    money.refresh_from_db()
    assert money.state == "found"


def test_two_passes_at_once_ask_once(money: UnmatchedPayment, khalti: Khalti) -> None:
    """G01, R5e"""
    stale = UnmatchedPayment.objects.get(pk=money.pk)
    first = unmatched.claim(money)

    assert (first, unmatched.claim(stale)) == (True, False)


def test_a_time_of_a_wrong_clock_far_ahead_counts_as_none(money: UnmatchedPayment) -> None:
    """R7, R5e"""
    UnmatchedPayment.objects.update(next_lookup_at=timezone.now() + timedelta(days=30))

    list(flow.reconcile(due_only=True))

    money.refresh_from_db()
    assert money.state == "found"

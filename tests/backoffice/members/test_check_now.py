"""Reserved points are released only by Khalti's answer, and the staff user reads what the lookup has changed."""

from collections.abc import Iterator

import pytest
import requests
from django.db import connection

from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.payments.models import Payment
from tests.backoffice.pages import page_text
from tests.purchases import Khalti

from .conftest import MemberDesk, customer, logged_actions, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hold(pending_payment: Payment) -> Hold:
    return Hold.objects.get()


def balances(account: Account) -> tuple[int, int]:
    """Return the available and the held points."""
    account.refresh_from_db()
    return account.available, account.held


def test_points_of_an_unpaid_payment_stay_reserved(
    editor: MemberDesk, sita: Account, hold: Hold, khalti: Khalti
) -> None:
    page = editor.submit(sita, "check_now", hold.pk)

    assert "Khalti's answer: not paid yet. The points stay reserved." in page_text(page)
    assert (balances(sita), len(khalti.looked_up)) == ((500, 500), 1)
    assert logged_actions() == [
        ("maya", "check_hold", {"order": "order-1", "points": 500, "still_held": True, "status": "Initiated"})
    ]


@pytest.mark.parametrize(
    ("status", "message"),
    [("Expired", "expired without payment"), ("User canceled", "cancelled"), ("Failed", "not paid")],
)
def test_points_are_released_when_khalti_answers_that_the_payment_has_failed(
    editor: MemberDesk, sita: Account, pending_payment: Payment, hold: Hold, khalti: Khalti, status: str, message: str
) -> None:
    khalti.says(pending_payment.pidx, status)

    page = editor.submit(sita, "check_now", hold.pk)

    assert f"Khalti's answer: {message}. The points are available again." in page_text(page)
    assert balances(sita) == (1000, 0)


def test_points_of_a_paid_payment_are_used(
    editor: MemberDesk, sita: Account, pending_payment: Payment, hold: Hold, khalti: Khalti
) -> None:
    khalti.pay(pending_payment.pidx)

    page = editor.submit(sita, "check_now", hold.pk)

    assert "Khalti's answer: paid. The order is placed and the points are used." in page_text(page)
    assert balances(sita) == (745, 0)  # 245 were earned


def test_without_an_answer_nothing_changes(editor: MemberDesk, sita: Account, hold: Hold, khalti: Khalti) -> None:
    khalti.next_lookup.append(requests.ConnectionError("refused"))

    page = editor.submit(sita, "check_now", hold.pk)

    assert "Khalti did not answer." in page_text(page)
    assert balances(sita) == (500, 500)


def test_an_amount_that_does_not_match_needs_review(
    editor: MemberDesk, sita: Account, pending_payment: Payment, hold: Hold, khalti: Khalti
) -> None:
    khalti.pay(pending_payment.pidx, total_amount=100)

    page = editor.submit(sita, "check_now", hold.pk)

    assert "the payment needs review. The points stay reserved." in page_text(page)
    assert balances(sita) == (500, 500)


def test_a_second_click_after_the_release_makes_no_lookup(
    editor: MemberDesk, sita: Account, pending_payment: Payment, hold: Hold, khalti: Khalti
) -> None:
    khalti.says(pending_payment.pidx, "Expired")
    editor.submit(sita, "check_now", hold.pk)

    page = editor.submit(sita, "check_now", hold.pk)

    assert "no longer reserved" in page_text(page)
    assert (balances(sita), len(khalti.looked_up), len(logged_actions())) == ((1000, 0), 1, 1)


def test_the_hold_of_another_member_is_not_found(editor: MemberDesk, hold: Hold, khalti: Khalti) -> None:
    ram = member(customer("Ram"))

    editor.submit(ram, "check_now", hold.pk, status=404)

    assert khalti.looked_up == []


@pytest.fixture
def atomic_requests() -> Iterator[None]:
    """Every request in a transaction, as a deployment may choose."""
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = False


@pytest.mark.usefixtures("atomic_requests")
def test_with_atomic_requests_the_lookup_runs_outside_of_the_transaction(
    editor: MemberDesk, sita: Account, hold: Hold, khalti: Khalti
) -> None:
    page = editor.submit(sita, "check_now", hold.pk)

    assert "not paid yet" in page_text(page)
    assert len(khalti.looked_up) == 1

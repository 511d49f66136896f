"""Points on hold come back only by Khalti's word; whoever asks reads what came of it."""

from collections.abc import Iterator

import pytest
import requests
from django.db import connection

from loyalink_khalti.loyalty.models import Account, Hold
from loyalink_khalti.payments.models import Payment
from tests.purchases import Khalti

from .conftest import Desk, logged, member, person, words

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hold(waiting: Payment) -> Hold:
    return Hold.objects.get()


def stands(account: Account) -> tuple[int, int]:
    """Available, held."""
    account.refresh_from_db()
    return account.available, account.held


def test_what_is_not_paid_yet_stays_reserved(editor: Desk, sita: Account, hold: Hold, khalti: Khalti) -> None:
    page = editor.post(sita, "ask", hold.pk)

    assert "Khalti says: not paid yet; the points stay reserved." in words(page)
    assert (stands(sita), len(khalti.asked)) == ((500, 500), 1)
    assert logged() == [
        ("maya", "ask_for_hold", {"order": "order-1", "points": 500, "still_held": True, "status": "Initiated"})
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [("Expired", "expired without being paid"), ("User canceled", "cancelled"), ("Failed", "not paid")],
)
def test_what_khalti_says_is_not_paid_is_given_back(
    editor: Desk, sita: Account, waiting: Payment, hold: Hold, khalti: Khalti, status: str, said: str
) -> None:
    khalti.says(waiting.pidx, status)

    page = editor.post(sita, "ask", hold.pk)

    assert f"Khalti says: {said}" in words(page)
    assert "The points are the member's again." in words(page)
    assert stands(sita) == (1000, 0)


def test_what_is_paid_is_spent(editor: Desk, sita: Account, waiting: Payment, hold: Hold, khalti: Khalti) -> None:
    khalti.pay(waiting.pidx)

    page = editor.post(sita, "ask", hold.pk)

    assert "Khalti says: paid. The order is placed and the points are spent." in words(page)
    assert stands(sita) == (745, 0)  # 245 were earned


def test_while_khalti_is_silent_nothing_changes(editor: Desk, sita: Account, hold: Hold, khalti: Khalti) -> None:
    khalti.next_lookup.append(requests.ConnectionError("refused"))

    page = editor.post(sita, "ask", hold.pk)

    assert "Khalti gave no answer just now" in words(page)
    assert stands(sita) == (500, 500)


def test_money_that_does_not_match_is_for_somebody_to_decide(
    editor: Desk, sita: Account, waiting: Payment, hold: Hold, khalti: Khalti
) -> None:
    khalti.pay(waiting.pidx, total_amount=100)

    page = editor.post(sita, "ask", hold.pk)

    assert "somebody must decide about it; the points stay reserved" in words(page)
    assert stands(sita) == (500, 500)


def test_a_second_click_after_it_was_released_asks_nobody(
    editor: Desk, sita: Account, waiting: Payment, hold: Hold, khalti: Khalti
) -> None:
    khalti.says(waiting.pidx, "Expired")
    editor.post(sita, "ask", hold.pk)

    page = editor.post(sita, "ask", hold.pk)

    assert "on hold no more" in words(page)
    assert (stands(sita), len(khalti.asked), len(logged())) == ((1000, 0), 1, 1)


def test_a_hold_of_somebody_else_is_not_there(editor: Desk, hold: Hold, khalti: Khalti) -> None:
    ram = member(person("Ram"))

    editor.post(ram, "ask", hold.pk, status=404)

    assert khalti.asked == []


@pytest.fixture
def atomic_requests() -> Iterator[None]:
    """Every request in a transaction, as a deployment may choose."""
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    yield
    connection.settings_dict["ATOMIC_REQUESTS"] = False


@pytest.mark.usefixtures("atomic_requests")
def test_with_every_request_in_a_transaction_khalti_is_asked_outside_of_it(
    editor: Desk, sita: Account, hold: Hold, khalti: Khalti
) -> None:
    page = editor.post(sita, "ask", hold.pk)

    assert "not paid yet" in words(page)
    assert len(khalti.asked) == 1

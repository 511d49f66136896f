"""R6: staff record what Khalti's dashboard shows of a payment: with a permission, a reason and two confirmations."""

from typing import Any

import pytest
from django.utils import timezone

from loyalink_khalti import flow
from loyalink_khalti.payments.models import Flag, Payment
from tests.backoffice.pages import page_text
from tests.backoffice.payments.test_page import logged
from tests.backoffice.staff import Desk, staff_user
from tests.purchases import Khalti, states_of

pytestmark = pytest.mark.django_db(transaction=True)

FLAG = "loyalink_khalti_flag_resolve"
PAID = {"resolution": "record_paid", "amount": "2450", "transaction_id": "T-1", "reason": "Seen in the dashboard."}


@pytest.fixture
def silent(waiting: Payment, khalti: Khalti) -> Payment:
    """No key can look it up; its link has expired."""
    khalti.next_lookup = [(401, {}, '{"detail": "Invalid token.", "status_code": 401}')] * 100
    flow.verify_payment(waiting, ignore_back_off=True)
    Payment.objects.update(expires_at=timezone.now())
    return waiting


@pytest.fixture
def recorder(urls: None) -> Desk:
    return Desk(staff_user("rita", "view_payment", "change_flag", "record_outcome"))


def test_an_outcome_is_recorded_only_with_the_permission(desk: Desk, recorder: Desk, silent: Payment) -> None:
    """R6, R6f: an editor resolves flags, and does not say that money has arrived."""
    flag = Flag.objects.get()

    page = desk.open(FLAG, flag.pk)
    desk.post(FLAG, flag.pk, **PAID, confirm="1", certain="1")

    assert "Record that" not in page_text(page)
    assert "Record that Khalti's dashboard shows it as paid" in page_text(recorder.open(FLAG, flag.pk))
    assert states_of(silent) == ("initiated", "open")


@pytest.mark.parametrize("confirmed", [{}, {"confirm": "1"}, {"certain": "1"}])
def test_one_confirmation_is_not_enough(recorder: Desk, silent: Payment, confirmed: dict[str, str]) -> None:
    """R6, R6f: the preview says what follows, and asks who has seen it."""
    page = recorder.post(FLAG, Flag.objects.get().pk, **PAID, **confirmed)

    assert "This is your word, not Khalti's" in page_text(page)
    assert page.select_one("input[name=certain][required]") is not None
    assert states_of(silent) == ("initiated", "open")


def test_what_was_recorded_is_placed_marked_and_logged(recorder: Desk, silent: Payment) -> None:
    """R6"""
    flag = Flag.objects.get()

    page = recorder.post(FLAG, flag.pk, **PAID, confirm="1", certain="1")

    assert states_of(silent) == ("fulfilled", "placed")
    assert "Recorded by staff, not confirmed by Khalti" in page_text(page)
    assert "Seen in the dashboard." in page_text(page)
    done = "Resolved flag {} (Khalti refuses the shop's secret key): Record that Khalti's dashboard shows it as paid"
    assert logged() == [("loyalink_khalti.resolve", done.format(flag.pk), "rita")]


@pytest.mark.parametrize(
    ("typed", "message"),
    [({"amount": ""}, "Enter the amount"), ({"transaction_id": ""}, "Enter the transaction ID")],
)
def test_figures_that_are_missing_are_asked_for(
    recorder: Desk, silent: Payment, typed: dict[str, Any], message: str
) -> None:
    """R6"""
    page = recorder.post(FLAG, Flag.objects.get().pk, **(PAID | typed))

    assert message in page_text(page)
    assert states_of(silent) == ("initiated", "open")


def test_a_release_that_khalti_does_not_confirm_is_refused_on_the_page(desk: Desk, silent: Payment) -> None:
    """R6"""
    page = desk.post(FLAG, Flag.objects.get().pk, resolution="release", reason="Gone.", confirm="1")

    assert "Khalti does not say whether this was paid, so nothing is released." in page_text(page)
    assert states_of(silent) == ("initiated", "open")

"""Flags: each reason is open once per payment."""

import pytest
from django.utils import timezone

from loyalink_khalti.payments import flags
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.states import FlagReason
from tests.purchases import at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def test_a_flag_is_open_once_and_again_after_it_was_resolved(payment: Payment) -> None:
    """I16"""
    flags.raise_flag(payment, FlagReason.LATE, {"first": True})
    flags.raise_flag(payment, FlagReason.LATE, {"first": False})
    payment.flags.update(resolved_at=timezone.now())
    flags.raise_flag(payment, FlagReason.LATE, {"second": True})

    assert list(payment.flags.order_by("pk").values_list("evidence", flat=True)) == [{"first": True}, {"second": True}]


def test_the_same_flag_raised_concurrently_is_open_once(payment: Payment) -> None:
    raised = at_once(10, lambda _: flags.raise_flag(payment, FlagReason.LATE, {}))

    assert raised == [None] * 10
    assert payment.flags.count() == 1

"""How much cash of one order a member of staff gives back alone, whatever two of them do at the same moment."""

from typing import Any

import pytest
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.errors import CannotRefund, RefundBeyondLimit
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Flag, Payment, Refund
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def limit() -> None:
    """Rs 1,000."""
    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.update_or_create(site=site, defaults={"refund_limit": 100_000})


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    khalti.pay(payment.pidx)
    flow.finish(payment)
    payment.refresh_from_db()
    return payment


def give(payment: Payment, rupees: int, key: str, **how: Any) -> Refund:
    return flow.undo(payment.purchase, goods=Paisa(rupees * 100), shipping=Paisa(0), key=key, by="3", **how)


def given_back() -> int:
    return sum(Refund.objects.filter(state="done").values_list("cash", flat=True))


def test_parts_add_up_to_the_limit(paid: Payment, limit: None) -> None:
    give(paid, 600, "first", within_limit=True)

    with pytest.raises(RefundBeyondLimit, match=r"up to Rs 1,000\.00 of one order"):
        give(paid, 600, "second", within_limit=True)

    assert given_back() == 58_800


def test_who_may_go_beyond_it_does(paid: Payment, limit: None) -> None:
    assert give(paid, 2500, "all").state == "done"


def test_of_many_at_the_same_moment_the_limit_is_passed_by_none(paid: Payment, limit: None) -> None:
    at_once(4, lambda index: give(paid, 600, f"{index}", within_limit=True))

    assert given_back() == 58_800


def test_of_many_who_saw_the_same_one_gives_back(paid: Payment) -> None:
    done = at_once(4, lambda index: give(paid, 100, f"{index}", seen=0))

    assert sum(isinstance(one, Refund) for one in done) == 1
    assert {type(one) for one in done} == {Refund, CannotRefund}
    assert given_back() == 9_800


def test_who_saw_an_older_state_is_told_so_and_the_same_click_again_is_not(paid: Payment) -> None:
    first = give(paid, 100, "first", seen=0)

    with pytest.raises(CannotRefund, match="made meanwhile"):
        give(paid, 100, "second", seen=0)

    assert give(paid, 100, "first", seen=0) == first
    assert give(paid, 100, "third", seen=first.pk).state == "done"


def test_a_payment_that_bought_nothing_is_within_the_limit_too(payment: Payment, khalti: Khalti, limit: None) -> None:
    khalti.pay(payment.pidx, total_amount=244_900)
    flow.finish(payment)
    flag = Flag.objects.get()

    with pytest.raises(RefundBeyondLimit):
        flow.decide(flag, flow.Decision.REFUND, by="3", reason="Too little.", within_limit=True)

    assert khalti.refunded == []
    assert flow.decide(flag, flow.Decision.REFUND, by="4", reason="Too little.").resolution == "refunded"

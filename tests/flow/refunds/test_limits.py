"""How much of one order a member of staff may refund, also when several refund at the same moment."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from wagtail.models import Site

from loyalink_khalti import flow
from loyalink_khalti.backoffice.models import KhaltiSettings
from loyalink_khalti.errors import CannotRefund, RefundLimitExceeded
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments.models import Flag, Payment, Refund
from loyalink_khalti.testing import FakeShop
from tests.purchases import Khalti, at_once

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def limit() -> None:
    """Rs 1,000."""
    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.update_or_create(site=site, defaults={"refund_limit": 100_000})


@pytest.fixture
def day_limit() -> None:
    """Rs 1,000 of all orders together."""
    site = Site.objects.get(is_default_site=True)
    KhaltiSettings.objects.update_or_create(site=site, defaults={"refund_limit_per_actor": 100_000})


@pytest.fixture
def paid(payment: Payment, khalti: Khalti) -> Payment:
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


def refund(payment: Payment, rupees: int, key: str, *, actor: str = "3", **how: Any) -> Refund:
    return flow.refund_order(
        payment.purchase, subtotal=Paisa(rupees * 100), shipping=Paisa(0), key=key, actor=actor, **how
    )


def another(shop: FakeShop, khalti: Khalti, number: int = 2) -> Payment:
    """A guest's paid order of Rs 2,500."""
    payment = flow.begin_payment(shop.freeze(shop.cart(f"order-{number}")))
    khalti.pay(payment.pidx)
    flow.verify_payment(payment)
    payment.refresh_from_db()
    return payment


def refunded_amount() -> int:
    return sum(Refund.objects.filter(state="done").values_list("amount", flat=True))


def test_partial_refunds_add_up_to_the_limit(paid: Payment, limit: None) -> None:
    refund(paid, 600, "first", enforce_limit=True)

    with pytest.raises(RefundLimitExceeded, match=r"up to Rs 1,000\.00 of one order"):
        refund(paid, 600, "second", enforce_limit=True)

    assert refunded_amount() == 58_800


def test_without_enforcement_the_limit_does_not_apply(paid: Payment, limit: None) -> None:
    assert refund(paid, 2500, "all").state == "done"


def test_concurrent_refunds_do_not_exceed_the_limit(paid: Payment, limit: None) -> None:
    at_once(4, lambda index: refund(paid, 600, f"{index}", enforce_limit=True))

    assert refunded_amount() == 58_800


def test_of_many_who_saw_the_same_state_one_refunds(paid: Payment) -> None:
    done = at_once(4, lambda index: refund(paid, 100, f"{index}", seen_refund=0))

    assert sum(isinstance(one, Refund) for one in done) == 1
    assert {type(one) for one in done} == {Refund, CannotRefund}
    assert refunded_amount() == 9_800


def test_a_stale_form_is_refused_and_a_repeated_click_is_not(paid: Payment) -> None:
    first = refund(paid, 100, "first", seen_refund=0)

    with pytest.raises(CannotRefund, match="in the meantime"):
        refund(paid, 100, "second", seen_refund=0)

    assert refund(paid, 100, "first", seen_refund=0) == first
    assert refund(paid, 100, "third", seen_refund=first.pk).state == "done"


def test_the_limit_also_applies_to_a_payment_that_bought_nothing(
    payment: Payment, khalti: Khalti, limit: None
) -> None:
    khalti.pay(payment.pidx, total_amount=244_900)
    flow.verify_payment(payment)
    flag = Flag.objects.get()

    with pytest.raises(RefundLimitExceeded):
        flow.resolve_flag(flag, flow.Resolution.REFUND, actor="3", reason="Too little.", enforce_limit=True)

    assert khalti.refunded == []
    assert flow.resolve_flag(flag, flow.Resolution.REFUND, actor="4", reason="Too little.").resolution == "refunded"


def test_the_refunds_of_one_actor_in_a_day_add_up_over_all_orders(
    paid: Payment, shop: FakeShop, khalti: Khalti, day_limit: None
) -> None:
    """M5: the limit per order alone let one colleague refund any number of orders."""
    refund(paid, 600, "first", enforce_limit=True)
    other = another(shop, khalti)

    with pytest.raises(RefundLimitExceeded, match=r"per day: .* Rs 412\.00 is left, and this refund is Rs 600\.00"):
        refund(other, 600, "second", enforce_limit=True)

    assert refund(other, 600, "by a colleague", actor="4", enforce_limit=True).state == "done"
    assert refund(other, 412, "what is left", enforce_limit=True).state == "done"


def test_refunds_that_khalti_refused_do_not_count(paid: Payment, khalti: Khalti, day_limit: None) -> None:
    khalti.next_refund.append((400, {}, '{"detail": "No."}'))
    refund(paid, 1000, "refused", enforce_limit=True)

    assert refund(paid, 1000, "again", enforce_limit=True).state == "done"


def test_after_a_day_the_refunds_of_an_actor_count_no_more(
    paid: Payment, shop: FakeShop, khalti: Khalti, day_limit: None
) -> None:
    refund(paid, 1000, "first", enforce_limit=True)
    Refund.objects.update(requested_at=timezone.now() - timedelta(hours=24))

    assert refund(another(shop, khalti), 1000, "second", enforce_limit=True).state == "done"


def test_a_refund_with_an_earlier_time_counts_where_it_was_written(
    paid: Payment, shop: FakeShop, khalti: Khalti, day_limit: None
) -> None:
    """M5: the clock of another server is behind."""
    refund(paid, 100, "first", enforce_limit=True)
    second = refund(paid, 900, "second", enforce_limit=True)
    Refund.objects.filter(pk=second.pk).update(requested_at=timezone.now() - timedelta(days=2))

    with pytest.raises(RefundLimitExceeded):
        refund(another(shop, khalti), 100, "third", enforce_limit=True)


def test_a_day_limit_of_zero_allows_no_refund_of_money(paid: Payment, day_limit: None) -> None:
    """M5"""
    KhaltiSettings.objects.update(refund_limit_per_actor=0)

    with pytest.raises(RefundLimitExceeded):
        refund(paid, 1, "one", enforce_limit=True)


def test_refunds_of_two_orders_at_once_do_not_exceed_the_day_limit(
    paid: Payment, shop: FakeShop, khalti: Khalti, day_limit: None
) -> None:
    """M5: two orders are two locks; the limits of the site are a third."""
    payments = [paid, another(shop, khalti)]

    results = at_once(2, lambda index: refund(payments[index], 600, f"{index}", enforce_limit=True))

    assert {type(each) for each in results} == {Refund, RefundLimitExceeded}

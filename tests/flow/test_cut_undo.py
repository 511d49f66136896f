"""An undo cut off anywhere is never sent twice: it is done once, or never sent, or staff look at it."""

from contextlib import suppress

import pytest

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Paisa, Points
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.cutting import Clock, audited, clock, in_every_way, reconciled, sweep
from tests.cutting import Way as How
from tests.loyalty.conftest import sound

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def bought(shop: FakeShop, simulator: Simulator, number: int) -> Payment:
    """Rs 2,500 of goods and Rs 150 of delivery, Rs 10 of it by points."""
    cart = shop.cart(f"order-{number:03}", shipping=15_000, member_id="7", spends=Points(100))
    payment = flow.begin(shop.freeze(cart))
    simulator.pay(payment.pidx or "")
    flow.finish(payment)
    return Payment.objects.select_related("purchase").get(pk=payment.pk)


def give_back(purchase: Purchase, goods: int, *, key: str) -> Refund:
    return flow.undo(purchase, goods=Paisa(goods), shipping=Paisa(0), key=key, by="1")


def give_back_the_rest(purchase: Purchase, *, key: str) -> None:
    with suppress(CannotRefund):
        give_back(purchase, refunds.left(purchase).goods, key=key)


def the_books_agree(payment: Payment, simulator: Simulator) -> None:
    """Each key was sent once at most, and what Khalti has given back is what is written down, or in doubt."""
    payment.refresh_from_db()
    rows = Refund.objects.filter(purchase=payment.purchase)
    done, doubtful = rows.filter(state="done"), rows.filter(state="unknown")
    given = simulator.payment(payment.pidx or "").refunded

    assert set(rows.values_list("state", flat=True)) <= {"done", "unknown", "refused"}
    assert 0 <= simulator.count("refund", payment.transaction_id) - done.count() <= doubtful.count()
    assert payment.refunded == sum(done.values_list("cash", flat=True))
    assert given - payment.refunded in {0, *doubtful.values_list("cash", flat=True)}
    assert given <= (payment.captured or 0)


@in_every_way("lost")
def test_an_undo_cut_off_anywhere_is_never_sent_twice(
    way: How, few: int | None, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B06, I7: what was left ``sent`` is in doubt, what was left ``requested`` was never sent."""
    for number, cut_off in enumerate(sweep(way, few)):
        payment = bought(shop, simulator, number)
        cut_off(lambda payment=payment: give_back(payment.purchase, 100_000, key=f"{payment.pk} first"))

        reconciled(clock)
        give_back_the_rest(payment.purchase, key=f"{payment.pk} second")

        the_books_agree(payment, simulator)
        in_doubt = Refund.objects.filter(payment=payment, state="unknown").exists()
        flags = Flag.objects.filter(payment=payment, reason="refund_unknown", resolved_at=None)
        assert flags.exists() is in_doubt
        assert in_doubt or refunds.left(payment.purchase).goods == 0
        audited()
    sound()

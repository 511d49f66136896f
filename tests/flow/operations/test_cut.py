"""A reconciler cut off anywhere is followed by another that skips no payment."""

import pytest

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.money import Points
from loyalink_khalti.outbox import Message
from loyalink_khalti.payments.models import Flag, Payment
from loyalink_khalti.simulator import Simulator
from loyalink_khalti.testing import FakeShop
from tests.cutting import Clock, audited, clock, in_every_way, reconciled, sweep
from tests.cutting import Way as How
from tests.loyalty.conftest import check_ledger
from tests.purchases import states_of

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def announce(ref: str) -> None:
    """What a host would mail."""


def begin_payment(shop: FakeShop, ref: str, member_id: str | None = None, points_redeemed: int = 0) -> Payment:
    return flow.begin_payment(
        shop.freeze(shop.cart(ref, member_id=member_id, points_redeemed=Points(points_redeemed)))
    )


def run_pass() -> None:
    for _ in flow.reconcile():
        pass


@in_every_way("lost")
def test_a_pass_cut_off_anywhere_is_completed_by_the_next_which_skips_no_payment(
    way: How, few: int | None, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B08, I3: one was paid, one cancelled, one never got its page, and a message waits."""
    for number, cut_off in enumerate(sweep(way, few)):
        unsent, cancelled, paid = (begin_payment(shop, f"order-{number:03}-{name}") for name in ("a", "b", "c"))
        Payment.objects.filter(pk=unsent.pk).update(state="created", pidx=None, payment_url="")
        simulator.cancel(cancelled.pidx or "")
        simulator.pay(paid.pidx or "")
        message = Message.objects.create(function=f"{__name__}.announce", payload={"ref": paid.purchase.ref})
        clock.passes()
        cut_off(run_pass)

        reconciled(clock)

        assert states_of(unsent) == states_of(cancelled) == ("released", "released")
        assert states_of(paid) == ("fulfilled", "placed")
        assert shop.confirmed[number:] == [(paid.purchase.ref, 250_000)]
        assert shop.released[2 * number :] == [(unsent.purchase.ref, "refused"), (cancelled.purchase.ref, "cancelled")]
        message.refresh_from_db()
        assert message.sent_at is not None
    audited()
    check_ledger()
    assert not Flag.objects.exists()

"""A reconciler cut off anywhere is followed by another that skips nobody."""

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
from tests.loyalty.conftest import sound
from tests.purchases import stands

__all__ = ["clock"]

pytestmark = [pytest.mark.money, pytest.mark.django_db(transaction=True)]


def announce(ref: str) -> None:
    """What a host would mail."""


def begin(shop: FakeShop, ref: str, member_id: str | None = None, spends: int = 0) -> Payment:
    return flow.begin(shop.freeze(shop.cart(ref, member_id=member_id, spends=Points(spends))))


def one_pass() -> None:
    for _ in flow.reconcile():
        pass


@in_every_way("lost")
def test_a_pass_cut_off_anywhere_is_completed_by_the_next_which_skips_nobody(
    way: How, few: int | None, shop: FakeShop, simulator: Simulator, account: Account, clock: Clock
) -> None:
    """B08, I3: one was paid, one cancelled, one never got its page, and a message waits."""
    for number, cut_off in enumerate(sweep(way, few)):
        unsent, cancelled, paid = (begin(shop, f"order-{number:03}-{name}") for name in ("a", "b", "c"))
        Payment.objects.filter(pk=unsent.pk).update(state="created", pidx=None, payment_url="")
        simulator.cancel(cancelled.pidx or "")
        simulator.pay(paid.pidx or "")
        message = Message.objects.create(function=f"{__name__}.announce", payload={"ref": paid.purchase.ref})
        clock.passes()
        cut_off(one_pass)

        reconciled(clock)

        assert stands(unsent) == stands(cancelled) == ("released", "released")
        assert stands(paid) == ("fulfilled", "placed")
        assert shop.confirmed[number:] == [(paid.purchase.ref, 250_000)]
        assert shop.released[2 * number :] == [(unsent.purchase.ref, "refused"), (cancelled.purchase.ref, "cancelled")]
        message.refresh_from_db()
        assert message.sent_at is not None
    audited()
    sound()
    assert not Flag.objects.exists()

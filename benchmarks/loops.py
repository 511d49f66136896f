"""Full loops on one thread and PostgreSQL: initiate, browser return, settled; ours against django-getpaid.

    python3.12 -m benchmarks.loops [--rounds 10] [--calls 20] [--profile begin|return]

Each loop sells one line: an order of the shop is written, Khalti opens a payment, the customer returns, lookup says
Completed, the order is paid. django-getpaid is what its documentation makes of that, with the processor in
``getpaid_khalti``. Khalti is a stand-in without latency, in a process of its own, the same for both.
"""

import argparse
import cProfile
import itertools
import pstats
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from benchmarks import bootstrap
from benchmarks.figures import Taken, in_turn, ratio, speed_ratio, table

POINTS = 100
"""What a loop with points spends."""
SPENDS = f"ours, a member who earns points and spends {POINTS}"
PEER, LEANEST = "django-getpaid 3.2.0", "django-getpaid 3.2.0 without its form"
_SERIAL = itertools.count(1)


class Ours:
    """A shop on this package: the fake shop of ``loyalink_khalti.testing``, which keeps its orders in one table."""

    def __init__(self) -> None:
        from loyalink_khalti import conf
        from loyalink_khalti.loyalty import ledger
        from loyalink_khalti.testing import FakeShop

        shop = conf.shop("fake")
        assert isinstance(shop, FakeShop)
        shop.reset()
        self.shop = shop
        for member in ("1", "2"):
            ledger.adjust(
                site_key="default", member_id=member, points=1_000_000, key=f"open {member}", reason="opening"
            )

    def begin(self, *, member: str | None, points: int = 0) -> Any:
        from loyalink_khalti import flow

        ref = f"order-{next(_SERIAL)}"
        return flow.begin_payment(self.shop.freeze(self.shop.cart(ref, member_id=member, points_redeemed=points)))

    def come_back(self, begun: Any) -> bool:
        """Do what the return page does: find the payment by the token of its address, and verify it.

        Return whether this call ends with the customer's order paid.
        """
        from loyalink_khalti import flow
        from loyalink_khalti.payments.models import Payment
        from loyalink_khalti.ports import Outcome

        payment = Payment.load_by_token(begun.token)
        return flow.verify_payment(payment, customer_present=True, just_read=True) is Outcome.PAID


class Getpaid:
    """A shop on django-getpaid."""

    def begin(self) -> Any:
        """Create the payment by getpaid's form, as its documentation says: it refuses an order with another one."""
        from getpaid.forms import PaymentMethodForm

        order = self._order()
        sent = {"order": order.pk, "backend": "khalti", "currency": "NPR", "amount_required": "2500"}
        form = PaymentMethodForm(sent)
        assert form.is_valid(), form.errors
        payment = form.save()
        payment.prepare_transaction()
        return payment

    def begin_without_form(self) -> Any:
        """Create the row of the payment directly, which checks nothing."""
        from getpaid.models import Payment

        order = self._order()
        payment = Payment.objects.create(
            order=order,
            amount_required=order.get_total_amount(),
            currency=order.get_currency(),
            description=order.get_description(),
            backend="khalti",
        )
        payment.prepare_transaction()
        return payment

    def _order(self) -> Any:
        from benchmarks.getpaid_khalti.models import Order

        return Order.objects.create(title="Fountain pen", email="sita@example.com", total=Decimal(2500))

    def come_back(self, begun: Any) -> bool:
        """Do what a return page does: getpaid looks the payment up under its lock, and the order is paid with it.

        Return whether this call has delivered the order.
        """
        from django.db import transaction
        from getpaid.models import Payment

        with transaction.atomic():
            payment = Payment.objects.select_related("order").get(pk=begun.pk)
            payment.fetch_and_update_status()
            if payment.status != "paid":
                return False
            payment.order.status = "paid"
            payment.order.save(update_fields=["status"])
            return True


@dataclass(frozen=True)
class Contender:
    """One way to sell: its two halves."""

    name: str
    begin: Callable[[], Any]
    come_back: Callable[[Any], bool]

    def loop(self) -> None:
        assert self.come_back(self.begin())

    def statements(self) -> tuple[int, int]:
        """Return how many statements each half sends, those that begin and end transactions included."""
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as first:
            begun = self.begin()
        with CaptureQueriesContext(connection) as second:
            self.come_back(begun)
        return len(first), len(second)


def contenders(ours: Ours, peer: Getpaid) -> list[Contender]:
    return [
        Contender("ours, a guest without points", partial(ours.begin, member=None), ours.come_back),
        Contender("ours, a member who earns points", partial(ours.begin, member="1"), ours.come_back),
        Contender(SPENDS, partial(ours.begin, member="2", points=POINTS), ours.come_back),
        Contender(PEER, peer.begin, peer.come_back),
        Contender(LEANEST, peer.begin_without_form, peer.come_back),
    ]


def half_cpu(ours: Ours, calls: int) -> tuple[float, float]:
    """Return the milliseconds of CPU of a member's begin and of the return."""
    spent = [0.0, 0.0]
    for _ in range(calls):
        began = time.process_time()
        begun = ours.begin(member="1")
        between = time.process_time()
        ours.come_back(begun)
        spent[0] += between - began
        spent[1] += time.process_time() - between
    return spent[0] / calls * 1000, spent[1] / calls * 1000


def report(taken: dict[str, Taken], counts: dict[str, tuple[int, int]], *, with_times: bool) -> str:
    """Return the table of loops; ``with_times`` also as this machine does them, which is promised nowhere."""
    peer, leanest = taken[PEER], taken[LEANEST]
    rows = []
    for name, each in taken.items():
        begin, come_back = counts[name]
        is_ours = name not in (PEER, LEANEST)
        rows.append(
            [
                name,
                f"{begin} + {come_back} = {begin + come_back}",
                speed_ratio(each, peer) if is_ours else "",
                ratio(each.cpu, peer.cpu) if is_ours else "",
                speed_ratio(each, leanest) if is_ours else "",
                *([f"{each.per_second:.1f}", f"{each.cpu_ms:.1f}"] if with_times else []),
            ]
        )
    head = ["loop", "statements: begin + return", "speed ÷ getpaid", "CPU ÷ getpaid", "speed ÷ getpaid without form"]
    return table([*head, *(["loops/s", "CPU ms"] if with_times else [])], rows)


def measure(*, rounds: int, calls: int, with_times: bool = False) -> str:
    """Run all loops in turn and return the table. Django is set up."""
    competing = contenders(Ours(), Getpaid())
    works = {each.name: each.loop for each in competing}
    in_turn(works, rounds=1, calls=calls)  # warm: caches, connections, PostgreSQL's plans
    counts = {each.name: each.statements() for each in competing}
    return report(in_turn(works, rounds=rounds, calls=calls), counts, with_times=with_times)


def halves(calls: int) -> str:
    """Return the CPU of begin and return of a member who earns points."""
    begin, come_back = half_cpu(Ours(), calls)
    return f"CPU of a member's begin {begin:.1f} ms, of the return {come_back:.1f} ms"


def profile(half: str, calls: int) -> None:
    """Print the profile of one half of a member's loop."""
    ours, profiler = Ours(), cProfile.Profile()
    for number in range(calls + 5):
        if number >= 5 and half == "begin":
            profiler.enable()
        begun = ours.begin(member="1")
        profiler.disable()
        if number >= 5 and half == "return":
            profiler.enable()
        ours.come_back(begun)
        profiler.disable()
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)


def run(chosen: argparse.Namespace) -> int:
    from benchmarks import servers

    with servers.khalti_stub() as khalti, servers.django_on_postgresql(khalti):
        if chosen.profile:
            profile(chosen.profile, chosen.calls)
        else:
            print(measure(rounds=chosen.rounds, calls=chosen.calls, with_times=True))
            print(halves(chosen.calls * 5))
    return 0


def prepare() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3.12 -m benchmarks.loops", description="Full loops against getpaid.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--calls", type=int, default=20, help="loops of each contender in a round")
    parser.add_argument("--profile", choices=("begin", "return"), help="print the profile of one half instead")
    return parser.parse_args()


if __name__ == "__main__":
    bootstrap.main("benchmarks.loops", prepare, run)

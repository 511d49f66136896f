"""Find what nobody came back for: payers who closed the tab, refunds made elsewhere, messages that were not sent.

Any number of passes may run side by side, in any number of processes: a lease on the row, taken by a conditional
UPDATE, makes each payment asked about once a round, and no lock is held meanwhile. A pass that is killed leaves
nothing behind; the next one begins with those that were not asked about for longest.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from queue import Empty, Queue, SimpleQueue

from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections
from django.utils import timezone

from loyalink_khalti import conf, outbox
from loyalink_khalti.conf import Lane
from loyalink_khalti.errors import traced
from loyalink_khalti.khalti import Gate
from loyalink_khalti.payments import refunds, services, watch
from loyalink_khalti.payments.models import Payment, Purchase
from loyalink_khalti.payments.states import Reason, State
from loyalink_khalti.ports import Outcome, Why

from . import alerts, noticed
from .asking import lease, read
from .finish import ask_and_settle, give_up_unsent, unsent_after
from .settle import release_payment
from .transactions import forbid_transaction, in_one_block, is_the_databases_own
from .undo import undo_again

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0
"""seconds for which a pass waits because Khalti asks it to; for longer, the rest is left to the next pass"""
POLL = 0.1
"""seconds"""
SEEN_EVERY = 60.0
"""seconds after which a pass that is still at work says so"""
FORGET, HOURLY = "forget", timedelta(hours=1)
"""The name in ``LastRun`` of removing messages that were sent long ago, and how often it is done."""
FEW = 5
"""messages that a nudge sends"""

FAILED, NOT_ASKED, BUSY, UNCHANGED = (
    "failed to ask (see the log)", "not asked: Khalti does not answer", "asked about by another", "paid before",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a pass found of one payment; ``outcome`` is None where it could not ask."""

    payment: Payment
    outcome: Outcome | None
    told: str
    """The same as a word for the summary."""


class Pass:
    """One look at everything that is watched; iterate over it to make it.

    A plain pass ignores back-off and waits leases out. ``due_only`` honours both. One payment that fails keeps no
    other waiting.
    """

    def __init__(
        self, *, workers: int = 1, due_only: bool = False, most: int | None = None, waits: bool = True
    ) -> None:
        forbid_transaction("reconcile")
        rows = watch.watched(unsent_after=unsent_after())
        self._pks = list((watch.due(rows) if due_only else rows).values_list("pk", flat=True)[:most])
        self._workers = min(workers, max(len(self._pks), 1))
        self._due_only = due_only
        self._waits = waits
        self._began = timezone.now()
        self._stopped = threading.Event()

    @property
    def total(self) -> int:
        """How many payments there are to look at."""
        return len(self._pks)

    def __iter__(self) -> Iterator[Looked]:
        watch.ran(watch.RECONCILE)
        seen = time.monotonic()
        for looked in self.looks():
            if time.monotonic() - seen > SEEN_EVERY:  # a long pass is at work, too
                seen = time.monotonic()
                watch.ran(watch.RECONCILE)
            yield looked
        outbox.deliver(insist=not self._due_only)
        alerts.remind()
        if watch.claim(FORGET, every=HOURLY):
            outbox.forget()
        watch.ran(watch.RECONCILE)

    def looks(self) -> Iterator[Looked]:
        """Look at the payments alone."""
        busy: list[int] = []
        for looked in self._each(self._pks, self._look):
            if looked.told == BUSY and not self._due_only:
                busy.append(looked.payment.pk)
            else:
                yield looked
        yield from self._each(busy, self._wait_and_look)

    def _each(self, pks: list[int], work: Callable[[int], Looked]) -> Iterator[Looked]:
        """Do the work for each, in this thread or in so many others with connections of their own."""
        if self._workers <= 1:
            yield from map(work, pks)
            return
        todo, done = SimpleQueue[int](), Queue[Looked]()
        for pk in pks:
            todo.put(pk)
        threads = [
            threading.Thread(target=self._work, args=(todo, done, work), name=f"reconcile-{number}")
            for number in range(min(self._workers, len(pks)))
        ]
        try:
            for thread in threads:
                thread.start()
            for _pk in pks:
                yield done.get()
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()
            self._stopped.clear()

    def _work(self, todo: "SimpleQueue[int]", done: "Queue[Looked]", work: Callable[[int], Looked]) -> None:
        try:
            while not self._stopped.is_set():
                done.put(work(todo.get_nowait()))
        except Empty:
            pass
        finally:
            connections.close_all()

    def _look(self, pk: int) -> Looked:
        payment = Payment(pk=pk)
        try:
            payment = read(payment)
            return self._ask(payment)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the others go on
            log.error("reconcile: payment %s: %s", pk, traced(exc))
            if is_the_databases_own(exc):  # it says nothing of this payment
                connection.close_if_unusable_or_obsolete()
            else:
                self._set_aside(payment, exc)
            return Looked(payment=payment, outcome=None, told=FAILED)

    def _wait_and_look(self, pk: int) -> Looked:
        """Wait while somebody else, alive or dead, has the lease."""
        looked = self._look(pk)
        while looked.told == BUSY and not self._stopped.wait(POLL):
            looked = self._look(pk)
        return looked

    def _ask(self, payment: Payment) -> Looked:
        if payment.state == State.REFUNDED and payment.purchase.state == Purchase.State.OPEN:
            return self._let_go(payment, Why.REFUNDED)
        if payment.state == State.RELEASED and payment.pidx is None:
            return self._let_go(payment, Why(payment.why))
        if payment.state == State.CREATED:
            return _looked(payment, give_up_unsent(payment, present=False))
        gate = _gate(payment)
        if gate is not None and (gate.is_shut or not self._has_paused(gate)):
            return Looked(payment=payment, outcome=None, told=NOT_ASKED)
        taken = lease(payment, lane=Lane.JOB, asked_before=self._began)
        if not taken:
            payment = read(payment)
            busy = payment.leased_until is not None and payment.leased_until > timezone.now()
            return Looked(payment=payment, outcome=payment.outcome, told=BUSY) if busy else _looked(payment)
        if payment.is_settled or (payment.state in _PAID and refunds.of_payment(payment)):
            return _look_for_refunds(payment, taken)
        return _looked(payment, ask_and_settle(payment, taken, lane=Lane.JOB))

    def _let_go(self, payment: Payment, why: Why) -> Looked:
        """Ask the shop again to take back what a payment holds that can bring no money; ever later while it fails."""
        stands = release_payment(payment, why, present=False, states=())
        if not Purchase.objects.filter(pk=payment.purchase_id, state=Purchase.State.OPEN).exists():
            return _looked(payment, stands)
        self._put_off(payment)
        return Looked(payment=payment, outcome=stands, told=FAILED)

    def _has_paused(self, gate: Gate) -> bool:
        """Be patient where Khalti has asked for it, but for a nudge, for which a page's thread would wait."""
        while self._waits and 0 < gate.pause <= LONGEST_PAUSE:
            self._stopped.wait(gate.pause)
            if self._stopped.is_set():
                return False
        return not gate.pause

    def _set_aside(self, payment: Payment, exc: Exception) -> None:
        """Come back ever later to a payment that nobody can deal with, and tell staff once."""
        try:
            self._put_off(payment)
            evidence = {"error": type(exc).__name__}
            in_one_block(lambda: services.raise_flag(payment, Reason.HOST_FAILED, evidence))
        except Exception as worse:  # noqa: BLE001 - it is logged above, and comes back in the next pass
            log.error("reconcile: payment %s cannot be set aside: %s", payment.pk, traced(worse))

    def _put_off(self, payment: Payment) -> None:
        failures = payment.failures + 1
        then = watch.next_look(payment, State(payment.state), failures=failures)
        Payment.objects.filter(pk=payment.pk).update(asked_at=self._began, failures=failures, watch_after=then)


_PAID = frozenset({State.PAID, State.MISMATCHED})


def reconcile(*, workers: int = 1, due_only: bool = False) -> Iterator[Looked]:
    """Make one ``Pass``."""
    return iter(Pass(workers=workers, due_only=due_only))


def nudge() -> None:
    """Look at the one payment that is due for longest, and send a few messages that were not sent."""
    for _looked_at in Pass(due_only=True, most=1, waits=False).looks():
        pass
    outbox.deliver(most=FEW)
    alerts.remind()


def summary(told: "Counter[str]") -> str:
    """One line for a person: what the pass found."""
    if not told:
        return "nothing was waiting"
    return ", ".join(f"{number} {name}" for name, number in sorted(told.items()))


def _looked(payment: Payment, outcome: Outcome | None = None) -> Looked:
    stands = outcome or payment.outcome
    return Looked(payment=payment, outcome=stands, told=stands.value)


def _look_for_refunds(payment: Payment, lease: str) -> Looked:
    stands = noticed.look(payment, lease)
    for refund in refunds.not_carried(payment.purchase):
        undo_again(refund)
    told = FAILED if stands is None else UNCHANGED
    if stands is not None and read(payment).state != payment.state:
        told = "refunded at Khalti"
    return Looked(payment=payment, outcome=stands, told=told)


def _gate(payment: Payment) -> Gate | None:
    try:
        return conf.khalti(payment.credentials, Lane.JOB)[0].gate
    except ImproperlyConfigured:
        return None  # asking says what is wrong, and tells staff

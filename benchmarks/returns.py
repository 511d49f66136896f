"""What a return and a replay cost beside the smallest write there is, and what 50 returns at once come to."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

from benchmarks.figures import Ratio, in_turn, ratio
from benchmarks.loops import Getpaid, Ours
from benchmarks.servers import Khalti

AT_ONCE = 50
LATENCY = 0.2
"""seconds of Khalti while all come back at once"""


def one_row_update(pk: int) -> None:
    """Update one row by its key and commit: what any answer that is kept costs at least."""
    from benchmarks.getpaid_khalti.models import Order

    Order.objects.filter(pk=pk).update(status="seen")


def against_update(*, rounds: int, calls: int) -> dict[str, tuple[Ratio, Ratio]]:
    """Return time and CPU of each as multiples of a one-row update: begin, first return, replay; a guest's."""
    ours, peer = Ours(), Getpaid()
    begun = iter([ours.begin(member=None) for _ in range((rounds + 1) * calls)])
    settled = ours.begin(member=None)
    ours.come_back(settled)
    order = peer.begin().order
    works: dict[str, Callable[[], object]] = {
        "begin": partial(ours.begin, member=None),
        "return": lambda: ours.come_back(next(begun)),
        "replay": partial(ours.come_back, settled),
        "update": partial(one_row_update, order.pk),
    }
    in_turn(works, rounds=1, calls=calls)
    taken = in_turn(works, rounds=rounds, calls=calls)
    update = taken.pop("update")
    return {name: (ratio(each.seconds, update.seconds), ratio(each.cpu, update.cpu)) for name, each in taken.items()}


def all_at_once(khalti: Khalti) -> dict[str, tuple[int, int, int]]:
    """Return, of each contender: browsers that came back at once, orders delivered, lookups made."""
    ours, peer = Ours(), Getpaid()
    found = {}
    khalti.control(latency=LATENCY)
    for name, begun, come_back in (
        ("ours", ours.begin(member="1"), ours.come_back),
        ("django-getpaid 3.2.0", peer.begin(), peer.come_back),
    ):
        khalti.control()
        deliveries = _together(partial(come_back, begun))
        if name == "ours":  # a return that finds the order placed says so, and delivers nothing
            deliveries = len(ours.shop.confirmed)
        found[name] = (AT_ONCE, deliveries, khalti.control())
    khalti.control(latency=0.0)
    return found


def _together(work: Callable[[], Any]) -> int:
    """Do ``work`` in ``AT_ONCE`` threads that start together; return how many of them say that they delivered."""
    from django.db import connection, connections

    start = Barrier(AT_ONCE)

    def one(_number: int) -> bool:
        connection.ensure_connection()
        start.wait()
        try:
            return bool(work())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(one, range(AT_ONCE)))

"""Points at size: a balance, a hold and an award of members with long histories and many lots."""

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.figures import Ratio, in_turn, ratio

POINTS = 5
"""What a hold reserves."""
SITE = "default"
OPEN_LOTS = 10
"""Lots with points of a member whose history is what grows."""

_ENTRIES = """
    INSERT INTO loyalink_khalti_entry
        (account_id, seq, kind, src, dst, amount, at, key, purchase, refund_ref, reason_code)
    SELECT %(account)s, n, CASE WHEN n %% 2 = 1 THEN 'earn' ELSE 'expire' END,
        CASE WHEN n %% 2 = 1 THEN 'issued' ELSE 'available' END,
        CASE WHEN n %% 2 = 1 THEN 'available' ELSE 'expired' END,
        10, now() - make_interval(secs => (%(entries)s - n) * 94608000.0 / %(entries)s),
        'past:' || %(account)s || ':' || n, '', '', ''
    FROM generate_series(1, %(entries)s) AS n
"""  # of three years, and points earned are as many as expired
_LOTS = """
    INSERT INTO loyalink_khalti_lot (account_id, source, original, pending, remaining, available_at, expires_at)
    SELECT %(account)s, 'past:' || %(account)s || ':lot ' || n, 100, 0, 100, now() - interval '1 hour',
        now() + make_interval(days => 30 + n %% 300)
    FROM generate_series(1, %(lots)s) AS n
"""
_LOT_ENTRIES = """
    INSERT INTO loyalink_khalti_entry
        (account_id, seq, kind, src, dst, amount, at, key, purchase, refund_ref, reason_code, lot_id)
    SELECT account_id, %(entries)s + row_number() OVER (ORDER BY id), 'adjust', 'adjusted', 'available', 100, now(),
        source, '', '', 'opening', id
    FROM loyalink_khalti_lot WHERE account_id = %(account)s
"""
_BALANCES = """
    UPDATE loyalink_khalti_account
    SET seq = %(entries)s + %(lots)s, sealed_seq = %(entries)s + %(lots)s, seal = repeat('0', 64),
        available = 100 * %(lots)s, lifetime_earned = 10 * ((%(entries)s + 1) / 2)
    WHERE id = %(account)s
"""


def create_member(member: str, *, entries: int = 0, lots: int = OPEN_LOTS) -> None:
    """Create a member with ``entries`` entries of the past and ``lots`` lots of 100 points, by four statements.

    Its seal is no digest of the entries, which only the audit would notice: to compute it takes a minute.
    """
    from django.db import connection, transaction

    from loyalink_khalti.loyalty import ledger
    from loyalink_khalti.loyalty.models import Account

    program = ledger.current_version(SITE).program
    account = Account.objects.create(program=program, member_id=member)
    chosen = {"account": account.pk, "entries": entries, "lots": lots}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # the rows are right: no trigger needs to look
        for statement in (_ENTRIES, _LOTS, _LOT_ENTRIES, _BALANCES):
            cursor.execute(statement, chosen)


def analyze() -> None:
    """Update the statistics, as autovacuum does in a shop."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def balance(member: str) -> None:
    from loyalink_khalti.loyalty import ledger

    assert ledger.points_card(SITE, member).available


def hold(member: str) -> None:
    """Hold and roll back, so that the next call meets the same rows."""
    from django.db import transaction

    from loyalink_khalti.loyalty import ledger
    from loyalink_khalti.money import Points

    with transaction.atomic():
        ledger.hold(site_key=SITE, member_id=member, purchase=f"fake:hold of {member}", points=Points(POINTS))
        transaction.set_rollback(True)


def award(member: str) -> None:
    """Award and roll back."""
    from django.db import transaction
    from django.utils import timezone

    from loyalink_khalti.loyalty import ledger
    from loyalink_khalti.money import Paisa
    from loyalink_khalti.ports import Line

    line = Line(id="pen", sku="pen", title="Pen", quantity=1, unit=Paisa(250_000), total=Paisa(250_000))
    order = ledger.OrderSnapshot(
        lines=(line,), shipping=Paisa(0), discount=Paisa(0), points_value=Paisa(0), at=timezone.now()
    )
    with transaction.atomic():
        ledger.award(site_key=SITE, member_id=member, purchase=f"fake:award of {member}", order=order)
        transaction.set_rollback(True)


def grows(verb: Callable[[str], Any], small: str, large: str, *, rounds: int, calls: int) -> Ratio:
    """Return how many times as long a verb takes for the ``large`` member as for the ``small`` one."""
    works = {small: partial(verb, small), large: partial(verb, large)}
    in_turn(works, rounds=1, calls=3)
    taken = in_turn(works, rounds=rounds, calls=calls)
    return ratio(taken[large].seconds, taken[small].seconds)


def measure(*, entries: int, lots: int, rounds: int, calls: int) -> dict[str, Ratio]:
    """Return the growth of each verb, from 1,000 to ``entries`` entries and from 10 to ``lots`` lots.

    With 1 lot a hold of 5 points finds what it needs at once, as it should with many.
    """
    create_member("short", entries=1000)
    create_member("long", entries=entries)
    create_member("one lot", lots=1)
    create_member("ten lots", lots=10)
    create_member("many lots", lots=lots)
    analyze()
    figures = {"rounds": rounds, "calls": calls}
    return {
        f"balance: {entries:,} entries ÷ 1,000": grows(balance, "short", "long", **figures),
        f"hold of {POINTS}: {entries:,} entries ÷ 1,000": grows(hold, "short", "long", **figures),
        f"award: {entries:,} entries ÷ 1,000": grows(award, "short", "long", **figures),
        f"hold of {POINTS}: {lots:,} lots ÷ 1": grows(hold, "one lot", "many lots", **figures),
        f"hold of {POINTS}: {lots:,} lots ÷ 10": grows(hold, "ten lots", "many lots", **figures),
        f"balance: {lots:,} lots ÷ 1": grows(balance, "one lot", "many lots", **figures),
    }

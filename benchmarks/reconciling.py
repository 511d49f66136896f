"""A pass of the reconciler against what Khalti's own latency allows: 32 calls in flight, over all cores."""

import time
from collections import Counter
from datetime import timedelta

from benchmarks.loops import Ours
from benchmarks.servers import Khalti

LATENCY = 0.2


def copy_payments(ours: Ours, number: int, *, batch: str) -> None:
    """Copy one begun payment ``number`` times, with its purchase and the fake shop's order, by three statements."""
    from django.db import connection
    from django.db.models import Model

    from loyalink_khalti.payments.models import Payment, Purchase

    begun = ours.begin(member=None)
    ref = begun.purchase.ref

    def columns(model: type[Model], **changed: str) -> tuple[str, str]:
        names = [field.column for field in model._meta.concrete_fields if not field.primary_key]
        return ", ".join(names), ", ".join(changed.get(name, f"r.{name}") for name in names)

    new = f"'{batch}-' || n"
    into, chosen = columns(
        Purchase,
        ref=new,
        origin=f"'basket of {batch}-' || n",
        cart=f"replace(r.cart::text, '{ref}', {new})::jsonb",
    )
    purchases = f"INSERT INTO {Purchase._meta.db_table} ({into}) SELECT {chosen} FROM {Purchase._meta.db_table} r, "
    into, chosen = columns(
        Payment, purchase_id="p.id", token=f"md5({new})", pidx=f"'{batch}Stub' || n || '-' || r.amount"
    )
    payments = f"INSERT INTO {Payment._meta.db_table} ({into}) SELECT {chosen} FROM {Payment._meta.db_table} r, "
    orders = (
        "INSERT INTO fake_shop SELECT replace(name, %(ref)s, {new}), replace(value, %(ref)s, {new}) FROM fake_shop, "
    )
    series = "generate_series(1, %(number)s) n "
    with connection.cursor() as cursor:
        chosen_rows = {"number": number, "ref": ref, "purchase": begun.purchase.pk, "payment": begun.pk}
        cursor.execute(f"{purchases}{series} WHERE r.id = %(purchase)s", chosen_rows)
        cursor.execute(
            f"{payments}{series} JOIN {Purchase._meta.db_table} p ON p.ref = {new} WHERE r.id = %(payment)s",
            chosen_rows,
        )
        like = "WHERE name IN ('purchase ' || %(ref)s, 'basket basket of ' || %(ref)s)"
        cursor.execute(f"{orders.format(new=new)}{series} {like}", chosen_rows)
        cursor.execute("ANALYZE")


def one_pass(khalti: Khalti, *, status: str) -> float:
    """Return the part of Khalti's own limit that a pass over all waiting payments reaches: 1 is as fast as it lets."""
    from loyalink_khalti import flow

    khalti.control(status=status, latency=LATENCY)
    began = time.perf_counter()
    reconciling = flow.ReconcilerPass(processes=None, workers=None)
    labels = Counter(result.label for result in reconciling)
    seconds = time.perf_counter() - began
    lookups = khalti.control(status="Completed", latency=0.0)
    figures = reconciling.figures
    assert figures is not None
    assert set(labels) == {"paid" if status == "Completed" else "confirming"}, labels
    return lookups * LATENCY / (figures.processes * figures.workers) / seconds


def measure(khalti: Khalti, *, payments: int, rounds: int) -> dict[str, list[float]]:
    """Return the reached parts of the limit, by what Khalti says of all payments."""
    reached: dict[str, list[float]] = {"Initiated": [], "Completed": []}
    ours = Ours()
    for number in range(rounds):
        copy_payments(ours, payments, batch=f"batch{number}")
        reached["Initiated"].append(one_pass(khalti, status="Initiated"))
        reached["Completed"].append(one_pass(khalti, status="Completed"))
        _let_years_pass()
    return reached


def _let_years_pass() -> None:
    """Make what is paid so old that no pass looks for refunds of it any more."""
    from django.db.models import F

    from loyalink_khalti.payments.models import Payment

    Payment.objects.filter(paid_at__isnull=False).update(paid_at=F("paid_at") - timedelta(days=3 * 365))

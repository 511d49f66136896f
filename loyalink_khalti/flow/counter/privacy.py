"""What is kept of a customer at the counter: exported, erased, and forgotten when it can be claimed no more."""

from typing import Any

from django.db.models import Q, QuerySet

from loyalink_khalti.clock import DatabaseTime
from loyalink_khalti.loyalty.counter_codes import CounterCode
from loyalink_khalti.payments.counter_sales import CounterSale

from .customers import is_same_address


def sales_of_customer(*, member_id: str | None, email: str, site_key: str | None = None) -> "QuerySet[CounterSale]":
    """Return the sales to a member, and those to an address that are not claimed."""
    theirs = Q(pk__in=[])
    if member_id:
        theirs |= Q(member_id=member_id) | Q(claimed_by=member_id)
    if email:
        like = CounterSale.objects.filter(member_id=None, claimed_by=None, email__iexact=email)
        rows = like.values_list("pk", "email")
        theirs |= Q(pk__in=[pk for pk, address in rows if is_same_address(address, email)])
    sales = CounterSale.objects.filter(theirs).order_by("pk")
    return sales if site_key is None else sales.filter(site_key=site_key)


def export_sales(sales: "QuerySet[CounterSale]") -> list[dict[str, Any]]:
    """Return sales with their refunds, ready for JSON; amounts in paisa."""
    return [_as_data(sale) for sale in sales.prefetch_related("refunds")]


def erase_sales(sales: "QuerySet[CounterSale]") -> int:
    """Erase to whom sales were, in the caller's transaction; return how many had it. They cannot be claimed then."""
    pks = list(sales.select_for_update().values_list("pk", flat=True))
    rows = CounterSale.objects.filter(pk__in=pks)
    rows.exclude(claim_name=None).update(claim_name=None, claim_hash="", claim_until=None)
    return rows.exclude(email="", phone="").update(email="", phone="")


def erase_codes(member_id: str, site_key: str) -> None:
    """Delete the codes of a member that were not used."""
    CounterCode.objects.filter(member_id=member_id, site_key=site_key, used_at=None).delete()


def forget_contacts() -> int:
    """Erase the addresses and numbers of sales whose time to be claimed is over; return how many."""
    over = CounterSale.objects.filter(claim_until__lte=DatabaseTime()).exclude(email="", phone="")
    return over.update(email="", phone="", claim_name=None, claim_hash="")


def _as_data(sale: CounterSale) -> dict[str, Any]:
    return {
        "bill": sale.bill_number,
        "day": sale.bill_day.isoformat(),
        "sold_at": sale.sold_at.isoformat(),
        "amount": sale.amount,
        "points_redeemed": sale.points_redeemed,
        "points_value": sale.points_value,
        "points_earned": sale.points_earned,
        "method": sale.method,
        "email": sale.email,
        "phone": sale.phone,
        "language": sale.language,
        "claimed_at": sale.claimed_at.isoformat() if sale.claimed_at else None,
        "refunds": [
            {"amount": row.amount, "money": row.money, "reason": row.reason, "at": row.refunded_at.isoformat()}
            for row in sale.refunds.all()
        ],
    }

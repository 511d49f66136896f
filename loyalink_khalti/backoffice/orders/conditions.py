"""Conditions by which the list of orders is filtered. Each follows an index, or the few rows that it is about."""

from collections.abc import Sequence

from django.db.models import Exists, F, OuterRef, Q

from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.payments import cancelled_orders
from loyalink_khalti.payments.missing_orders import MissingOrder
from loyalink_khalti.payments.models import Payment
from loyalink_khalti.payments.without_order import flags_to_review

GUEST = "guest"
"""In place of a tier: ordered without an account, or by somebody who has no points account."""


def to_review() -> Q:
    """Return the condition that staff must review a purchase: a payment, a surplus, or what the shop did with it.

    Two statements, so that the condition itself is about few rows.
    """
    of_payments = Q(pk__in=flags_to_review().order_by().values("payment__purchase"))
    deleted = Q(pk__in=MissingOrder.objects.filter(closed_at=None).values("purchase"))
    cancelled = Q(pk__in=[row.purchase_id for row in cancelled_orders.to_close()])
    return of_payments | Q(surplus__gt=0) | deleted | cancelled


def in_tiers(tiers: Sequence[str], versions: Sequence[ProgramVersion]) -> Q:
    """Return the condition that the member of a purchase is in one of these tiers now, by name; or is ``GUEST``."""
    found = Q(member_id=None, claimed_by=None) if GUEST in tiers else Q(pk__in=[])
    for version in versions:
        lowest = version.rules.tiers[0].name
        stored = [*(name for name in tiers if name != GUEST), *([""] if lowest in tiers else [])]
        if not stored:
            continue
        accounts = Account.objects.filter(program=version.program_id, tier__in=stored, member_id__isnull=False)
        members = accounts.order_by().values("member_id")
        theirs = Q(member_id__in=members) | Q(member_id=None, claimed_by__in=members)
        found |= Q(site_key=version.program.site_key) & theirs
    return found


def on_server(environment: str) -> Q:
    """Return the condition that a purchase has an attempt on this server of Khalti's."""
    return Q(Exists(Payment.objects.filter(purchase=OuterRef("pk"), environment=environment)))


ORDERINGS = {
    "created_at": ("created_at", "pk"),
    "-created_at": ("-created_at", "-pk"),
    "number": ("number", "pk"),
    "-number": ("-number", "-pk"),
    "amount_due": ("amount_due", "pk"),
    "-amount_due": ("-amount_due", "-pk"),
    "method": ("method", F("created_at").desc(), F("pk").desc()),
    "-method": ("-method", F("created_at").asc(), F("pk").asc()),
}
"""How the list is sorted; each along an index, read in its direction or against it."""

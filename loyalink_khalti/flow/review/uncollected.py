"""Cash on delivery that no one took: orders that were cancelled unpaid, by customer. Reads only; amounts are paisa.

A customer is known by the member, the phone number and the mailbox of an order; two orders with one of them in common
are one customer's. Such an order says nothing of why it was cancelled: staff judge.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Q, QuerySet

from loyalink_khalti.flow.self_dealing import mailbox_of
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import midnight, midnight_after
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.states import PurchaseState, RefundKind, RefundState
from loyalink_khalti.ports import PaymentMethod
from loyalink_khalti.search import search_text_of

MOST_ORDERS = 20_000
"""Orders that a report groups, the newest ones."""
_SHORTEST_PHONE = 7
_MOST_OF_ONE = 100
"""Orders of one customer that are read for the page of an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UncollectedCustomer:
    """A customer with orders that were not taken, the newest first."""

    keys: frozenset[str]
    """By what the customer is known."""
    orders: tuple[Purchase, ...]

    @property
    def newest(self) -> Purchase:
        return self.orders[0]

    @property
    def amount(self) -> Paisa:
        return Paisa(sum(purchase.amount_due for purchase in self.orders))


def uncollected_orders() -> "QuerySet[Purchase]":
    """Return the orders by cash on delivery that were cancelled without any money, the newest first."""
    cancelled = Refund.objects.filter(kind=RefundKind.ORDER, state=RefundState.DONE, undone_at=None)
    return Purchase.objects.filter(
        method=PaymentMethod.COD, state=PurchaseState.PLACED, received_at=None, received_part=0, amount_due__gt=0,
        pk__in=cancelled.order_by().values("purchase"),
    ).order_by("-created_at", "-pk")  # fmt: skip


def uncollected_customers(*, since: date, until: date, site_key: str | None = None) -> list[UncollectedCustomer]:
    """Return who has not taken orders of these days in Nepal, most orders first. One statement."""
    orders = uncollected_orders().filter(created_at__gte=midnight(since), created_at__lt=midnight_after(until))
    if site_key is not None:
        orders = orders.filter(site_key=site_key)
    customers = _by_customer(orders[:MOST_ORDERS])
    return sorted(customers, key=lambda each: (-len(each.orders), -each.amount, -each.newest.pk))


def uncollected_before(purchase: Purchase) -> list[Purchase]:
    """Return the customer's other orders that were not taken, the newest first. One statement, by index."""
    keys = customer_keys(purchase)
    if not keys:
        return []
    found = uncollected_orders().filter(_named(keys)).exclude(pk=purchase.pk)[:_MOST_OF_ONE]
    return [each for each in found if keys & customer_keys(each)]


def collected_of(customers: Sequence[UncollectedCustomer]) -> dict[int, int]:
    """Return how many orders by cash on delivery each customer has paid, by the pk of the newest order not taken.

    One statement for all of them.
    """
    condition = Q(pk__in=[])
    for customer in customers:
        condition |= _named(customer.keys)
    paid = Purchase.objects.filter(condition, method=PaymentMethod.COD, received_at__isnull=False)
    known = [customer_keys(purchase) for purchase in paid.order_by("-pk")[:MOST_ORDERS]] if customers else []
    return {each.newest.pk: sum(1 for keys in known if keys & each.keys) for each in customers}


def customer_keys(purchase: Purchase) -> frozenset[str]:
    """Return by what the customer of an order is known: none where the data is erased."""
    customer = purchase.cart.get("customer") or {}
    phone, mailbox = search_text_of([customer.get("phone") or ""]).split(), mailbox_of(customer.get("email") or "")
    named = {f"phone:{phone[-1]}"} if phone and phone[-1].isdigit() and len(phone[-1]) >= _SHORTEST_PHONE else set()
    named |= {f"mail:{mailbox}"} if mailbox else set()
    return frozenset(named | ({f"member:{purchase.earner}"} if purchase.earner else set()))


def _named(keys: Iterable[str]) -> Q:
    """Return a condition that finds at least the orders with one of these keys, by their indexes."""
    found = Q(pk__in=[])
    for key in keys:
        kind, _colon, value = key.partition(":")
        if kind == "member":
            found |= Q(member_id=value)
        elif kind == "phone":
            found |= Q(search_text__matches=value)
        else:  # the local part alone: what follows a "+" and dots at Gmail do not count
            found |= Q(search_text__matches=value.partition("@")[0][:200])
    return found


def _by_customer(orders: Iterable[Purchase]) -> list[UncollectedCustomer]:
    groups: list[tuple[set[str], list[Purchase]]] = []
    of_key: dict[str, tuple[set[str], list[Purchase]]] = {}
    for purchase in orders:
        keys = customer_keys(purchase)
        touched = list({id(of_key[key]): of_key[key] for key in keys if key in of_key}.values())
        group: tuple[set[str], list[Purchase]] = (set(keys), [purchase])
        for other in touched:
            group[0].update(other[0])
            group[1].extend(other[1])
            groups.remove(other)
        groups.append(group)
        of_key.update(dict.fromkeys(group[0], group))
    return [_customer(keys, found) for keys, found in groups if keys]


def _customer(keys: set[str], orders: Collection[Purchase]) -> UncollectedCustomer:
    newest_first = sorted(orders, key=lambda purchase: (purchase.created_at, purchase.pk), reverse=True)
    return UncollectedCustomer(keys=frozenset(keys), orders=tuple(newest_first))

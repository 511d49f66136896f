"""The rows of the list of orders: state and money of each, and the tier of its member."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff.labels import StatusLabel

from . import conditions
from .labels import ORDER_STATUSES, method_label


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOrder:
    """A purchase in the list."""

    row: flow.OrderRow
    tier: str
    """The name of the member's tier, "" for a guest."""
    needs_review: bool

    @property
    def purchase(self) -> Purchase:
        return self.row.purchase

    @property
    def pk(self) -> int:
        return int(self.purchase.pk)

    @property
    def name(self) -> str:
        """The order's number, or the shop's reference before it has one."""
        return self.purchase.number or self.purchase.ref

    @property
    def is_guest(self) -> bool:
        return self.purchase.earner is None

    @property
    def attempts(self) -> int:
        return len(self.row.payments)

    @property
    def status(self) -> StatusLabel:
        return ORDER_STATUSES[self.row.state]

    @property
    def method(self) -> str:
        return method_label(self.purchase.method)

    @property
    def transaction_id(self) -> str:
        payment = self.row.payment
        return (payment.transaction_id or "") if payment else ""

    def contact(self, field: str) -> str:
        """Return ``name``, ``email`` or ``phone`` as typed at the checkout."""
        customer: dict[str, Any] = self.purchase.cart.get("customer") or {}
        return str(customer.get(field) or "")

    @property
    def customer(self) -> str:
        return self.contact("name")

    @property
    def products(self) -> str:
        """What was bought, by its names."""
        return ", ".join(f"{line['quantity']} × {line['title']}" for line in self.purchase.cart.get("lines", ()))


class OrderRows:
    """Make rows of purchases: five statements for a page, or a part of an export, and two the first time."""

    def __init__(self, versions: Sequence[ProgramVersion]) -> None:
        """``versions``: the current rules of all sites."""
        self._versions = {version.program.site_key: version for version in versions}

    def of(self, purchases: Iterable[Purchase]) -> list[ListedOrder]:
        rows = flow.order_rows(list(purchases))
        tiers = self._tiers(row.purchase for row in rows)
        to_review = self._to_review([row.purchase.pk for row in rows])
        return [
            ListedOrder(row=row, tier=self._tier(row.purchase, tiers), needs_review=row.purchase.pk in to_review)
            for row in rows
        ]

    @cached_property
    def _review(self) -> Q:
        return conditions.to_review()

    def _to_review(self, pks: list[int]) -> set[int]:
        return set(Purchase.objects.filter(self._review, pk__in=pks).values_list("pk", flat=True)) if pks else set()

    def _tiers(self, purchases: Iterable[Purchase]) -> dict[tuple[int, str], str]:
        """The stored tier of each member, by programme and member."""
        members = {purchase.earner for purchase in purchases} - {None}
        if not members or not self._versions:
            return {}
        accounts = Account.objects.filter(member_id__in=sorted(str(each) for each in members))
        return {
            (program, str(member)): tier
            for program, member, tier in accounts.values_list("program_id", "member_id", "tier")
        }

    def _tier(self, purchase: Purchase, tiers: dict[tuple[int, str], str]) -> str:
        version = self._versions.get(purchase.site_key)
        stored = tiers.get((version.program_id, purchase.earner)) if version and purchase.earner else None
        if version is None or stored is None:
            return ""
        name = stored or version.rules.tiers[0].name
        return _(name) if name else ""


class ExportRows:
    """The rows of an export, read a part at a time."""

    def __init__(self, purchases: "QuerySet[Purchase]", versions: Sequence[ProgramVersion]) -> None:
        self.model, self._purchases, self._rows = purchases.model, purchases, OrderRows(versions)

    def iterator(self, chunk_size: int) -> Iterator[ListedOrder]:
        for chunk in flow.chunked(self._purchases.iterator(chunk_size=chunk_size)):
            yield from self._rows.of(chunk)

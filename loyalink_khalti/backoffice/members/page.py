"""The page of one member: balances, reserved points, history, points by expiry, and purchases."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.widgets.button import Button, HeaderButton

from loyalink_khalti import flow
from loyalink_khalti.backoffice.links import order_url
from loyalink_khalti.flow import Contact, HeldPoints, held_points, newest_payments, purchases_of, sales_of
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import CardEntry, available_lots, balance_card, card_entry, newest_entries
from loyalink_khalti.loyalty.models import Account, Entry, Lot
from loyalink_khalti.payments.counter_sales import CounterSale
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.payments.states import PurchaseState
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.choices import reason_label, reason_of_block
from loyalink_khalti.staff.labels import payment_status
from loyalink_khalti.staff.links import counter_sale_url, member_url, payment_url

from .base import MemberView

LOTS_SHOWN = 100
PURCHASES_SHOWN = 20
ENTRIES_PER_PAGE = 50
EVENTS_SHOWN = 20


class MemberPage(MemberView):
    """Show a member's points, with a button for each action that the user may take."""

    template_name = "loyalink_khalti/backoffice/members/page.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data())

    def get_page_title(self) -> str:
        return self.display_name

    def get_page_subtitle(self) -> str:
        return ""

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        members = {"url": reverse("loyalink_khalti_members"), "label": _("Members")}
        return [*self.breadcrumbs_items, members, {"url": "", "label": self.display_name}]

    @cached_property
    def is_erased(self) -> bool:
        return self.account.member_id is None

    @cached_property
    def is_closed(self) -> bool:
        """Whether the account was merged or erased, so that nothing on it can change."""
        return self.is_erased or self.account.successor_id is not None

    @cached_property
    def has_no_points(self) -> bool:
        """Whether staff cannot change its points: those of a closed account, or of a member who has left."""
        return self.is_closed or self.account.left_at is not None

    def get_header_buttons(self) -> list[Any]:
        buttons = cast(list[Any], super().get_header_buttons())
        if not self._may_adjust:
            return buttons
        return [HeaderButton(_("Adjust points"), url=self._action_url("adjust"), icon_name="plus"), *buttons]

    def get_header_more_buttons(self) -> list[Any]:
        block, lock = (_("Unblock"), "lock-open") if self.account.blocked else (_("Block"), "lock")
        actions = [
            ("block", block, lock, permissions.CHANGE_MEMBERS, self.is_closed),
            ("merge", _("Merge into another member"), "resubmit", permissions.CHANGE_MEMBERS, self.has_no_points),
            ("export", _("Export personal data"), "download", permissions.EXPORT_MEMBERS, self.is_erased),
            ("erase", _("Erase personal data"), "bin", permissions.ERASE_MEMBERS, self.is_erased),
        ]
        return [
            Button(label, url=self._action_url(name), icon_name=icon, priority=number)
            for number, (name, label, icon, permission, is_unavailable) in enumerate(actions)
            if not is_unavailable and self.has_permission(permission)
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        history = HistoryPaginator(self.account).get_page(self.request.GET.get("p"))
        rules = ledger.current_version(self.account.program.site_key).rules
        may_view_payments = self.has_permission(permissions.VIEW_PAYMENTS)
        return super().get_context_data(**kwargs) | {
            "card": balance_card(self.account, rules),
            "membership_events": self._membership_events(),
            "block_reason": reason_of_block(self.account.block_reason) if self.account.blocked else "",
            "lots": available_lots(self.account)[:LOTS_SHOWN],
            "pending_lots": self._pending_lots(),
            "holds": [self._hold_context(held) for held in held_points(self.account)] if self.account.held else [],
            "purchases": purchase_rows(self.account, with_payments=may_view_payments),
            "history": history,
            "entries": entry_rows(history.object_list),
            "elided_page_range": history.paginator.get_elided_page_range(history.number),
            "successor_url": member_url(self.account.successor_id) if self.account.successor_id else "",
            "may_check": self.has_permission(permissions.RESOLVE_FLAGS),
            "may_adjust": self._may_adjust,
            "adjust_url": self._action_url("adjust"),
        }

    @property
    def _may_adjust(self) -> bool:
        return not self.has_no_points and self.has_permission(permissions.ADJUST_POINTS)

    def _membership_events(self) -> Any:
        """What the member has accepted, and when they have left; the newest first."""
        return self.account.membership_events.select_related("terms").order_by("-pk")[:EVENTS_SHOWN]

    def _pending_lots(self) -> Any:
        return Lot.objects.filter(account=self.account, pending__gt=0).order_by("available_at")[:LOTS_SHOWN]

    def _hold_context(self, held: HeldPoints) -> dict[str, Any]:
        payment, args = held.payment, (self.account.pk, held.hold.pk)
        may_view = payment and self.has_permission(permissions.VIEW_PAYMENTS)
        return {
            "hold": held.hold,
            "payment": payment,
            "status": payment_status(payment) if payment else None,
            "payment_url": payment_url(payment.pk) if payment and may_view else "",
            "order": held.hold.purchase.partition(":")[2],
            "check_url": reverse("loyalink_khalti_member_check_now", args=args) if payment else "",
        }

    def _action_url(self, name: str) -> str:
        return reverse(f"loyalink_khalti_member_{name}", args=(self.account.pk,))


class HistoryPaginator(WagtailPaginator):
    """Page through the entries, the newest first, without counting them: an account numbers its entries.

    Those of accounts that were merged into it belong to it too.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        super().__init__(newest_entries(account).select_related("note"), ENTRIES_PER_PAGE)

    @cached_property
    def count(self) -> int:
        accounts = Account.objects.filter(pk__in=self.account.with_merged())
        return int(accounts.aggregate(entries=Sum("seq"))["entries"])


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """One entry of the history; ``actor`` is "" where no staff user made it."""

    card_entry: CardEntry
    reason: str
    note: str
    actor: str
    order: str
    order_url: str


def entry_rows(entries: Iterable[Entry]) -> list[EntryRow]:
    """Make rows of entries: one query for the actors, one for the purchases, one for counter sales where there are."""
    entries = list(entries)
    actors = flow.contacts({entry.actor for entry in entries})
    purchases, sales = purchases_of(entry.purchase for entry in entries), sales_of(e.purchase for e in entries)
    rows = [(entry, purchases.get(entry.purchase), sales.get(entry.purchase)) for entry in entries]
    return [_entry_row(entry, actors, purchase, sale) for entry, purchase, sale in rows]


def _entry_row(
    entry: Entry, actors: dict[str, Contact], purchase: Purchase | None, sale: CounterSale | None
) -> EntryRow:
    order = purchase.number or purchase.ref if purchase else entry.purchase.partition(":")[2]
    return EntryRow(
        card_entry=card_entry(entry),
        reason=reason_label(entry.reason_code),
        note=entry.note.text if hasattr(entry, "note") else "",
        actor=str(actors.get(entry.actor, entry.actor)) if entry.actor else "",
        order=str(_("Bill %(number)s") % {"number": sale.bill_number}) if sale else order,
        order_url=order_url(purchase) if purchase else counter_sale_url(sale.pk) if sale else "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRow:
    """A purchase of a member; a URL is "" where there is no such page."""

    purchase: Purchase
    order_url: str
    payment_url: str

    @property
    def status(self) -> str:
        """Return the state as a label."""
        released = self.purchase.state == PurchaseState.RELEASED
        return str(_("not placed") if released else self.purchase.get_state_display())


def purchase_rows(account: Account, *, with_payments: bool) -> list[PurchaseRow]:
    """Return a member's newest purchases, also those before a merge; ``with_payments`` for users who may see them."""
    accounts = Account.objects.filter(pk__in=account.with_merged(), member_id__isnull=False)
    members = list(accounts.values_list("member_id", flat=True))
    if account.member_id is None:
        return []
    theirs = Q(member_id__in=members) | Q(claimed_by__in=members)
    mine = Purchase.objects.filter(theirs, site_key=account.program.site_key)
    purchases = list(mine.order_by("-created_at")[:PURCHASES_SHOWN])
    payments = newest_payments(purchases) if with_payments else {}
    return [
        PurchaseRow(
            purchase=purchase,
            order_url=order_url(purchase),
            payment_url=payment_url(payments[purchase.pk].pk) if purchase.pk in payments else "",
        )
        for purchase in purchases
    ]

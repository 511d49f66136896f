"""Export and erase the personal data of a customer, member or guest.

A member is found by the user's pk, a guest by the e-mail address from the checkout. What a guest bought belongs to a
member who has claimed it, or whose address the shop has verified: anyone can register with another's address.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.db.models import Exists, OuterRef, Q, QuerySet

from loyalink_khalti import conf
from loyalink_khalti.errors import CannotEraseData
from loyalink_khalti.flow.counter import privacy as counter_privacy
from loyalink_khalti.flow.notices.privacy import (
    erase_mails,
    erase_mails_of_member,
    mails_of_member,
    mails_of_purchases,
)
from loyalink_khalti.flow.self_dealing import StaffAction, forbid_self_dealing
from loyalink_khalti.flow.transactions import forbid_transaction, in_one_block
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments import transitions
from loyalink_khalti.payments.cancelled_orders import CancelledOrder
from loyalink_khalti.payments.counter_sales import CounterSale
from loyalink_khalti.payments.flag_entries import FlagEntry
from loyalink_khalti.payments.missing_orders import MissingOrder
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.notes import PurchaseNote
from loyalink_khalti.payments.received import ReceivedMoney
from loyalink_khalti.payments.refund_approvals import RefundApproval
from loyalink_khalti.payments.states import HOLDING, LIVE, PENDING_REFUNDS, UNSETTLED
from loyalink_khalti.payments.unmatched import UnmatchedPayment
from loyalink_khalti.ports import Customer

from .directory import CHUNK, find_user, member_emails, member_sites
from .personal_data import purchase_data


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSubject:
    """The customer whose data it is: a member, a guest, or a member who was a guest before."""

    member_id: str | None = None
    email: str = ""


class KeepsPersonalData(Protocol):
    """What a Shop has besides whose orders are rows of this package, which no site erases or exports by itself."""

    def personal_data(self, ref: str) -> Mapping[str, Any]:
        """Return what an order keeps about its customer besides its Cart, ready for JSON; {} for one that is gone."""

    def erase_personal_data(self, refs: Collection[str]) -> None:
        """Erase who ordered, in the caller's transaction; amounts, lines and states stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedRows:
    """How many rows lost their personal data."""

    accounts: int
    purchases: int


def member_subject(member_id: str) -> DataSubject:
    """Return a member, with the verified address under which they may have bought as a guest; "" without one."""
    user = find_user(member_id)
    if user is None or not conf.email_is_verified(user):
        return DataSubject(member_id=member_id)
    return DataSubject(member_id=member_id, email=str(getattr(user, user.get_email_field_name(), "") or ""))


def guest_subject(email: str) -> DataSubject | None:
    """Return the guest who has bought with this address, even if an account has it too; None if there is none."""
    guest = DataSubject(email=email)
    if "@" not in email:
        return None
    return guest if _purchases_of(guest).exists() or _counter_sales_of(guest).exists() else None


def find_subject(name: str) -> DataSubject | None:
    """Return the customer with this member id or e-mail address who is no user (any more); None if unknown."""
    of_member = Q(member_id=name) | Q(claimed_by=name)
    if Account.objects.filter(member_id=name).exists() or Purchase.objects.filter(of_member).exists():
        return DataSubject(member_id=name)
    return guest_subject(name)


def export_personal_data(
    subject: DataSubject, *, site_key: str | None = None
) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """Return all that is kept about a customer, ready for JSON: identity and points, and an iterator of purchases."""
    member_id = subject.member_id
    sites = member_sites(member_id, site_key) if member_id else []
    head = {
        "member": member_id,
        "email": subject.email or _address(member_id),
        "points": {key: ledger.personal_data(site_key=key, member_id=member_id) for key in sites if member_id},
        "mails_about_points": mails_of_member(member_id, sites) if member_id else {},
        "mails_about_orders": mails_of_purchases(_purchases_of(subject, site_key)),
        "counter_sales": counter_privacy.export_sales(_counter_sales_of(subject, site_key)),
    }
    related = ("payments__flags__entries", "received_money", "refunds", "refund_approvals", "notes")
    with_all = _purchases_of(subject, site_key).prefetch_related(*related)
    return head, map(purchase_data, with_all.iterator(chunk_size=CHUNK))


def _address(member_id: str | None) -> str | None:
    """Return the address of a user, verified or not."""
    name = member_emails([member_id]).get(member_id or "", "")
    return name if "@" in name else None


def erase_personal_data(subject: DataSubject, *, site_key: str | None = None, actor: str | None = None) -> ErasedRows:
    """Erase who a customer was, and return how many rows that changed; amounts, lines, states and points stay.

    Removes name, e-mail address, phone and the options of lines from each purchase's Cart, the notes of staff on it,
    its flags, refunds and unmatched payments, the texts of its received money, and the browser session; the points
    account loses its member and is blocked, and its points are written off, also those that a purchase or a refund
    adds later.
    Invoices stay as they were issued. ``member_id`` and ``claimed_by`` of purchases stay: they mean nothing once the
    shop has deleted its user. All of it
    is one transaction. Raises ``CannotEraseData`` while a payment or a refund is unfinished or a surplus is not
    refunded, and ``LedgerError`` while points are held, and then nothing is changed; and ``InsideTransaction``.
    ``actor`` is the pk of the member of staff who does it: ``SelfDealing`` for their own account.
    """
    forbid_transaction("erase_personal_data")
    return in_one_block(lambda: _erase(subject, site_key, actor))


def _erase(subject: DataSubject, site_key: str | None, actor: str | None) -> ErasedRows:
    """Check under the locks of the purchases: a released payment can still be paid at the last moment."""
    forbid_self_dealing(
        actor, StaffAction.ERASE, members=[subject.member_id]
    )  # a debt of points would end with the account
    purchases = _purchases_of(subject, site_key)
    pks = list(purchases.select_for_update().values_list("pk", flat=True))
    _refuse_unfinished(purchases)
    erased = sum(_erase_purchases(pks[start : start + CHUNK]) for start in range(0, len(pks), CHUNK))
    erased += counter_privacy.erase_sales(_counter_sales_of(subject, site_key))
    return ErasedRows(accounts=_erase_accounts(subject, site_key), purchases=erased)


def _purchases_of(subject: DataSubject, site_key: str | None = None) -> QuerySet[Purchase]:
    theirs = Q(pk__in=[])
    if subject.member_id:
        theirs |= Q(member_id=subject.member_id) | Q(claimed_by=subject.member_id)
    if subject.email:
        theirs |= Q(member_id=None, claimed_by=None, cart__customer__email__iexact=subject.email)
    purchases = Purchase.objects.filter(theirs).order_by("pk")
    return purchases if site_key is None else purchases.filter(site_key=site_key)


def _counter_sales_of(subject: DataSubject, site_key: str | None = None) -> "QuerySet[CounterSale]":
    return counter_privacy.sales_of_customer(member_id=subject.member_id, email=subject.email, site_key=site_key)


def _refuse_unfinished(purchases: QuerySet[Purchase]) -> None:
    flags = Flag.objects.filter(payment=OuterRef("pk"))
    is_resolved = Exists(flags.exclude(actor=None)) & ~Exists(flags.filter(resolved_at=None))
    payments = Payment.objects.filter(purchase__in=purchases.order_by(), state__in=HOLDING)
    unresolved = payments.exclude(is_resolved, state__in=UNSETTLED)
    payment = unresolved.select_related("purchase").order_by("pk").first()
    if payment is not None and payment.state in LIVE:
        raise CannotEraseData(f"payment {payment.purchase_order_id} is still pending; try again when it is finished")
    if payment is not None:
        raise CannotEraseData(f"payment {payment.purchase_order_id} is paid without an order; resolve its flag first")
    refunds = Refund.objects.filter(purchase__in=purchases.order_by(), state__in=PENDING_REFUNDS)
    refund = refunds.select_related("purchase").order_by("pk").first()
    if refund is not None:
        raise CannotEraseData(f"a refund of {refund.purchase.ref} is not finished yet")
    surplus = purchases.filter(surplus__gt=0).first()
    if surplus is not None:
        raise CannotEraseData(f"money received for {surplus.ref} was not refunded yet")


def _erase_accounts(subject: DataSubject, site_key: str | None) -> int:
    member_id = subject.member_id
    if not member_id:
        return 0
    sites = member_sites(member_id, site_key)
    for key in sites:
        erase_mails_of_member(member_id, key)
        counter_privacy.erase_codes(member_id, key)
    return sum(
        ledger.erase(site_key=key, member_id=member_id, purchases=_purchase_keys(member_id, key)) for key in sites
    )


def _purchase_keys(member_id: str, site_key: str) -> list[str]:
    """The keys of a member's purchases: cash on delivery, say, is received and earns later."""
    theirs = Purchase.objects.filter(Q(member_id=member_id) | Q(claimed_by=member_id), site_key=site_key)
    return [purchase.key for purchase in theirs.only("shop", "ref")]


def _erase_purchases(pks: list[int]) -> int:
    ReceivedMoney.objects.filter(purchase__in=pks).erase_texts()
    PurchaseNote.objects.filter(purchase__in=pks).erase_texts()
    Flag.objects.filter(payment__purchase__in=pks).exclude(note="").update(note="")
    with_mobile = Refund.objects.filter(purchase__in=pks).exclude(mobile_hash="")
    with_mobile.update(mobile_masked="", mobile_hash="")
    FlagEntry.objects.filter(flag__payment__purchase__in=pks).exclude(note="").update(note="")
    Refund.objects.filter(purchase__in=pks).exclude(note="").update(note="")
    RefundApproval.objects.filter(purchase__in=pks).update(note="", decision_note="")
    for matters in (MissingOrder, CancelledOrder):
        matters._default_manager.filter(purchase__in=pks).exclude(note="").update(note="")
    of_customer = Q(payment__purchase__in=pks) | Q(returned_to__purchase__in=pks)
    UnmatchedPayment.objects.filter(of_customer).exclude(note="").update(note="")
    _erase_orders(pks)
    erase_mails(Purchase.objects.filter(pk__in=pks))
    erased = 0
    for purchase in Purchase.objects.filter(pk__in=pks).order_by("pk"):
        cart = purchase.frozen_cart
        lines = tuple(replace(line, options="") for line in cart.lines)
        cart = replace(cart, customer=Customer(), lines=lines)
        stored, details = cart.to_stored()
        anonymous = {
            "cart": stored,
            "line_details": details,
            "browser_session": "",
            "network": "",
            "search_text": transitions.search_text_for(cart, purchase.number),
        }
        if any(getattr(purchase, name) != value for name, value in anonymous.items()):
            for name, value in anonymous.items():
                setattr(purchase, name, value)
            purchase.save(update_fields=list(anonymous))
            erased += 1
    return erased


def _erase_orders(pks: list[int]) -> None:
    """Let each shop whose orders are this package's own erase them: `KeepsPersonalData`."""
    for name, shop in conf.shops().items():
        erase = getattr(shop, "erase_personal_data", None)
        if erase is not None:
            erase(list(Purchase.objects.filter(pk__in=pks, shop=name).values_list("ref", flat=True)))

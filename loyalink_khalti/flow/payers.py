"""What is kept about somebody who has bought, member or guest: to be taken along, or to be forgotten.

Who is asked for is found by what the shop knows them by: a member by the user's pk, a guest by the e-mail address that
they typed. What a member bought as a guest, with the address of their account, is theirs too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from loyalink_khalti.errors import CannotErase
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Flag, Payment, Purchase, Refund
from loyalink_khalti.payments.states import HOLDING, LIVE, PENDING_REFUND, State
from loyalink_khalti.ports import Customer

from .people import CHUNK, emails, sites_of
from .transactions import forbid_transaction, in_one_block


@dataclass(frozen=True, slots=True, kw_only=True)
class Payer:
    """Somebody who has bought: a member, a guest, or a member who was one."""

    member_id: str | None = None
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How many rows no longer say whose they are."""

    accounts: int
    purchases: int


def member(member_id: str) -> Payer:
    """A member, and what was bought as a guest with their account's address."""
    name = emails([member_id]).get(member_id, "")
    return Payer(member_id=member_id, email=name if "@" in name else "")


def known(name: str) -> Payer | None:
    """Whoever goes by this name though no user does (any more): a member's pk, or a guest's e-mail address."""
    of_member = Q(member_id=name) | Q(claimed_by=name)
    if Account.objects.filter(member_id=name).exists() or Purchase.objects.filter(of_member).exists():
        return Payer(member_id=name)
    guest = Payer(email=name)
    return guest if "@" in name and _bought(guest).exists() else None


def told_of(payer: Payer, *, site_key: str | None = None) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """All that is kept about a payer, for them to take along: who they are and their points, and each purchase."""
    who = payer.member_id
    sites = sites_of(who, site_key) if who else []
    head = {
        "member": who,
        "email": payer.email or None,
        "points": {key: ledger.data_of(site_key=key, member_id=who) for key in sites if who},
    }
    return head, _told(payer, site_key)


def erase(payer: Payer, *, site_key: str | None = None) -> Erased:
    """Forget who a payer was; amounts, lines, states and points stay, and so does every sum.

    Name, e-mail address and phone leave each purchase's Cart, and staff's notes its flags; the browser's name goes,
    and the points account is nobody's. ``member_id`` and ``claimed_by`` stay: a number that means nothing once the
    shop has erased its user. Raises ``CannotErase`` before anything is changed while money of theirs is undecided; a
    chunk of purchases is one transaction, so that the next call goes on where this one was cut off.
    """
    forbid_transaction("erase")
    _refuse_undecided(_bought(payer, site_key))
    accounts = in_one_block(lambda: _forget_accounts(payer, site_key))
    purchases = last = 0
    while pks := list(_bought(payer, site_key).filter(pk__gt=last).values_list("pk", flat=True)[:CHUNK]):
        purchases += in_one_block(partial(_forget, pks))
        last = pks[-1]
    return Erased(accounts=accounts, purchases=purchases)


def _bought(payer: Payer, site_key: str | None = None) -> QuerySet[Purchase]:
    mine = Q(pk__in=[])
    if payer.member_id:
        mine |= Q(member_id=payer.member_id) | Q(claimed_by=payer.member_id)
    if payer.email:
        mine |= Q(member_id=None, claimed_by=None, cart__customer__email__iexact=payer.email)
    purchases = Purchase.objects.filter(mine).order_by("pk")
    return purchases if site_key is None else purchases.filter(site_key=site_key)


def _refuse_undecided(purchases: QuerySet[Purchase]) -> None:
    payments = Payment.objects.filter(purchase__in=purchases.order_by(), state__in=HOLDING)
    told = Flag.objects.filter(payment=OuterRef("pk"))
    decided = Exists(told.exclude(actor=None)) & ~Exists(told.filter(resolved_at=None))  # then nothing waits any more
    payments = payments.exclude(decided, state__in=[State.PAID, State.MISMATCHED])
    payment = payments.select_related("purchase").order_by("pk").first()
    if payment is not None and payment.state in LIVE:
        raise CannotErase(f"payment {payment.purchase_order_id} is still under way; try again when it is done")
    if payment is not None:
        raise CannotErase(
            f"payment {payment.purchase_order_id} has brought money that nobody has decided about; see to its flag"
        )
    refunds = Refund.objects.filter(purchase__in=purchases.order_by(), state__in=PENDING_REFUND)
    refund = refunds.select_related("purchase").order_by("pk").first()
    if refund is not None:
        raise CannotErase(f"a refund of {refund.purchase.ref} is not finished yet")


def _forget_accounts(payer: Payer, site_key: str | None) -> int:
    who = payer.member_id
    return sum(ledger.erase(site_key=key, member_id=who) for key in sites_of(who, site_key)) if who else 0


def _forget(pks: list[int]) -> int:
    """Forget who bought these, under their locks: a payment may have come to life since they were looked at."""
    purchases = list(Purchase.objects.select_for_update(of=("self",)).filter(pk__in=pks).order_by("pk"))
    _refuse_undecided(Purchase.objects.filter(pk__in=pks))
    Flag.objects.filter(payment__purchase__in=pks).exclude(note="").update(note="")
    forgotten = 0
    for purchase in purchases:
        cart = replace(purchase.frozen_cart, customer=Customer())
        nobody = (cart.to_json(), "", services.words_for(cart, purchase.number))
        if (purchase.cart, purchase.visitor, purchase.words) != nobody:
            purchase.cart, purchase.visitor, purchase.words = nobody
            purchase.save(update_fields=["cart", "visitor", "words"])
            forgotten += 1
    return forgotten


# What is told


def _told(payer: Payer, site_key: str | None) -> Iterator[dict[str, Any]]:
    with_all = _bought(payer, site_key).prefetch_related("payments__flags", "refunds")
    return map(_purchase, with_all.iterator(chunk_size=CHUNK))


def _purchase(purchase: Purchase) -> dict[str, Any]:
    cart = purchase.frozen_cart
    return {
        "shop": purchase.shop,
        "reference": purchase.ref,
        "number": purchase.number,
        "state": purchase.state,
        "method": purchase.method,
        "at": purchase.created_at.isoformat(),
        "placed_at": _moment(purchase.placed_at),
        "received_at": _moment(purchase.received_at),
        "name": cart.customer.name,
        "email": cart.customer.email,
        "phone": cart.customer.phone,
        "language": purchase.language,
        "browser": purchase.visitor,
        "lines": [{"title": line.title, "quantity": line.quantity, "paisa": line.total} for line in cart.lines],
        "shipping": cart.shipping,
        "paisa": purchase.payable,
        "points_spent": purchase.spends,
        "points_earned": purchase.earned,
        "claimed_at": _moment(purchase.claimed_at),
        "payments": [_payment(payment) for payment in purchase.payments.all()],
        "refunds": [_refund(refund) for refund in purchase.refunds.all()],
    }


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "attempt": payment.attempt,
        "pidx": payment.pidx,
        "transaction_id": payment.transaction_id,
        "state": payment.state,
        "why": payment.why,
        "paisa": payment.amount,
        "captured": payment.captured,
        "refunded": payment.refunded,
        "created_at": _moment(payment.created_at),
        "paid_at": _moment(payment.paid_at),
        "fulfilled_at": _moment(payment.fulfilled_at),
        "released_at": _moment(payment.released_at),
        "flags": [
            {
                "reason": flag.reason,
                "raised_at": _moment(flag.raised_at),
                "resolution": flag.resolution,
                "resolved_at": _moment(flag.resolved_at),
                "note": flag.note,
            }
            for flag in payment.flags.all()
        ],
    }


def _refund(refund: Refund) -> dict[str, Any]:
    return {
        "state": refund.state,
        "goods": refund.goods,
        "shipping": refund.shipping,
        "cash": refund.cash,
        "points_given_back": refund.restored,
        "points_taken_back": refund.clawed,
        "khalti": refund.words,
        "requested_at": _moment(refund.requested_at),
        "done_at": _moment(refund.done_at),
    }


def _moment(at: Any) -> str | None:
    return at.isoformat() if at else None

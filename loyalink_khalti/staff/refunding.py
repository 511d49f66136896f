"""Giving an order back, by hand of staff: what they type, what it would do, and how what came of it is told."""

import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotRefund, RefundBeyondLimit
from loyalink_khalti.flow import limits
from loyalink_khalti.money import Paisa, npr, paisa, rupees
from loyalink_khalti.payments import refunds
from loyalink_khalti.payments.models import Payment, Purchase, Refund
from loyalink_khalti.ports import Method, Private

from . import may


def beyond(user: Any, purchase: Purchase, cash: Paisa) -> str:
    """Why somebody may not give so much cash of a purchase back, in words; "" where they may."""
    if may.may(user, may.REFUND_BEYOND_LIMIT):
        return ""
    try:
        limits.insist_on_refund_limit(purchase, cash)
    except RefundBeyondLimit as exc:
        return str(exc)
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What staff want to give back; money in paisa, goods at their price before points."""

    goods: Paisa
    shipping: Paisa
    lines: tuple[tuple[str, int], ...]
    shelve: bool
    mobile: Private

    @classmethod
    def all_of(cls, purchase: Purchase) -> "Asked":
        left = refunds.left(purchase)
        return cls(
            goods=left.goods, shipping=left.shipping, lines=tuple(left.lines.items()), shelve=True, mobile=Private()
        )

    def quote(self, purchase: Purchase) -> flow.Back:
        return flow.undo_quote(purchase, goods=self.goods, shipping=self.shipping, lines=self.lines)

    def undo(
        self, purchase: Purchase, *, key: str, by: str, seen: int | None = None, within_limit: bool = False
    ) -> Refund:
        return flow.undo(
            purchase,
            seen=seen,
            within_limit=within_limit,
            goods=self.goods,
            shipping=self.shipping,
            lines=self.lines,
            shelve=self.shelve,
            mobile=self.mobile,
            key=f"{purchase.ref}:{key}",
            by=by,
        )


class RefundForm(forms.Form):
    """Quantities of each line, or an amount instead; delivery; and where the goods go."""

    amount = forms.DecimalField(
        label=gettext_lazy("Amount of goods, in rupees"),
        help_text=gettext_lazy("Only if it differs from what the goods above cost. Leave it empty otherwise."),
        required=False, min_value=0, max_digits=12, decimal_places=2,
    )  # fmt: skip
    delivery = forms.DecimalField(
        label=gettext_lazy("Delivery, in rupees"), required=False, min_value=0, max_digits=12, decimal_places=2
    )
    shelve = forms.BooleanField(label=gettext_lazy("Put these goods back on the shelf"), required=False, initial=True)
    mobile = forms.RegexField(
        r"^9\d{9}$",
        label=gettext_lazy("Khalti number of the customer"),
        help_text=gettext_lazy("Only if they paid from a bank: Khalti then gives the money back to this account."),
        required=False,
    )
    key = forms.CharField(max_length=64, widget=forms.HiddenInput, required=False)
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, purchase: Purchase, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.purchase = purchase
        self.quote: flow.Back | None = None
        self.left = refunds.left(purchase)
        self.rows = list(self._rows())
        self.now_seen = refunds.newest(purchase)
        if purchase.method != Method.KHALTI:
            del self.fields["mobile"]
        if not self.left.shipping:
            del self.fields["delivery"]
        else:
            most = rupees(self.left.shipping)
            self.fields["delivery"].widget.attrs["max"] = str(most)
            self.fields["delivery"].help_text = _("%(most)s can still be given back.") % {
                "most": npr(self.left.shipping)
            }

    def _rows(self) -> Iterator[tuple[str, str, int, int, str]]:
        """For each sku: its field, title, how many were bought, how many are left, and what one cost."""
        bought = Counter[str]()
        titles: dict[str, tuple[str, str]] = {}
        for line in self.purchase.frozen_cart.lines:
            bought[line.sku] += line.quantity
            titles.setdefault(line.sku, (line.title, npr(line.unit)))
        for index, (sku, quantity) in enumerate(bought.items()):
            left, name = self.left.lines[sku], f"quantity_{index}"
            self.fields[name] = forms.IntegerField(required=False, min_value=0, max_value=left)
            self.fields[name].widget.attrs |= {
                "aria-label": titles[sku][0],
                "class": "form-control",
                "placeholder": "0",
            }
            yield sku, name, quantity, left, titles[sku][1]

    def clean_mobile(self) -> Private:
        return Private(self.cleaned_data["mobile"])

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The rows as the page shows them."""
        titles = {line.sku: line.title for line in self.purchase.frozen_cart.lines}
        return [
            {"sku": sku, "title": titles[sku], "bought": bought, "left": left, "unit": unit, "field": self[name]}
            for sku, name, bought, left, unit in self.rows
        ]

    @property
    def asked(self) -> Asked:
        typed = self.cleaned_data
        chosen = {sku: typed.get(name) or 0 for sku, name, *_rest in self.rows}
        lines = Counter({sku: quantity for sku, quantity in chosen.items() if quantity})
        amount, delivery = typed.get("amount"), typed.get("delivery")
        return Asked(
            goods=refunds.goods_of(self.purchase, lines) if amount is None else paisa(amount),
            shipping=Paisa(0) if delivery is None else paisa(delivery),
            lines=tuple(lines.items()),
            shelve=bool(typed.get("shelve")),
            mobile=Private(typed.get("mobile") or ""),
        )

    def clean(self) -> dict[str, Any]:
        """See that it can be given back, unless this very form was sent before."""
        typed = super().clean() or {}
        if self.errors or self._was_sent(typed.get("key")):
            return typed
        if typed.get("key") and typed.get("seen") is None:
            raise ValidationError(_("This form came without all of its parts. Please open the page again."))
        if typed.get("seen") is not None and typed["seen"] != self.now_seen:
            raise ValidationError(flow.meanwhile())
        try:
            self.quote = self.asked.quote(self.purchase)
        except CannotRefund as exc:
            raise ValidationError(str(exc)) from exc
        return typed

    @property
    def cash(self) -> Paisa:
        """What goes back to the payer, in paisa; nothing more where this very form was sent before."""
        return self.quote.cash if self.quote else Paisa(0)

    def _was_sent(self, key: str | None) -> bool:
        return bool(key) and Refund.objects.filter(key=f"{self.purchase.ref}:{key}").exists()


def fresh_key() -> str:
    """A name for what a form is about to do, so that sending it twice does it once."""
    return secrets.token_urlsafe(12)


def initial_of_all(purchase: Purchase) -> dict[str, Any]:
    """The form as it stands where everything that is left is to be given back."""
    left = refunds.left(purchase)
    skus = dict.fromkeys(line.sku for line in purchase.frozen_cart.lines)
    all_of_it: dict[str, Any] = {f"quantity_{index}": left.lines[sku] or None for index, sku in enumerate(skus)}
    if not left.lines and left.goods:  # the goods came back before their money did
        all_of_it["amount"] = rupees(left.goods)
    return all_of_it | ({"delivery": rupees(left.shipping)} if left.shipping else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A refund as the page lists it."""

    refund: Refund
    cash: str
    goods: str
    shipping: str
    state: str
    colour: str
    by: str


_STATES = {
    "requested": (gettext_lazy("Being sent"), "info"),
    "sent": (gettext_lazy("Being sent"), "info"),
    "done": (gettext_lazy("Given back"), "success"),
    "refused": (gettext_lazy("Refused"), "secondary"),
    "unknown": (gettext_lazy("Nobody knows yet"), "warning"),
}


def shown(purchase: Purchase) -> list[Shown]:
    """The refunds of a purchase, the newest first."""
    return [_shown(refund) for refund in purchase.refunds.order_by("-pk")]


def shown_of(payment: Payment) -> list[Shown]:
    """The refunds of one payment, the newest first."""
    return [_shown(refund) for refund in payment.refunds.order_by("-pk")]


def _shown(refund: Refund) -> Shown:
    state, colour = _STATES[refund.state]
    if refund.state == "done" and refund.carried_at is None:
        state, colour = gettext_lazy("Given back, not in the books"), "warning"
    return Shown(
        refund=refund,
        cash=npr(Paisa(refund.cash)),
        goods=npr(Paisa(refund.goods)),
        shipping=npr(Paisa(refund.shipping)),
        state=str(state),
        colour=colour,
        by=_("by Khalti") if refund.payment_id else _("by hand"),
    )


def tell(refund: Refund, *, cancelled: bool = False) -> tuple[str, str]:
    """What came of a refund, in words for staff, and how loud: a level of ``messages`` by name."""
    words = {
        "cash": npr(Paisa(refund.cash)), "back": refund.restored, "taken": refund.clawed, "khalti": refund.words,
    }  # fmt: skip
    if refund.state == "refused":
        return "error", _("Khalti refused: “%(khalti)s”. No money and no points have moved.") % words
    if refund.state == "unknown":
        return "warning", _(
            "Khalti did not answer, so nobody knows yet whether %(cash)s went back. Nothing is sent again by itself: "
            "look into Khalti's dashboard."
        ) % words
    if refund.state != "done":
        return "info", _("This refund is being sent to Khalti.")
    if refund.carried_at is None:
        return "warning", _(
            "Khalti has given %(cash)s back, but the shop's books and the points did not follow."
        ) % words
    if cancelled:
        return "success", _("The order is cancelled; %(back)s points came back.") % words
    if not refund.cash:
        return "success", _("Given back: %(back)s points came back, %(taken)s were taken back.") % words
    if refund.payment_id:
        return "success", _(
            "Khalti has given %(cash)s back; %(back)s points came back, %(taken)s were taken back."
        ) % words
    return "success", _(
        "Written down: give %(cash)s back by hand. %(back)s points came back, %(taken)s were taken back."
    ) % words

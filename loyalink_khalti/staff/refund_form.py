"""The form with which staff refund an order, whatever the back office: what they enter, and what it would refund."""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from loyalink_khalti import conf, flow
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.errors import CannotRefund
from loyalink_khalti.money import Paisa
from loyalink_khalti.payments import refund_mobile, refunds
from loyalink_khalti.payments.models import Purchase, Refund
from loyalink_khalti.payments.refund_approvals import RefundApproval
from loyalink_khalti.payments.refund_reasons import OTHER, REASONS, reason_label
from loyalink_khalti.ports import PaymentMethod, PrivateText

from . import permissions
from .fields import MobileField, RupeesField, WholeNumberField


def refund_limit_error(user: Any, purchase: Purchase, amount: Paisa) -> str:
    """Return why ``user`` may not refund ``amount`` (paisa) more of a purchase; "" if they may."""
    if permissions.has_permission(user, permissions.REFUND_BEYOND_LIMIT):
        return ""
    return flow.refund_limit_obstacle(purchase, amount, actor=str(user.pk))


def approval_reason(user: Any, purchase: Purchase, amount: Paisa) -> str:
    """Return why a colleague has to approve a refund of ``amount`` (paisa) of ``user``; "" if no one has to."""
    return flow.approval_obstacle(purchase, amount) or refund_limit_error(user, purchase, amount)


class RefundReasonField(forms.ChoiceField):
    """A reason from the list: ours, then those that editors have added for the site."""

    def __init__(self, *, site_key: str) -> None:
        own = [(text, text) for text in conf.refund_reasons(site_key) if text not in REASONS]
        ours = [(code, label) for code, label in REASONS.items() if code != OTHER]
        super().__init__(
            label=_("Reason"),
            choices=[("", _("Choose one")), *ours, *own, (OTHER, REASONS[OTHER])],
            required=False,
            help_text=_("For the reports, and for colleagues who read this later."),
        )


class RefundNoteField(forms.CharField):
    """What staff add to the reason: it is not sent to the customer."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Note"),
            max_length=1000,
            required=False,
            widget=forms.Textarea(attrs={"rows": 2}),
            help_text=_("For colleagues, with your name. The customer does not see it."),
        )


def reason_errors(data: Mapping[str, Any]) -> dict[str, str]:
    """Return what a reason still needs: "other" says nothing by itself."""
    if data.get("reason") == OTHER and not (data.get("note") or "").strip():
        return {"note": _("Say in the note which reason it is.")}
    return {}


def cancel_key(purchase: Purchase) -> str:
    """Return the key of the next cancellation: an order that was placed again can be cancelled again."""
    earlier = purchase.refunds.filter(undone_at__isnull=False).count()
    return f"cancel:{earlier}" if earlier else "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """What staff want to refund, in paisa; ``subtotal`` and ``shipping`` are prices before points."""

    subtotal: Paisa
    shipping: Paisa
    lines: tuple[tuple[str, int], ...]
    """``Line.key`` and quantity of each line that is returned."""
    restock: bool | frozenset[str]
    """Whether the lines go back into stock, or the keys of those that do."""
    mobile: PrivateText
    """The customer's Khalti account, for what was paid from a bank."""
    reason: str = ""
    note: str = ""

    @classmethod
    def all_of(cls, purchase: Purchase) -> "RefundRequest":
        """Return a request for all that is left to refund."""
        left = refunds.refundable(purchase)
        return cls(
            subtotal=left.subtotal,
            shipping=left.shipping,
            lines=tuple(left.lines.items()),
            restock=True,
            mobile=PrivateText(),
        )

    def quote(self, purchase: Purchase) -> flow.RefundQuote:
        """Return what this would refund. Raises ``CannotRefund`` when less is left."""
        return flow.quote_refund(purchase, subtotal=self.subtotal, shipping=self.shipping, lines=self.lines)

    def refund(
        self,
        purchase: Purchase,
        *,
        key: str,
        actor: str,
        seen_refund: int | None = None,
        enforce_limit: bool = False,
        cancels: bool = False,
    ) -> Refund:
        """Refund this, once per ``key``. Raises what ``flow.refund_order`` raises."""
        return flow.refund_order(
            purchase,
            subtotal=self.subtotal,
            shipping=self.shipping,
            lines=self.lines,
            restock=self.restock,
            reason=self.reason,
            note=self.note,
            mobile=self.mobile,
            key=f"{purchase.ref}:{key}",
            actor=actor,
            seen_refund=seen_refund,
            enforce_limit=enforce_limit,
            cancels=cancels,
        )

    def ask(
        self, purchase: Purchase, *, key: str, actor: str, seen_refund: int | None = None, cancels: bool = False
    ) -> RefundApproval:
        """Request that a colleague approves this, once per ``key``. Raises as ``refund``."""
        return flow.request_order_refund(
            purchase,
            subtotal=self.subtotal,
            shipping=self.shipping,
            lines=self.lines,
            restock=self.restock,
            reason=self.reason,
            note=self.note,
            key=f"{purchase.ref}:{key}",
            actor=actor,
            seen_refund=seen_refund,
            cancels=cancels,
        )


class RefundForm(forms.Form):
    """Quantities of the products, each with whether to restock it, or an amount instead; delivery; and why.

    ``seen_refund`` is the latest refund when the form was shown. The form is refused when a colleague has made
    another one since.
    """

    amount = RupeesField(
        label=gettext_lazy("Amount for products, in rupees"),
        help_text=gettext_lazy("Only if it differs from the price of the products above. Otherwise leave it empty."),
        required=False,
    )
    delivery = RupeesField(label=gettext_lazy("Delivery, in rupees"), required=False)
    mobile = MobileField(
        label=gettext_lazy("Khalti number of the customer"),
        help_text=gettext_lazy("Khalti asked for it: they paid from a bank, and Khalti refunds to this account."),
        required=False,
    )
    key = forms.CharField(max_length=64, widget=forms.HiddenInput, required=False)
    seen_refund = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, purchase: Purchase, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.purchase = purchase
        self.quote: flow.RefundQuote | None = None
        self.left = refunds.refundable(purchase)
        self.latest_refund = refunds.newest_pk(purchase)
        self.fields["reason"] = RefundReasonField(site_key=purchase.site_key)
        self.fields["note"] = RefundNoteField()
        self._rows = list(self._add_quantities())
        if not refund_mobile.is_asked_for_order(purchase):
            del self.fields["mobile"]
        if not self.left.shipping:
            del self.fields["delivery"]
            return
        delivery = self.fields["delivery"]
        delivery.help_text = _("%(amount)s left to refund.") % {"amount": npr(self.left.shipping)}

    def _add_quantities(self) -> Iterator[dict[str, Any]]:
        """Add a quantity field for each line."""
        lines = self.purchase.frozen_cart.lines
        ordered = Counter[str]()
        for line in lines:
            ordered[line.key] += line.quantity
        first = {line.key: line for line in reversed(lines)}
        for index, (key, quantity) in enumerate(ordered.items()):
            line, left, name = first[key], self.left.lines[key], f"quantity_{index}"
            self.fields[name] = WholeNumberField(required=False, maximum=left)
            attrs = {"aria-label": line.name, "class": "form-control", "placeholder": "0"}
            self.fields[name].widget.attrs |= attrs
            restock, label = f"restock_{index}", _("Restock %(product)s") % {"product": line.name}
            self.fields[restock] = forms.BooleanField(label=label, required=False, initial=True)
            row = {"key": key, "sku": line.sku, "title": line.name, "unit": npr(line.unit)}
            yield row | {"name": name, "ordered": quantity, "left": left, "restock_name": restock}

    def clean_mobile(self) -> PrivateText:
        return PrivateText(self.cleaned_data["mobile"])

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The products as the page lists them, each with its quantity field."""
        return [row | {"field": self[row["name"]], "restock": self[row["restock_name"]]} for row in self._rows]

    @property
    def returned(self) -> list[dict[str, Any]]:
        """The lines of which a valid form returns some, each with that ``quantity``, for the preview."""
        data = self.cleaned_data
        quantities = [(row, data.get(row["name"])) for row in self._rows]
        return [
            row | {"quantity": quantity, "is_restocked": bool(data.get(row["restock_name"]))}
            for row, quantity in quantities
            if quantity
        ]

    @property
    def refund_request(self) -> RefundRequest:
        data = self.cleaned_data
        lines = Counter({row["key"]: data[row["name"]] for row in self._rows if data.get(row["name"])})
        amount, delivery = data.get("amount"), data.get("delivery")
        return RefundRequest(
            subtotal=refunds.subtotal_of(self.purchase, lines) if amount is None else amount,
            shipping=Paisa(0) if delivery is None else delivery,
            lines=tuple(lines.items()),
            restock=frozenset(row["key"] for row in self.returned if row["is_restocked"]),
            mobile=PrivateText(data.get("mobile") or ""),
            reason=data.get("reason") or "",
            note=PrivateText(data.get("note") or ""),
        )

    def clean(self) -> dict[str, Any]:
        """Check that this much is left to refund, unless the same form was submitted before."""
        data = super().clean() or {}
        if self._was_submitted(data.get("key")):
            return data
        if "seen_refund" in self.errors or (data.get("key") and data.get("seen_refund") is None):
            raise ValidationError(_("This form is incomplete. Please open the page again."))
        for name, error in reason_errors(data).items():
            self.add_error(name, error)
        if self.errors:
            return data
        if data.get("seen_refund") is not None and data["seen_refund"] != self.latest_refund:
            raise ValidationError(flow.stale_form_message())
        try:
            self.quote = self.refund_request.quote(self.purchase)
        except CannotRefund as exc:
            raise ValidationError(str(exc)) from exc
        return data

    @property
    def warnings(self) -> list[str]:
        """What does not fit in a valid form: the products that come back, and the money for them."""
        request, left = self.refund_request, self.left
        chosen = Counter(dict(request.lines))
        price, rest = refunds.subtotal_of(self.purchase, chosen), left.lines - chosen
        values = {"price": npr(price), "amount": npr(request.subtotal), "kept": npr(Paisa(price - request.subtotal))}
        found = []
        if chosen and request.subtotal < price:
            text = _("The chosen products cost %(price)s before points; %(amount)s is refunded, %(kept)s is kept.")
            found.append(text % values)
        if chosen and request.subtotal > price:
            found.append(
                _("The chosen products cost %(price)s before points, and %(amount)s is refunded: more.") % values
            )
        if request.subtotal and not chosen and left.lines:
            found.append(_("No product is chosen, so nothing comes back: only money is refunded."))
        elif request.subtotal == left.subtotal and rest.total():
            found.append(_("All the money goes back, and not all products: the others stay with the customer."))
        return found

    @property
    def reason_text(self) -> str:
        """The chosen reason for people; "" where none was chosen."""
        return reason_label(self.cleaned_data.get("reason") or "")

    @property
    def mail(self) -> flow.RefundMail:
        """The e-mail that the customer will get."""
        quote = self.quote
        assert quote is not None, "a form that is valid and was not sent before has a quote"
        return flow.preview_refund_mail(
            self.purchase, amount=quote.amount, lines=self.refund_request.lines, restored=quote.points_restored,
            clawed_back=quote.points_clawed_back, is_at_khalti=quote.via_khalti,
        )  # fmt: skip

    @property
    def khalti_hint(self) -> str:
        """What staff must know about Khalti before they refund; "" for an order that was not paid there."""
        if self.purchase.method != PaymentMethod.KHALTI:
            return ""
        return _(
            "Khalti is asked about the payment first: nothing is sent if it reports a refund that is not recorded "
            "here. It does not report a second partial refund made in its dashboard: record each one here."
        )

    @property
    def refund_amount(self) -> Paisa:
        """The money to refund, in paisa; 0 when the same form was submitted before."""
        return self.quote.amount if self.quote else Paisa(0)

    def _was_submitted(self, key: str | None) -> bool:
        kept = f"{self.purchase.ref}:{key}"
        requests = RefundApproval.objects.filter(key=kept)
        return bool(key) and (Refund.objects.filter(key=kept).exists() or requests.exists())


def new_key() -> str:
    """Return an idempotency key for one form: submitted twice, it refunds once."""
    return secrets.token_urlsafe(12)


def full_refund_initial(purchase: Purchase) -> dict[str, Any]:
    """Return the initial values of a form that refunds all that is left."""
    left = refunds.refundable(purchase)
    keys = dict.fromkeys(line.key for line in purchase.frozen_cart.lines)
    initial: dict[str, Any] = {f"quantity_{index}": left.lines[key] or None for index, key in enumerate(keys)}
    if not left.lines and left.subtotal:  # the products are returned already, the money is not
        initial["amount"] = left.subtotal
    return initial | ({"delivery": left.shipping} if left.shipping else {})

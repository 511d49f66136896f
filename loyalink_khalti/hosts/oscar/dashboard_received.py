"""Cash and bank transfers on an order's page in Oscar's dashboard. The forms are in ``staff.received_form``."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from loyalink_khalti import flow
from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.money import Paisa, npr
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.ports import PAID_LATER
from loyalink_khalti.staff import action_log, permissions, received_form

from . import orders
from .dashboard_refunds import can_refund


def can_record(request: HttpRequest) -> bool:
    """Return whether this user may record received money. A partner's staff see the order but do not record any."""
    user: Any = request.user
    return bool(user.is_staff and permissions.has_permission(user, permissions.RECORD_RECEIVED))


class ReceivedMixin:
    """For Oscar's ``OrderDetailView``: the tab with which staff record what has arrived, and correct it."""

    request: Any
    object: Any

    def received(self, request: HttpRequest, order: Any) -> HttpResponse:
        """Record money, reverse an entry, place a cancelled order again, or record a refund of the surplus."""
        steps: dict[str, Callable[[Purchase], HttpResponse]] = {
            "record": self._record,
            "reverse": self._reverse,
            "apply": self._apply,
            "refund": self._refund_surplus,
        }
        step = steps.get(request.POST["received"])
        if step is None or not (can_refund(request) if step == self._refund_surplus else can_record(request)):
            raise PermissionDenied
        purchase = received_purchase_of(order)
        if purchase is None:
            return self._reload_received(_("This order is not paid in cash or by bank transfer."))
        try:
            return step(purchase)
        except LoyalinkError as exc:
            return self._reload_received(str(exc))

    def _record(self, purchase: Purchase) -> HttpResponse:
        form = received_form.ReceivedForm(self.request.POST, purchase=purchase)
        if not form.is_valid():
            return self._received_page(received_form=form)
        result = form.record(actor=self._actor)
        if result.is_new and result.entry is not None:
            amount = npr(Paisa(result.entry.amount))
            self._note(_("Payment received: %(amount)s.") % {"amount": amount})
        return self._report(result, _("Recorded."))

    def _reverse(self, purchase: Purchase) -> HttpResponse:
        form = received_form.CorrectionForm(self.request.POST, purchase=purchase)
        if not form.is_valid():
            return self._reload_received(" ".join(str(error) for errors in form.errors.values() for error in errors))
        result = form.correct(actor=self._actor)
        if result.is_new and result.entry is not None:
            amount = npr(Paisa(-result.entry.amount))
            self._note(_("An entry of %(amount)s received was reversed.") % {"amount": amount})
        return self._report(result, _("The entry is reversed."))

    def _apply(self, purchase: Purchase) -> HttpResponse:
        return self._report(flow.apply_received(purchase, actor=self._actor), "")

    def _refund_surplus(self, purchase: Purchase) -> HttpResponse:
        form = received_form.SurplusForm(self.request.POST, purchase=purchase)
        if not form.is_valid():
            return self._received_page(surplus_form=form)
        amount, key = form.cleaned_data["amount"], f"{purchase.ref}:surplus:{form.cleaned_data['key']}"
        may_exceed = permissions.has_permission(self.request.user, permissions.REFUND_BEYOND_LIMIT)
        refund = flow.refund_surplus(
            purchase, amount=amount, key=key, actor=self._actor, enforce_limit=not may_exceed
        )  # fmt: skip
        if not refund.is_repeated:
            action_log.log_refund(refund, user=self.request.user)
            self._note(_("Refunded outside Khalti: %(amount)s.") % {"amount": npr(amount)})
        messages.success(self.request, _("Recorded. Hand %(amount)s to the customer.") % {"amount": npr(amount)})
        return self._reload_received()

    def _report(self, result: flow.ReceivedResult, done: str) -> HttpResponse:
        """Log what was done, and say what it has changed."""
        action_log.log_received(result, user=self.request.user)
        if result.is_placed_again:
            self._note(_("Placed again: its payment has arrived."))
        money = received_form.summary(result.purchase)
        if result.obstacle:
            text = _("The money is recorded, and the order is not updated: %(reason)s") % {"reason": result.obstacle}
            messages.warning(self.request, text)
        else:
            messages.success(self.request, " ".join(filter(None, [done, _state(result, money)])))
        return self._reload_received()

    def received_context(self) -> dict[str, Any]:
        """Return the context of the tab, empty if this user or this order has none."""
        purchase = received_purchase_of(self.object)
        if purchase is None or not self.request.user.is_staff:
            return {}
        return {
            "received_money": received_form.summary(purchase),
            "can_record": can_record(self.request),
            "received_form": received_form.ReceivedForm(purchase=purchase),
            "surplus_form": received_form.SurplusForm(purchase=purchase) if can_refund(self.request) else None,
        }

    @property
    def _actor(self) -> str:
        return str(self.request.user.pk)

    def _note(self, message: str) -> None:
        self.object.notes.create(user=self.request.user, note_type="System", message=message)

    def _received_page(self, **forms: Any) -> HttpResponse:
        context = self.get_context_data(active_tab="received")  # type: ignore[attr-defined]  # Oscar's
        return cast(HttpResponse, self.render_to_response(context | forms))  # type: ignore[attr-defined]  # Oscar's

    def _reload_received(self, error: str = "") -> HttpResponse:
        return cast(
            HttpResponse, self.reload_page(fragment="received", error=error)  # type: ignore[attr-defined]  # Oscar's
        )  # fmt: skip


def received_purchase_of(order: Any) -> Purchase | None:
    """Return the purchase of a placed order that is paid in cash or by bank transfer, None for any other order."""
    purchase = orders.placed_purchase_of(order)
    return purchase if purchase is not None and purchase.method in PAID_LATER else None


def _state(result: flow.ReceivedResult, money: received_form.ReceivedSummary) -> str:
    """Return what the order awaits now, as a sentence."""
    if result.is_placed_again:
        return _("The order is placed again and paid.")
    if money.is_cancelled:
        return _("The order stays cancelled; %(amount)s was received for it since.") % {"amount": money.surplus}
    if money.surplus:
        return _("%(amount)s more was received than the order needs.") % {"amount": money.surplus}
    if money.left:
        return _("%(amount)s is left to pay.") % {"amount": money.left}
    return _("The order is paid, and its points are awarded.")

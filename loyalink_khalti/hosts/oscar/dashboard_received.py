"""Cash and bank transfers on an order's page in Oscar's dashboard. What they do is in ``staff.received_actions``."""

from typing import Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from loyalink_khalti.errors import LoyalinkError
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.staff import permissions, received_form
from loyalink_khalti.staff.received_actions import (
    Performed,
    ReceivedAction,
    may_perform,
    perform,
    received_money,
)

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
        user: Any = request.user
        try:
            action = ReceivedAction(request.POST["received"])
        except ValueError as exc:
            raise PermissionDenied from exc
        if not user.is_staff or not may_perform(user, action):
            raise PermissionDenied
        purchase = received_purchase_of(order)
        if purchase is None:
            return self._reload_received(_("This order is not paid in cash or by bank transfer."))
        try:
            return self._answer(perform(action, purchase, request.POST, user=user))
        except LoyalinkError as exc:
            return self._reload_received(str(exc))

    def _answer(self, done: Performed) -> HttpResponse:
        if isinstance(done.invalid, received_form.ReceivedForm):
            return self._received_page(received_form=done.invalid)
        if isinstance(done.invalid, received_form.SurplusForm):
            return self._received_page(surplus_form=done.invalid)
        if done.invalid is not None:
            errors = (str(error) for errors in done.invalid.errors.values() for error in errors)
            return self._reload_received(" ".join(errors))
        for message in done.notes:
            self.object.notes.create(user=self.request.user, note_type="System", message=message)
        messages.add_message(self.request, getattr(messages, done.level.upper()), done.text)
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

    def _received_page(self, **forms: Any) -> HttpResponse:
        context = self.get_context_data(active_tab="received")  # type: ignore[attr-defined]  # Oscar's
        return cast(HttpResponse, self.render_to_response(context | forms))  # type: ignore[attr-defined]  # Oscar's

    def _reload_received(self, error: str = "") -> HttpResponse:
        return cast(
            HttpResponse, self.reload_page(fragment="received", error=error)  # type: ignore[attr-defined]  # Oscar's
        )  # fmt: skip


def received_purchase_of(order: Any) -> Purchase | None:
    """Return the purchase of a placed order that is paid in cash or by bank transfer, None for any other order."""
    return received_money(orders.placed_purchase_of(order))

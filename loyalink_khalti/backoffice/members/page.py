"""The page of one member: points, what they lie in, what holds them, and what happened."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.widgets.button import Button, HeaderButton

from loyalink_khalti.backoffice.links import member_url, payment_url
from loyalink_khalti.flow.holds import OnHold, on_hold
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.book import spendable
from loyalink_khalti.loyalty.card import stands
from loyalink_khalti.loyalty.models import Lot
from loyalink_khalti.staff import may
from loyalink_khalti.staff.words import standing

from .history import HistoryPaginator, lines
from .orders import bought
from .view import MemberView

MOST_LOTS = 100


class MemberPage(MemberView):
    """Everything about a member's points; what may be done is a button, for whoever may do it."""

    template_name = "loyalink_khalti/backoffice/members/page.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data())

    def get_page_title(self) -> str:
        return self.called

    def get_page_subtitle(self) -> str:
        return ""

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        above = {"url": reverse("loyalink_khalti_members"), "label": _("Members")}
        return [*self.breadcrumbs_items, above, {"url": "", "label": self.called}]

    @cached_property
    def is_over(self) -> bool:
        """Whether nothing can be done here any more."""
        return self.account.member_id is None or self.account.successor_id is not None

    def get_header_buttons(self) -> list[Any]:
        buttons = cast(list[Any], super().get_header_buttons())
        if self.is_over or not self.may(may.ADJUST):
            return buttons
        return [HeaderButton(_("Adjust points"), url=self._action("adjust"), icon_name="plus"), *buttons]

    def get_header_more_buttons(self) -> list[Any]:
        freeze = _("Let points be spent again") if self.account.frozen else _("Freeze")
        deeds = [
            ("freeze", freeze, "lock-open" if self.account.frozen else "lock", may.CHANGE_MEMBERS, self.is_over),
            ("merge", _("Merge into another member"), "resubmit", may.CHANGE_MEMBERS, self.is_over),
            ("export", _("Export all that is kept"), "download", may.EXPORT_MEMBERS, self.account.member_id is None),
            ("erase", _("Erase the person"), "bin", may.ERASE_MEMBERS, self.account.member_id is None),
        ]
        return [
            Button(label, url=self._action(name), icon_name=icon, priority=number)
            for number, (name, label, icon, permission, is_gone) in enumerate(deeds)
            if not is_gone and self.may(permission)
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        history = HistoryPaginator(self.account).get_page(self.request.GET.get("p"))
        rules = programmes.current(self.account.program.site_key).rules
        sees_payments = self.may(may.VIEW_PAYMENTS)
        return super().get_context_data(**kwargs) | {
            "card": stands(self.account, rules),
            "lots": spendable(self.account)[:MOST_LOTS],
            "waiting": Lot.objects.filter(account=self.account, pending__gt=0).order_by("available_at")[:MOST_LOTS],
            "holds": [self._held(held) for held in on_hold(self.account)] if self.account.held else [],
            "bought": bought(self.account, with_payments=sees_payments),
            "history": history,
            "lines": lines(history.object_list),
            "elided_page_range": history.paginator.get_elided_page_range(history.number),
            "successor_url": member_url(self.account.successor_id) if self.account.successor_id else "",
            "may_ask": self.may(may.DECIDE),
            "may_adjust": self.may(may.ADJUST) and not self.is_over,
            "adjust_url": self._action("adjust"),
        }

    def _held(self, held: OnHold) -> dict[str, Any]:
        payment = held.payment
        return {
            "hold": held.hold,
            "payment": payment,
            "standing": standing(payment) if payment else None,
            "payment_url": payment_url(payment.pk) if payment and self.may(may.VIEW_PAYMENTS) else "",
            "order": held.hold.purchase.partition(":")[2],
            "ask_url": reverse("loyalink_khalti_member_ask", args=(self.account.pk, held.hold.pk)) if payment else "",
        }

    def _action(self, name: str) -> str:
        return reverse(f"loyalink_khalti_member_{name}", args=(self.account.pk,))

"""Block a member's account, so that its points cannot be used, or unblock it."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotAdjust
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.choices import EMPTY_CHOICE, BlockReason

from . import log
from .base import MemberView


class BlockForm(forms.Form):
    """A reason, and the wanted state: a late click does not reverse what a colleague has done meanwhile."""

    reason = forms.ChoiceField(label=gettext_lazy("Reason"), choices=[EMPTY_CHOICE, *BlockReason.choices])
    blocked = forms.TypedChoiceField(
        choices=[("1", ""), ("0", "")], coerce=lambda value: value == "1", widget=forms.HiddenInput
    )


class BlockView(MemberView):
    """Offer the opposite of the account's present state."""

    template_name = "loyalink_khalti/backoffice/members/block.html"
    permission = permissions.CHANGE_MEMBERS

    def get_page_title(self) -> str:
        return _("Unblock") if self.account.blocked else _("Block")

    def get_header_icon(self) -> str:
        return "lock-open" if self.account.blocked else "lock"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = BlockForm(initial={"blocked": "0" if self.account.blocked else "1"})
        return self.render_to_response(self.get_context_data(form=form))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = BlockForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            changed = self._set_blocked(**form.cleaned_data)
        except CannotAdjust as exc:
            messages.error(request, str(exc))
            return self.redirect_to_member()
        if not changed:
            messages.warning(request, _("The account already had this status. Nothing was changed."))
        elif form.cleaned_data["blocked"]:
            messages.success(
                request, _("The account is blocked: its points cannot be used. Orders still earn points.")
            )
        else:
            messages.success(request, _("The account is unblocked: its points can be used again."))
        return self.redirect_to_member()

    @transaction.atomic
    def _set_blocked(self, *, blocked: bool, reason: str) -> bool:
        changed = flow.set_blocked(self.account, blocked=blocked, actor=self.actor, reason=reason)
        if changed:
            log.record(self.account, log.BLOCKED if blocked else log.UNBLOCKED, reason=reason)
        return changed

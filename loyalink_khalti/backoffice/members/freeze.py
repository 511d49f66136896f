"""Freeze a member's points, or let them be spent again; with a reason."""

from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti.errors import CannotAdjust
from loyalink_khalti.flow import by_hand
from loyalink_khalti.staff import may
from loyalink_khalti.staff.reasons import CHOOSE, FreezeReason

from . import logged
from .view import MemberView


class FreezeForm(forms.Form):
    """Why, and what is meant: whoever clicks late does not undo what a colleague did."""

    reason = forms.ChoiceField(label=gettext_lazy("Reason"), choices=[CHOOSE, *FreezeReason.choices])
    frozen = forms.TypedChoiceField(
        choices=[("1", ""), ("0", "")], coerce=lambda value: value == "1", widget=forms.HiddenInput
    )


class FreezeView(MemberView):
    """One question, asked the way the account stands."""

    template_name = "loyalink_khalti/backoffice/members/freeze.html"
    permission = may.CHANGE_MEMBERS

    def get_page_title(self) -> str:
        return _("Let points be spent again") if self.account.frozen else _("Freeze points")

    def get_header_icon(self) -> str:
        return "lock-open" if self.account.frozen else "lock"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = FreezeForm(initial={"frozen": "0" if self.account.frozen else "1"})
        return self.render_to_response(self.get_context_data(form=form))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = FreezeForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            changed = self._freeze(**form.cleaned_data)
        except CannotAdjust as exc:
            messages.error(request, str(exc))
            return self.to_member()
        if not changed:
            messages.warning(request, _("That was so already; nothing was changed."))
        elif form.cleaned_data["frozen"]:
            messages.success(request, _("The points are frozen: none can be spent, what is earned still comes."))
        else:
            messages.success(request, _("The points can be spent again."))
        return self.to_member()

    @transaction.atomic
    def _freeze(self, *, frozen: bool, reason: str) -> bool:
        changed = by_hand.freeze(self.account, frozen=frozen)
        if changed:
            logged.write(self.account, logged.FROZEN if frozen else logged.FREED, reason=reason)
        return changed

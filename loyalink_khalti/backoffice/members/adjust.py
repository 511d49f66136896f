"""Adjust points by hand in two steps: preview the effect, then confirm it once."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.conf import formats
from loyalink_khalti.errors import AdjustmentLimitExceeded, LedgerConflict, LedgerError, SelfDealing
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.ledger import AccountPreview
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.choices import EMPTY_CHOICE, AdjustReason
from loyalink_khalti.staff.fields import WholeNumberField, key_field

from . import log
from .base import MemberView

MAX_POINTS = 1_000_000
"""A larger adjustment is a typing error."""
ADD, DEDUCT = "add", "deduct"


class AdjustForm(forms.Form):
    """An adjustment. ``key`` makes it idempotent, however often the form is sent."""

    direction = forms.ChoiceField(
        label=gettext_lazy("Action"),
        choices=[(ADD, gettext_lazy("Add points")), (DEDUCT, gettext_lazy("Deduct points"))],
        widget=forms.RadioSelect,
        initial=ADD,
    )
    points = WholeNumberField(label=gettext_lazy("Points"), minimum=1, maximum=MAX_POINTS)
    reason = forms.ChoiceField(label=gettext_lazy("Reason"), choices=[EMPTY_CHOICE, *AdjustReason.choices])
    note = forms.CharField(
        label=gettext_lazy("Note for staff"),
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        max_length=1000,
        help_text=gettext_lazy(
            "Not shown on the points card. The note is part of the exported personal data and is erased with it."
        ),
    )
    key = key_field()

    @property
    def signed_points(self) -> int:
        """Points, negative if they are deducted; of a valid form."""
        return int(self.cleaned_data["points"]) * (-1 if self.cleaned_data["direction"] == DEDUCT else 1)

    @property
    def reason_label(self) -> str:
        return str(AdjustReason(self.cleaned_data["reason"]).label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """An adjustment that waits for confirmation, and the balances after it."""

    points: int
    reason: str
    note: str
    after: AccountPreview

    @property
    def size(self) -> int:
        return abs(self.points)


class AdjustView(MemberView):
    """Show the form, then the preview, then adjust."""

    template_name = "loyalink_khalti/backoffice/members/adjust.html"
    permission = permissions.ADJUST_POINTS
    page_title: Any = gettext_lazy("Adjust points")
    header_icon = "plus"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._render(AdjustForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = AdjustForm(request.POST)
        step = request.POST.get("step")
        if step == "edit" or not form.is_valid():
            return self._render(form)
        return self._confirm(form) if step == "confirm" else self._preview(form)

    def _preview(self, form: AdjustForm) -> HttpResponse:
        points = form.signed_points
        after = ledger.preview_adjustment(self.account, points)
        if after.missing:
            form.add_error("points", flow.shortage_message(after.available_before))
            return self._render(form)
        may_exceed = self.has_permission(permissions.ADJUST_BEYOND_LIMIT)
        if obstacle := flow.adjustment_obstacle(self.account, points, self.actor, may_exceed_limit=may_exceed):
            form.add_error(None, obstacle)
            return self._render(form, status=403)
        preview = Preview(points=points, reason=form.reason_label, note=form.cleaned_data["note"], after=after)
        return self._render(form, preview=preview)

    def _confirm(self, form: AdjustForm) -> HttpResponse:
        try:
            is_new = self._adjust(form)
        except LedgerConflict:
            form.add_error(
                None,
                _(
                    "An adjustment with other figures was already made with this form. Check the history, then start"
                    " again."
                ),
            )
            return self._render(form)
        except LedgerError as exc:
            form.add_error(None, str(exc))
            return self._render(form, status=403 if isinstance(exc, AdjustmentLimitExceeded | SelfDealing) else 200)
        if is_new:
            messages.success(self.request, _adjusted_message(form.signed_points))
        else:
            messages.warning(self.request, _("This adjustment was already made. Nothing was changed."))
        return self.redirect_to_member()

    @transaction.atomic
    def _adjust(self, form: AdjustForm) -> bool:
        """Adjust and log in one transaction. Return False if this form was confirmed before."""
        reason = form.cleaned_data["reason"]
        is_new = flow.adjust_points(
            self.account,
            form.signed_points,
            key=f"desk:{form.cleaned_data['key']}",
            reason=reason,
            actor=self.actor,
            note=form.cleaned_data["note"],
            may_exceed_limit=self.has_permission(permissions.ADJUST_BEYOND_LIMIT),
        )
        if is_new:
            log.record(self.account, log.ADJUSTED, points=form.signed_points, reason=reason)
        return is_new

    def _render(self, form: AdjustForm, *, preview: Preview | None = None, status: int = 200) -> HttpResponse:
        before = ledger.preview_adjustment(self.account, 0)
        context = self.get_context_data(form=form, preview=preview, before=before)
        return self.render_to_response(context, status=status)


def _adjusted_message(points: int) -> str:
    if points < 0:
        message = ngettext("Deducted %(points)s point.", "Deducted %(points)s points.", abs(points))
    else:
        message = ngettext("Added %(points)s point.", "Added %(points)s points.", points)
    return message % {"points": formats.number(abs(points))}

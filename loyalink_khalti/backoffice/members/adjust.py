"""Add or take points by hand: typed, shown with what would come of it, then confirmed."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti.errors import BeyondLimit, Conflict, LedgerError
from loyalink_khalti.flow import by_hand
from loyalink_khalti.loyalty import foreseeing
from loyalink_khalti.loyalty.foreseeing import Foreseen
from loyalink_khalti.money import grouped
from loyalink_khalti.staff import may
from loyalink_khalti.staff.reasons import CHOOSE, AdjustReason

from . import logged
from .view import MemberView

MOST = 1_000_000
"""More points at once are a typo."""
ADD, TAKE = "add", "take"
STALE = gettext_lazy("This form cannot be used any more: open it anew.")


class AdjustForm(forms.Form):
    """What is typed; ``key`` names this one adjustment, however often it is sent."""

    direction = forms.ChoiceField(
        label=gettext_lazy("What to do"),
        choices=[(ADD, gettext_lazy("Add points")), (TAKE, gettext_lazy("Take points"))],
        widget=forms.RadioSelect,
        initial=ADD,
    )
    points = forms.IntegerField(label=gettext_lazy("Points"), min_value=1, max_value=MOST)
    reason = forms.ChoiceField(label=gettext_lazy("Reason"), choices=[CHOOSE, *AdjustReason.choices])
    note = forms.CharField(
        label=gettext_lazy("Note to colleagues"),
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        max_length=1000,
        help_text=gettext_lazy(
            "Not on the points card. It is erased with the person, and part of what they may take along."
        ),
    )
    key = forms.UUIDField(
        widget=forms.HiddenInput,
        initial=uuid4,
        error_messages=dict.fromkeys(("required", "invalid"), STALE),
    )

    @property
    def signed(self) -> int:
        return int(self.cleaned_data["points"]) * (-1 if self.cleaned_data["direction"] == TAKE else 1)

    @property
    def reason_in_words(self) -> str:
        return str(AdjustReason(self.cleaned_data["reason"]).label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What is asked, and how the account would stand."""

    points: int
    reason: str
    note: str
    after: Foreseen

    @property
    def size(self) -> int:
        return abs(self.points)


class AdjustView(MemberView):
    """Two steps; the second books once."""

    template_name = "loyalink_khalti/backoffice/members/adjust.html"
    permission = may.ADJUST
    page_title: Any = gettext_lazy("Adjust points")
    header_icon = "plus"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._form(AdjustForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = AdjustForm(request.POST)
        step = request.POST.get("step")
        if step == "edit" or not form.is_valid():
            return self._form(form)
        return self._book(form) if step == "confirm" else self._preview(form)

    def _preview(self, form: AdjustForm) -> HttpResponse:
        after = foreseeing.adjusted(self.account, form.signed)
        if after.short:
            form.add_error("points", by_hand.short(after.available_before))
            return self._form(form)
        why_not = by_hand.why_not(self.account, form.signed, self.by)
        if why_not and not self.may(may.ADJUST_BEYOND_LIMIT):
            form.add_error(None, why_not)
            return self._form(form, status=403)
        preview = Preview(points=form.signed, reason=form.reason_in_words, note=form.cleaned_data["note"], after=after)
        return self._form(form, preview=preview)

    def _book(self, form: AdjustForm) -> HttpResponse:
        try:
            booked = self._adjust(form)
        except Conflict:
            form.add_error(
                None, _("This was booked before, with other figures. Look at the history, then begin anew.")
            )
            return self._form(form)
        except LedgerError as exc:
            form.add_error(None, str(exc))
            return self._form(form, status=403 if isinstance(exc, BeyondLimit) else 200)
        if booked:
            words = _("Took %(points)s points.") if form.signed < 0 else _("Added %(points)s points.")
            messages.success(self.request, words % {"points": grouped(abs(form.signed))})
        else:
            messages.warning(self.request, _("That was booked already; nothing was booked twice."))
        return self.to_member()

    @transaction.atomic
    def _adjust(self, form: AdjustForm) -> bool:
        """Book it and log it, both or neither."""
        reason = form.cleaned_data["reason"]
        booked = by_hand.adjust(
            self.account,
            form.signed,
            key=f"desk:{form.cleaned_data['key']}",
            reason=reason,
            by=self.by,
            note=form.cleaned_data["note"],
            may_beyond=self.may(may.ADJUST_BEYOND_LIMIT),
        )
        if booked:
            logged.write(self.account, logged.ADJUSTED, points=form.signed, reason=reason)
        return booked

    def _form(self, form: AdjustForm, *, preview: Preview | None = None, status: int = 200) -> HttpResponse:
        before = foreseeing.adjusted(self.account, 0)
        context = self.get_context_data(form=form, preview=preview, before=before)
        return self.render_to_response(context, status=status)

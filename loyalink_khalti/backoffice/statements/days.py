"""The days of a month here and in the statements; who may, settles them."""

from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotMatch
from loyalink_khalti.nepal import add_months, day_of, first_of_month, last_of_month
from loyalink_khalti.payments.statements import SettledDay
from loyalink_khalti.staff.fields import key_field
from loyalink_khalti.staff.listing import clamp_day
from loyalink_khalti.staff.sites import has_several_sites, site_choices

from . import log
from .forms import ReasonForm
from .views import StatementPage


class _DayForm(forms.Form):
    day = forms.DateField()
    key = key_field()


class DaysView(StatementPage):
    """A month; ``?month=2026-11-01``, ``?site=``. POST settles a day, or undoes it with a reason."""

    template_name = "loyalink_khalti/backoffice/statements/days.html"
    header_icon = "calendar-check"
    page_title: Any = gettext_lazy("Settled days")

    @cached_property
    def first(self) -> date:
        try:
            typed = date.fromisoformat(self.request.GET.get("month", ""))
        except ValueError:
            typed = day_of(timezone.now())
        return first_of_month(clamp_day(typed))

    @cached_property
    def site_key(self) -> str:
        wanted = self.request.GET.get("site", "")
        known = dict(site_choices()) if wanted else {}
        return wanted if wanted in known else conf.site_key(self.request)

    def url(self, first: date) -> str:
        query = {"month": first.isoformat(), **({"site": self.site_key} if has_several_sites() else {})}
        return f"{reverse('loyalink_khalti_statement_days')}?{urlencode(query)}"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._page()

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = _DayForm(request.POST)
        if not form.is_valid():
            messages.error(request, _("This form has expired. Open it again."))
            return HttpResponseRedirect(self.url(self.first))
        day, key = form.cleaned_data["day"], form.cleaned_data["key"].hex
        is_undo = request.POST.get("step") == "undo"
        reason = ReasonForm(request.POST)
        if is_undo and not reason.is_valid():
            return self._page(undo=reason, undo_day=day)
        try:
            if is_undo:
                note = reason.cleaned_data["reason"]
                row = flow.undo_settled_day(self.site_key, day, note=note, key=key, actor=self.actor)
            else:
                row = flow.settle_day(self.site_key, day, key=key, actor=self.actor)
        except CannotMatch as exc:
            messages.error(request, str(exc))
            return HttpResponseRedirect(self.url(self.first))
        if not row.is_repeated:
            log.record_day(row)
        text = _("The day is open again.") if is_undo else _("The day is settled.")
        messages.success(request, text)
        return HttpResponseRedirect(self.url(self.first))

    def _page(self, *, undo: ReasonForm | None = None, undo_day: date | None = None) -> HttpResponse:
        first, last = self.first, last_of_month(self.first)
        days = flow.statement_days(self.site_key, first, last)
        people = flow.contacts({day.settled.actor for day in days if day.settled})
        typed = self.request.GET.get("undo", "")
        wanted = undo_day or next((day.day for day in days if day.settled and day.day.isoformat() == typed), None)
        history = SettledDay.objects.filter(site_key=self.site_key, day__gte=first, day__lte=last, is_settled=False)
        names = people | flow.contacts(set(history.values_list("actor", flat=True)))
        context = self.get_context_data(
            days=[(day, _name(names, day), uuid4()) for day in days],
            key=uuid4(), may_match=self.may_match, first=first, last=last, previous=self.url(add_months(first, -1)),
            following=self.url(add_months(first, 1)), here=self.url(first), undo_day=wanted,
            undo=(undo or ReasonForm()) if wanted else None, today=day_of(timezone.now()),
            history=[(row, str(names.get(row.actor, row.actor))) for row in history.order_by("-pk")[:50]],
            site_name=dict(site_choices()).get(self.site_key, "") if has_several_sites() else "",
        )  # fmt: skip
        return self.render_to_response(context)


def _name(names: Any, day: Any) -> str:
    return str(names.get(day.settled.actor, day.settled.actor)) if day.settled else ""

"""The daily close: the takings of a day, the cash that was counted, and a page to print."""

from datetime import date
from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from loyalink_khalti import conf, flow
from loyalink_khalti.backoffice.reports.columns import format_day
from loyalink_khalti.errors import CannotClose
from loyalink_khalti.money import Paisa
from loyalink_khalti.nepal import day_of
from loyalink_khalti.payments import takings
from loyalink_khalti.payments.daily_close import DailyClose, closes_of
from loyalink_khalti.payments.takings import Taking, TakingsMethod
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.fields import RupeesField, key_field
from loyalink_khalti.staff.listing import clamp_day
from loyalink_khalti.staff.sites import has_several_sites, site_choices

from . import log

NAME = "loyalink_khalti_daily_close"


class DayForm(forms.Form):
    """Which day, of which site."""

    day = forms.DateField(
        label=gettext_lazy("Day"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages=dict.fromkeys(("required", "invalid"), gettext_lazy("Enter a day, as in 2026-11-30.")),
    )
    site = forms.ChoiceField(label=gettext_lazy("Site"))

    def __init__(self, data: Any = None, *, site_key: str) -> None:
        self.today = day_of(timezone.now())
        super().__init__(data, initial={"day": self.today, "site": site_key})
        site: Any = self.fields["site"]
        site.choices = site_choices() if has_several_sites() else []
        if not site.choices:
            del self.fields["site"]

    def clean_day(self) -> date:
        day: date = self.cleaned_data["day"]
        if day > self.today:
            raise ValidationError(_("This day has not begun."))
        return clamp_day(day)


class CountForm(forms.Form):
    """What was counted."""

    float_amount = RupeesField(
        label=gettext_lazy("Cash in the drawer in the morning, in rupees"),
        initial=Paisa(0),
        help_text=gettext_lazy("The change with which the day began. It is added to the cash that is expected."),
    )
    counted = RupeesField(label=gettext_lazy("Cash counted in the evening, in rupees"))
    reason = forms.CharField(
        label=gettext_lazy("Reason of a difference"),
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Only where the counted cash is not what is expected."),
    )
    key = key_field()


class DailyCloseView(PermissionRequired, WagtailAdminTemplateMixin, View):
    """GET shows a day; POST records what was counted."""

    permission, post_permission = permissions.VIEW_PAYMENTS, permissions.CLOSE_DAY
    template_name = "loyalink_khalti/backoffice/takings/close.html"
    page_title: Any = gettext_lazy("Daily close")
    header_icon = "calendar"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]

    @cached_property
    def own_site(self) -> str:
        return conf.site_key(self.request)

    @cached_property
    def day_form(self) -> DayForm:
        return DayForm(self.request.GET if "day" in self.request.GET else None, site_key=self.own_site)

    @cached_property
    def day(self) -> date:
        is_chosen = self.day_form.is_bound and self.day_form.is_valid()
        return self.day_form.cleaned_data["day"] if is_chosen else self.day_form.today

    @cached_property
    def site_key(self) -> str:
        is_chosen = self.day_form.is_bound and self.day_form.is_valid()
        return str(self.day_form.cleaned_data.get("site") or self.own_site) if is_chosen else self.own_site

    @property
    def may_close(self) -> bool:
        return bool(self.has_permission(permissions.CLOSE_DAY))

    @property
    def url(self) -> str:
        chosen = {"day": self.day.isoformat()} | ({"site": self.site_key} if has_several_sites() else {})
        return f"{reverse(NAME)}?{urlencode(chosen)}"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._render(CountForm())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = CountForm(request.POST)
        if not form.is_valid() or (self.day_form.is_bound and not self.day_form.is_valid()):
            return self._render(form)
        typed = form.cleaned_data
        try:
            closed = flow.close_day(
                site_key=self.site_key, day=self.day, float_amount=typed["float_amount"], counted=typed["counted"],
                reason=typed["reason"], actor=str(request.user.pk), key=typed["key"].hex,
            )  # fmt: skip
        except CannotClose as exc:
            form.add_error("reason", str(exc))
            return self._render(form)
        if closed.is_new:
            log.record_close(closed.close)
            messages.success(request, _("The day is closed. Print this page for your files."))
        else:
            messages.warning(request, _("This day was already closed by this form. Nothing was changed."))
        return HttpResponseRedirect(self.url)

    def _render(self, form: CountForm) -> HttpResponse:
        rows = flow.day_takings(day=self.day, site_key=self.site_key)
        closes = closes_of(self.site_key, self.day)
        names = flow.member_emails([close.actor for close in closes])
        context = self.get_context_data(
            form=form, day_form=self.day_form, day=self.day, rows=rows, total=takings.total(rows),
            cash=takings.cash(rows), bank=takings.at_the_bank(rows), may_close=self.may_close,
            placed=takings.placed_orders(since=self.day, until=self.day, site_key=self.site_key),
            closes=[ShownClose(close, names.get(close.actor, "")) for close in closes],
            is_test=flow.counted_environment() == conf.TEST,
            shop=conf.shop_details(self.site_key),
        )  # fmt: skip
        return self.render_to_response(context)

    def get_page_subtitle(self) -> str:
        return format_day(self.day)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return cast(dict[str, Any], super().get_context_data(**kwargs))


class ShownClose:
    """A close as the page shows it."""

    def __init__(self, close: DailyClose, actor: str) -> None:
        self.close, self.actor = close, actor

    @property
    def rows(self) -> list[Taking]:
        """The takings as they were when the day was closed."""
        return [
            Taking(
                day=self.close.day, method=TakingsMethod(row["method"]), received=Paisa(row["received"]),
                fees=Paisa(row["fees"]), refunded=Paisa(row["refunded"]),
            )
            for row in self.close.takings
        ]  # fmt: skip

    @property
    def total(self) -> Taking:
        return takings.total(self.rows)

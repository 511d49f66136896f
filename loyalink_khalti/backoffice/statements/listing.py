"""The lists of statements and of their differences, with filters and exports."""

from typing import Any

import django_filters
from django import forms
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.widgets import AdminDateInput
from wagtail.admin.widgets.button import HeaderButton

from loyalink_khalti import flow
from loyalink_khalti.conf import formats
from loyalink_khalti.conf.formats import npr
from loyalink_khalti.money import Paisa, rupees
from loyalink_khalti.payments.statements import (
    DifferenceKind,
    DifferenceState,
    Statement,
    StatementDifference,
)
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.links import page_url
from loyalink_khalti.staff.listing import Listing
from loyalink_khalti.staff.sites import has_several_sites, site_choices


def statement_url(pk: int) -> str:
    """Return the URL of a statement's page."""
    return page_url("loyalink_khalti_statement", pk)


def difference_url(pk: int) -> str:
    """Return the URL of a difference's page."""
    return page_url("loyalink_khalti_difference", pk)


class StatementURLFinder:
    """For Wagtail's site history: the page of a statement, a difference or settled days, if the user may see it."""

    def __init__(self, user: Any = None) -> None:
        self.user = user

    def get_edit_url(self, row: Any) -> str | None:
        """Wagtail's name for it; the page has nothing to edit."""
        if self.user is not None and not permissions.has_permission(self.user, permissions.VIEW_PAYMENTS):
            return None
        if isinstance(row, Statement):
            return statement_url(row.pk)
        if isinstance(row, StatementDifference):
            return difference_url(row.pk)
        return f"{page_url('loyalink_khalti_statement_days')}?month={row.day}"


class StatementsFilterSet(WagtailFilterSet):
    """Filter by site, where there are several."""

    site = django_filters.ChoiceFilter(
        label=_("Site"), field_name="site_key", choices=site_choices, widget=forms.RadioSelect, empty_label=_("All")
    )

    class Meta:
        model = Statement
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_several_sites():
            del self.filters["site"]


class DifferencesFilterSet(StatementsFilterSet):
    """Filter by kind, state, days and statement."""

    state = django_filters.ChoiceFilter(
        label=_("State"), choices=DifferenceState.choices, widget=forms.RadioSelect, empty_label=_("All")
    )
    kind = django_filters.ChoiceFilter(
        label=_("Difference"), choices=DifferenceKind.choices, widget=forms.RadioSelect, empty_label=_("All")
    )
    since = django_filters.DateFilter(label=_("From"), field_name="day", lookup_expr="gte", widget=AdminDateInput)
    until = django_filters.DateFilter(label=_("To"), field_name="day", lookup_expr="lte", widget=AdminDateInput)
    statement = django_filters.NumberFilter(field_name="statement", widget=forms.HiddenInput)

    class Meta:
        model = StatementDifference
        fields: list[str] = []


class StatementsView(Listing):
    """List the statements, the newest first."""

    permission = permissions.VIEW_PAYMENTS
    export_permission = permissions.EXPORT_PAYMENTS
    header_icon = "table"
    results_template_name = "loyalink_khalti/backoffice/statements/results.html"
    model = Statement
    page_title = _("Statements")
    index_url_name = "loyalink_khalti_statements"
    index_results_url_name = "loyalink_khalti_statements_results"
    verbose_name = _("statement")
    verbose_name_plural = _("statements")
    default_ordering = ("-pk",)
    filterset_class: Any = StatementsFilterSet
    columns = [
        TitleColumn("name", label=_("File"), get_url=lambda row: statement_url(row.pk)),
        Column("period", label=_("Days"), accessor=lambda row: _days(row)),
        Column("rows", label=_("Rows"), accessor=lambda row: formats.number(row.rows), classname="w-text-right"),
        Column(
            "known", label=_("Known before"), accessor=lambda row: formats.number(row.known_rows),
            classname="w-text-right",
        ),
        Column(
            "open", label=_("Open differences"), accessor=lambda row: formats.number(row.open_differences),
            classname="w-text-right",
        ),
        Column("uploaded_at", label=_("Uploaded"), accessor=lambda row: formats.moment(row.uploaded_at)),
        Column("colleague", label=_("Colleague")),
    ]  # fmt: skip
    export_filename = "statements"
    export_headings = {
        "name": _("File"), "first_day": _("First day"), "last_day": _("Last day"), "rows": _("Rows"),
        "known_rows": _("Known before"), "open_differences": _("Open differences"), "uploaded_at": _("Uploaded"),
        "colleague": _("Colleague"),
    }  # fmt: skip
    list_export = list(export_headings)

    @cached_property
    def people(self) -> dict[str, str]:
        """The names of colleagues, of which an export reads each once."""
        return {}

    def person(self, pk: str) -> str:
        if pk not in self.people:
            self.people[pk] = str(flow.contacts({pk}).get(pk, pk))
        return self.people[pk]

    def get_base_queryset(self) -> "QuerySet[Statement]":
        of_statement = StatementDifference.objects.filter(statement=OuterRef("pk"), state=DifferenceState.OPEN)
        number = of_statement.order_by().values("statement").annotate(number=Count("pk")).values("number")
        return Statement.objects.defer("content").annotate(open_differences=Coalesce(Subquery(number), 0))

    def get_header_buttons(self) -> list[Any]:
        buttons: list[Any] = []
        if self.has_permission(permissions.MATCH_STATEMENTS):
            upload = reverse("loyalink_khalti_statement_upload")
            buttons.append(HeaderButton(_("Upload a statement"), url=upload, icon_name="plus"))
        days, differences = reverse("loyalink_khalti_statement_days"), reverse("loyalink_khalti_differences")
        buttons.append(HeaderButton(_("Differences"), url=f"{differences}?state=open", icon_name="warning"))
        buttons.append(HeaderButton(_("Settled days"), url=days, icon_name="calendar-check"))
        return [*buttons, *super().get_header_buttons()]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        if not self.is_export:
            rows = list(context["object_list"])
            people = flow.contacts({row.actor for row in rows})
            for row in context["object_list"]:
                row.colleague = str(people.get(row.actor, row.actor))
        return context

    def to_row_dict(self, item: Any) -> Any:
        item.colleague = self.person(item.actor)
        return super().to_row_dict(item)


def _days(row: Statement) -> str:
    if row.first_day is None or row.last_day is None:
        return str(_("Not matched yet"))
    first = formats.day(row.first_day)
    return first if row.first_day == row.last_day else f"{first} – {formats.day(row.last_day)}"


class DifferencesView(Listing):
    """List what differs, the newest day first."""

    permission = permissions.VIEW_PAYMENTS
    export_permission = permissions.EXPORT_PAYMENTS
    header_icon = "table"
    results_template_name = "loyalink_khalti/backoffice/statements/results.html"
    model = StatementDifference
    page_title = _("Differences")
    index_url_name = "loyalink_khalti_differences"
    index_results_url_name = "loyalink_khalti_differences_results"
    verbose_name = _("difference")
    verbose_name_plural = _("differences")
    default_ordering = ("-day", "-pk")
    filterset_class: Any = DifferencesFilterSet
    columns = [
        TitleColumn(
            "kind", label=_("Difference"), accessor=lambda row: row.get_kind_display(),
            get_url=lambda row: difference_url(row.pk),
        ),
        Column("day", label=_("Day"), accessor=lambda row: formats.day(row.day)),
        Column("order", label=_("Order"), accessor=lambda row: order_of(row)),
        Column("here", label=_("Here"), accessor=lambda row: _amount(row.here), classname="w-text-right"),
        Column("there", label=_("In the statement"), accessor=lambda row: _there(row), classname="w-text-right"),
        Column("state", label=_("State"), accessor=lambda row: row.get_state_display()),
    ]  # fmt: skip
    export_filename = "differences"
    export_headings = {
        "kind_label": _("Difference"), "day": _("Day"), "order_label": _("Order"),
        "transaction": _("Transaction ID"), "here_rupees": _("Here (Rs)"),
        "there_rupees": _("In the statement (Rs)"), "state_label": _("State"), "file": _("File"),
        "row_number": _("Row"),
    }  # fmt: skip
    list_export = list(export_headings)

    def get_base_queryset(self) -> "QuerySet[StatementDifference]":
        rows = StatementDifference.objects.select_related("row", "payment__purchase", "statement")
        return rows.defer("statement__content")

    def get_header_buttons(self) -> list[Any]:
        url = reverse("loyalink_khalti_statements")
        return [HeaderButton(_("Statements"), url=url, icon_name="table"), *super().get_header_buttons()]

    def to_row_dict(self, item: Any) -> Any:
        there = item.there if item.there is not None else (item.row.amount if item.row else None)
        computed: dict[str, Any] = {
            "kind_label": item.get_kind_display(), "order_label": order_of(item),
            "state_label": item.get_state_display(),
            "transaction": item.row.transaction_id if item.row else (item.payment.transaction_id or ""),
            "here_rupees": None if item.here is None else rupees(Paisa(item.here)),
            "there_rupees": None if there is None else rupees(Paisa(there)), "file": item.statement.name,
            "row_number": item.row.number if item.row else None,
        }  # fmt: skip
        for name, value in computed.items():
            setattr(item, name, value)
        return super().to_row_dict(item)


def order_of(difference: StatementDifference) -> str:
    """Return the order that a difference is about, as the payment or else the row has it."""
    if difference.payment is not None:
        return str(difference.payment.purchase.number or difference.payment.purchase_order_id)
    return difference.row.order_id or difference.row.transaction_id if difference.row else ""


def _amount(amount: int | None) -> str:
    return "" if amount is None else npr(amount)


def _there(difference: StatementDifference) -> str:
    if difference.there is not None:
        return npr(difference.there)
    return npr(difference.row.amount) if difference.row else ""

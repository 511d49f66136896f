"""The list of members, with its columns, filters and export."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import django_filters
from django import forms
from django.db.models import BooleanField, F, Func, QuerySet, Subquery, TextChoices
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import BaseColumn, Column, DateColumn, TitleColumn
from wagtail.admin.widgets.button import HeaderButton

from loyalink_khalti.conf import formats
from loyalink_khalti.flow import chunked
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.loyalty.program import ProgramVersion
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.links import member_url
from loyalink_khalti.staff.listing import Listing
from loyalink_khalti.staff.sites import has_several_sites, site_names

from .onboarding import Step, onboarding_steps
from .queries import MemberRow, MemberRows, exclude_closed, search

EXPIRING_SOON = timedelta(days=30)
EXPORT_COLUMNS = {
    "account.member_id": _("Number"),
    "display_name": _("Member"),
    "contact.email": _("E-mail"),
    "site": _("Site"),
    "account.available": _("Available"),
    "account.pending": _("Pending"),
    "account.held": _("Reserved"),
    "account.owed": _("Owed"),
    "earned": _("Earned"),
    "redeemed": _("Used"),
    "tier": _("Tier"),
    "account.joined_at": _("Member since"),
    "account.last_activity_at": _("Last activity"),
    "status": _("Status"),
}


class PointsColumn(Column):
    """Points, grouped as in Nepal and aligned; empty for 0."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, classname="w-text-right", **kwargs)

    def get_value(self, instance: Any) -> str:
        number = super().get_value(instance)
        return formats.number(number) if number else ""


class TagsColumn(BaseColumn):
    """What is unusual about a member, as tags."""

    cell_template_name: Any = "loyalink_khalti/backoffice/members/tags_cell.html"

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        return context | {"tags": instance.tags}


COLUMNS: list[BaseColumn] = [
    TitleColumn("display_name", label=_("Member"), get_url=lambda member: member_url(member.pk)),
    Column("contact.email", label=_("E-mail")),
    PointsColumn("available", accessor="account.available", label=_("Available")),
    PointsColumn("pending", accessor="account.pending", label=_("Pending")),
    PointsColumn("held", accessor="account.held", label=_("Reserved")),
    PointsColumn("owed", accessor="account.owed", label=_("Owed")),
    Column("tier", label=_("Tier")),
    DateColumn("last_activity_at", accessor="account.last_activity_at", label=_("Last activity")),
    TagsColumn("status", label=_("Status")),
]
SITE_COLUMN = Column("site", label=_("Site"))


class Only(TextChoices):
    """Groups of members that need attention."""

    OWES = "owes", _("owe points")
    BLOCKED = "blocked", _("are blocked")
    LEFT = "left", _("have left the programme")
    EXPIRING = "expiring", _("have points that expire within 30 days")


class MembersFilterSet(WagtailFilterSet):
    """Filter by group and, where there are several sites, by site. Each filter has an index."""

    only = django_filters.MultipleChoiceFilter(
        label=_("Only members who"), choices=Only.choices, method="filter_only", widget=forms.CheckboxSelectMultiple
    )
    site = django_filters.ChoiceFilter(
        label=_("Site"), field_name="program", widget=forms.RadioSelect, empty_label=_("All")
    )

    class Meta:
        model = Account
        fields: Sequence[str] = []

    def __init__(self, *args: Any, versions: Sequence[ProgramVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(versions) > 1:
            self.filters["site"].extra["choices"] = _program_choices(versions)
        else:
            del self.filters["site"]

    def filter_only(self, accounts: QuerySet[Account], _name: str, chosen: Sequence[str]) -> QuerySet[Account]:
        if Only.OWES in chosen:
            accounts = accounts.filter(owed__gt=0)
        if Only.BLOCKED in chosen:
            accounts = exclude_closed(accounts.filter(blocked=True))
        if Only.LEFT in chosen:
            accounts = exclude_closed(accounts.filter(left_at__isnull=False))
        return accounts.filter(_has_expiring_points()) if Only.EXPIRING in chosen else accounts


def _program_choices(versions: Sequence[ProgramVersion]) -> list[tuple[str, str]]:
    """Return the programmes under the names of their sites."""
    names = site_names()
    keys = [(str(version.program_id), version.program.site_key) for version in versions]
    return [(pk, names.get(key, key)) for pk, key in keys]


def _has_expiring_points() -> "InSubquery":
    now = timezone.now()
    lots = Lot.objects.filter(remaining__gt=0, expires_at__gt=now, expires_at__lte=now + EXPIRING_SOON)
    return InSubquery(F("pk"), Subquery(lots.values("account")))


class InSubquery(Func):
    """``value IN (subquery)``; on PostgreSQL ``value = ANY(ARRAY(subquery))``.

    PostgreSQL then reads the subquery first: for a semi-join it would read all accounts to find a few thousand.
    """

    template = "%(expressions)s"
    arg_joiner = " IN "
    output_field = BooleanField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        array = {"arg_joiner": " = ANY(ARRAY", "template": "%(expressions)s)"}
        return self.as_sql(compiler, connection, **(context | array))


class MembersView(Listing):
    """List members, the newest first; search by name, e-mail address, phone or order number."""

    reads_replica = True
    permission = permissions.VIEW_MEMBERS
    export_permission = permissions.EXPORT_MEMBERS
    model = Account
    page_title = _("Members")
    header_icon = "group"
    index_url_name = "loyalink_khalti_members"
    index_results_url_name = "loyalink_khalti_members_results"
    results_template_name = "loyalink_khalti/backoffice/members/results.html"
    verbose_name_plural = Account._meta.verbose_name_plural
    default_ordering = "-id"
    is_searchable = True
    filterset_class = MembersFilterSet
    list_export = list(EXPORT_COLUMNS)
    export_headings = EXPORT_COLUMNS
    export_filename = "members"

    @cached_property
    def columns(self) -> list[Any]:  # type: ignore[override]  # Wagtail's is an attribute
        has_sites = self.filters is not None and "site" in self.filters.filters
        return [*COLUMNS[:2], SITE_COLUMN, *COLUMNS[2:]] if has_sites else COLUMNS

    def get_header_buttons(self) -> list[Any]:
        buttons: list[Any] = super().get_header_buttons()
        if not self.has_permission(permissions.ADJUST_POINTS):
            return buttons
        upload = HeaderButton(_("Upload points"), url=reverse("loyalink_khalti_points_upload"), icon_name="upload")
        return [*buttons, upload]

    def get_base_queryset(self) -> QuerySet[Account]:
        # A subquery, because a join may lead the database away from the index.
        return Account.objects.annotate(lowest_tier=ledger.lowest_tier())

    @cached_property
    def versions(self) -> list[ProgramVersion]:
        """The current rules of each site, where there are several sites."""
        return ledger.current_versions() if has_several_sites() else []

    def get_filterset_kwargs(self) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(), "versions": self.versions}

    def search_queryset(self, queryset: QuerySet[Account]) -> QuerySet[Account]:
        return search(queryset, self.search_query) if self.is_searching else queryset

    def get_table(self, object_list: Any) -> Any:
        return super().get_table(MemberRows(self.versions).of(object_list))

    def stream_csv(self, queryset: Any) -> Iterator[bytes]:
        return super().stream_csv(ExportRows(queryset))

    def write_xlsx(self, queryset: Any, output: Any) -> None:
        super().write_xlsx(ExportRows(queryset), output)

    def onboarding_steps(self) -> list[Step]:
        """The first steps of a new shop, where there are no members yet."""
        return [] if self.is_searching or self.is_filtering else onboarding_steps(self.request)


class ExportRows:
    """The rows of an export; contacts are read a chunk at a time."""

    def __init__(self, accounts: QuerySet[Account]) -> None:
        self.model, self._accounts = accounts.model, accounts

    def iterator(self, chunk_size: int) -> Iterator[MemberRow]:
        rows = MemberRows()
        for chunk in chunked(self._accounts.iterator(chunk_size=chunk_size)):
            yield from rows.of(chunk)

"""The list of members."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from loyalink_khalti.backoffice.listing import Listing
from loyalink_khalti.backoffice.sites import has_several
from loyalink_khalti.flow.people import chunks
from loyalink_khalti.loyalty import programmes
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.loyalty.programmes import ProgramVersion
from loyalink_khalti.staff import may

from .columns import SITE, columns
from .filters import MembersFilters
from .first_steps import Step, first_steps
from .found import Member, Rows, found

EXPORTED = {
    "account.member_id": _("Number"),
    "called": _("Member"),
    "person.email": _("E-mail"),
    "site": _("Site"),
    "account.available": _("Available"),
    "account.pending": _("Pending"),
    "account.held": _("On hold"),
    "account.owed": _("Owed"),
    "earned": _("Earned so far"),
    "account.lifetime_redeemed": _("Spent so far"),
    "tier": _("Tier"),
    "account.joined_at": _("Member since"),
    "account.touched_at": _("Last activity"),
    "status": _("Status"),
}


class MembersView(Listing):
    """Members, the newest first; searched by name, e-mail address and phone."""

    permission = may.VIEW_MEMBERS
    export_permission = may.EXPORT_MEMBERS
    model = Account
    page_title = _("Members")
    header_icon = "group"
    index_url_name = "loyalink_khalti_members"
    index_results_url_name = "loyalink_khalti_members_results"
    results_template_name = "loyalink_khalti/backoffice/members/results.html"
    verbose_name_plural = Account._meta.verbose_name_plural
    default_ordering = "-id"
    is_searchable = True
    filterset_class = MembersFilters
    list_export = list(EXPORTED)
    export_headings = EXPORTED
    export_filename = "members"

    @cached_property
    def columns(self) -> list[Any]:  # type: ignore[override]  # Wagtail's is an attribute
        shown = columns()
        several = self.filters is not None and "site" in self.filters.filters
        return [*shown[:2], SITE, *shown[2:]] if several else shown

    def get_base_queryset(self) -> QuerySet[Account]:
        # No join, which may lead away from the index.
        return Account.objects.annotate(lowest_tier=programmes.lowest_tier())

    @cached_property
    def versions(self) -> list[ProgramVersion]:
        """The rules of each site, where there are several to choose from."""
        return programmes.newest() if has_several() else []

    def get_filterset_kwargs(self) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(), "versions": self.versions}

    def search_queryset(self, queryset: QuerySet[Account]) -> QuerySet[Account]:
        return found(queryset, self.search_query) if self.is_searching else queryset

    def get_table(self, object_list: Any) -> Any:
        return super().get_table(Rows(self.versions).of(object_list))

    def stream_csv(self, queryset: Any) -> Iterator[bytes]:
        return super().stream_csv(Members(queryset))

    def write_xlsx(self, queryset: Any, output: Any) -> None:
        super().write_xlsx(Members(queryset), output)

    def first_steps(self) -> list[Step]:
        """What to do where nobody is a member yet."""
        return [] if self.is_searching or self.is_filtering else first_steps(self.request)


class Members:
    """Accounts that leave as a file, a chunk of names at a time."""

    def __init__(self, accounts: QuerySet[Account]) -> None:
        self.model, self._accounts = accounts.model, accounts

    def iterator(self, chunk_size: int) -> Iterator[Member]:
        rows = Rows()
        for chunk in chunks(self._accounts.iterator(chunk_size=chunk_size)):
            yield from rows.of(chunk)

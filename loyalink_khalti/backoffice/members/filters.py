"""What a list of members is narrowed to; each by an index."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import django_filters
from django import forms
from django.db.models import BooleanField, F, Func, QuerySet, Subquery, TextChoices
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet

from loyalink_khalti.backoffice.sites import site_names
from loyalink_khalti.loyalty.models import Account, Lot
from loyalink_khalti.loyalty.programmes import ProgramVersion

from .found import live

SOON = timedelta(days=30)


class Only(TextChoices):
    """Which members."""

    OWES = "owes", _("owe points")
    FROZEN = "frozen", _("are frozen")
    EXPIRING = "expiring", _("have points that expire within 30 days")


class MembersFilters(WagtailFilterSet):
    """Who owes, is frozen or is about to lose points; and of which site, where there are several."""

    only = django_filters.MultipleChoiceFilter(
        label=_("Only those who"), choices=Only.choices, method="narrow", widget=forms.CheckboxSelectMultiple
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
            self.filters["site"].extra["choices"] = _sites(versions)
        else:
            del self.filters["site"]

    def narrow(self, accounts: QuerySet[Account], _name: str, chosen: Sequence[str]) -> QuerySet[Account]:
        if Only.OWES in chosen:
            accounts = accounts.filter(owed__gt=0)
        if Only.FROZEN in chosen:
            accounts = live(accounts.filter(frozen=True))
        return accounts.filter(_expiring()) if Only.EXPIRING in chosen else accounts


def _sites(versions: Sequence[ProgramVersion]) -> list[tuple[str, str]]:
    """The sites that have members, by the names that editors gave them."""
    names = site_names()
    keys = [(str(version.program_id), version.program.site_key) for version in versions]
    return [(pk, names.get(key, key)) for pk, key in keys]


def _expiring() -> "Among":
    now = timezone.now()
    lots = Lot.objects.filter(remaining__gt=0, expires_at__gt=now, expires_at__lte=now + SOON)
    return Among(F("pk"), Subquery(lots.values("account")))


class Among(Func):
    """Whether a value is among those of a subquery.

    PostgreSQL reads them into an array first: a semi-join would go through all accounts to find a few thousand.
    """

    template = "%(expressions)s"
    arg_joiner = " IN "
    output_field = BooleanField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        ours = {"arg_joiner": " = ANY(ARRAY", "template": "%(expressions)s)"}
        return self.as_sql(compiler, connection, **(context | ours))

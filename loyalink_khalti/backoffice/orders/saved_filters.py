"""Saved filters of a list: each member of staff names their own, opens and deletes them."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from wagtail.admin import messages

from loyalink_khalti.backoffice.models import SavedFilter
from loyalink_khalti.databases import MONEY
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired

from .filters import OrderFilters

PAGE = "orders"
MOST = 50
"""Filters that one colleague may save."""
_LONGEST = 1_000
_KEPT = frozenset({*OrderFilters.base_filters, "ordering"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterLink:
    """A saved filter with the address of its list."""

    pk: int
    name: str
    url: str


def saved_filters(user: Any) -> list[FilterLink]:
    """Return the filters that a user has saved, by name."""
    rows = SavedFilter.objects.using(MONEY).filter(user_id=str(user.pk), page=PAGE).order_by("name")[:MOST]
    url = reverse("loyalink_khalti_payments")
    return [FilterLink(pk=row.pk, name=row.name, url=f"{url}?{row.query}") for row in rows]


def kept_query(typed: QueryDict) -> str:
    """Return what is saved of a URL: filters and order. What is searched for may be a name, so it is not."""
    kept = QueryDict(mutable=True)
    for name in sorted(_KEPT & typed.keys()):
        kept.setlist(name, [value for value in typed.getlist(name) if value])
    return kept.urlencode()


class SavedFilterForm(forms.Form):
    """A name for the filters that are set."""

    name = forms.CharField(
        label=gettext_lazy("Name of the filter"),
        max_length=60,
        error_messages={"required": gettext_lazy("Enter a name for these filters.")},
    )
    query = forms.CharField(max_length=4 * _LONGEST, required=False, widget=forms.HiddenInput)

    def clean_query(self) -> str:
        query = kept_query(QueryDict(self.cleaned_data["query"]))
        if not query:
            raise forms.ValidationError(_("Set a filter first: there is nothing to save."))
        if len(query) > _LONGEST:
            raise forms.ValidationError(_("These are too many filters to save."))
        return query


class SaveFilterView(PermissionRequired, View):
    """Save the filters that are set under a name; the same name replaces."""

    permission = permissions.VIEW_PAYMENTS
    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = SavedFilterForm(request.POST)
        back = f"{reverse('loyalink_khalti_payments')}?{kept_query(QueryDict(request.POST.get('query', '')))}"
        if not form.is_valid():
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
            return HttpResponseRedirect(back)
        own = SavedFilter.objects.filter(user_id=str(request.user.pk), page=PAGE)
        name = " ".join(form.cleaned_data["name"].split())
        if own.exclude(name=name).count() >= MOST:
            messages.error(request, _("You have %(number)s saved filters. Delete one first.") % {"number": MOST})
            return HttpResponseRedirect(back)
        own.update_or_create(
            name=name,
            defaults={"query": form.cleaned_data["query"]},
            create_defaults={"user_id": str(request.user.pk), "page": PAGE, "query": form.cleaned_data["query"]},
        )
        messages.success(request, _("The filter “%(name)s” is saved.") % {"name": name})
        return HttpResponseRedirect(back)


class DeleteFilterView(PermissionRequired, View):
    """Delete one of one's own saved filters."""

    permission = permissions.VIEW_PAYMENTS
    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        own = SavedFilter.objects.filter(user_id=str(request.user.pk), page=PAGE, pk=self.kwargs["pk"])
        if own.delete()[0]:
            messages.success(request, _("The saved filter is deleted."))
        return HttpResponseRedirect(reverse("loyalink_khalti_payments"))

    kwargs: dict[str, Any]

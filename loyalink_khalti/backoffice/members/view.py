"""What every page of one member has: whose it is, the way back, and who may open it."""

from typing import Any, cast

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from loyalink_khalti.backoffice.guard import Guarded
from loyalink_khalti.backoffice.links import member_url
from loyalink_khalti.flow.people import Person
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.staff import may

from .found import called, person_of


class MemberView(Guarded, WagtailAdminTemplateMixin, View):
    """A page about one member, found by their points account."""

    permission = may.VIEW_MEMBERS
    header_icon = "user"

    @cached_property
    def account(self) -> Account:
        accounts = Account.objects.select_related("program", "successor")
        return get_object_or_404(accounts, pk=self.kwargs["pk"])

    @cached_property
    def person(self) -> Person:
        return person_of(self.account)

    @cached_property
    def called(self) -> str:
        return called(self.account, self.person)

    @property
    def url(self) -> str:
        return member_url(self.account.pk)

    @property
    def by(self) -> str:
        """Who does it, as the ledger knows people."""
        return str(self.request.user.pk)

    def get_page_subtitle(self) -> str:
        return self.called

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        above = {"url": reverse("loyalink_khalti_members"), "label": _("Members")}
        mine = {"url": self.url, "label": self.called}
        return [*self.breadcrumbs_items, above, mine, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))
        return context | {
            "account": self.account,
            "person": self.person,
            "called": self.called,
            "member_url": self.url,
        }

    def to_member(self) -> HttpResponse:
        return HttpResponseRedirect(self.url)

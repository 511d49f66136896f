"""The base view of every page about one member."""

from typing import Any, cast

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.views import View
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from loyalink_khalti.flow import Contact
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.staff import permissions
from loyalink_khalti.staff.access import PermissionRequired
from loyalink_khalti.staff.links import member_url

from .queries import contact_of, display_name


class MemberView(PermissionRequired, WagtailAdminTemplateMixin, View):
    """A page about one member, who is identified by the points account."""

    permission = permissions.VIEW_MEMBERS
    header_icon = "user"

    @cached_property
    def account(self) -> Account:
        accounts = Account.objects.select_related("program", "successor")
        return get_object_or_404(accounts, pk=self.kwargs["pk"])

    @cached_property
    def contact(self) -> Contact:
        return contact_of(self.account)

    @cached_property
    def display_name(self) -> str:
        return display_name(self.account, self.contact)

    @property
    def url(self) -> str:
        return member_url(self.account.pk)

    @property
    def actor(self) -> str:
        """The staff user's pk as text, which the ledger stores."""
        return str(self.request.user.pk)

    def get_page_subtitle(self) -> str:
        return self.display_name

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        members = {"url": reverse("loyalink_khalti_members"), "label": _("Members")}
        member = {"url": self.url, "label": self.display_name}
        return [*self.breadcrumbs_items, members, member, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = cast(dict[str, Any], super().get_context_data(**kwargs))
        return context | {
            "account": self.account,
            "contact": self.contact,
            "display_name": self.display_name,
            "member_url": self.url,
        }

    def redirect_to_member(self) -> HttpResponse:
        return HttpResponseRedirect(self.url)

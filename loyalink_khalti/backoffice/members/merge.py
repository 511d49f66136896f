"""Merge a member into another one: search, preview, confirm."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti import flow
from loyalink_khalti.errors import LedgerError
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.staff import permissions

from . import log
from .base import MemberView
from .queries import MemberRow, MemberRows, exclude_closed, search

RESULTS = 20


class MergeView(MemberView):
    """Close the account of this page; the member who keeps the points is searched for first."""

    template_name = "loyalink_khalti/backoffice/members/merge.html"
    permission = permissions.CHANGE_MEMBERS
    page_title: Any = gettext_lazy("Merge into another member")
    header_icon = "resubmit"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data())

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.into is None:
            return self.get(request)
        try:
            merged = self._merge(self.into)
        except LedgerError as exc:
            messages.error(request, str(exc))
            return self.redirect_to_member()
        if merged:
            name = self._row(self.into).display_name
            messages.success(request, _("Merged: %(name)s now has all the points.") % {"name": name})
        else:
            messages.warning(request, _("These members were already merged. Nothing was changed."))
        return self.redirect_to_member()

    @cached_property
    def into(self) -> Account | None:
        """The account that keeps the points; None until one is chosen."""
        chosen = (self.request.POST if self.request.method == "POST" else self.request.GET).get("into", "")
        if not chosen.isdecimal():
            return None
        return get_object_or_404(Account.objects.select_related("program"), pk=int(chosen[:18]))

    @transaction.atomic
    def _merge(self, into: Account) -> bool:
        points = self.account.available + self.account.pending
        may_exceed = self.has_permission(permissions.ADJUST_BEYOND_LIMIT)
        merged = flow.merge_members(self.account, into=into, actor=self.actor, may_exceed_limit=may_exceed)
        if merged:
            log.record(self.account, log.MERGED, into=into.pk, points=points)
        return merged

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        search_query = self.request.GET.get("q", "").strip()
        context = super().get_context_data(**kwargs) | {"search_query": search_query}
        if self.account.held:
            return context | {"obstacle": flow.held_message()}
        members = [self.account.member_id, *([self.into.member_id] if self.into else [])]
        if obstacle := flow.self_dealing_obstacle(self.actor, members=members):
            return context | {"obstacle": obstacle}
        if self.into is None:
            return context | {"results": self._results(search_query)}
        after = ledger.preview_merge(self.account, self.into)
        return context | {"into": self._row(self.into), "after": after}

    def _results(self, search_query: str) -> list[MemberRow]:
        if not search_query:
            return []
        others = exclude_closed(Account.objects.filter(program=self.account.program_id)).exclude(pk=self.account.pk)
        others = others.select_related("program").order_by("-pk")
        return MemberRows().of(search(others, search_query)[:RESULTS])

    def _row(self, account: Account) -> MemberRow:
        return MemberRows().of([account])[0]

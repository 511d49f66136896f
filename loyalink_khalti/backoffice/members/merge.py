"""Merge a member into another: found by words, shown with what would move, then confirmed."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin import messages

from loyalink_khalti.errors import LedgerError
from loyalink_khalti.flow import by_hand
from loyalink_khalti.loyalty import foreseeing
from loyalink_khalti.loyalty.models import Account
from loyalink_khalti.staff import may

from . import logged
from .found import Member, Rows, found, live
from .view import MemberView

MOST_FOUND = 20


class MergeView(MemberView):
    """The member of this page ends; whose points stay is looked for first."""

    template_name = "loyalink_khalti/backoffice/members/merge.html"
    permission = may.CHANGE_MEMBERS
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
            return self.to_member()
        if merged:
            messages.success(
                request, _("Merged: all points are %(name)s's now.") % {"name": self._row(self.into).called}
            )
        else:
            messages.warning(request, _("These two were merged already; nothing moved twice."))
        return self.to_member()

    @cached_property
    def into(self) -> Account | None:
        """Whose account stays, once somebody is chosen; one of the same site."""
        chosen = (self.request.POST if self.request.method == "POST" else self.request.GET).get("into", "")
        if not chosen.isdecimal():
            return None
        return get_object_or_404(Account.objects.select_related("program"), pk=int(chosen[:18]))

    @transaction.atomic
    def _merge(self, into: Account) -> bool:
        points = self.account.available + self.account.pending
        merged = by_hand.merge(self.account, into=into, by=self.by, may_beyond=self.may(may.ADJUST_BEYOND_LIMIT))
        if merged:
            logged.write(self.account, logged.MERGED, into=into.pk, points=points)
            logged.write(into, logged.MERGED, of=self.account.pk, points=points)
        return merged

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        words = self.request.GET.get("q", "").strip()
        context = super().get_context_data(**kwargs) | {"words": words}
        if self.account.held:
            return context | {"refusal": by_hand.held()}
        if self.into is None:
            return context | {"found": self._found(words)}
        after = foreseeing.merged(self.account, self.into)
        return context | {"into": self._row(self.into), "after": after}

    def _found(self, words: str) -> list[Member]:
        if not words:
            return []
        others = live(Account.objects.filter(program=self.account.program_id)).exclude(pk=self.account.pk)
        others = others.select_related("program").order_by("-pk")
        return Rows().of(found(others, words)[:MOST_FOUND])

    def _row(self, account: Account) -> Member:
        return Rows().of([account])[0]

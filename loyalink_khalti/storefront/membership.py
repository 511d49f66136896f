"""The points card of any shop, accepting the terms of the programme, and leaving it.

Hosts with a points page of their own show the card there; its forms lead here, and back by ``next``.
"""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.generic import View

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import AccountMerged, TermsChanged
from loyalink_khalti.token_pages import TokenView


class MemberView(TokenView, LoginRequiredMixin, View):
    """A page of the member who is logged in, kept out of caches and frames."""

    http_method_names: tuple[str, ...] = ("get", "post", "options")

    @method_decorator(never_cache)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return super().dispatch(request, *args, **kwargs)

    @property
    def member(self) -> dict[str, str]:
        return {"site_key": conf.site_key(self.request), "member_id": str(self.request.user.pk)}

    @property
    def back(self) -> str:
        """The shop's page from which the member came; the card of this module without one."""
        wanted = self.request.POST.get("next") or self.request.GET.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(
            wanted, allowed_hosts={self.request.get_host()}, require_https=self.request.is_secure()
        )
        return wanted if is_ours else reverse("loyalink_khalti:points")


class PointsCardView(MemberView):
    """The points card, for shops without a page of their own for it."""

    http_method_names = ("get", "options")

    def get(self, request: HttpRequest) -> HttpResponse:
        member_id, before = str(request.user.pk), request.GET.get("before", "")
        card = flow.member_card(site_key=conf.site_key(request), member_id=member_id, before=before)
        return render(request, "loyalink_khalti/points_card.html", {"member_card": card})


class AcceptTermsView(MemberView):
    """Record that the member accepts the terms, or joins again by that."""

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest) -> HttpResponse:
        had_left = flow.membership(**self.member).left_at is not None
        try:
            flow.accept_terms(**self.member, version=request.POST.get("version", ""))
        except (TermsChanged, AccountMerged) as exc:
            messages.error(request, str(exc))
        else:
            messages.success(request, _("Welcome back!") if had_left else _("Thank you. You have accepted the terms."))
        return redirect(self.back)


class LeaveView(MemberView):
    """Say what leaving the programme does, and do it after a click."""

    def get(self, request: HttpRequest) -> HttpResponse:
        membership = flow.membership(**self.member)
        if membership.left_at or membership.has_ended:
            return redirect(self.back)
        quote = flow.quote_leaving(**self.member)
        return render(request, "loyalink_khalti/leave_program.html", {"quote": quote, "back": self.back})

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            flow.leave_program(**self.member)
        except AccountMerged as exc:
            messages.error(request, str(exc))
        else:
            messages.success(request, _("You have left the loyalty programme."))
        return redirect(self.back)

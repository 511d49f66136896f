"""Where a guest, who has made an account since, claims the points of an order: the link is in the order mail."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.generic import View

from loyalink_khalti import flow
from loyalink_khalti.door import Door, plain, throttle
from loyalink_khalti.errors import CannotClaim


class ClaimView(Door, LoginRequiredMixin, View):
    """Ask before anything is claimed: mail programs open links by themselves."""

    http_method_names = ("get", "post", "options")

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            purchase, points = flow.claim_quote(token, email=_email(request))
        except CannotClaim as exc:
            return _refused(request, exc)
        return _page(request, order_number=purchase.number, points=points)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            points = flow.claim(token, member_id=str(request.user.pk), email=_email(request))
        except CannotClaim as exc:
            return _refused(request, exc)
        return _page(request, points=points, claimed=True)


def _email(request: HttpRequest) -> str:
    user: Any = request.user
    return str(getattr(user, user.get_email_field_name(), "") or "")


def _refused(request: HttpRequest, why: CannotClaim) -> HttpResponse:
    """Say why not; a link that was never ours counts as a guess."""
    wait = throttle.seconds_to_wait(request) if isinstance(why, flow.LinkNotValid) else 0
    return plain.too_many(wait=wait) if wait else _page(request, refusal=str(why))


def _page(request: HttpRequest, **words: Any) -> HttpResponse:
    status = 400 if words.get("refusal") else 200
    return render(request, "loyalink_khalti/claim.html", words, status=status)

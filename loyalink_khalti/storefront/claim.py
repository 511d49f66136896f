"""Where a guest, who has made an account since, claims the points of an order: the link is in the order mail."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View

from loyalink_khalti import flow
from loyalink_khalti.errors import CannotClaim


@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class ClaimView(LoginRequiredMixin, View):
    """Ask before anything is claimed: mail programs open links by themselves."""

    http_method_names = ("get", "post", "options")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        response["Referrer-Policy"] = "same-origin"  # the token stays here; a form's CSRF check needs its own origin
        response["X-Frame-Options"] = "DENY"
        response["X-Robots-Tag"] = "noindex"
        return response

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            purchase, points = flow.claim_quote(token, email=_email(request))
        except CannotClaim as exc:
            return _page(request, refusal=str(exc))
        return _page(request, order_number=purchase.number, points=points)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            points = flow.claim(token, member_id=str(request.user.pk), email=_email(request))
        except CannotClaim as exc:
            return _page(request, refusal=str(exc))
        return _page(request, points=points, claimed=True)


def _email(request: HttpRequest) -> str:
    user: Any = request.user
    return str(getattr(user, user.get_email_field_name(), "") or "")


def _page(request: HttpRequest, **words: Any) -> HttpResponse:
    status = 400 if words.get("refusal") else 200
    return render(request, "loyalink_khalti/claim.html", words, status=status)

"""Where a guest who has registered since claims the points of an order. The link is in the order mail.

The address of the account must be verified. If the shop has not done that, a second mail goes to the address of the
order, and its link leads here again.
"""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.generic import View

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotClaim
from loyalink_khalti.token_pages import TokenView, plain_pages, throttle


class ClaimView(TokenView, LoginRequiredMixin, View):
    """Ask for a click before points are claimed: mail programs open links by themselves."""

    http_method_names = ("get", "post", "options")

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            quote = flow.quote_claim(token, **_account(request), is_verified=conf.email_is_verified(request.user))
        except CannotClaim as exc:
            return _refusal(request, exc)
        return _page(request, order_number=quote.purchase.number, points=quote.points, is_verified=quote.is_verified)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        account, is_verified = _account(request), conf.email_is_verified(request.user)
        try:
            if not flow.quote_claim(token, **account, is_verified=is_verified).is_verified:
                flow.request_claim_mail(token, **account)
                return _page(request, mailed_to=account["email"])
            points = flow.claim_points(token, **account, is_verified=is_verified)
        except CannotClaim as exc:
            return _refusal(request, exc)
        return _page(request, points=points, claimed=True)


def _account(request: HttpRequest) -> dict[str, str]:
    user: Any = request.user
    return {"member_id": str(user.pk), "email": str(getattr(user, user.get_email_field_name(), "") or "")}


def _refusal(request: HttpRequest, exc: CannotClaim) -> HttpResponse:
    """Show the reason. A link that this shop never made counts as a guess."""
    wait = throttle.seconds_to_wait(request) if isinstance(exc, flow.InvalidClaimLink) else 0
    return plain_pages.too_many(request, wait=wait) if wait else _page(request, refusal=str(exc))


def _page(request: HttpRequest, **context: Any) -> HttpResponse:
    status = 400 if context.get("refusal") else 200
    return render(request, "loyalink_khalti/claim.html", context, status=status)

"""The points card at the counter: a one-time code to pay with points, and points of receipts that wait to be claimed.

All pages work without scripts. A code is made by a click, never by opening a page.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_variables

from loyalink_khalti import conf, flow
from loyalink_khalti.errors import CannotClaim
from loyalink_khalti.token_pages import plain_pages, throttle

from .membership import MemberView


class ShowCodeView(MemberView):
    """Show a new code for the counter; each click makes the one before void."""

    http_method_names = ("post", "options")

    @method_decorator(sensitive_variables())
    def post(self, request: HttpRequest) -> HttpResponse:
        context: dict[str, Any] = {"back": self.back}
        try:
            issued = flow.show_counter_code(**self.member)
        except flow.NoCode as exc:
            return render(request, "loyalink_khalti/counter_code.html", {**context, "refusal": str(exc)}, status=400)
        minutes = max(round((issued.expires_at - timezone.now()).total_seconds() / 60), 1)
        context |= {"digits": f"{issued.digits[:3]} {issued.digits[3:]}", "lasts": minutes}
        return render(request, "loyalink_khalti/counter_code.html", context)


class ClaimReceiptView(MemberView):
    """Claim the points of a receipt by its code, or of all receipts with the account's own address."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        if "address" in request.POST:
            return self._by_address(request)
        code = request.POST.get("code", "")
        try:
            points = flow.claim_counter_sale(code, **self.member)
        except CannotClaim as exc:
            if wait := throttle.seconds_to_wait(request):  # a wrong code counts for the network, too
                return plain_pages.too_many(request, wait=wait)
            return self._page(request, status=400, refusal=str(exc), code=code)
        return self._page(request, points=points, claimed=True)

    def _by_address(self, request: HttpRequest) -> HttpResponse:
        email = address_of(request)
        if conf.email_is_verified(request.user):
            return self._page(request, points=flow.claim_verified_sales(**self.member, email=email), claimed=True)
        try:
            flow.request_counter_mail(**self.member, email=email)
        except CannotClaim as exc:
            return self._page(request, status=400, refusal=str(exc))
        return self._page(request, mailed_to=email)

    def _page(self, request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
        context |= {"back": self.back, "address": address_of(request)}
        return render(request, "loyalink_khalti/counter_claim.html", context, status=status)


class ClaimByMailView(MemberView):
    """The link of the mail: a click claims, because mail programs open links by themselves."""

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return self._page(request, ask=True)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            points = flow.claim_by_mail(token, member_id=self.member["member_id"], email=address_of(request))
        except CannotClaim as exc:
            return self._page(request, status=400, refusal=str(exc))
        return self._page(request, points=points, claimed=True)

    def _page(self, request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
        return render(request, "loyalink_khalti/counter_claim.html", {"back": self.back, **context}, status=status)


def address_of(request: HttpRequest) -> str:
    """Return the e-mail address of the account that is logged in, "" without one."""
    user: Any = request.user
    return str(getattr(user, user.get_email_field_name(), "") or "")

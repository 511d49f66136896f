"""Where a member turns e-mails about points off, and on again: the link is in each of them, and needs no log-in.

A mail program that offers "unsubscribe" posts here by itself, without a cookie and without a page of ours before:
https://www.rfc-editor.org/rfc/rfc8058
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import View

from loyalink_khalti import conf, flow
from loyalink_khalti.token_pages import TokenView, UnknownToken

ON = "on"
"""The value of the button that turns the mails on again."""


@method_decorator(csrf_exempt, name="dispatch")  # the signed link is the proof; a mail program has no cookie
class MailsView(TokenView, View):
    """Say whether the mails are on, and change that by a click: mail programs open links by themselves."""

    http_method_names = ("get", "head", "post", "options")

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        return _page(request, _known(token))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        _known(token)
        return _page(request, flow.subscribe_to_mails(token, on=request.POST.get("mails") == ON), is_changed=True)


def _known(token: str) -> flow.MailSubscription:
    try:
        return flow.mail_subscription(token)
    except flow.InvalidMailLink as exc:
        raise UnknownToken from exc


def _page(request: HttpRequest, subscription: flow.MailSubscription, *, is_changed: bool = False) -> HttpResponse:
    name = conf.shop_details(subscription.site_key).shop_name
    context = {"is_on": subscription.is_on, "is_changed": is_changed, "shop_name": name, "ON": ON}
    return render(request, "loyalink_khalti/mails.html", context)

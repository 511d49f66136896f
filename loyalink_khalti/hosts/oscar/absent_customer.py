"""The hooks of a placed order whose customer has not returned: ``events`` calls them with a request made up here."""

import logging
from importlib import import_module
from typing import Any, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpRequest
from django.urls import reverse
from django.utils import translation
from oscar.core.loading import get_class, get_model

from loyalink_khalti import conf
from loyalink_khalti.errors import safe_trace
from loyalink_khalti.payments.models import Purchase

from . import events
from .settings import SHOP

log = logging.getLogger(__name__)


def call_hooks(number: str) -> None:
    """Call the hooks of a placed order whose customer has not returned. Called by the outbox."""
    order = get_model("order", "Order").objects.select_related("user", "basket").filter(number=number).first()
    if order is None:  # deleted since
        return
    purchase = Purchase.objects.get(shop=SHOP, ref=number)
    with translation.override(conf.language(purchase.language)):
        try:
            events.call_hooks(events.view_for(_request_for(order, purchase)), order)
        except Exception as exc:  # noqa: BLE001 - of the shop's own; tried again, it might send what it has sent
            log.error("order %s: %s", number, safe_trace(exc))


def _request_for(order: Any, purchase: Purchase) -> HttpRequest:
    """Return a request like the one in which the customer would have seen the order."""
    request: Any = HttpRequest()
    address = urlsplit(conf.absolute_url(purchase.site_key, reverse("checkout:thank-you")))
    port = str(address.port or (443 if address.scheme == "https" else 80))
    request.META |= {"SERVER_NAME": address.hostname or "localhost", "SERVER_PORT": port}
    request.META["wsgi.url_scheme"] = address.scheme
    request.method, request.path = "GET", address.path
    request.user = order.user or AnonymousUser()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore()
    request._messages = FallbackStorage(request)
    request.cookies_to_delete = []
    request.strategy = get_class("partner.strategy", "Selector")().strategy(request=request, user=request.user)
    request.basket = get_model("basket", "Basket")()
    request.basket.strategy = request.strategy
    return cast(HttpRequest, request)

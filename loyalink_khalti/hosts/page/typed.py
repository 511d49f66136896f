"""What a customer has typed at the checkout, kept in their session, and where they can log in."""

from dataclasses import asdict, replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve

from loyalink_khalti.hosts.common.checkout import PaymentChoice
from loyalink_khalti.money import Points
from loyalink_khalti.ports import PaymentMethod

from . import details
from .details import Details

SESSION_KEY = "loyalink_khalti_page_checkout"


def remember_typed(request: HttpRequest, typed: Details, choice: PaymentChoice) -> None:
    """Keep what was typed for a customer who comes back: they cancelled, or the order could not be placed."""
    request.session[SESSION_KEY] = {**asdict(typed), "method": choice.code, "points": int(choice.points)}


def typed_before(request: HttpRequest) -> tuple[Details, PaymentChoice]:
    """Return what was typed before; at first a member's own name and e-mail address."""
    stored = _stored(request)
    user: Any = request.user
    own = {"name": user.get_full_name(), "email": user.email} if user.is_authenticated else {}
    typed = details.from_mapping(stored, **own)
    choice = PaymentChoice.from_stored(
        stored.get("method"), stored.get("points"), offered=[str(method) for method in PaymentMethod]
    )
    return typed, choice if user.is_authenticated else replace(choice, points=Points(0))


def forget_choices(request: HttpRequest) -> None:
    """Forget the note and the points of an order that is placed; the next one has the same contact and address."""
    if stored := _stored(request):
        request.session[SESSION_KEY] = {**stored, "note": "", "points": 0}


def _stored(request: HttpRequest) -> dict[str, Any]:
    stored = request.session.get(SESSION_KEY)
    return stored if isinstance(stored, dict) else {}


def login_url(request: HttpRequest) -> str:
    """Return where guests log in, to come back to this page; "" for members, and where the site has no such page."""
    if request.user.is_authenticated:
        return ""
    try:
        path = resolve_url(settings.LOGIN_URL)
        match = resolve(f"/{path.removeprefix(get_script_prefix())}")
    except (NoReverseMatch, Resolver404):
        return ""
    return "" if match.url_name == "wagtail_serve" else f"{path}?next={request.path}"

"""What a guest's browser is known by in Oscar: a name that keeps its session secret, and the basket in its cookie."""

from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from oscar.core.loading import get_model

from loyalink_khalti.payments.models import Purchase


def visitor(request: HttpRequest) -> str:
    """A name for this browser that does not give its session away."""
    if not request.session.session_key:
        request.session.create()
    session = request.session.session_key or ""
    return salted_hmac("loyalink_khalti.visitor", session, algorithm="sha256").hexdigest()[:40]


def cookie_basket_id(request: HttpRequest) -> int | None:
    """The pk of the basket that this guest's cookie names, whatever became of it; the signature is the proof."""
    try:
        return int(Signer().unsign(request.COOKIES[settings.OSCAR_BASKET_COOKIE_OPEN]))
    except (KeyError, BadSignature, ValueError):
        return None


def give_back(request: Any, purchase: Purchase) -> None:
    """Make the basket of a released purchase this browser's basket again, with what was picked since.

    Oscar deletes a guest's basket cookie on the first page seen while the basket is frozen; the cookie is signed anew
    by Oscar's own middleware, which does so for ``request.basket``.
    """
    with transaction.atomic():
        baskets = get_model("basket", "Basket").objects.select_for_update(of=("self",))
        basket = baskets.filter(pk=purchase.origin, status="Open", owner=None).first()
        if basket is None:
            return
        current = request.basket
        basket.strategy = request.strategy
        if request.user.is_authenticated:
            current.merge(basket)
            return
        if current.pk and current.pk != basket.pk:
            basket.merge(current)
    request.basket = basket
    request.cookies_to_delete.append(settings.OSCAR_BASKET_COOKIE_OPEN)

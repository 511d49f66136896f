"""The receipt of an order as a PDF file, for who may see its lines, and the link to it.

A page that shows the lines of an order has a signed link, which opens the file for a day; the page makes a new one
each time. After that it opens for the order's own member or browser session alone, as the lines on the status page do.
"""

from datetime import timedelta

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import translation

from loyalink_khalti import conf, flow
from loyalink_khalti.paper import can_make_pdf
from loyalink_khalti.payments.models import Purchase
from loyalink_khalti.session_payments import is_own_payment
from loyalink_khalti.token_pages import TokenView, UnknownToken

LINK_LIFETIME = timedelta(days=1)
_SALT = "loyalink_khalti.receipt"


def pdf_path(receipt: flow.Receipt) -> str:
    """Return the path of an order's receipt in the active language; "" where there is none, or no PDF can be made.

    Only for a page that its customer alone can see.
    """
    if not receipt.is_placed or not can_make_pdf():
        return ""
    language = translation.get_language() or receipt.purchase.language
    try:
        return reverse("loyalink_khalti:receipt", args=[signing.dumps([receipt.purchase.pk, language], salt=_SALT)])
    except NoReverseMatch:  # a shop without our addresses
        return ""


class ReceiptView(TokenView):
    """The receipt of an order as a PDF file."""

    http_method_names = ("get", "head", "options")
    referrer_policy = "no-referrer"

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        purchase, language = _read(request, token)
        if not can_make_pdf():
            raise UnknownToken
        from .receipt_pdf import receipt_pdf  # it needs the extra

        with translation.override(conf.language(language)):
            content = receipt_pdf(flow.receipt(purchase))
        name = f"{purchase.number or purchase.ref}.pdf"
        return HttpResponse(
            content, content_type="application/pdf", headers={"Content-Disposition": f'inline; filename="{name}"'}
        )


def _read(request: HttpRequest, token: str) -> tuple[Purchase, str]:
    """Return the purchase that a link names, and the language. Raises ``UnknownToken``."""
    try:
        pk, language = signing.loads(token, salt=_SALT)
        purchase = Purchase.objects.get(pk=pk)
    except (signing.BadSignature, ValueError, TypeError, Purchase.DoesNotExist) as exc:
        raise UnknownToken from exc
    try:
        signing.loads(token, salt=_SALT, max_age=LINK_LIFETIME)
        is_fresh = True
    except signing.SignatureExpired:
        is_fresh = False
    if purchase.placed_at is None or not (is_fresh or is_own_order(request, purchase)):
        raise UnknownToken
    return purchase, str(language)


def is_own_order(request: HttpRequest, purchase: Purchase) -> bool:
    """Return whether a request comes from the order's member, or from the browser session that has paid it."""
    user = request.user
    if user.is_authenticated and purchase.member_id == str(user.pk):
        return True
    return any(is_own_payment(request, payment) for payment in purchase.payments.all())

"""Who may open an order: its member, the browser that placed it, a guest who knows its number and address, a mail.

An order's number alone opens nothing. Whether there is an order with a number is never said.
"""

from datetime import timedelta

from django.core import signing
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from loyalink_khalti.hosts.common.find_order import is_contact_of, typed_number
from loyalink_khalti.mail_ports import OrderForMail

from .models import Order
from .site_settings import settings_of_key

SESSION_KEY = "loyalink_khalti_page_orders"
REMEMBERED = 20
"""How many numbers a session keeps; the oldest drops out."""
LINK_LIFETIME = timedelta(days=180)
"""How long the link in an order's mail opens its page; then the customer finds it by its number and e-mail address."""
_SALT = "loyalink_khalti.order_link"


def remember_order(request: HttpRequest, number: str) -> None:
    """Let this browser session open the order's page. The caller has checked that it is the customer's."""
    numbers = [each for each in _remembered(request) if each != number]
    request.session[SESSION_KEY] = [*numbers, number][-REMEMBERED:]


def _remembered(request: HttpRequest) -> list[str]:
    stored = request.session.get(SESSION_KEY)
    return [each for each in stored if isinstance(each, str)] if isinstance(stored, list) else []


def own_order(request: HttpRequest, number: str) -> Order | None:
    """Return a placed order that this customer may see, None for any other number."""
    order = Order.objects.placed().filter(number=number).prefetch_related("lines").first()
    if order is None:
        return None
    is_members = request.user.is_authenticated and order.member_id == str(request.user.pk)
    return order if is_members or number in _remembered(request) else None


def order_link(order: Order) -> str:
    """Return the path that opens the order's page from its mail, without a log-in."""
    return reverse("loyalink_khalti_page:order_link", args=[signing.dumps(order.number, salt=_SALT)])


def read_link(token: str) -> str:
    """Return the number that a mail's link names, "" for one that is too old, cut short or made up."""
    try:
        return str(signing.loads(token, salt=_SALT, max_age=LINK_LIFETIME))
    except signing.BadSignature:
        return ""


def find_order(number: str, contact: str) -> Order | None:
    """Return the placed order with this number, if ``contact`` is its e-mail address or its phone number."""
    typed = typed_number(number)
    order = Order.objects.placed().filter(number__in={typed, typed.upper()}).first()
    known = (order.email, order.phone) if order is not None else ("", "")
    return order if is_contact_of(contact, *known) else None


def order_for_mail(number: str) -> OrderForMail | None:
    """Return what a mail says of an order besides its receipt; None where it was deleted.

    A site changes a text of these mails with a template ``loyalink_khalti/page/mail/<kind>.html``, ``<kind>.txt`` or
    ``<kind>_subject.txt``, which comes before that of all hosts in ``loyalink_khalti/mail/``.
    """
    order = Order.objects.filter(number=number).first()
    if order is None:
        return None
    settings = settings_of_key(order.site_key)
    lines = [order.name, *order.address.splitlines(), order.phone] if order.address else []
    return OrderForMail(
        path=_path(order),
        address=tuple(line for line in lines if line),
        note=order.note,
        shop_name=settings.shop_name,
        footer=settings.mail_footer.strip(),
        is_test=order.is_test,
    )


def _path(order: Order) -> str:
    try:
        return order_link(order)
    except NoReverseMatch:  # a headless shop: it has no pages of ours
        return ""

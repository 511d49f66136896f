"""What the mails of an order say besides its receipt; the flow renders and sends them.

A site changes a text with a template ``loyalink_khalti/page/mail/<kind>.html``, ``<kind>.txt`` or
``<kind>_subject.txt``, which comes before that of all hosts in ``loyalink_khalti/mail/``.
"""

from django.urls import NoReverseMatch

from loyalink_khalti.mail_ports import OrderForMail

from .models import Order
from .order_access import order_link
from .site_settings import settings_of_key


def order_for_mail(number: str) -> OrderForMail | None:
    """Return what a mail says of an order; None where it was deleted."""
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

"""Rows of the version before: what a refund of delivery and the rounding of points meant there, in today's columns.

Delivery. The whole of an order's points followed its products, and the delivery that could be refunded was the money for
it. An order whose products, money and points were all refunded has nothing left: its delivery counts as refunded.

Rounding. A stored version of the rules always dropped the fraction of a point before multiplying, whatever the setting
said, and keeps doing so (``Rules.from_json``). Where the current rules of a site round otherwise, a new version makes the
setting mean what it says for the orders that begin from now on.
"""

from django.db import migrations
from django.utils import timezone

CHUNK = 500
COUNTED = ("requested", "sent", "unknown", "done")
FLOOR = "floor"


def refund_delivery_of_closed_orders(apps, schema_editor):
    using = schema_editor.connection.alias
    Refund = apps.get_model("loyalink_khalti", "Refund").objects.using(using)
    Purchase = apps.get_model("loyalink_khalti", "Purchase").objects.using(using)
    refunded = Refund.filter(kind="order", state="done", undone_at=None).values("purchase")
    purchases = Purchase.filter(pk__in=refunded, cart__shipping__gt=0).order_by("pk")
    for purchase in purchases.iterator(chunk_size=CHUNK):
        counted = Refund.filter(purchase=purchase, kind="order", state__in=COUNTED, undone_at=None)
        refunds = list(counted.order_by("pk"))
        shipping, subtotal = purchase.cart["shipping"], purchase.cart["total"] - purchase.cart["shipping"]
        money = sum(refund.shipping for refund in refunds)
        has_all = sum(refund.subtotal for refund in refunds) >= subtotal and money >= _paid_for_shipping(purchase)
        if has_all and money < shipping and refunds[-1].shipping_before_points is None:
            last = refunds[-1]
            Refund.filter(pk=last.pk).update(shipping_before_points=last.shipping + shipping - money)


def _paid_for_shipping(purchase):
    """The money that was paid for delivery, as the version before computed it."""
    paid = purchase.amount_due if purchase.method == "khalti" or purchase.received_at else 0
    subtotal = purchase.cart["total"] - purchase.cart["shipping"]
    return paid - min(max(subtotal - purchase.points_value, 0), paid)


def round_the_base_too(apps, schema_editor):
    using = schema_editor.connection.alias
    Version = apps.get_model("loyalink_khalti", "ProgramVersion").objects.using(using)
    Program = apps.get_model("loyalink_khalti", "Program").objects.using(using)
    for program in Program.filter(active=True).order_by("pk"):
        newest = Version.filter(program=program).order_by("-number").first()
        if newest is None or newest.stored.get("rounding", FLOOR) == FLOOR or "base_rounding" in newest.stored:
            continue
        Version.create(
            program=program,
            number=newest.number + 1,
            stored={**newest.stored, "base_rounding": None},
            created_at=timezone.now(),
        )


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0011_refunds_by_part")]

    # Nothing is done backwards: the version before ignores both.
    operations = [
        migrations.RunPython(refund_delivery_of_closed_orders, migrations.RunPython.noop),
        migrations.RunPython(round_the_base_too, migrations.RunPython.noop),
    ]

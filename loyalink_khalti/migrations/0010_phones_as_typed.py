"""Correct phone numbers that were stored without the country they are of, from the orders of the shops.

An earlier version kept "+91 98412 34567" as 9841234567, a mobile number of somebody in Nepal. A shop that has the
number as it was typed yields it by ``misread_phones``. A cart that was erased stays erased.
"""

from django.db import migrations

from loyalink_khalti import conf
from loyalink_khalti.search import search_text_of


def correct(apps, schema_editor):
    Purchase = apps.get_model("loyalink_khalti", "Purchase")
    purchases = Purchase.objects.using(schema_editor.connection.alias)
    for name, shop in conf.shops().items():
        for ref, stored, typed in getattr(shop, "misread_phones", tuple)():
            purchase = purchases.filter(shop=name, ref=ref).first()
            if purchase is None or purchase.cart["customer"]["phone"] != stored:
                continue
            customer = purchase.cart["customer"]
            customer["phone"] = typed
            purchase.search_text = search_text_of(
                (purchase.ref, purchase.number, customer["name"], customer["email"], typed)
            )
            purchase.save(update_fields=["cart", "search_text"])


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0009_import_rows_by_contents")]

    # Nothing is done backwards: the corrected numbers are right for the earlier version, too.
    operations = [migrations.RunPython(correct, migrations.RunPython.noop)]

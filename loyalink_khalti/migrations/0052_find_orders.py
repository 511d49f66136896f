"""Index purchases by what the list of orders is sorted and filtered by."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0051_invoice_permissions")]

    operations = [
        migrations.AlterModelOptions(
            name="purchase", options={"verbose_name": "order", "verbose_name_plural": "orders"}
        ),
        migrations.AddIndex(
            model_name="purchase",
            index=models.Index(fields=["-created_at", "-id"], name="loyalink_purchase_newest"),
        ),
        migrations.AddIndex(
            model_name="purchase",
            index=models.Index(fields=["state", "-created_at", "-id"], name="loyalink_purchase_state"),
        ),
        migrations.AddIndex(
            model_name="purchase",
            index=models.Index(fields=["method", "-created_at", "-id"], name="loyalink_purchase_method"),
        ),
        migrations.AddIndex(
            model_name="purchase",
            index=models.Index(fields=["amount_due", "id"], name="loyalink_purchase_due"),
        ),
    ]

"""Index Khalti's ids and the references of banks in capitals: they are found in any letters."""

from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0052_find_orders")]

    operations = [
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(Upper("transaction_id"), name="loyalink_payment_transaction"),
        ),
        migrations.AddIndex(model_name="payment", index=models.Index(Upper("pidx"), name="loyalink_payment_pidx")),
        migrations.AddIndex(
            model_name="receivedmoney",
            index=models.Index(
                Upper("reference"), condition=~models.Q(reference=""), name="loyalink_received_reference"
            ),
        ),
    ]

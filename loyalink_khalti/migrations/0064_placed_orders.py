"""Index purchases by the day on which they were placed: takings count them."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0063_counter_code_actor")]

    operations = [
        migrations.AddIndex(
            model_name="purchase",
            index=models.Index("placed_at", condition=Q(placed_at__isnull=False), name="loyalink_purchase_placed"),
        ),
    ]

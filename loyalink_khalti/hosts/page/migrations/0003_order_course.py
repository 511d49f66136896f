"""When an order was sent and completed, and whether its customer collects it. The version before leaves them empty."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti_page", "0002_desk_permissions")]

    operations = [
        migrations.AddField("order", "sent_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("order", "completed_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField("order", "is_pickup", models.BooleanField(db_default=False, default=False)),
    ]

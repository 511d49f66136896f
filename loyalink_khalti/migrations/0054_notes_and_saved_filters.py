"""Notes of staff on orders and payments, and the filters that they save."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("loyalink_khalti", "0053_find_payments")]

    operations = [
        migrations.CreateModel(
            name="PurchaseNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField(help_text="empty once the customer's data is erased")),
                ("key", models.CharField(help_text="of the form that sent it", max_length=160, unique=True)),
                ("actor", models.CharField(blank=True, help_text="the user's pk", max_length=64, null=True)),
                ("written_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "payment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notes",
                        to="loyalink_khalti.payment",
                    ),
                ),
                (
                    "purchase",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="notes",
                        to="loyalink_khalti.purchase",
                    ),
                ),
            ],
            options={
                "verbose_name": "note",
                "verbose_name_plural": "notes",
                "permissions": [("add_purchasenote", "Can write notes on orders and payments")],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="SavedFilter",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.CharField(help_text="the user's pk", max_length=64)),
                ("page", models.CharField(help_text="the name of the list", max_length=40)),
                ("name", models.CharField(max_length=60, verbose_name="name")),
                ("query", models.CharField(help_text="of the URL", max_length=1000)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name": "saved filter",
                "verbose_name_plural": "saved filters",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user_id", "page", "name"), name="loyalink_saved_filter_name"
                    )
                ],
            },
        ),
    ]

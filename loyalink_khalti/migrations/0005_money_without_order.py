"""Money without an order: a reason of flags, and an index that finds such payments."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("loyalink_khalti", "0004_default_groups"),
    ]

    operations = [
        migrations.AlterField(
            model_name="flag",
            name="reason",
            field=models.CharField(
                choices=[
                    ("amount_mismatch", "amount_mismatch"),
                    ("pidx_mismatch", "pidx_mismatch"),
                    ("no_transaction_id", "no_transaction_id"),
                    ("duplicate_transaction_id", "duplicate_transaction_id"),
                    ("second_payment", "second_payment"),
                    ("late", "late"),
                    ("paid_after_cancel", "paid_after_cancel"),
                    ("sold_out", "sold_out"),
                    ("host_failed", "host_failed"),
                    ("unknown_at_khalti", "unknown_at_khalti"),
                    ("unknown_status", "unknown_status"),
                    ("key_gone", "key_gone"),
                    ("key_refused", "key_refused"),
                    ("refund_unknown", "refund_unknown"),
                    ("refunded_at_khalti", "refunded_at_khalti"),
                    ("merchant_limit", "merchant_limit"),
                    ("initiate_refused", "initiate_refused"),
                    ("money_without_order", "money_without_order"),
                ],
                max_length=32,
            ),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(
                models.F("paid_at"),
                condition=models.Q(
                    ("fulfilled_at", None),
                    (
                        "state__in",
                        [
                            "mismatched",
                            "paid",
                            "partially_refunded",
                        ],
                    ),
                ),
                name="loyalink_payment_without_order",
            ),
        ),
    ]

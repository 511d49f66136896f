"""Refunds that were recorded and not made: rows that take them back, with negative figures, and their points."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('loyalink_khalti', '0023_refund_mobile'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='entry',
            name='loyalink_entry_transfer',
        ),
        migrations.RemoveConstraint(
            model_name='refund',
            name='loyalink_refund_adds_up',
        ),
        migrations.RemoveConstraint(
            model_name='refund',
            name='loyalink_refund_of_shipping',
        ),
        migrations.RemoveConstraint(
            model_name='refundapplied',
            name='loyalink_refund_cumulative',
        ),
        migrations.AddField(
            model_name='refund',
            name='reverses',
            field=models.OneToOneField(blank=True, help_text='the refund that was not made: this row takes it back, with negative figures', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversal', to='loyalink_khalti.refund'),
        ),
        migrations.AlterField(
            model_name='entry',
            name='kind',
            field=models.CharField(choices=[('earn', 'Earned'), ('activate', 'Available'), ('hold', 'Reserved'), ('capture', 'Used'), ('release', 'Released'), ('late_capture', 'Used late'), ('expire', 'Expired'), ('claw_back', 'Reversed'), ('forgive', 'Written off'), ('restore', 'Returned'), ('repay', 'Repaid'), ('earn_again', 'Earned again'), ('redeem_again', 'Used again'), ('adjust', 'Adjusted'), ('merge_out', 'Moved to another account'), ('merge_in', 'Moved from another account')], max_length=12),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('dst', 'pending'), ('kind', 'earn'), ('src', 'issued')), models.Q(('dst', 'available'), ('kind', 'earn'), ('src', 'issued')), models.Q(('dst', 'available'), ('kind', 'activate'), ('src', 'pending')), models.Q(('dst', 'held'), ('kind', 'hold'), ('src', 'available')), models.Q(('dst', 'redeemed'), ('kind', 'capture'), ('src', 'held')), models.Q(('dst', 'available'), ('kind', 'release'), ('src', 'held')), models.Q(('dst', 'redeemed'), ('kind', 'late_capture'), ('src', 'available')), models.Q(('dst', 'redeemed'), ('kind', 'late_capture'), ('src', 'owed')), models.Q(('dst', 'expired'), ('kind', 'expire'), ('src', 'available')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'pending')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'available')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'owed')), models.Q(('dst', 'reversed'), ('kind', 'forgive'), ('src', 'written_off')), models.Q(('dst', 'available'), ('kind', 'restore'), ('src', 'redeemed')), models.Q(('dst', 'pending'), ('kind', 'earn_again'), ('src', 'reversed')), models.Q(('dst', 'available'), ('kind', 'earn_again'), ('src', 'reversed')), models.Q(('dst', 'written_off'), ('kind', 'earn_again'), ('src', 'reversed')), models.Q(('dst', 'redeemed'), ('kind', 'redeem_again'), ('src', 'available')), models.Q(('dst', 'redeemed'), ('kind', 'redeem_again'), ('src', 'owed')), models.Q(('dst', 'owed'), ('kind', 'repay'), ('src', 'available')), models.Q(('dst', 'available'), ('kind', 'adjust'), ('src', 'adjusted')), models.Q(('dst', 'adjusted'), ('kind', 'adjust'), ('src', 'available')), models.Q(('dst', 'adjusted'), ('kind', 'merge_out'), ('src', 'pending')), models.Q(('dst', 'adjusted'), ('kind', 'merge_out'), ('src', 'available')), models.Q(('dst', 'owed'), ('kind', 'merge_out'), ('src', 'adjusted')), models.Q(('dst', 'pending'), ('kind', 'merge_in'), ('src', 'adjusted')), models.Q(('dst', 'available'), ('kind', 'merge_in'), ('src', 'adjusted')), models.Q(('dst', 'adjusted'), ('kind', 'merge_in'), ('src', 'owed')), _connector='OR'), name='loyalink_entry_transfer'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__gte', models.F('shipping')), ('reverses', None), ('shipping__gte', 0), ('subtotal__gte', 0)), models.Q(('amount__lte', models.F('shipping')), ('reverses__isnull', False), ('shipping__lte', 0), ('subtotal__lte', 0)), _connector='OR'), name='loyalink_refund_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('shipping_before_points', None), models.Q(('reverses', None), ('shipping_before_points__gte', 0)), models.Q(('reverses__isnull', False), ('shipping_before_points__lte', 0)), _connector='OR'), name='loyalink_refund_of_shipping'),
        ),
        migrations.AddConstraint(
            model_name='refundapplied',
            constraint=models.CheckConstraint(condition=models.Q(('cumulative__gte', 0), ('cumulative__gte', models.F('amount'))), name='loyalink_refund_cumulative'),
        ),
    ]

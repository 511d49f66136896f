"""When an account ended by a merge, what merged accounts redeemed, seals over entries and rules, write-offs."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('loyalink_khalti', '0024_refunds_taken_back'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='entry',
            name='loyalink_entry_transfer',
        ),
        migrations.AddField(
            model_name='account',
            name='merged_at',
            field=models.DateTimeField(blank=True, help_text='when the account ended by a merge', null=True),
        ),
        migrations.AddField(
            model_name='account',
            name='merged_lifetime_redeemed',
            field=models.BigIntegerField(db_default=0, default=0, help_text='points that accounts merged into this one had redeemed'),
        ),
        migrations.AddField(
            model_name='account',
            name='seal',
            field=models.CharField(blank=True, db_default='', default='', help_text='digest of the entries', max_length=64),
        ),
        migrations.AddField(
            model_name='account',
            name='sealed_seq',
            field=models.BigIntegerField(db_default=0, default=0, help_text='the newest entry in the seal'),
        ),
        migrations.AddField(
            model_name='program',
            name='seal',
            field=models.CharField(blank=True, db_default='', default='', help_text='digest of the versions', max_length=64),
        ),
        migrations.AddField(
            model_name='program',
            name='sealed_number',
            field=models.PositiveIntegerField(db_default=0, default=0, help_text='the newest version in the seal'),
        ),
        migrations.AlterField(
            model_name='entry',
            name='kind',
            field=models.CharField(choices=[('earn', 'Earned'), ('activate', 'Available'), ('hold', 'Reserved'), ('capture', 'Used'), ('release', 'Released'), ('late_capture', 'Used late'), ('expire', 'Expired'), ('claw_back', 'Reversed'), ('forgive', 'Written off'), ('restore', 'Returned'), ('repay', 'Repaid'), ('earn_again', 'Earned again'), ('redeem_again', 'Used again'), ('adjust', 'Adjusted'), ('write_off', 'Written off'), ('merge_out', 'Moved to another account'), ('merge_in', 'Moved from another account')], max_length=12),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('dst', 'pending'), ('kind', 'earn'), ('src', 'issued')), models.Q(('dst', 'available'), ('kind', 'earn'), ('src', 'issued')), models.Q(('dst', 'available'), ('kind', 'activate'), ('src', 'pending')), models.Q(('dst', 'held'), ('kind', 'hold'), ('src', 'available')), models.Q(('dst', 'redeemed'), ('kind', 'capture'), ('src', 'held')), models.Q(('dst', 'available'), ('kind', 'release'), ('src', 'held')), models.Q(('dst', 'redeemed'), ('kind', 'late_capture'), ('src', 'available')), models.Q(('dst', 'redeemed'), ('kind', 'late_capture'), ('src', 'owed')), models.Q(('dst', 'expired'), ('kind', 'expire'), ('src', 'available')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'pending')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'available')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'owed')), models.Q(('dst', 'reversed'), ('kind', 'forgive'), ('src', 'written_off')), models.Q(('dst', 'available'), ('kind', 'restore'), ('src', 'redeemed')), models.Q(('dst', 'pending'), ('kind', 'earn_again'), ('src', 'reversed')), models.Q(('dst', 'available'), ('kind', 'earn_again'), ('src', 'reversed')), models.Q(('dst', 'written_off'), ('kind', 'earn_again'), ('src', 'reversed')), models.Q(('dst', 'redeemed'), ('kind', 'redeem_again'), ('src', 'available')), models.Q(('dst', 'redeemed'), ('kind', 'redeem_again'), ('src', 'owed')), models.Q(('dst', 'owed'), ('kind', 'repay'), ('src', 'available')), models.Q(('dst', 'available'), ('kind', 'adjust'), ('src', 'adjusted')), models.Q(('dst', 'adjusted'), ('kind', 'adjust'), ('src', 'available')), models.Q(('dst', 'written_off'), ('kind', 'write_off'), ('src', 'pending')), models.Q(('dst', 'written_off'), ('kind', 'write_off'), ('src', 'available')), models.Q(('dst', 'owed'), ('kind', 'write_off'), ('src', 'written_off')), models.Q(('dst', 'adjusted'), ('kind', 'merge_out'), ('src', 'pending')), models.Q(('dst', 'adjusted'), ('kind', 'merge_out'), ('src', 'available')), models.Q(('dst', 'owed'), ('kind', 'merge_out'), ('src', 'adjusted')), models.Q(('dst', 'pending'), ('kind', 'merge_in'), ('src', 'adjusted')), models.Q(('dst', 'available'), ('kind', 'merge_in'), ('src', 'adjusted')), models.Q(('dst', 'adjusted'), ('kind', 'merge_in'), ('src', 'owed')), _connector='OR'), name='loyalink_entry_transfer'),
        ),
    ]

"""Received money: a row for all cash and transfers, what counts for an order, and the surplus."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("loyalink_khalti", "0005_money_without_order"),
    ]

    operations = [
        migrations.CreateModel(
            name='ReceivedMoney',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.BigIntegerField(help_text='paisa; negative where it reverses another row')),
                ('received_on', models.DateField(help_text='the day on which the money arrived, in Nepal')),
                ('reference', models.CharField(blank=True, default='', help_text='of the bank, for example', max_length=128)),
                ('reason', models.CharField(blank=True, default='', help_text='why it reverses the other row', max_length=500)),
                ('key', models.CharField(help_text='of the form that recorded it', max_length=160, unique=True)),
                ('actor', models.CharField(blank=True, help_text="the user's pk", max_length=64, null=True)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name': 'received money',
                'verbose_name_plural': 'received money',
                'permissions': [('record_received', 'Can record cash and bank transfers that were received')],
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='purchase',
            name='received_part',
            field=models.BigIntegerField(db_default=0, default=0, help_text='paisa, while the rest is awaited'),
        ),
        migrations.AddField(
            model_name='purchase',
            name='surplus',
            field=models.BigIntegerField(db_default=0, default=0, help_text='paisa received that bought nothing'),
        ),
        migrations.AddField(
            model_name='refund',
            name='undone_at',
            field=models.DateTimeField(blank=True, help_text='when the order it cancelled was placed again', null=True),
        ),
        migrations.AlterField(
            model_name='refund',
            name='kind',
            field=models.CharField(choices=[('order', 'order'), ('payment', 'payment'), ('received', 'received')], default='order', max_length=10),
        ),
        migrations.AddIndex(
            model_name='purchase',
            index=models.Index(condition=models.Q(('surplus__gt', 0)), fields=['id'], name='loyalink_purchase_surplus'),
        ),
        migrations.AddConstraint(
            model_name='purchase',
            constraint=models.CheckConstraint(condition=models.Q(('received_part__gte', 0), ('received_part__lte', models.F('amount_due')), ('surplus__gte', 0)), name='loyalink_purchase_received'),
        ),
        migrations.AddField(
            model_name='receivedmoney',
            name='purchase',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='received_money', to='loyalink_khalti.purchase'),
        ),
        migrations.AddField(
            model_name='receivedmoney',
            name='reverses',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reversed_by', to='loyalink_khalti.receivedmoney'),
        ),
        migrations.AddIndex(
            model_name='receivedmoney',
            index=models.Index(models.F('received_on'), name='loyalink_received_on'),
        ),
        migrations.AddConstraint(
            model_name='receivedmoney',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('amount__gt', 0), ('reverses__isnull', True)), models.Q(('amount__lt', 0), ('reverses__isnull', False)), _connector='OR'), name='loyalink_received_sign'),
        ),
    ]

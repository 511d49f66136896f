"""Earlier answers to flags, and the reason of a refund that staff recorded."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('loyalink_khalti', '0020_rules_by_category_identity'),
    ]

    operations = [
        migrations.AddField(
            model_name='refund',
            name='note',
            field=models.TextField(blank=True, db_default='', default='', help_text='why staff recorded it'),
        ),
        migrations.CreateModel(
            name='FlagEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('resolution', models.CharField(max_length=20)),
                ('note', models.TextField(blank=True, default='')),
                ('actor', models.CharField(blank=True, help_text="the user's pk", max_length=64, null=True)),
                ('flag', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalink_khalti.flag')),
            ],
            options={
                'verbose_name_plural': 'flag entries',
            },
        ),
    ]

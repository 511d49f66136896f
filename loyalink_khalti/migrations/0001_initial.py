import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone
import loyalink_khalti.payments.models
import loyalink_khalti.payments.states
import loyalink_khalti.search
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ("wagtailcore", "0097_baselogentry_uuid_action_timestamp_indexes"),
    ]

    operations = [
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('member_id', models.CharField(blank=True, max_length=64, null=True)),
                ('available', models.BigIntegerField(default=0)),
                ('pending', models.BigIntegerField(default=0)),
                ('held', models.BigIntegerField(default=0)),
                ('owed', models.BigIntegerField(default=0)),
                ('lifetime_earned', models.BigIntegerField(default=0)),
                ('lifetime_redeemed', models.BigIntegerField(default=0)),
                ('merged_lifetime_earned', models.BigIntegerField(default=0, help_text='points that accounts merged into this one had earned')),
                ('seq', models.BigIntegerField(default=0, help_text='the number of the newest entry')),
                ('tier', models.CharField(blank=True, default='', help_text='empty for the lowest tier', max_length=40)),
                ('below_tier_since', models.DateTimeField(blank=True, help_text='when the earned points fell below the tier', null=True)),
                ('blocked', models.BooleanField(default=False)),
                ('joined_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_activity_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('search_text', loyalink_khalti.search.SearchTextField(blank=True, default=None, editable=False, help_text='what staff find it by; null until it is first indexed', null=True)),
                ('successor', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='merged', to='loyalink_khalti.account')),
            ],
            options={
                'verbose_name': 'member',
                'verbose_name_plural': 'members',
                'permissions': [('adjust_account', 'Can add and deduct points'), ('adjust_beyond_limit', 'Can adjust more points than the limit in the loyalty settings'), ('export_account', 'Can export members, their data, and the reports about points')],
            },
        ),
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('site_key', models.CharField(default='default', max_length=255)),
                ('name', models.CharField(max_length=80, verbose_name='name')),
                ('starts_at', models.DateTimeField(verbose_name='from')),
                ('ends_at', models.DateTimeField(verbose_name='to')),
                ('multiplier', models.DecimalField(decimal_places=2, default=1, max_digits=5, verbose_name='points multiplier')),
                ('addition', models.BigIntegerField(default=0, verbose_name='bonus points per order')),
                ('tags', models.JSONField(blank=True, default=list, verbose_name='categories')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name': 'campaign',
                'verbose_name_plural': 'campaigns',
                'indexes': [models.Index(fields=['site_key', '-starts_at'], name='loyalink_campaign_newest')],
                'constraints': [models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('starts_at'))), name='loyalink_campaign_ends_later'), models.CheckConstraint(condition=models.Q(('addition__gte', 0), ('multiplier__gte', 1)), name='loyalink_campaign_adds_points'), models.UniqueConstraint(fields=('site_key', 'name'), name='loyalink_campaign_name')],
            },
        ),
        migrations.CreateModel(
            name='Credentials',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('site_key', models.CharField(max_length=255)),
                ('environment', models.CharField(max_length=10)),
                ('base_url', models.CharField(max_length=255)),
                ('ciphertext', models.BinaryField(default=b'')),
                ('fingerprint', models.CharField(max_length=16)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('retired_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'verbose_name_plural': 'credentials',
                'constraints': [models.UniqueConstraint(condition=models.Q(('retired_at', None)), fields=('site_key', 'environment'), name='loyalink_one_current_key')],
            },
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('seq', models.BigIntegerField()),
                ('kind', models.CharField(choices=[('earn', 'Earned'), ('activate', 'Available'), ('hold', 'Reserved'), ('capture', 'Used'), ('release', 'Released'), ('late_capture', 'Used late'), ('expire', 'Expired'), ('claw_back', 'Reversed'), ('forgive', 'Written off'), ('restore', 'Returned'), ('repay', 'Repaid'), ('adjust', 'Adjusted'), ('merge_out', 'Moved to another account'), ('merge_in', 'Moved from another account')], max_length=12)),
                ('src', models.CharField(choices=[('issued', 'issued'), ('pending', 'pending'), ('available', 'available'), ('held', 'reserved'), ('redeemed', 'used'), ('expired', 'expired'), ('reversed', 'reversed'), ('owed', 'owed'), ('written_off', 'written off'), ('adjusted', 'adjusted')], max_length=12)),
                ('dst', models.CharField(choices=[('issued', 'issued'), ('pending', 'pending'), ('available', 'available'), ('held', 'reserved'), ('redeemed', 'used'), ('expired', 'expired'), ('reversed', 'reversed'), ('owed', 'owed'), ('written_off', 'written off'), ('adjusted', 'adjusted')], max_length=12)),
                ('amount', models.BigIntegerField(help_text='points')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('key', models.CharField(help_text='named after the cause', max_length=400, unique=True)),
                ('purchase', models.CharField(blank=True, default='', max_length=192)),
                ('refund_ref', models.CharField(blank=True, default='', max_length=128)),
                ('actor', models.CharField(blank=True, help_text="the user's pk; null is the system", max_length=64, null=True)),
                ('reason_code', models.CharField(blank=True, default='', max_length=40)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalink_khalti.account')),
            ],
            options={
                'verbose_name_plural': 'entries',
            },
        ),
        migrations.CreateModel(
            name='EntryNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('entry', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='note', to='loyalink_khalti.entry')),
            ],
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purchase', models.CharField(max_length=192)),
                ('points', models.BigIntegerField()),
                ('captured', models.BigIntegerField(default=0)),
                ('state', models.CharField(choices=[('active', 'active'), ('captured', 'captured'), ('released', 'released')], default='active', max_length=10)),
                ('held_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='loyalink_khalti.account')),
            ],
        ),
        migrations.AddField(
            model_name='entry',
            name='hold',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalink_khalti.hold'),
        ),
        migrations.CreateModel(
            name='IdempotencyKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(max_length=255)),
                ('key', models.CharField(max_length=200)),
                ('request_hash', models.CharField(max_length=64)),
                ('result', models.JSONField(default=dict)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('scope', 'key'), name='loyalink_idempotency_key')],
            },
        ),
        migrations.CreateModel(
            name='KhaltiSettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('enabled', models.BooleanField(default=True, help_text='When turned off, no new payments start. Open payments are still completed, and refunds still work.', verbose_name='offer Khalti at the checkout')),
                ('environment', models.CharField(choices=[('test', 'Test: no money moves'), ('live', 'Live')], default='test', max_length=10, verbose_name='environment')),
                ('title', models.CharField(default='Khalti', max_length=60, verbose_name='title at the checkout')),
                ('text', models.CharField(blank=True, default='Pay with your Khalti wallet, mobile banking or card.', max_length=200, verbose_name='text at the checkout')),
                ('audience', models.CharField(choices=[('everybody', 'All customers'), ('members', 'Logged-in customers'), ('staff', 'Staff only, for testing')], default='everybody', max_length=10, verbose_name='who may pay with Khalti')),
                ('minimum_order', models.BigIntegerField(default=1000, validators=[django.core.validators.MinValueValidator(1000)], verbose_name='minimum order')),
                ('maximum_order', models.BigIntegerField(blank=True, null=True, verbose_name='maximum order')),
                ('refund_limit', models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0)], verbose_name='refund limit')),
                ('site', models.OneToOneField(editable=False, on_delete=django.db.models.deletion.CASCADE, to='wagtailcore.site')),
            ],
            options={
                'verbose_name': 'Khalti',
            },
        ),
        migrations.CreateModel(
            name='LastRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=40)),
                ('at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('name',), name='loyalink_last_run_name')],
            },
        ),
        migrations.CreateModel(
            name='Lot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=400)),
                ('original', models.BigIntegerField()),
                ('pending', models.BigIntegerField(default=0)),
                ('remaining', models.BigIntegerField(default=0)),
                ('available_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lots', to='loyalink_khalti.account')),
            ],
        ),
        migrations.AddField(
            model_name='entry',
            name='lot',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalink_khalti.lot'),
        ),
        migrations.CreateModel(
            name='Allocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('points', models.BigIntegerField()),
                ('points_restored', models.BigIntegerField(default=0)),
                ('hold', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='loyalink_khalti.hold')),
                ('lot', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='loyalink_khalti.lot')),
            ],
        ),
        migrations.CreateModel(
            name='LoyaltySettings',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(blank=True, default='', max_length=40, verbose_name='name of the programme')),
                ('text', models.CharField(blank=True, default='', max_length=300, verbose_name='text on the points card')),
                ('adjust_limit', models.BigIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(0)], verbose_name='adjustment limit')),
                ('site', models.OneToOneField(editable=False, on_delete=django.db.models.deletion.CASCADE, to='wagtailcore.site')),
            ],
            options={
                'verbose_name': 'Loyalty points',
            },
        ),
        migrations.CreateModel(
            name='Message',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('function', models.CharField(max_length=200)),
                ('key', models.CharField(blank=True, help_text='at most one unsent message per key', max_length=100, null=True)),
                ('payload', models.JSONField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('due_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('error', models.CharField(blank=True, default='', max_length=300)),
            ],
            options={
                'verbose_name': 'outgoing message',
                'indexes': [models.Index(models.F('due_at'), condition=models.Q(('sent_at', None)), name='loyalink_outbox_due')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('sent_at', None)), fields=('key',), name='loyalink_outbox_one_unsent')],
            },
        ),
        migrations.CreateModel(
            name='Payment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('environment', models.CharField(max_length=10)),
                ('token', models.CharField(default=loyalink_khalti.payments.models.new_token, max_length=32, unique=True)),
                ('attempt', models.PositiveIntegerField(default=1)),
                ('state', models.CharField(choices=[('created', 'created'), ('initiated', 'initiated'), ('paid', 'paid'), ('fulfilled', 'fulfilled'), ('released', 'released'), ('mismatched', 'mismatched'), ('partially_refunded', 'partially_refunded'), ('refunded', 'refunded')], default=loyalink_khalti.payments.states.PaymentState['CREATED'], max_length=20)),
                ('release_reason', models.CharField(blank=True, choices=[('refused', 'refused'), ('cancelled', 'cancelled'), ('expired', 'expired'), ('failed', 'failed'), ('cancelled_in_shop', 'cancelled_in_shop'), ('refunded', 'refunded')], default='', max_length=20)),
                ('amount', models.BigIntegerField(help_text='paisa')),
                ('pidx', models.CharField(blank=True, max_length=64, null=True, unique=True)),
                ('payment_url', models.CharField(blank=True, default='', max_length=2000)),
                ('transaction_id', models.CharField(blank=True, max_length=128, null=True)),
                ('captured', models.BigIntegerField(blank=True, help_text='paisa, as Khalti reports it', null=True)),
                ('fee', models.BigIntegerField(blank=True, help_text='paisa, kept by Khalti', null=True)),
                ('refunded', models.BigIntegerField(default=0, help_text='paisa')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('initiated_at', models.DateTimeField(blank=True, null=True)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('paid_at', models.DateTimeField(blank=True, null=True)),
                ('fulfilled_at', models.DateTimeField(blank=True, null=True)),
                ('released_at', models.DateTimeField(blank=True, null=True)),
                ('lease', models.CharField(blank=True, default='', max_length=32)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('last_lookup_at', models.DateTimeField(blank=True, null=True)),
                ('lookup_not_before', models.DateTimeField(blank=True, null=True)),
                ('lookup_count', models.PositiveIntegerField(default=0)),
                ('not_found', models.PositiveIntegerField(default=0)),
                ('next_poll_at', models.DateTimeField(blank=True, null=True)),
                ('poll_failures', models.PositiveIntegerField(default=0)),
                ('confirm_attempts', models.PositiveIntegerField(default=0, help_text='how often placing the order failed')),
                ('lookup_history', models.JSONField(blank=True, default=list, help_text='each new answer of lookup, with its time')),
                ('credentials', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='loyalink_khalti.credentials')),
            ],
            options={
                'verbose_name': 'payment',
                'verbose_name_plural': 'payments',
                'permissions': [('export_payment', 'Can export payments and the reports about them')],
            },
        ),
        migrations.CreateModel(
            name='Flag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(choices=[('amount_mismatch', 'amount_mismatch'), ('pidx_mismatch', 'pidx_mismatch'), ('no_transaction_id', 'no_transaction_id'), ('duplicate_transaction_id', 'duplicate_transaction_id'), ('second_payment', 'second_payment'), ('late', 'late'), ('paid_after_cancel', 'paid_after_cancel'), ('sold_out', 'sold_out'), ('host_failed', 'host_failed'), ('unknown_at_khalti', 'unknown_at_khalti'), ('unknown_status', 'unknown_status'), ('key_gone', 'key_gone'), ('key_refused', 'key_refused'), ('refund_unknown', 'refund_unknown'), ('refunded_at_khalti', 'refunded_at_khalti'), ('merchant_limit', 'merchant_limit'), ('initiate_refused', 'initiate_refused')], max_length=32)),
                ('evidence', models.JSONField(default=dict)),
                ('raised_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('mailed_at', models.DateTimeField(blank=True, null=True)),
                ('resolved_at', models.DateTimeField(blank=True, null=True)),
                ('resolution', models.CharField(blank=True, default='', max_length=20)),
                ('note', models.TextField(blank=True, default='')),
                ('actor', models.CharField(blank=True, help_text="the user's pk", max_length=64, null=True)),
                ('payment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='flags', to='loyalink_khalti.payment')),
            ],
        ),
        migrations.CreateModel(
            name='Program',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('site_key', models.CharField(max_length=255)),
                ('active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('active', True)), fields=('site_key',), name='loyalink_program_site')],
            },
        ),
        migrations.AddField(
            model_name='account',
            name='program',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='accounts', to='loyalink_khalti.program'),
        ),
        migrations.CreateModel(
            name='ProgramVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('stored', models.JSONField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('actor', models.CharField(blank=True, help_text="the user's pk; null is the system", max_length=64, null=True)),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='loyalink_khalti.program')),
            ],
        ),
        migrations.CreateModel(
            name='OrderRedemption',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purchase', models.CharField(max_length=192)),
                ('points', models.BigIntegerField()),
                ('value', models.BigIntegerField(help_text='paisa')),
                ('points_restored', models.BigIntegerField(default=0)),
                ('redeemed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='loyalink_khalti.account')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalink_khalti.program')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='loyalink_khalti.programversion')),
            ],
        ),
        migrations.CreateModel(
            name='OrderAward',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purchase', models.CharField(max_length=192)),
                ('proportional', models.BigIntegerField(help_text='points')),
                ('fixed', models.BigIntegerField(default=0, help_text='points')),
                ('basis', models.BigIntegerField(help_text='paisa that earned')),
                ('refunded', models.BigIntegerField(default=0, help_text='paisa of the basis')),
                ('points_clawed_back', models.BigIntegerField(default=0)),
                ('points_forgiven', models.BigIntegerField(default=0, help_text='those of the points clawed back that were missing')),
                ('awarded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='awards', to='loyalink_khalti.account')),
                ('program', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='loyalink_khalti.program')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='awards', to='loyalink_khalti.programversion')),
            ],
        ),
        migrations.AddField(
            model_name='hold',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='loyalink_khalti.programversion'),
        ),
        migrations.AddField(
            model_name='entry',
            name='version',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='loyalink_khalti.programversion'),
        ),
        migrations.CreateModel(
            name='Purchase',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('shop', models.CharField(max_length=50)),
                ('ref', models.CharField(max_length=128)),
                ('origin', models.CharField(max_length=128)),
                ('site_key', models.CharField(max_length=255)),
                ('language', models.CharField(max_length=20)),
                ('member_id', models.CharField(blank=True, max_length=64, null=True)),
                ('browser_session', models.CharField(blank=True, default='', max_length=64)),
                ('method', models.CharField(choices=[('khalti', 'khalti'), ('cod', 'cod'), ('bank_transfer', 'bank_transfer'), ('points', 'points')], max_length=20)),
                ('cart', models.JSONField()),
                ('total', models.BigIntegerField(help_text='paisa, before points')),
                ('points_redeemed', models.BigIntegerField(default=0)),
                ('points_value', models.BigIntegerField(default=0, help_text='paisa, the value of those points')),
                ('amount_due', models.BigIntegerField(help_text='paisa')),
                ('rules_version', models.BigIntegerField(blank=True, help_text='of the rules that the customer saw', null=True)),
                ('earned', models.BigIntegerField(default=0, help_text='points awarded')),
                ('state', models.CharField(choices=[('open', 'open'), ('placed', 'placed'), ('released', 'released')], default='open', max_length=10)),
                ('number', models.CharField(blank=True, default='', max_length=128)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('placed_at', models.DateTimeField(blank=True, null=True)),
                ('received_at', models.DateTimeField(blank=True, null=True)),
                ('received_by', models.CharField(blank=True, help_text="the user's pk", max_length=64, null=True)),
                ('released_at', models.DateTimeField(blank=True, null=True)),
                ('claimed_by', models.CharField(blank=True, help_text="member who claimed a guest's points", max_length=64, null=True)),
                ('claimed_at', models.DateTimeField(blank=True, null=True)),
                ('search_text', loyalink_khalti.search.SearchTextField(blank=True, default='', editable=False, help_text='reference, order number, name, e-mail address, phone')),
            ],
            options={
                'indexes': [models.Index(models.F('shop'), models.F('origin'), name='loyalink_purchase_origin'), models.Index(models.F('member_id'), condition=models.Q(('state', 'open')), name='loyalink_purchase_member_open'), models.Index(models.F('browser_session'), condition=models.Q(('state', 'open')), name='loyalink_purchase_session_open'), models.Index(fields=['member_id', '-created_at'], name='loyalink_purchase_of_member'), models.Index(models.F('number'), name='loyalink_purchase_number')],
                'constraints': [models.UniqueConstraint(fields=('shop', 'ref'), name='loyalink_purchase_shop_ref'), models.CheckConstraint(condition=models.Q(('amount_due', django.db.models.expressions.CombinedExpression(models.F('total'), '-', models.F('points_value'))), ('amount_due__gte', 0), ('points_redeemed__gte', 0), ('points_value__gte', 0)), name='loyalink_purchase_adds_up'), models.CheckConstraint(condition=models.Q(('member_id__isnull', True), ('claimed_by__isnull', True), _connector='OR'), name='loyalink_purchase_of_one')],
            },
        ),
        migrations.AddField(
            model_name='payment',
            name='purchase',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='payments', to='loyalink_khalti.purchase'),
        ),
        migrations.CreateModel(
            name='Refund',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('order', 'order'), ('payment', 'payment')], default='order', max_length=10)),
                ('key', models.CharField(max_length=128, unique=True)),
                ('state', models.CharField(choices=[('requested', 'requested'), ('sent', 'sent'), ('done', 'done'), ('refused', 'refused'), ('unknown', 'unknown')], default=loyalink_khalti.payments.states.RefundState['REQUESTED'], max_length=12)),
                ('subtotal', models.BigIntegerField(help_text='paisa, the products before points')),
                ('shipping', models.BigIntegerField(help_text='paisa of money for delivery')),
                ('amount', models.BigIntegerField(help_text='paisa of money, for products and delivery')),
                ('lines', models.JSONField(default=list, help_text='sku, quantity, whether restocked')),
                ('points_restored', models.BigIntegerField(default=0)),
                ('points_clawed_back', models.BigIntegerField(default=0)),
                ('actor', models.CharField(blank=True, help_text="the user's pk", max_length=64, null=True)),
                ('khalti_message', models.CharField(blank=True, default='', help_text="Khalti's own words", max_length=500)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('done_at', models.DateTimeField(blank=True, null=True)),
                ('applied_at', models.DateTimeField(blank=True, help_text='when the order and the points were updated', null=True)),
                ('payment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='loyalink_khalti.payment')),
                ('purchase', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='loyalink_khalti.purchase')),
            ],
            options={
                'permissions': [('refund_beyond_limit', "Can refund more than the limit in Khalti's settings")],
            },
        ),
        migrations.CreateModel(
            name='RefundApplied',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purchase', models.CharField(max_length=192)),
                ('refund_ref', models.CharField(max_length=128)),
                ('amount', models.BigIntegerField(help_text='paisa of the subtotal, by this refund')),
                ('cumulative', models.BigIntegerField(help_text='paisa of the subtotal, by all refunds so far')),
                ('points_restored', models.BigIntegerField(default=0)),
                ('points_clawed_back', models.BigIntegerField(default=0)),
                ('applied_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name_plural': 'refunds applied',
                'constraints': [models.UniqueConstraint(fields=('purchase', 'refund_ref'), name='loyalink_refund_once'), models.CheckConstraint(condition=models.Q(('amount__gte', 0), ('cumulative__gte', models.F('amount')), ('points_clawed_back__gte', 0), ('points_restored__gte', 0)), name='loyalink_refund_cumulative')],
            },
        ),
        migrations.AddIndex(
            model_name='lot',
            index=models.Index(models.F('account'), models.F('expires_at'), condition=models.Q(('remaining__gt', 0)), name='loyalink_lot_available'),
        ),
        migrations.AddIndex(
            model_name='lot',
            index=models.Index(models.F('expires_at'), condition=models.Q(('remaining__gt', 0)), name='loyalink_lot_expiring'),
        ),
        migrations.AddIndex(
            model_name='lot',
            index=models.Index(models.F('available_at'), condition=models.Q(('pending__gt', 0)), name='loyalink_lot_pending'),
        ),
        migrations.AddIndex(
            model_name='lot',
            index=models.Index(models.F('source'), name='loyalink_lot_source'),
        ),
        migrations.AddConstraint(
            model_name='lot',
            constraint=models.CheckConstraint(condition=models.Q(('original__gt', 0), ('pending__gte', 0), ('remaining__gte', 0), ('original__gte', django.db.models.expressions.CombinedExpression(models.F('pending'), '+', models.F('remaining')))), name='loyalink_lot_within_original'),
        ),
        migrations.AddConstraint(
            model_name='allocation',
            constraint=models.UniqueConstraint(fields=('hold', 'lot'), name='loyalink_allocation_once'),
        ),
        migrations.AddConstraint(
            model_name='allocation',
            constraint=models.CheckConstraint(condition=models.Q(('points__gte', 0), ('points_restored__gte', 0), ('points_restored__lte', models.F('points'))), name='loyalink_allocation_restored'),
        ),
        migrations.AddIndex(
            model_name='flag',
            index=models.Index(models.F('raised_at'), condition=models.Q(('resolved_at', None)), name='loyalink_flag_open'),
        ),
        migrations.AddConstraint(
            model_name='flag',
            constraint=models.UniqueConstraint(condition=models.Q(('resolved_at', None)), fields=('payment', 'reason'), name='loyalink_flag_once'),
        ),
        migrations.AddIndex(
            model_name='account',
            index=models.Index(models.F('program'), condition=models.Q(('owed__gt', 0)), name='loyalink_account_owing'),
        ),
        migrations.AddIndex(
            model_name='account',
            index=models.Index(models.F('program'), condition=models.Q(('blocked', True)), name='loyalink_account_blocked'),
        ),
        migrations.AddIndex(
            model_name='account',
            index=models.Index(condition=models.Q(('search_text', None)), fields=['id'], name='loyalink_account_unindexed'),
        ),
        migrations.AddIndex(
            model_name='account',
            index=models.Index(models.F('member_id'), name='loyalink_account_of_member'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.UniqueConstraint(fields=('program', 'member_id'), name='loyalink_account_member'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('available__gte', 0), ('held__gte', 0), ('owed__gte', 0), ('pending__gte', 0)), name='loyalink_account_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.CheckConstraint(condition=models.Q(('available', 0), ('owed', 0), _connector='OR'), name='loyalink_account_repays_first'),
        ),
        migrations.AddConstraint(
            model_name='programversion',
            constraint=models.UniqueConstraint(fields=('program', 'number'), name='loyalink_version_number'),
        ),
        migrations.AddConstraint(
            model_name='orderredemption',
            constraint=models.UniqueConstraint(fields=('purchase', 'program'), name='loyalink_redemption_once'),
        ),
        migrations.AddConstraint(
            model_name='orderredemption',
            constraint=models.CheckConstraint(condition=models.Q(('points__gt', 0), ('points_restored__gte', 0), ('points_restored__lte', models.F('points'))), name='loyalink_redemption_restored'),
        ),
        migrations.AddConstraint(
            model_name='orderaward',
            constraint=models.UniqueConstraint(fields=('purchase', 'program'), name='loyalink_award_once'),
        ),
        migrations.AddConstraint(
            model_name='orderaward',
            constraint=models.CheckConstraint(condition=models.Q(('fixed__gte', 0), ('points_clawed_back__gte', 0), ('proportional__gte', 0), ('points_clawed_back__lte', django.db.models.expressions.CombinedExpression(models.F('proportional'), '+', models.F('fixed')))), name='loyalink_award_clawed_back'),
        ),
        migrations.AddConstraint(
            model_name='orderaward',
            constraint=models.CheckConstraint(condition=models.Q(('points_forgiven__gte', 0), ('points_forgiven__lte', models.F('points_clawed_back')), ('refunded__gte', 0), ('refunded__lte', models.F('basis'))), name='loyalink_award_refunded'),
        ),
        migrations.AddIndex(
            model_name='hold',
            index=models.Index(models.F('purchase'), name='loyalink_hold_purchase'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'active')), fields=('purchase',), name='loyalink_one_active_hold'),
        ),
        migrations.AddConstraint(
            model_name='hold',
            constraint=models.CheckConstraint(condition=models.Q(('captured__gte', 0), ('captured__lte', models.F('points')), ('points__gt', 0)), name='loyalink_hold_captured'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(models.F('account'), models.F('kind'), models.F('at'), name='loyalink_entry_kind'),
        ),
        migrations.AddIndex(
            model_name='entry',
            index=models.Index(condition=models.Q(('kind', 'adjust')), fields=['-at'], name='loyalink_entry_adjusted'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.UniqueConstraint(fields=('account', 'seq'), name='loyalink_entry_seq'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='loyalink_entry_positive'),
        ),
        migrations.AddConstraint(
            model_name='entry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('dst', 'pending'), ('kind', 'earn'), ('src', 'issued')), models.Q(('dst', 'available'), ('kind', 'earn'), ('src', 'issued')), models.Q(('dst', 'available'), ('kind', 'activate'), ('src', 'pending')), models.Q(('dst', 'held'), ('kind', 'hold'), ('src', 'available')), models.Q(('dst', 'redeemed'), ('kind', 'capture'), ('src', 'held')), models.Q(('dst', 'available'), ('kind', 'release'), ('src', 'held')), models.Q(('dst', 'redeemed'), ('kind', 'late_capture'), ('src', 'available')), models.Q(('dst', 'redeemed'), ('kind', 'late_capture'), ('src', 'owed')), models.Q(('dst', 'expired'), ('kind', 'expire'), ('src', 'available')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'pending')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'available')), models.Q(('dst', 'reversed'), ('kind', 'claw_back'), ('src', 'owed')), models.Q(('dst', 'reversed'), ('kind', 'forgive'), ('src', 'written_off')), models.Q(('dst', 'available'), ('kind', 'restore'), ('src', 'redeemed')), models.Q(('dst', 'owed'), ('kind', 'repay'), ('src', 'available')), models.Q(('dst', 'available'), ('kind', 'adjust'), ('src', 'adjusted')), models.Q(('dst', 'adjusted'), ('kind', 'adjust'), ('src', 'available')), models.Q(('dst', 'adjusted'), ('kind', 'merge_out'), ('src', 'pending')), models.Q(('dst', 'adjusted'), ('kind', 'merge_out'), ('src', 'available')), models.Q(('dst', 'owed'), ('kind', 'merge_out'), ('src', 'adjusted')), models.Q(('dst', 'pending'), ('kind', 'merge_in'), ('src', 'adjusted')), models.Q(('dst', 'available'), ('kind', 'merge_in'), ('src', 'adjusted')), models.Q(('dst', 'adjusted'), ('kind', 'merge_in'), ('src', 'owed')), _connector='OR'), name='loyalink_entry_transfer'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(models.F('next_poll_at'), name='loyalink_payment_next_poll'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['-created_at', '-id'], name='loyalink_payment_newest'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(fields=['state', '-created_at', '-id'], name='loyalink_payment_state'),
        ),
        migrations.AddIndex(
            model_name='payment',
            index=models.Index(models.F('paid_at'), name='loyalink_payment_paid'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(fields=('environment', 'transaction_id'), name='loyalink_one_payment_per_transaction'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', [loyalink_khalti.payments.states.PaymentState['CREATED'], loyalink_khalti.payments.states.PaymentState['INITIATED']])), fields=('purchase',), name='loyalink_one_live_payment'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(condition=models.Q(('fulfilled_at__isnull', False)), fields=('purchase',), name='loyalink_one_fulfilled_payment'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.UniqueConstraint(fields=('purchase', 'attempt'), name='loyalink_payment_attempt'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='loyalink_payment_amount_positive'),
        ),
        migrations.AddConstraint(
            model_name='payment',
            constraint=models.CheckConstraint(condition=models.Q(('refunded', 0), models.Q(('captured__isnull', False), ('refunded__gt', 0), ('refunded__lte', models.F('captured'))), _connector='OR'), name='loyalink_refunded_within_captured'),
        ),
        migrations.AddIndex(
            model_name='refund',
            index=models.Index(models.F('done_at'), name='loyalink_refund_done'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', [loyalink_khalti.payments.states.RefundState['REQUESTED'], loyalink_khalti.payments.states.RefundState['SENT'], loyalink_khalti.payments.states.RefundState['UNKNOWN']])), fields=('purchase',), name='loyalink_one_refund_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('amount__gte', models.F('shipping')), ('shipping__gte', 0), ('subtotal__gte', 0)), name='loyalink_refund_adds_up'),
        ),
    ]

import django.db.models.deletion
import wagtail.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('wagtailcore', '0097_baselogentry_uuid_action_timestamp_indexes'),
        ('wagtailimages', '0027_image_description'),
    ]

    operations = [
        migrations.CreateModel(
            name='TermsPage',
            fields=[
                ('page_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='wagtailcore.page')),
                ('introduction', models.TextField(blank=True)),
                ('body', wagtail.fields.StreamField([('section', 2)], blank=True, block_lookup={0: ('wagtail.blocks.CharBlock', (), {}), 1: ('wagtail.blocks.RichTextBlock', (), {}), 2: ('wagtail.blocks.StructBlock', [[('heading', 0), ('text', 1)]], {})})),
                ('small_print', wagtail.fields.RichTextField(blank=True)),
            ],
            options={
                'verbose_name': 'programme terms',
            },
            bases=('wagtailcore.page',),
        ),
        migrations.CreateModel(
            name='HomePage',
            fields=[
                ('page_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='wagtailcore.page')),
                ('hero_title', models.CharField(max_length=120, verbose_name='heading')),
                ('hero_text', models.TextField(blank=True, verbose_name='text')),
                ('hero_link_text', models.CharField(blank=True, max_length=40, verbose_name='button text')),
                ('hero_link', models.CharField(blank=True, max_length=200, verbose_name='button link')),
                ('body', wagtail.fields.StreamField([('promos', 6), ('products', 9), ('product', 12), ('categories', 13), ('text', 14)], blank=True, block_lookup={0: ('wagtail.blocks.CharBlock', (), {'max_length': 80}), 1: ('wagtail.blocks.TextBlock', (), {'required': False}), 2: ('wagtail.blocks.CharBlock', (), {'max_length': 40, 'required': False}), 3: ('wagtail.blocks.CharBlock', (), {'help_text': 'An address of this site, such as /shop/offers/', 'max_length': 200, 'required': False}), 4: ('wagtail.blocks.ChoiceBlock', [], {'choices': [('vermilion', 'Vermilion'), ('marigold', 'Marigold'), ('indigo', 'Indigo')]}), 5: ('wagtail.blocks.StructBlock', [[('title', 0), ('text', 1), ('link_text', 2), ('link', 3), ('tone', 4)]], {}), 6: ('wagtail.blocks.ListBlock', (5,), {'icon': 'tag', 'template': 'home/promos.html'}), 7: ('loyalink_khalti.hosts.oscar.catalogue.blocks.ProductChooserBlock', (), {}), 8: ('wagtail.blocks.ListBlock', (7,), {'label': 'products'}), 9: ('wagtail.blocks.StructBlock', [[('heading', 0), ('products', 8)]], {}), 10: ('loyalink_khalti.hosts.oscar.catalogue.blocks.ProductChooserBlock', (), {'label': 'product'}), 11: ('wagtail.blocks.CharBlock', (), {'help_text': 'A line below it, for example why you like it.', 'label': 'note', 'max_length': 200, 'required': False}), 12: ('wagtail.blocks.StructBlock', [[('product', 10), ('note', 11)]], {}), 13: ('wagtail.blocks.StructBlock', [[('heading', 0)]], {}), 14: ('wagtail.blocks.RichTextBlock', (), {})})),
                ('hero_image', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='wagtailimages.image', verbose_name='picture')),
            ],
            options={
                'verbose_name': 'home page',
            },
            bases=('wagtailcore.page',),
        ),
    ]

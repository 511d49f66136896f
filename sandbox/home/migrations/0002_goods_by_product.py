"""Name the goods on the home page by their products, as the chooser does, where they were named by their UPCs."""

from django.apps import apps as installed
from django.db import migrations
from wagtail.blocks.migrations.migrate_operation import MigrateStreamData
from wagtail.blocks.migrations.operations import BaseBlockOperation


class Rename(BaseBlockOperation):
    """Read a shelf's list from one child of its block and write what each stands for to another."""

    operation_name_fragment = 'goods_by_product'

    def __init__(self, old, new, pair):
        self.old, self.new, self.pair = old, new, pair

    def apply(self, block_value):
        value = dict(block_value)
        items = value.pop(self.old, None)
        if items is None:
            return value
        products = installed.get_model('catalogue', 'Product').objects.exclude(upc=None)
        stands_for = dict(products.values_list(*self.pair))
        found = [(item, stands_for.get(item['value'] if isinstance(item, dict) else item)) for item in items]
        return {**value, self.new: [
            {**item, 'value': name} if isinstance(item, dict) else name for item, name in found if name is not None
        ]}


def on_the_home_page(operation):
    return MigrateStreamData('sandbox_home', 'HomePage', 'body', [(operation, 'goods')]).code


class Migration(migrations.Migration):

    dependencies = [
        ('sandbox_home', '0001_pages'),
        ('catalogue', '0001_initial'),
    ]

    operations = [
        migrations.RunPython(
            on_the_home_page(Rename('upcs', 'products', ('upc', 'pk'))),
            on_the_home_page(Rename('products', 'upcs', ('pk', 'upc'))),
        ),
    ]

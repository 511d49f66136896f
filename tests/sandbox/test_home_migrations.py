"""Pages written before goods were chosen by their product keep their goods."""

from importlib import import_module

import pytest
from django.apps import apps

from sandbox.home.models import HomePage

goods_by_product = import_module("sandbox.home.migrations.0002_goods_by_product")


@pytest.fixture
def migration(store):
    return goods_by_product.Migration.operations[0]


def window(home):
    """The home page's shelf, as it is stored."""
    home.refresh_from_db()
    return next(block["value"] for block in home.body.raw_data if block["type"] == "goods")


def upcs(home):
    home.refresh_from_db()
    return [product.upc for block in home.body if block.block_type == "goods" for product in block.value["products"]]


def test_there_and_back_the_page_names_the_same_goods(migration):
    home = HomePage.objects.get()
    home.save_revision()
    before = upcs(home)

    migration.reverse_code(apps, None)
    old = window(home)
    migration.code(apps, None)

    assert [item["value"] for item in old["upcs"]] == before
    assert "products" not in old
    assert upcs(home) == before
    assert [product.upc for product in home.latest_revision.as_object().body[1].value["products"]] == before


def test_goods_that_are_gone_are_left_out(migration):
    home = HomePage.objects.get()
    migration.reverse_code(apps, None)
    old = window(home)
    raw = [
        {**block, "value": {**old, "upcs": ["NO-SUCH", old["upcs"][0]]}} if block["type"] == "goods" else block
        for block in home.body.raw_data
    ]
    home.body = raw
    home.save(clean=False)

    migration.code(apps, None)

    assert len(window(home)["products"]) == 1

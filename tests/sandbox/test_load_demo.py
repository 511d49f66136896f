from django.apps import apps
from django.contrib.auth import authenticate, get_user_model
from django.core import serializers
from django.core.management import call_command
from oscar.core.loading import get_model

from loyalink_khalti.loyalty.models import Account
from sandbox.demo import catalogue
from sandbox.shop.accounts import PASSWORD


def every_row():
    return {
        model._meta.label: serializers.serialize("json", model._base_manager.order_by("pk"))
        for model in apps.get_models()
        if not model._meta.proxy and model._meta.managed
    }


def test_loading_twice_changes_nothing(store):
    before = every_row()

    call_command("load_demo", verbosity=0)

    assert every_row() == before


def test_later_sales_and_edits_stay(store):
    stock = get_model("partner", "StockRecord").objects.first()
    stock.num_in_stock = 1
    stock.save()
    get_model("voucher", "Voucher").objects.all().delete()

    call_command("load_demo", verbosity=0)

    stock.refresh_from_db()
    assert stock.num_in_stock == 1
    assert not get_model("voucher", "Voucher").objects.exists()


def test_every_product_is_sold_at_its_price_with_its_picture(store):
    for source in catalogue.PRODUCTS:
        product = get_model("catalogue", "Product").objects.get(upc=source.sku)

        assert product.stockrecords.get().price * 100 == source.price_paisa
        assert product.stockrecords.get().price_currency == "NPR"
        assert product.images.get().original.storage.exists(product.images.get().original.name)
        assert product.categories.get().slug == source.category


def test_the_customers_have_their_opening_points(store):
    emails = dict(get_user_model().objects.values_list("pk", "email"))
    available = {emails[int(account.member_id)]: account.available for account in Account.objects.all()}

    assert available == {"sita@example.com": 1200, "ram@example.com": 300}


def test_every_account_logs_in_by_e_mail_and_staff_also_by_user_name(store, rf):
    for name in ("sita@example.com", "ram@example.com", "gita@example.com", "editor@example.com", "editor", "admin"):
        assert authenticate(rf.get("/"), username=name, password=PASSWORD), name


def test_products_are_delivered_only_in_nepal(store):
    countries = get_model("address", "Country").objects.filter(is_shipping_country=True)

    assert [country.code for country in countries] == ["NP"]


def test_the_addresses_in_mails_are_those_of_the_store(store, settings):
    settings.SITE_URL = "https://pasal.example:8443"

    call_command("load_demo", verbosity=0)

    assert get_model("sites", "Site").objects.get().domain == "pasal.example:8443"
    site = get_model("wagtailcore", "Site").objects.get()
    assert (site.hostname, site.port) == ("pasal.example", 8443)

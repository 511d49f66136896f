from django.apps import apps
from django.contrib.auth import authenticate, get_user_model
from django.core import serializers
from django.core.management import call_command
from oscar.core.loading import get_model

from loyalink_khalti.loyalty.models import Account
from sandbox.demo import catalogue
from sandbox.shop.people import PASSWORD


def everything():
    return {
        model._meta.label: serializers.serialize("json", model._base_manager.order_by("pk"))
        for model in apps.get_models()
        if not model._meta.proxy and model._meta.managed
    }


def test_loaded_twice_nothing_changes(store):
    before = everything()

    call_command("load_demo", verbosity=0)

    assert everything() == before


def test_what_was_sold_or_edited_since_stays(store):
    stock = get_model("partner", "StockRecord").objects.first()
    stock.num_in_stock = 1
    stock.save()
    get_model("voucher", "Voucher").objects.all().delete()

    call_command("load_demo", verbosity=0)

    stock.refresh_from_db()
    assert stock.num_in_stock == 1
    assert not get_model("voucher", "Voucher").objects.exists()


def test_every_product_is_for_sale_at_its_price_with_its_picture(store):
    for good in catalogue.PRODUCTS:
        product = get_model("catalogue", "Product").objects.get(upc=good.sku)

        assert product.stockrecords.get().price * 100 == good.price_paisa
        assert product.stockrecords.get().price_currency == "NPR"
        assert product.images.get().original.storage.exists(product.images.get().original.name)
        assert product.categories.get().slug == good.category


def test_the_customers_begin_with_their_points(store):
    emails = dict(get_user_model().objects.values_list("pk", "email"))
    available = {emails[int(account.member_id)]: account.available for account in Account.objects.all()}

    assert available == {"sita@example.com": 1200, "ram@example.com": 300}


def test_everybody_logs_in_by_e_mail_and_staff_by_name_too(store, rf):
    for name in ("sita@example.com", "ram@example.com", "gita@example.com", "editor@example.com", "editor", "admin"):
        assert authenticate(rf.get("/"), username=name, password=PASSWORD), name


def test_goods_go_to_nepal_alone(store):
    countries = get_model("address", "Country").objects.filter(is_shipping_country=True)

    assert [country.code for country in countries] == ["NP"]


def test_the_addresses_in_mails_follow_the_store(store, settings):
    settings.SITE_URL = "https://pasal.example:8443"

    call_command("load_demo", verbosity=0)

    assert get_model("sites", "Site").objects.get().domain == "pasal.example:8443"
    site = get_model("wagtailcore", "Site").objects.get()
    assert (site.hostname, site.port) == ("pasal.example", 8443)

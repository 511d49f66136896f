"""Each numbered check speaks up for its own fault, and keeps quiet about the demo store."""

import types
from datetime import timedelta

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.apps import apps
from django.conf.urls.i18n import i18n_patterns
from django.core import checks
from django.db import connection, router
from django.http import HttpResponse
from django.urls import include, path, re_path
from django.utils import timezone
from oscar.apps.checkout.apps import CheckoutConfig
from oscar.apps.customer.apps import CustomerConfig
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.khalti import Secret
from loyalink_khalti.payments import services
from loyalink_khalti.payments.models import Payment, Purchase

KEY = "live_secret_key_00000000000040008000000000c0ffee"
SIMULATED = "http://127.0.0.1:9911/api/v2/"


@pytest.fixture
def found():
    """What the checks find: number → message, ours alone; ``databases=["default"]`` looks into it too."""

    def run(**given):
        ours = [message for message in checks.run_checks(**given) if str(message.id).startswith("loyalink_khalti.")]
        assert all(message.hint for message in ours)
        return {message.id.removeprefix("loyalink_khalti."): message.msg for message in ours}

    return run


@pytest.fixture
def shop(settings, monkeypatch):
    """A shop in production as it should be, but for what a test says."""
    for name in ("KHALTI_SECRET_KEY", "KHALTI_BASE_URL", "LOYALINK_FERNET_KEYS"):
        monkeypatch.delenv(name, raising=False)
    good = {
        "SHOPS": {"oscar": "loyalink_khalti.hosts.oscar.shop.OscarShop"},
        "SITE_URL": "https://shop.example",
        "KHALTI_SECRET_KEY": KEY,
        "FERNET_KEYS": [Fernet.generate_key().decode()],
        "ALERTS_TO": ["shopkeeper@shop.example"],
    }

    def but(**given):
        settings.LOYALINK_KHALTI = {**good, **given}

    but()
    settings.DEBUG = False
    return but


def a_payment():
    """One that waits at Khalti."""
    purchase = Purchase.objects.create(
        shop="oscar", ref="1", origin="1", site_key="default", language="en", method="khalti", cart={}, total=1000,
        payable=1000,
    )  # fmt: skip
    payment = services.open_payment(purchase, credentials=conf.credentials("default"))
    Payment.objects.update(state="initiated", pidx="pidx1", watch_after=timezone.now())
    payment.refresh_from_db()
    return payment


@pytest.mark.django_db
def test_a_shop_as_it_should_be_has_nothing_to_mend(shop, found):
    assert found(databases=["default"]) == {}


@pytest.mark.django_db
def test_the_demo_store_has_nothing_to_mend(settings, found):
    settings.DEBUG = True

    assert found(databases=["default"]) == {}


@pytest.mark.parametrize(
    "url", ["http://pay.example/api/v2/", "ftp://khalti.com/", "khalti.com/api/v2", "https://a@b/"]
)
def test_a_server_that_may_not_be_called(shop, found, url):
    shop(KHALTI_BASE_URL=url)

    assert url.rstrip("/") in found()["E001"]


def test_a_server_that_is_not_khaltis_in_production(shop, found, settings):
    shop(KHALTI_BASE_URL=SIMULATED)

    assert SIMULATED in found()["E002"]

    settings.DEBUG = True
    assert found() == {}


@pytest.mark.django_db
def test_no_key(shop, found):
    shop(KHALTI_SECRET_KEY="")

    assert found() == {}
    assert set(found(databases=["default"])) == {"W003"}

    conf.save_key("default", conf.TEST, Secret(KEY))
    assert found(databases=["default"]) == {}


@pytest.mark.django_db
def test_a_stored_key_that_cannot_be_read(shop, found):
    conf.save_key("default", conf.TEST, Secret(KEY))
    shop(FERNET_KEYS=[Fernet.generate_key().decode()])

    assert found() == {}
    assert Secret(KEY).fingerprint in found(databases=["default"])["E004"]


@pytest.mark.django_db
def test_a_retired_key_of_no_payment_is_nobodys_trouble(shop, found):
    conf.save_key("default", conf.TEST, Secret(KEY))
    conf.remove_key("default", conf.TEST)
    shop(FERNET_KEYS=[Fernet.generate_key().decode()])

    assert found(databases=["default"]) == {}


@pytest.mark.django_db
def test_a_database_without_tables_is_checked_after_it_has_them(shop, found):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE loyalink_khalti_credentials RENAME TO elsewhere")

    assert found(databases=["default"]) == {}


def test_a_key_of_the_deployment_that_is_none(shop, found):
    shop(KHALTI_SECRET_KEY="with spaces")

    assert "with spaces" not in found()["E005"]


def test_fernet_keys_that_are_none(shop, found):
    shop(FERNET_KEYS=["short"])

    assert set(found()) == {"E006"}


def test_no_fernet_keys_where_editors_are_to_enter_a_key(shop, found):
    shop(FERNET_KEYS=[], KHALTI_SECRET_KEY="")
    assert set(found()) == {"W007"}

    shop(FERNET_KEYS=[])
    assert found() == {}


@pytest.mark.parametrize("options", [{}, {"transaction_mode": "DEFERRED"}])
def test_sqlite_that_locks_too_late(shop, found, settings, monkeypatch, options):
    """H05"""
    entry = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": options}
    monkeypatch.setitem(settings.DATABASES, "default", entry)

    assert "'default'" in found()["W008"]


def test_a_shop_that_does_not_sell_in_rupees(shop, found, settings):
    settings.OSCAR_DEFAULT_CURRENCY = "GBP"

    assert "GBP" in found()["E009"]


def test_a_plain_http_shop_in_production(shop, found, settings):
    shop(SITE_URL="http://shop.example")
    assert "http://shop.example" in found()["E010"]

    settings.DEBUG = True
    assert found() == {}


def test_plain_http_on_ones_own_machine_is_no_fault(shop, found):
    shop(SITE_URL="http://127.0.0.1:8000")

    assert found() == {}


@pytest.mark.parametrize("url", ["shop.example", "https://", "//shop.example"])
def test_a_site_url_that_is_no_address(shop, found, url):
    shop(SITE_URL=url)

    assert url in found()["E011"]


def test_no_site_url(shop, found):
    shop(SITE_URL="")

    assert set(found()) == {"W012"}


@pytest.mark.django_db
def test_without_site_url_wagtails_sites_are_looked_at(shop, found):
    shop(SITE_URL="")
    Site.objects.update(hostname="shop.example", port=80)
    assert "http://shop.example" in found(databases=["default"])["E010"]

    Site.objects.update(port=443)
    assert set(found(databases=["default"])) == {"W012"}

    Site.objects.update(is_default_site=False)
    assert set(found(databases=["default"])) == {"W012", "E013"}


def test_a_session_cookie_that_is_not_sent_on_the_way_back(shop, found, settings):
    settings.SESSION_COOKIE_SAMESITE = "Strict"

    assert set(found()) == {"W014"}


@pytest.mark.parametrize("value", [-1, "10", True])
def test_a_deadline_that_is_no_number_of_seconds(shop, found, value):
    shop(DEADLINE=value)

    assert "DEADLINE" in found()["E015"]


@pytest.mark.parametrize("number", [-1, "2", 0.5, None])
def test_a_number_of_calls_that_is_none_is_told(shop, found, number):
    shop(CALLS_AT_ONCE=number)

    assert "CALLS_AT_ONCE" in found()["E015"]


def test_a_setting_that_nobody_reads(shop, found):
    shop(SECRET_KEY=KEY)

    assert "'SECRET_KEY'" in found()["W016"]
    assert KEY not in found()["W016"]


def test_no_shop(shop, found):
    shop(SHOPS={})

    assert set(found()) == {"W017"}


@pytest.mark.parametrize(
    "path_to_it", ["nowhere.Shop", "loyalink_khalti.conf.nothing", "not dotted", "loyalink_khalti.conf"]
)
def test_a_shop_that_cannot_be_used(shop, found, path_to_it):
    shop(SHOPS={"books": path_to_it})

    assert "'books'" in found()["E018"]


def test_no_bar_for_a_payment_under_way(shop, found, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.endswith("WaitingPaymentMiddleware")]

    assert set(found()) == {"W019"}


# The addresses


def urls(settings, *patterns):
    urlconf = types.ModuleType("urls_of_this_test")
    urlconf.urlpatterns = list(patterns)
    settings.ROOT_URLCONF = urlconf


def ours():
    return path("khalti/", include("loyalink_khalti.storefront.urls"))


def _page(request):
    return HttpResponse()


def anything():
    return re_path("", _page)


def test_no_page_to_come_back_to(shop, found, settings):
    urls(settings, anything())

    assert "E020" in found()


def test_a_page_to_come_back_to_that_changes_with_the_language(shop, found, settings):
    urls(settings, *i18n_patterns(ours()))

    assert "E021" in found()


def test_a_page_to_come_back_to_that_another_takes(shop, found, settings):
    urls(settings, anything(), ours())
    assert "E022" in found()

    urls(settings, ours(), anything())
    assert not {"E020", "E021", "E022"} & set(found())


# Oscar


def test_a_pipeline_without_the_adapters_statuses(shop, found, settings):
    settings.OSCAR_ORDER_STATUS_PIPELINE = {"Awaiting payment": (), "Pending": (), "Cancelled": ()}

    assert "'Paid', 'Refunded'" in found()["E023"]


def test_statuses_of_other_names(shop, found, settings):
    shop(OSCAR={"PAID": "Settled"})
    assert "'Settled'" in found()["E023"]

    settings.OSCAR_ORDER_STATUS_PIPELINE = {**settings.OSCAR_ORDER_STATUS_PIPELINE, "Settled": ()}
    assert found() == {}


@pytest.mark.parametrize("status", ["Awaiting payment", "Cancelled"])
def test_a_pipeline_that_lets_staff_decide_what_khalti_decides(shop, found, settings, status):
    settings.OSCAR_ORDER_STATUS_PIPELINE = {**settings.OSCAR_ORDER_STATUS_PIPELINE, status: ("Paid",)}

    assert status in found()["W024"]


def test_oscars_own_checkout_beside_the_adapter(shop, found, monkeypatch):
    monkeypatch.setitem(apps.app_configs, "checkout", _like(apps.get_app_config("checkout"), CheckoutConfig))
    monkeypatch.setitem(apps.app_configs, "customer", _like(apps.get_app_config("customer"), CustomerConfig))

    assert "loyalink_khalti.hosts.oscar.apps.CheckoutConfig" not in found()["E025"]
    assert set(found()) == {"E025", "W026"}


def test_a_shop_on_another_host_needs_nothing_of_oscar(shop, found, settings):
    shop(SHOPS={"mine": "loyalink_khalti.hosts.oscar.shop.OscarShop"})
    settings.OSCAR_ORDER_STATUS_PIPELINE = {}

    assert found() == {}


def _like(config, kind):
    """Oscar's own app in place of the adapter's."""
    own = object.__new__(kind)
    own.__dict__.update(config.__dict__)
    return own


def test_wagtail_without_its_settings(shop, found, monkeypatch):
    everything = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda app: app != "wagtail.contrib.settings" and everything(app))

    assert list(found()) == ["E031"]


@pytest.mark.django_db
def test_payments_that_nobody_asks_about_are_told_with_their_age(shop, found, monkeypatch):
    """G06"""
    waiting = a_payment()
    before = set(found(databases=["default"]))
    with time_machine.travel(timezone.now() + timedelta(hours=3)):
        message = found(databases=["default"])["W032"]

    assert waiting.state == "initiated"
    assert before == set()
    assert "3\xa0hours" in message
    assert "has never run" in message


def test_a_shop_in_which_nobody_hears_of_flags_is_told(shop, found, settings):
    shop(ALERTS_TO=[])
    nobody = set(found())
    settings.MANAGERS = [("Sita", "sita@shop.example")]

    assert (nobody, found()) == ({"W033"}, {})


class ReadsElsewhere:
    def db_for_read(self, model, **hints):
        return "replica" if model._meta.app_label == "loyalink_khalti" else None


def test_money_that_would_be_read_from_a_replica_is_an_error(shop, found, monkeypatch):
    """H08: what was just written may not be there yet."""
    monkeypatch.setattr(router, "routers", [ReadsElsewhere()])

    assert "'replica'" in found()["E034"]


def test_a_shop_without_the_door_is_told_where_it_belongs(shop, found, settings):
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if not path.endswith("DoorMiddleware")]

    assert set(found()) == {"W035"}


def another_site(hostname, port=80, **fields):
    return Site.objects.create(hostname=hostname, port=port, root_page=Site.objects.first().root_page, **fields)


@pytest.mark.django_db
def test_sites_of_one_host_name_are_told_that_they_share_everything(shop, found):
    another_site("kids.example")
    alone = found(databases=["default"])
    another_site("kids.example", 8080)

    assert alone == {}
    assert "kids.example:80, kids.example:8080 have one host name" in found(databases=["default"])["W036"]
    assert found() == {}


@pytest.mark.django_db
def test_the_default_site_shares_its_host_name_with_nobodys_points(shop, found):
    """It is known as the default one, not by its host name."""
    default = Site.objects.get(is_default_site=True)
    another_site(default.hostname, 8080)

    assert found(databases=["default"]) == {}


@pytest.mark.django_db
def test_a_site_whose_host_is_called_default_is_taken_for_the_default_one(shop, found):
    called_so = another_site("default")
    taken = found(databases=["default"])
    called_so.delete()
    Site.objects.update(hostname="default")

    assert "default:80 is taken for Wagtail's default site" in taken["W036"]
    assert found(databases=["default"]) == {}

"""M11: a site keeps its key, and with it payments, points, keys and rules, whatever an editor renames."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.test import RequestFactory
from wagtail.models import Site

from loyalink_khalti import conf
from loyalink_khalti.backoffice.models import KhaltiSettings, LoyaltySettings
from loyalink_khalti.conf.sites import SiteKey
from loyalink_khalti.loyalty import ledger
from loyalink_khalti.money import Points
from loyalink_khalti.staff.sites import site_names

pytestmark = [pytest.mark.money, pytest.mark.same_on_both, pytest.mark.django_db]

Deploy = Callable[..., None]


@pytest.fixture
def default() -> Site:
    return Site.objects.get(is_default_site=True)


@pytest.fixture
def books(default: Site) -> Site:
    return Site.objects.create(hostname="books.example", root_page=default.root_page)


def key_at(host: str) -> str:
    return conf.site_key(RequestFactory().get("/", headers={"host": host}))


def points_at(host: str, member_id: str = "7") -> int | None:
    account = ledger.find_account(key_at(host), member_id)
    return account and account.available


def add_points(host: str, points: int) -> None:
    ledger.adjust(site_key=key_at(host), member_id="7", points=points, key="gift", reason="goodwill")


def make_default(site: Site) -> None:
    Site.objects.update(is_default_site=False)
    site.is_default_site = True
    site.save()


def test_a_new_site_has_a_key_that_none_of_its_names_is(default: Site, books: Site) -> None:
    assert conf.site_key_of(default) == conf.site_key() == conf.site_key_of(None) == "default"
    assert str(UUID(conf.site_key_of(books))) == conf.site_key_of(books) == key_at("books.example")


def test_members_keep_points_and_rules_when_the_host_name_changes(books: Site) -> None:
    """M11"""
    add_points("books.example", 500)
    rules = replace(ledger.current_version(key_at("books.example")).rules, first_order_bonus=Points(50))
    ledger.set_rules(key_at("books.example"), rules)

    books.hostname = "kitab.example"
    books.save()

    assert points_at("kitab.example") == 500
    assert ledger.current_version(key_at("kitab.example")).rules == rules
    assert points_at("books.example") is None  # the default site answers for it now


def test_members_keep_their_points_when_another_site_becomes_the_default(default: Site, books: Site) -> None:
    """M11"""
    default.hostname = "shop.example"
    default.save()
    add_points("shop.example", 300)
    add_points("books.example", 500)

    make_default(books)

    assert (points_at("shop.example"), points_at("books.example")) == (300, 500)


def test_a_site_with_the_former_name_of_another_has_nothing_of_it(default: Site, books: Site) -> None:
    """M11"""
    add_points("books.example", 500)
    books.hostname = "kitab.example"
    books.save()

    Site.objects.create(hostname="books.example", root_page=default.root_page)

    assert (points_at("books.example"), points_at("kitab.example")) == (None, 500)


def test_a_site_that_is_deleted_and_created_again_starts_anew(default: Site, books: Site) -> None:
    """M11"""
    add_points("books.example", 500)
    former = conf.site_key_of(books)
    pk = books.pk
    books.delete()

    again = Site.objects.create(pk=pk, hostname="books.example", root_page=default.root_page)

    assert conf.site_key_of(again) not in {former, "default"}
    assert points_at("books.example") is None
    assert site_names()[former] == "books.example (deleted)"
    assert conf.deleted_sites() == {former: "books.example"}


def test_the_settings_of_a_site_follow_its_key(default: Site, books: Site, deploy: Deploy) -> None:
    """M11"""
    KhaltiSettings.objects.create(site=books, title="Books", refund_limit=5000)
    LoyaltySettings.objects.create(site=books, name="Book points", adjust_limit=10)
    key = conf.site_key_of(books)
    books.hostname = "kitab.example"
    make_default(books)

    assert conf.khalti_options(key).title == "Books"
    assert (conf.refund_limits(key).per_order, conf.adjust_limits(key).per_member) == (5000, 10)
    assert conf.program_texts(key).name == "Book points"
    assert conf.khalti_options("default").title == "Khalti"
    assert conf.site_url(key) == "http://kitab.example"


def test_a_deleted_site_has_the_address_of_the_default_site_and_no_refund_within_a_limit(
    default: Site, books: Site, deploy: Deploy
) -> None:
    """M11: Payments of then are still completed, and mails have a link that works."""
    key = conf.site_key_of(books)
    KhaltiSettings.objects.create(site=books, refund_limit=5000)
    books.delete()

    assert conf.site_url(key) == default.root_url
    assert (conf.refund_limits(key).per_order, conf.adjust_limits(key).per_action) == (0, 0)

    default.delete()

    with pytest.raises(ImproperlyConfigured):
        conf.site_url(key)


def test_the_key_of_a_site_that_no_signal_has_announced_is_made_at_its_first_use(default: Site) -> None:
    Site.objects.bulk_create([Site(hostname="quiet.example", root_page=default.root_page)])

    assert not SiteKey.objects.filter(name="quiet.example").exists()
    assert key_at("quiet.example") == key_at("quiet.example") == SiteKey.objects.get(name="quiet.example").key


def test_a_request_reads_its_key_once(books: Site, django_assert_num_queries: Any) -> None:
    request = RequestFactory().get("/", headers={"host": "books.example"})

    with django_assert_num_queries(2):  # the site, and its key
        assert conf.site_key(request) == conf.site_key(request)


def test_a_fixture_brings_the_keys_of_its_sites(books: Site, tmp_path: Any) -> None:
    key, path = conf.site_key_of(books), tmp_path / "sites.json"
    call_command("dumpdata", "wagtailcore.site", "loyalink_khalti.sitekey", output=str(path))
    SiteKey.objects.all().delete()
    Site.objects.filter(pk=books.pk).delete()

    call_command("loaddata", str(path), verbosity=0)

    assert key_at("books.example") == key

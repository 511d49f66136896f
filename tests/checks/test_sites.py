"""Checks of the sites: a public address over https, and a host name of its own for each."""

import pytest
from django.urls import clear_script_prefix, set_script_prefix
from wagtail.models import Site

from loyalink_khalti.conf.sites import SiteKey

pytestmark = pytest.mark.sampled


def test_a_plain_http_shop_in_production(deploy, messages, settings):
    deploy(SITE_URL="http://shop.example")
    assert "http://shop.example" in messages()["E010"]

    settings.DEBUG = True
    assert messages() == {}


def test_plain_http_on_this_machine_is_allowed(deploy, messages):
    deploy(SITE_URL="http://127.0.0.1:8000")

    assert messages() == {}


@pytest.mark.parametrize(
    "url", ["shop.example", "https://", "//shop.example", "https://shop.example/?a=1", "https://shop.example/#top"]
)
def test_an_invalid_site_url(deploy, messages, url):
    deploy(SITE_URL=url)

    assert url in messages()["E011"]


@pytest.fixture
def below_a_path(settings):
    """The whole site is served below /pasal, and Django's commands know it."""
    settings.FORCE_SCRIPT_NAME = "/pasal"
    set_script_prefix("/pasal")
    yield
    clear_script_prefix()


@pytest.mark.parametrize("url", ["https://shop.example", "https://shop.example/pasal", "https://shop.example/pasal/"])
def test_a_shop_below_a_path_has_no_message(below_a_path, deploy, messages, url):
    """H2: E022 was false and stopped every command."""
    deploy(SITE_URL=url)

    assert messages() == {}


@pytest.mark.parametrize("url", ["https://shop.example/shop", "https://shop.example/pasal/shop/"])
def test_a_path_in_site_url_that_is_not_the_shops_is_an_error(below_a_path, deploy, messages, url):
    """H2: the customer would return to a page that does not exist."""
    deploy(SITE_URL=url)

    assert set(messages()) == {"E047"}


def test_a_path_in_site_url_of_a_shop_at_the_root_is_an_error(deploy, messages):
    """H2"""
    deploy(SITE_URL="https://shop.example/shop/")

    assert "'/shop'" in messages()["E047"]
    assert "at the root" in messages()["E047"]


def test_a_script_name_without_a_slash_is_an_error(deploy, messages, settings):
    """H2"""
    settings.FORCE_SCRIPT_NAME = "pasal/"

    assert "E048" in messages()


@pytest.mark.parametrize("name", ["SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH"])
@pytest.mark.parametrize(
    ("path", "found"), [("/shop", {"W049"}), ("/khal", {"W049"}), ("/khalti/", set()), ("/", set())]
)
def test_a_cookie_that_browsers_do_not_send_to_our_pages_is_a_warning(deploy, messages, settings, name, path, found):
    """H2"""
    setattr(settings, name, path)

    assert set(messages()) == found


@pytest.mark.parametrize(("path", "found"), [("/pasal", set()), ("/pasal/", set()), ("/other", {"W049"})])
def test_below_a_path_the_cookies_may_have_it(below_a_path, deploy, messages, settings, path, found):
    """H2"""
    settings.SESSION_COOKIE_PATH = path

    assert set(messages()) == found


def test_no_site_url(deploy, messages):
    deploy(SITE_URL="")

    assert set(messages()) == {"W012"}


@pytest.mark.django_db
def test_without_site_url_wagtails_sites_are_checked(deploy, messages):
    deploy(SITE_URL="")
    Site.objects.update(hostname="shop.example", port=80)
    assert "http://shop.example" in messages(databases=["default"])["E010"]

    Site.objects.update(port=443)
    assert set(messages(databases=["default"])) == {"W012"}

    Site.objects.update(is_default_site=False)
    assert set(messages(databases=["default"])) == {"W012", "E013"}


def another_site(hostname, port=80, **fields):
    return Site.objects.create(hostname=hostname, port=port, root_page=Site.objects.first().root_page, **fields)


@pytest.mark.django_db
def test_two_sites_with_one_host_name_are_a_warning(deploy, messages):
    """M11: also where one of them is the default site."""
    default = Site.objects.get(is_default_site=True)
    another_site("kids.example")
    alone = messages(databases=["default"])
    another_site("kids.example", 8080)
    shared = messages(databases=["default"])
    Site.objects.filter(hostname="kids.example").delete()
    another_site(default.hostname, 8080)

    assert alone == {}
    assert "kids.example:80, kids.example:8080 have the same host name" in shared["W036"]
    assert f"{default.hostname}:80, {default.hostname}:8080 have" in messages(databases=["default"])["W036"]
    assert messages() == {}


@pytest.mark.django_db
def test_two_sites_that_share_one_key_since_an_earlier_version_are_a_warning(deploy, messages):
    """M11"""
    one, two = another_site("kids.example"), another_site("twins.example")
    before = messages(databases=["default"])
    SiteKey.objects.filter(site_pk__in=[one.pk, two.pk]).update(key="kids.example")

    assert before == {}
    assert "kids.example:80, twins.example:80 share payments" in messages(databases=["default"])["W041"]

    two.delete()

    assert messages(databases=["default"]) == {}

"""Checks of the sites: a public address over https, and a host name of its own for each."""

import pytest
from wagtail.models import Site


def test_a_plain_http_shop_in_production(deploy, messages, settings):
    deploy(SITE_URL="http://shop.example")
    assert "http://shop.example" in messages()["E010"]

    settings.DEBUG = True
    assert messages() == {}


def test_plain_http_on_this_machine_is_allowed(deploy, messages):
    deploy(SITE_URL="http://127.0.0.1:8000")

    assert messages() == {}


@pytest.mark.parametrize("url", ["shop.example", "https://", "//shop.example"])
def test_an_invalid_site_url(deploy, messages, url):
    deploy(SITE_URL=url)

    assert url in messages()["E011"]


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
def test_sites_with_the_same_host_name_share_everything(deploy, messages):
    another_site("kids.example")
    alone = messages(databases=["default"])
    another_site("kids.example", 8080)

    assert alone == {}
    assert "kids.example:80, kids.example:8080 have the same host name" in messages(databases=["default"])["W036"]
    assert messages() == {}


@pytest.mark.django_db
def test_the_default_site_may_share_its_host_name(deploy, messages):
    """Its key is ``default``, not its host name."""
    default = Site.objects.get(is_default_site=True)
    another_site(default.hostname, 8080)

    assert messages(databases=["default"]) == {}


@pytest.mark.django_db
def test_a_site_with_the_host_name_default_shares_with_the_default_site(deploy, messages):
    named_default = another_site("default")
    before = messages(databases=["default"])
    named_default.delete()
    Site.objects.update(hostname="default")

    assert "default:80 is named 'default'" in before["W036"]
    assert messages(databases=["default"]) == {}

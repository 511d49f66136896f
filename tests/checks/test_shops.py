"""Checks of the hosts in SHOPS, the middleware and the URLs."""

import types

import pytest
from django.apps import apps
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpResponse
from django.urls import include, path, re_path


def test_no_shop(deploy, messages):
    deploy(SHOPS={})

    assert set(messages()) == {"W017"}


@pytest.mark.parametrize(
    "path_to_it", ["nowhere.Shop", "loyalink_khalti.conf.nothing", "not dotted", "loyalink_khalti.conf"]
)
def test_a_shop_that_cannot_be_imported(deploy, messages, path_to_it):
    deploy(SHOPS={"books": path_to_it})

    assert "'books'" in messages()["E018"]


def test_no_bar_for_pending_payments(deploy, messages, settings):
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if not name.endswith("PendingPaymentMiddleware")]

    assert set(messages()) == {"W019"}


def urls(settings, *patterns):
    urlconf = types.ModuleType("urls_of_this_test")
    urlconf.urlpatterns = list(patterns)
    settings.ROOT_URLCONF = urlconf


def ours():
    return path("khalti/", include("loyalink_khalti.storefront.urls"))


def _page(request):
    return HttpResponse()


def catch_all():
    return re_path("", _page)


def test_no_return_page(deploy, messages, settings):
    urls(settings, catch_all())

    assert "E020" in messages()


def test_a_return_page_that_changes_with_the_language(deploy, messages, settings):
    urls(settings, *i18n_patterns(ours()))

    assert "E021" in messages()


def test_a_return_page_behind_a_catch_all(deploy, messages, settings):
    urls(settings, catch_all(), ours())
    assert "E022" in messages()

    urls(settings, ours(), catch_all())
    assert not {"E020", "E021", "E022"} & set(messages())


@pytest.mark.parametrize(
    "missing", ["wagtail.contrib.settings", "wagtail.users", "wagtail.images", "wagtail.documents", "wagtail.sites"]
)
def test_wagtail_without_an_app_that_its_admin_needs(deploy, messages, monkeypatch, missing):
    """H4, H4a: without one of them pages of the admin fail, and nothing else says why."""
    everything = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda app: app != missing and everything(app))

    assert list(messages()) == ["E031"]
    assert missing in messages()["E031"]


def test_no_middleware_for_token_pages(deploy, messages, settings):
    settings.MIDDLEWARE = [path for path in settings.MIDDLEWARE if not path.endswith("TokenPageMiddleware")]

    assert set(messages()) == {"W035"}


@pytest.mark.parametrize("name", ["EMAIL_IS_VERIFIED", "CREATE_ACCOUNT"])
@pytest.mark.parametrize("path_to_it", ["nowhere.function", "not dotted", "loyalink_khalti.errors.__doc__"])
def test_a_function_for_customers_accounts_that_is_none(deploy, messages, name, path_to_it):
    """P2"""
    deploy(**{name: path_to_it})

    assert f"{name}\"] is '{path_to_it}'" in messages()["E037"]

"""Customers of the demo see the store's own error pages, with DEBUG too."""

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.test import Client
from django.urls import path

from sandbox.urls import urlpatterns as stores

pytestmark = pytest.mark.same_on_both


def fails(request):
    raise RuntimeError("a bug, with a secret")


def refuses(request):
    raise PermissionDenied


def is_suspicious(request):
    raise SuspiciousOperation("strange")


urlpatterns = [path("fails/", fails), path("refuses/", refuses), path("suspicious/", is_suspicious), *stores]


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize(
    ("address", "status", "title"),
    [
        ("/no-such-page/", 404, "Page not found"),
        ("/khalti/status/%00/", 404, "Page not found"),
        ("/refuses/", 403, "Not allowed"),
        ("/suspicious/", 400, "The shop cannot read this request"),
        ("/fails/", 500, "The shop has made an error"),
    ],
)
def test_an_error_is_a_page_of_the_store_with_debug_too(debug, address, status, title, store, settings):
    """T20"""
    settings.DEBUG, settings.ROOT_URLCONF = debug, __name__

    answer = Client(raise_request_exception=False).get(address)

    page = answer.content.decode()
    assert (answer.status_code, f"<title>{title} |" in page.replace("\n", "")) == (status, True)
    assert 'class="brand"' in page
    assert "DEBUG = True" not in page
    assert "a secret" not in page


def test_a_form_that_was_open_too_long_is_refused_by_a_page_of_the_store(store):
    """T20"""
    answer = Client(enforce_csrf_checks=True).post("/shop/basket/add/1/", {"quantity": 1})

    page = answer.content.decode()
    assert (answer.status_code, "This page was open too long" in page, 'class="brand"' in page) == (403, True, True)

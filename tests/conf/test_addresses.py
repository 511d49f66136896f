"""The public addresses of pages, in requests and in jobs, at the root of a host and below a path."""

from collections.abc import Callable, Iterator

import pytest
from django.urls import clear_script_prefix, reverse, set_script_prefix
from pytest_django import Settings
from wagtail.models import Site

from loyalink_khalti import conf

Deploy = Callable[..., None]
TOKEN = "A" * 22


@pytest.fixture(autouse=True)
def _back_at_the_root() -> Iterator[None]:
    yield
    clear_script_prefix()


def the_return_page() -> str:
    return conf.absolute_url("default", reverse("loyalink_khalti:return", args=[TOKEN]))


@pytest.mark.parametrize("site_url", ["https://shop.example", "https://shop.example/"])
def test_at_the_root_of_a_host(deploy: Deploy, site_url: str) -> None:
    """H2"""
    deploy(SITE_URL=site_url)

    assert the_return_page() == f"https://shop.example/khalti/return/{TOKEN}/"
    assert conf.site_url("default") == "https://shop.example"


@pytest.mark.parametrize(
    "site_url", ["https://shop.example", "https://shop.example/pasal", "https://shop.example/pasal/"]
)
@pytest.mark.parametrize(
    "script_name", ["/pasal", "/pasal/", None], ids=["set", "with a slash", "by the server alone"]
)
def test_in_a_request_below_a_path_the_address_has_it_once(
    deploy: Deploy, settings: Settings, site_url: str, script_name: str | None
) -> None:
    """H2"""
    deploy(SITE_URL=site_url)
    settings.FORCE_SCRIPT_NAME = script_name
    set_script_prefix("/pasal")  # as Django does for each request

    assert the_return_page() == f"https://shop.example/pasal/khalti/return/{TOKEN}/"
    assert conf.site_url("default") == "https://shop.example/pasal"


@pytest.mark.parametrize(
    ("site_url", "script_name"),
    [
        ("https://shop.example", "/pasal"),
        ("https://shop.example/pasal", "/pasal"),
        ("https://shop.example/pasal", None),
    ],
)
def test_in_a_job_or_a_thread_without_a_request_it_is_the_same_address(
    deploy: Deploy, settings: Settings, site_url: str, script_name: str | None
) -> None:
    """H2: a thread of a job has no script prefix, even where FORCE_SCRIPT_NAME is set (Django 5.2)."""
    deploy(SITE_URL=site_url)
    settings.FORCE_SCRIPT_NAME = script_name

    assert the_return_page() == f"https://shop.example/pasal/khalti/return/{TOKEN}/"


@pytest.mark.django_db
def test_wagtails_address_of_a_site_gets_the_path_too(deploy: Deploy, settings: Settings) -> None:
    """H2"""
    deploy(SITE_URL="")
    settings.FORCE_SCRIPT_NAME = "/pasal"
    Site.objects.update(hostname="shop.example", port=443)

    assert the_return_page() == f"https://shop.example/pasal/khalti/return/{TOKEN}/"
